"""What a reader hands over: the detections of a file, row by row, before they are assigned to people."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS
from mvlift.keypoints.layouts import Layout
from mvlift.typing import F64

__all__ = ["Detections", "FlatDetections", "SplitDetections", "Units", "stacked_hands"]

Units = Literal["unknown", "pixels", "fraction", "percent"]


@dataclass
class Detections:
    """N detections of J keypoints.

    Attributes:
        frame: (N,) 0-based frame number in the video.
        points: (N, J, 2) x right, y down, in ``units``; NaN or (0, 0) where missing.
        confidence: (N, J) as written, None when the file has none.
        names: the keypoints' names as written, or None when the file does not name them.
        layouts: layouts to choose from where there are no names; empty for every layout with J keypoints.
        layout: set when the file says the layout for certain.
        person: (N,) id as written, "" for none; None when the file has no ids.
        ids_certain: the ids come from a person (an annotation tool), not from a tracker.
        span: first and last frame that the detector looked at, where the file tells.
        units: what the coordinates are.
        image_size: (width, height).
        notes: sentences for the user about what was decided.
        format: variant of the reader's format, for the report, when it differs from the reader's name.
        metadata: further facts, values that JSON can hold.
        axes_uncertain: a script's own format, in which y may point up.
        hands: (N, 2, 21, 4) x, y (in ``units``), confidence and depth (in units of x, NaN where none) of the left and
            the right hand, where the file has them beside the J keypoints; see `hand_keypoints`.
        time: (N,) time stamps of the detections' frames in any unit, where the file has them; NaN where one lacks it.
        counted: a sentence for the user where the file does not number its frames, so that they were counted.
    """

    frame: NDArray[np.int64]
    points: F64
    confidence: F64 | None = None
    names: tuple[str, ...] | None = None
    layouts: tuple[str, ...] = ()
    layout: Layout | None = None
    person: NDArray[np.str_] | None = None
    ids_certain: bool = False
    span: tuple[int, int] | None = None
    units: Units = "unknown"
    image_size: tuple[int, int] | None = None
    fps: Fraction | None = None
    notes: list[str] = field(default_factory=list)
    format: str = ""
    metadata: dict[str, object] = field(default_factory=dict)
    axes_uncertain: bool = False
    hands: F64 | None = None
    time: F64 | None = None
    counted: str = ""


class FlatDetections:
    """Collects detections one by one, as plain lists, and makes arrays of them at once."""

    def __init__(self) -> None:
        self._frames: list[int] = []
        self._values: list[Sequence[object]] = []
        self._people: list[str] = []
        self._hands: list[F64 | None] = []

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: int, values: Sequence[object], person: object = "", hands: F64 | None = None) -> None:
        """One detection.

        Args:
            frame: 0-based frame number.
            values: flat x, y, confidence, x, y, confidence, ...; None or NaN where missing. Empty lists are skipped.
            person: id as written, "" for none.
            hands: (2, 21, 4), see `hand_rows`.
        """
        if values:
            self._frames.append(frame)
            self._values.append(_packed(values))
            self._people.append("" if person is None else str(person))
            self._hands.append(hands)

    def build(self, name: str, columns: int = 3) -> Detections:
        """The detections as arrays.

        Args:
            name: file name for messages.
            columns: numbers per keypoint, 2 (no confidence) or 3.

        Raises:
            KeypointError: there are none, or the lists are not of numbers.
        """
        if not self._frames:
            raise KeypointError(f"{name} holds no detected person.", "Run the detector on a video that shows one.")
        lengths = Counter(map(len, self._values))
        length = lengths.most_common(1)[0][0]
        if length % columns:
            raise KeypointError(
                f"{name}: a person has {length} numbers, which is not a multiple of {columns}.",
                "Export the keypoints as x, y, confidence.",
            )
        keep = [i for i, v in enumerate(self._values) if len(v) == length]
        try:
            values = np.array([self._values[i] for i in keep], dtype=np.float64).reshape(len(keep), -1, columns)
            frame = np.array([self._frames[i] for i in keep], dtype=np.int64)
        except (TypeError, ValueError, OverflowError) as error:
            raise KeypointError(
                f"{name}: the keypoints are not numbers ({error}).", "Export the file again."
            ) from error
        people = np.array([self._people[i] for i in keep], dtype=np.str_)
        notes = []
        if len(keep) < len(self._values):
            notes.append(f"{len(self._values) - len(keep)} detections have another number of keypoints: left out.")
        return Detections(
            frame=frame,
            points=values[..., :2],
            confidence=values[..., 2] if columns == 3 else None,
            person=people if (people != "").any() else None,
            notes=notes,
            hands=stacked_hands([self._hands[i] for i in keep]),
        )


def _packed(values: Sequence[object]) -> Sequence[object]:
    """Numbers as an array, which takes a quarter of a list's memory; anything else as it is."""
    try:
        numbers: array[float] = array("d", values)  # type: ignore[arg-type]
        return numbers
    except (TypeError, OverflowError):
        return values


def stacked_hands(hands: Sequence[F64 | None]) -> F64 | None:
    """(N, 2, 21, 4) hands of N detections, None where nobody has any."""
    if all(h is None for h in hands):
        return None
    missing = np.full((2, HAND_KEYPOINTS, 4), np.nan)
    missing[..., 2] = 0
    return np.stack([missing if h is None else h for h in hands])


_HOLE: Final = (np.nan, np.nan)
_AT_ONCE: Final = 4096


class SplitDetections:
    """Collects detections that are written as lists of (x, y), with the confidences in a list of their own."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, Sequence[Any], Sequence[Any] | None, str, F64 | None]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        frame: int,
        points: Sequence[Any],
        scores: Sequence[Any] | None = None,
        person: object = "",
        hands: F64 | None = None,
    ) -> None:
        """One detection.

        Args:
            frame: 0-based frame number.
            points: (J, 2) x and y; further columns are ignored, None stands for a missing keypoint.
            scores: (J,) confidences, None where the file has none.
            person: id as written, "" for none.
            hands: (2, 21, 4), see `hand_rows`.
        """
        if len(points):
            self._rows.append((frame, points, scores, "" if person is None else str(person), hands))

    def build(self, name: str) -> Detections:
        """The detections as arrays.

        Raises:
            KeypointError: there are none, or they are not of numbers.
        """
        if not self._rows:
            raise KeypointError(f"{name} holds no detected person.", "Run the detector on a video that shows one.")
        joints = Counter(len(row[1]) for row in self._rows).most_common(1)[0][0]
        kept = [r for r in self._rows if len(r[1]) == joints and (r[2] is None or len(r[2]) == joints)]
        try:
            points = np.empty((len(kept), joints, 2))
            for start in range(0, len(kept), _AT_ONCE):  # the lists between are as large as the document
                rows = [[_HOLE if p is None else p[:2] for p in r[1]] for r in kept[start : start + _AT_ONCE]]
                points[start : start + len(rows)] = np.array(rows, dtype=np.float64).reshape(len(rows), joints, 2)
            unsure = [r[2] for r in kept]
            scores = np.array([np.ones(joints) if s is None else s for s in unsure], dtype=np.float64)
            frame = np.array([r[0] for r in kept], dtype=np.int64)
        except (TypeError, ValueError, OverflowError, IndexError, KeyError) as error:
            raise KeypointError(
                f"{name}: the keypoints are not numbers ({error}).", "Export the file again."
            ) from error
        people = np.array([r[3] for r in kept], dtype=np.str_)
        left_out = len(self._rows) - len(kept)
        return Detections(
            frame=frame,
            points=points,
            confidence=None if all(s is None for s in unsure) else scores,
            person=people if (people != "").any() else None,
            notes=[f"{left_out} detections have another number of keypoints: left out."] if left_out else [],
            hands=stacked_hands([r[4] for r in kept]),
        )
