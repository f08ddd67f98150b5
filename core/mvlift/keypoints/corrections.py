"""Keypoints corrected by hand, kept beside the detector's file: single keypoints, and sides that were mixed up.

A correction says where a keypoint is in one frame (with confidence 1), or that it cannot be seen there. The file
that was read is never changed; `corrected` gives the clip with the corrections in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.typing import F64

__all__ = ["CORRECTED", "Corrections", "corrected"]

CORRECTED: Final = "corrected"
"""Of a clip's metadata: [frame, keypoint] of what was put in a place by hand; cleaning leaves it there."""

Key = tuple[int, str]
Place = tuple[float, float]


@dataclass(frozen=True)
class Corrections:
    """What was corrected of one person.

    Attributes:
        points: (frame number in the video, keypoint name) -> (x, y) in pixels, or None where it cannot be seen.
        swaps: (first, last) frame numbers, inclusive, in which left and right are exchanged; they come first.
    """

    points: Mapping[Key, Place | None] = field(default_factory=dict)
    swaps: tuple[tuple[int, int], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.points or self.swaps)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames in which single keypoints were corrected, ascending."""
        return tuple(sorted({frame for frame, _ in self.points}))

    def extent(self) -> tuple[int, int] | None:
        """First and last frame that anything was corrected in, None for nothing."""
        numbers = [*self.frames, *(n for pair in self.swaps for n in pair)]
        return (min(numbers), max(numbers)) if numbers else None

    def with_point(self, frame: int, name: str, place: Place | None) -> Corrections:
        """One more keypoint corrected: where it is, or None where it cannot be seen."""
        return replace(self, points={**self.points, (frame, name): place})

    def without(self, first: int, last: int) -> Corrections:
        """Without the corrections of some frames; a swap that overlaps them is removed as a whole."""
        kept = {key: place for key, place in self.points.items() if not first <= key[0] <= last}
        return Corrections(kept, tuple(s for s in self.swaps if s[1] < first or s[0] > last))

    def with_swap(self, first: int, last: int) -> Corrections:
        """Left and right exchanged in some more frames; the same frames twice is as before."""
        swaps = set(self.swaps) ^ {(first, last)}
        return replace(self, swaps=tuple(sorted(swaps)))

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        points = [
            [frame, name, list(place) if place is not None else None] for (frame, name), place in self.points.items()
        ]
        return json.dumps({"points": points, "swaps": [list(s) for s in self.swaps]}) if self else ""

    @staticmethod
    def from_json(text: str) -> Corrections:
        """Inverse of ``to_json``; "" is no correction.

        Raises:
            KeypointError: the text is not what ``to_json`` writes.
        """
        if not text:
            return Corrections()
        try:
            data = json.loads(text)
            points = {
                (int(frame), str(name)): (float(place[0]), float(place[1])) if place is not None else None
                for frame, name, place in data["points"]
            }
            return Corrections(points, tuple((int(a), int(b)) for a, b in data["swaps"]))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise KeypointError("The corrections cannot be read.", "Correct the keypoints again.") from error

    def tracked(self, clip: KeypointClip, name: str, first: int, last: int) -> Corrections:
        """A keypoint corrected in all frames between two corrected ones.

        Between them it follows the detector, moved by an offset that goes linearly from the one correction's to the
        other's; where the detector lost it, it goes straight from one seen frame to the next.

        Args:
            clip: as it was read, with the swaps in.
            name: of the keypoint.
            first, last: frames in which it is corrected to a place.

        Raises:
            KeypointError: it is not corrected to a place in both frames.
        """
        ends = [self.points.get((frame, name)) for frame in (first, last)]
        if ends[0] is None or ends[1] is None or last <= first:
            raise KeypointError(
                f"{name} is not corrected in frames {first} and {last}.",
                "Correct it in two frames, then track between.",
            )
        frames = np.arange(first, last + 1)
        path = _straight(clip, name, frames, np.array(ends, np.float64))
        points = dict(self.points)
        for frame, place in zip(frames[1:-1], path[1:-1], strict=True):
            points[int(frame), name] = (float(place[0]), float(place[1]))
        return replace(self, points=points)


def _straight(clip: KeypointClip, name: str, frames: NDArray[np.int64], ends: F64) -> F64:
    """(N, 2) the detected path, bent so that it begins and ends where it should."""
    rows, column = frames - clip.first_frame, clip.layout.index(name)
    inside = (rows >= 0) & (rows < len(clip))
    seen = inside.copy()
    seen[inside] = clip.confidence[rows[inside], column] > 0
    share = (frames - frames[0]) / max(1, frames[-1] - frames[0])
    line = ends[0] + share[:, None] * (ends[1] - ends[0])
    if not (seen[0] and seen[-1]):
        return line
    known = np.flatnonzero(seen)
    detected = clip.points[rows[known], column].astype(np.float64)
    path = np.stack([np.interp(np.arange(len(frames)), known, detected[:, k]) for k in range(2)], -1)
    offset = (ends[0] - path[0]) + share[:, None] * ((ends[1] - path[-1]) - (ends[0] - path[0]))
    return path + offset


def corrected(clip: KeypointClip, corrections: Corrections) -> KeypointClip:
    """The clip with the corrections in: sides exchanged first, then single keypoints, at confidence 1 or missing.

    Corrections of frames that the clip has not are left out.

    Raises:
        KeypointError: a keypoint is not of the clip's layout.
    """
    if not corrections:
        return clip
    points, confidence = clip.points.copy(), clip.confidence.copy()
    for first, last in corrections.swaps:
        rows = slice(max(first - clip.first_frame, 0), max(last - clip.first_frame + 1, 0))
        order = clip.layout.mirrored()
        points[rows], confidence[rows] = points[rows][:, order], confidence[rows][:, order]
    for (frame, name), place in corrections.points.items():
        if name not in clip.layout.names:
            raise KeypointError(f"{clip.layout.name} has no keypoint {name!r}.", "Remove the corrections.")
        row = frame - clip.first_frame
        if not 0 <= row < len(clip):
            continue
        column = clip.layout.index(name)
        points[row, column] = place if place is not None else 0
        confidence[row, column] = 1.0 if place is not None else 0.0
    placed = [[frame, name] for (frame, name), place in corrections.points.items() if place is not None]
    return replace(clip, points=points, confidence=confidence, metadata={**clip.metadata, CORRECTED: placed})
