"""Keypoints that a file lists one by one: frame, person, name, place. For annotation tools and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.identify import candidates_for
from mvlift.keypoints.layouts import get_layout, layout_names
from mvlift.keypoints.naming import layout_of_names
from mvlift.typing import F64

__all__ = ["HIDDEN", "MAX_CELLS", "KeypointTable", "interpolated", "name_keypoints"]

HIDDEN: Final = 0.5
"""Confidence of a keypoint that a person placed by guess, because something is in front of it."""
MAX_CELLS: Final = 40_000_000
"""More numbers than this (frames x keypoints) are a damaged file, not a clip."""


def name_keypoints(detections: Detections, labels: Sequence[str]) -> Detections:
    """Detections with the names of their columns, changed in place and returned.

    Columns are put in a known layout's order where they are its keypoints. Names that are only numbers ("0", "1", ...
    or "kp3") order the columns; the layout is then a matter of proportions, or the names stay where no layout has so
    many keypoints.

    Args:
        detections: J columns in the order of ``labels``.
        labels: J names as written.
    """
    digits = ["".join(c for c in label if c.isdecimal()) for label in labels]
    letters = {"".join(c for c in label if not c.isdecimal()) for label in labels}
    if len(letters) == 1 and all(digits) and len(set(digits)) == len(digits):
        order = np.argsort([int(d[:15]) for d in digits], kind="stable").tolist()
        counted = bool(candidates_for(len(labels)))
    else:
        order, counted = _usual_order(labels), False
    detections.points = detections.points[:, order]
    detections.confidence = None if detections.confidence is None else detections.confidence[:, order]
    detections.names = None if counted else tuple(labels[i] for i in order)
    return detections


def _usual_order(labels: Sequence[str]) -> list[int]:
    """Columns in the order of the layout that has just these names, as annotation tools list them in any order."""
    names = layout_of_names(labels).names
    layouts = [get_layout(n) for n in layout_names()]
    if any(known.names == names for known in layouts):
        return list(range(len(labels)))
    for known in layouts:
        if len(known.names) == len(names) and set(known.names) == set(names):
            return [names.index(n) for n in known.names]
    return list(range(len(labels)))


class KeypointTable:
    """Collects single keypoints and makes detections of them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str], int] = {}
        self._columns: dict[str, int] = {}
        self._at: list[tuple[int, int]] = []
        self._values: list[tuple[float, float, float]] = []

    def __len__(self) -> int:
        return len(self._values)

    def declare(self, names: Sequence[str]) -> None:
        """Fixes the order of keypoints, where the file tells it apart from the keypoints."""
        for name in names:
            self._columns.setdefault(name, len(self._columns))

    def add(self, frame: int, person: str, name: str, x: float, y: float, confidence: float = 1.0) -> None:
        """One keypoint; of two in one place the later counts.

        Args:
            frame: 0-based.
            person: whose, "" where the file does not tell people apart.
            name: the keypoint's name as written.
            x: right.
            y: down.
            confidence: 0 = missing.
        """
        row = self._rows.setdefault((frame, person), len(self._rows))
        self._at.append((row, self._columns.setdefault(name, len(self._columns))))
        self._values.append((x, y, confidence))

    def build(self, name: str) -> Detections:
        """Detections with names.

        Args:
            name: of the file, for messages.

        Raises:
            KeypointError: there are no keypoints, or too many to be a clip.
        """
        if not self._values:
            raise KeypointError(f"{name} holds no keypoints.", "Export the points or skeletons, not only boxes.")
        shape = len(self._rows), len(self._columns)
        if shape[0] * shape[1] > MAX_CELLS:
            raise KeypointError(
                f"{name} has {shape[1]} differently named keypoints in {shape[0]} frames.",
                "Give a keypoint the same name in every frame.",
            )
        table = np.full((*shape, 3), np.nan)
        table[..., 2] = 0
        row, column = np.array(self._at).T
        try:
            table[row, column] = np.array(self._values, dtype=np.float64)
            frame = np.array([f for f, _ in self._rows], dtype=np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise KeypointError(
                f"{name}: the keypoints are not numbers ({error}).", "Export the file again."
            ) from error
        people = np.array([p for _, p in self._rows], dtype=np.str_)
        detections = Detections(
            frame=frame,
            points=table[..., :2],
            confidence=table[..., 2],
            person=people if (people != "").any() else None,
        )
        return name_keypoints(detections, list(self._columns))


def interpolated(keys: Mapping[int, F64], last: int | None = None) -> dict[int, F64]:
    """Values of every frame from those of key frames, as annotation tools show them.

    Args:
        keys: (J, 3) x, y and confidence of each key frame; confidence 0 = outside the picture from here on.
        last: last frame of the track, None for the last key frame. The last key frame's values hold until then.

    Returns:
        (J, 3) of each frame: straight lines between key frames where both ends are inside. A keypoint stays outside
        until the next key frame that has it.

    Raises:
        KeypointError: the key frames are so far apart that they cannot be of one video.
    """
    numbers = sorted(keys)
    filled: dict[int, F64] = {}
    for start, stop in zip(numbers, [*numbers[1:], None], strict=True):
        here = keys[start]
        filled[start] = here
        end = stop if stop is not None else (start if last is None else last) + 1
        if end - start < 2:
            continue
        if (end - start) * here.size > MAX_CELLS:
            raise KeypointError(
                f"A key frame {start} is followed by {end}, millions of frames later.", "Export the annotation again."
            )
        share = (np.arange(1, end - start) / (end - start))[:, None, None]
        there = keys[stop] if stop is not None else here
        both = ((here[:, 2] > 0) & (there[:, 2] > 0))[None, :, None]
        between = np.where(both, here + share * (there - here), here)
        between[..., 2] = here[:, 2]
        filled |= {start + 1 + i: row for i, row in enumerate(between)}
    return filled
