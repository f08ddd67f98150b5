"""The detections of a video as they come, and how they are kept so that a stopped run goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.poses import FramePoses
from mvlift.errors import DamagedFileError
from mvlift.files import whole_file
from mvlift.safe_reading import load_npz
from mvlift.typing import F64

__all__ = ["DetectionStore", "load_store", "save_store"]

_STATE: Final = "state_"


@dataclass
class DetectionStore:
    """What was detected so far.

    Attributes:
        key: says which video and options this belongs to.
        joints: keypoints of a person.
        numbers, times: of the frames that are done; seconds, NaN where unknown.
        shots: number of the shot of each of these frames.
        rows, points, confidence: row of the frame, (J, 2) in square pixels of the video, and (J,) of everybody.
        state: of the detector after the last frame.
    """

    key: str
    joints: int
    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    shots: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    points: list[F64] = field(default_factory=list)
    confidence: list[F64] = field(default_factory=list)
    state: dict[str, F64] = field(default_factory=dict)

    def add(self, number: int, time: float, shot: int, poses: FramePoses, scale: float) -> None:
        """One frame; ``scale`` is what `Frame` has."""
        row = len(self.numbers)
        self.numbers.append(number)
        self.times.append(time)
        self.shots.append(shot)
        self.rows += [row] * len(poses)
        self.points += list(poses.points / scale)
        self.confidence += list(poses.confidence)

    def arrays(self) -> tuple[NDArray[np.int64], F64, F64]:
        """(N,) row of the frame, (N, J, 2) points, (N, J) confidence of everybody."""
        shape = (len(self.rows), self.joints)
        return (
            np.array(self.rows, dtype=np.int64),
            np.array(self.points, dtype=np.float64).reshape(*shape, 2),
            np.array(self.confidence, dtype=np.float64).reshape(shape),
        )


def save_store(store: DetectionStore, path: Path) -> None:
    """Write what was detected so far."""
    rows, points, confidence = store.arrays()
    state = {_STATE + k: v for k, v in store.state.items()}
    with whole_file(path) as part, part.open("wb") as stream:
        np.savez(
            stream,
            allow_pickle=False,
            key=np.array(json.dumps([store.key, store.joints])),
            numbers=np.array(store.numbers, dtype=np.int64),
            times=np.array(store.times, dtype=np.float64),
            shots=np.array(store.shots, dtype=np.int64),
            rows=rows,
            points=points,
            confidence=confidence,
            **state,
        )


def load_store(path: Path, key: str, joints: int) -> DetectionStore | None:
    """What ``save_store`` wrote for the same video and options; None where there is nothing to go on from."""
    if not path.is_file():
        return None
    try:
        arrays = load_npz(path.read_bytes(), path.name)
        if json.loads(str(arrays["key"])) != [key, joints]:
            return None
        return DetectionStore(
            key,
            joints,
            numbers=[int(v) for v in arrays["numbers"]],
            times=[float(v) for v in arrays["times"]],
            shots=[int(v) for v in arrays["shots"]],
            rows=[int(v) for v in arrays["rows"]],
            points=list(np.asarray(arrays["points"], np.float64)),
            confidence=list(np.asarray(arrays["confidence"], np.float64)),
            state={k[len(_STATE) :]: np.asarray(v, np.float64) for k, v in arrays.items() if k.startswith(_STATE)},
        )
    except (DamagedFileError, OSError, KeyError, ValueError):
        return None  # a damaged file costs the time, not the run
