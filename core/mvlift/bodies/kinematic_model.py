"""How a fit may move a body: joints that turn together, spread about rest, soft limits. One data file for each body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from mvlift.bodies.supports import Support
from mvlift.errors import BodyFileError, DamagedFileError
from mvlift.safe_reading import read_json
from mvlift.typing import F64

__all__ = ["KinematicModel", "get_kinematic_model"]

_DATA: Final = Path(__file__).parent / "data"


@dataclass(frozen=True)
class KinematicModel:
    """Parameters of the kinematic model that is fitted.

    Attributes:
        groups: each free rotation of the fit: joint name -> share of the rotation that it takes.
        rest_spread: joint name, or its ending -> standard deviation about the rest pose, radians.
        limits: joint name -> (lower, upper) radians for the x, y and z components of its axis-angle rotation.
        torso: keypoints of the rigid torso, from which the first pose of the root comes.
        aim: joint -> the (from, to) keypoints that its first pose points along.
        size: bones (from, to) whose lengths measure scale.
        root: keypoints whose mean is the root of lifted 3D keypoints.
        contacts: keypoints that may rest on the floor.
        prior_joints: number of joints after the root that the pose prior sees, 0 for none.
        standard: metres of all size bones together on a body for which the fit's tolerances are meant; 0 for any.
        masses: joint -> share of the body's mass, for the balance of who stands on their soles; empty: not known.
        soles: joints under which the body stands.
        apart: keypoints (left, right) whose limbs walk side by side and do not cross.
        supports: parts of the skin that may rest on something, feet first; empty: the contact keypoints themselves.
        height: joint whose height above the lowest joint, times a factor, is the standing height; None for a person.
    """

    groups: tuple[Mapping[str, float], ...]
    rest_spread: Mapping[str, float]
    limits: Mapping[str, F64]
    torso: tuple[str, ...]
    aim: Mapping[str, tuple[str, str]]
    size: tuple[tuple[str, str], ...]
    root: tuple[str, ...]
    contacts: tuple[str, ...]
    prior_joints: int
    standard: float = 0.0
    masses: Mapping[str, float] = field(default_factory=dict)
    soles: tuple[str, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    height: tuple[str, float] | None = None
    supports: tuple[Support, ...] = ()

    __hash__ = object.__hash__

    def spread(self, joint: str) -> float:
        """Standard deviation of a joint about rest, radians; infinite where the file says nothing."""
        if joint in self.rest_spread:
            return self.rest_spread[joint]
        return next((s for ending, s in self.rest_spread.items() if joint.endswith("_" + ending)), float("inf"))


def _support(row: Mapping[str, Any]) -> Support:
    x, y, z = (float(v) for v in row["at"])
    return Support(
        name=str(row["name"]),
        joint=str(row["joint"]),
        at=(x, y, z),
        radius=float(row.get("radius", 0.0)),
        height=float(row.get("height", Support.height)),
        seen=tuple(row.get("seen", ())),
        raised=str(row.get("raised", "")),
    )


@cache
def get_kinematic_model(name: str | Path) -> KinematicModel:
    """A kinematic model by name ("human"), or from a file.

    Raises:
        BodyFileError: there is none, or a key is missing.
    """
    path = Path(name) if str(name).endswith(".json") else _DATA / f"{name}_kinematics.json"
    try:
        data = read_json(path, dict[str, Any])
        return KinematicModel(
            groups=tuple(dict(group) for group in data["groups"]),
            rest_spread=dict(data["rest_spread"]),
            limits={k: np.radians(np.array(v, dtype=np.float64)) for k, v in data["limits"].items()},
            torso=tuple(data["torso"]),
            aim={k: (a, b) for k, (a, b) in data["aim"].items()},
            size=tuple((a, b) for a, b in data["size"]),
            root=tuple(data["root"]),
            contacts=tuple(data["contacts"]),
            prior_joints=int(data["prior_joints"]),
            standard=float(data.get("standard", 0.0)),
            masses=dict(data.get("masses", {})),
            soles=tuple(data.get("soles", ())),
            apart=tuple((a, b) for a, b in data.get("apart", ())),
            height=(str(data["height"][0]), float(data["height"][1])) if "height" in data else None,
            supports=tuple(_support(row) for row in data.get("supports", ())),
        )
    except DamagedFileError as error:
        raise BodyFileError(
            f"There is no kinematic model {str(name)!r}: {error.message}", "Name a file such as human_kinematics.json."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BodyFileError(
            f"{path}: not a kinematic model ({error!r}).", "Compare it with human_kinematics.json."
        ) from error
