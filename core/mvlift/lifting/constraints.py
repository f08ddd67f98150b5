"""What a person says of a lifted motion by hand: poses at frames, and joints that stay at places over ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import LiftError
from mvlift.safe_reading import decode_json, read_text
from mvlift.typing import F64

__all__ = ["Constraints", "KeypointConstraint", "PinConstraint", "PoseConstraint", "load_constraints"]


@dataclass(frozen=True, eq=False)
class PoseConstraint:
    """Rotations of joints in one frame, and the root's place.

    Attributes:
        frame: number in the video.
        joints: (J,) names.
        rotations: (J, 3) rotation vectors in radians relative to the parent; the root's is relative to the world.
        root: (3,) metres, world position of the root joint; None where the video says it.
        weight: 1 holds the pose to a fraction of a degree; less is a wish that the video may go against.
    """

    frame: int
    joints: tuple[str, ...]
    rotations: F64
    root: F64 | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.rotations.shape != (len(self.joints), 3) or len(set(self.joints)) < len(self.joints):
            raise LiftError(
                f"The pose of frame {self.frame} has {len(self.joints)} joints and {len(self.rotations)} rotations.",
                "Give each joint once, with a rotation vector of three numbers.",
            )
        if self.root is not None and self.root.shape != (3,):
            raise LiftError(f"The root of frame {self.frame} is no place.", "Give x, y and z in metres.")
        _check_numbers(f"The pose of frame {self.frame}", self.weight, self.rotations, self.root)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        rotations = {n: [float(v) for v in r] for n, r in zip(self.joints, self.rotations, strict=True)}
        root = None if self.root is None else [float(v) for v in self.root]
        return {"frame": self.frame, "rotations": rotations, "root": root, "weight": self.weight}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> PoseConstraint:
        """Inverse of ``to_json``; KeyError, TypeError or ValueError where a value is missing or of another kind."""
        rotations, root = dict(values["rotations"]), values.get("root")
        if not rotations and root is None:
            raise ValueError("neither rotations nor a root")
        return PoseConstraint(
            frame=int(values["frame"]),
            joints=tuple(rotations),
            rotations=np.array(list(rotations.values()) or np.zeros((0, 3)), dtype=np.float64),
            root=None if root is None else np.array(root, dtype=np.float64),
            weight=float(values.get("weight", 1.0)),
        )


@dataclass(frozen=True, eq=False)
class PinConstraint:
    """A joint that is at given places over a range of frames.

    Attributes:
        joint: its name.
        first: number in the video of the first frame.
        positions: (N, 3) metres, world, one for each frame of the range.
        weight: 1 holds the joint to within millimetres; less is a wish that the video may go against.
    """

    joint: str
    first: int
    positions: F64
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.positions.ndim != 2 or self.positions.shape[1] != 3 or not len(self.positions):
            raise LiftError(f"The pin of {self.joint} has no places.", "Give x, y and z in metres for each frame.")
        _check_numbers(f"The pin of {self.joint}", self.weight, self.positions)

    @property
    def last(self) -> int:
        """Number in the video of the last frame."""
        return self.first + len(self.positions) - 1

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        places = [[float(v) for v in p] for p in self.positions]
        return {"joint": self.joint, "first": self.first, "positions": places, "weight": self.weight}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> PinConstraint:
        """Inverse of ``to_json``; ``position`` and ``last`` may stand for one place that is kept over the range."""
        first = int(values["first"])
        if "position" in values:
            count = int(values["last"]) - first + 1
            if not 1 <= count <= _MOST_FRAMES:
                raise ValueError(f"frames {first} to {values['last']} are no range")
            positions = np.tile(np.array(values["position"], dtype=np.float64), (count, 1))
        else:
            positions = np.array(values["positions"], dtype=np.float64)
        return PinConstraint(str(values["joint"]), first, positions, float(values.get("weight", 1.0)))


@dataclass(frozen=True, eq=False)
class KeypointConstraint:
    """A keypoint that is at a given place of the picture in one frame.

    Attributes:
        frame: number in the video.
        keypoint: its name.
        position: (2,) pixels.
        weight: 1 holds it to within a few millimetres at the body.
    """

    frame: int
    keypoint: str
    position: F64
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.position.shape != (2,):
            raise LiftError(f"{self.keypoint} has no place in frame {self.frame}.", "Give x and y in pixels.")
        _check_numbers(f"The place of {self.keypoint}", self.weight, self.position)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        place = [float(v) for v in self.position]
        return {"frame": self.frame, "keypoint": self.keypoint, "position": place, "weight": self.weight}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> KeypointConstraint:
        """Inverse of ``to_json``; KeyError, TypeError or ValueError where a value is missing or of another kind."""
        place = np.array(values["position"], dtype=np.float64)
        return KeypointConstraint(
            int(values["frame"]), str(values["keypoint"]), place, float(values.get("weight", 1.0))
        )


@dataclass(frozen=True, eq=False)
class Constraints:
    """All that is said of one person.

    Attributes:
        poses: at most one for each frame.
        pins: of joints.
        keypoints: places in the picture.
    """

    poses: tuple[PoseConstraint, ...] = ()
    pins: tuple[PinConstraint, ...] = ()
    keypoints: tuple[KeypointConstraint, ...] = ()

    def __post_init__(self) -> None:
        frames = [p.frame for p in self.poses]
        twice = sorted({f for f in frames if frames.count(f) > 1})
        if twice:
            raise LiftError(f"Frame {twice[0]} has two poses.", "Give one pose for each frame.")

    def __len__(self) -> int:
        return len(self.poses) + len(self.pins) + len(self.keypoints)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        kinds = {"poses": self.poses, "pins": self.pins, "keypoints": self.keypoints}
        return {kind: [row.to_json() for row in rows] for kind, rows in kinds.items()}  # type: ignore[attr-defined]

    @staticmethod
    def from_json(values: Mapping[str, Any], name: str = "The constraints") -> Constraints:
        """Inverse of ``to_json``.

        Raises:
            LiftError: a value is missing or of another kind; the message says in which pose or pin.
        """
        made: dict[str, list[Any]] = {kind: [] for kind in _READERS}
        for kind, reader in _READERS.items():
            rows = values.get(kind, []) if isinstance(values, Mapping) else None
            if not isinstance(rows, list):
                raise LiftError(f"{name} cannot be read: {kind} is no list.", _REMEDY)
            for number, row in enumerate(rows):
                try:
                    made[kind].append(reader(row))
                except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                    raise LiftError(f"{name} cannot be read: {kind}[{number}]: {error!r}.", _REMEDY) from error
        return Constraints(**{kind: tuple(rows) for kind, rows in made.items()})


_READERS: Final[dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    "poses": PoseConstraint.from_json,
    "pins": PinConstraint.from_json,
    "keypoints": KeypointConstraint.from_json,
}
_MOST_FRAMES: Final = 1 << 20
"""Of one pin, which may be kept for hours."""
_REMEDY: Final = 'Give {"poses": [{"frame", "rotations"}], "pins": [{"joint", "first", "last", "position"}]}.'


def _check_numbers(what: str, weight: float, *arrays: NDArray[np.float64] | None) -> None:
    if not 0 < weight < float("inf"):
        raise LiftError(f"{what} has the weight {weight:g}.", "Give more than 0; 1 is usual.")
    if not all(np.isfinite(a).all() for a in arrays if a is not None):
        raise LiftError(f"{what} holds values that are not finite.", "Give metres and radians.")


def load_constraints(path: str | Path) -> Constraints:
    """Constraints from a JSON file.

    Raises:
        DamagedFileError: it cannot be read as JSON.
        LiftError: a value is missing or of another kind.
    """
    source = Path(path)
    return Constraints.from_json(decode_json(read_text(source), source.name), source.name)
