"""The left hand of the mannequin as solids round the bones of the flat hand, and the hinges of its fingers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from mvlift.bodies.hands.tables import Finger, fingers, hand_axes
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.typing import F64

from mvlift_training.bodies.skin import Hinge

__all__ = ["finger_hinges", "hand_box", "hand_parts"]


_FILE: Final = Path(__file__).parent / "hand_parts.json"
_MARGIN: Final = 0.03


def _data() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))


def _wrist(skeleton: BodySkeleton) -> F64:
    return skeleton.rest_joints[skeleton.joint_names.index("left_wrist")]


def hand_parts(skeleton: BodySkeleton) -> list[dict[str, Any]]:
    """Parts as in ``human_parts.json``: palm, thumb and fingers of the left hand.

    Args:
        skeleton: with flat fingers.
    """
    data, wrist = _data(), _wrist(skeleton)
    parts = [_placed(part, wrist) for part in data["palm"]]
    for finger in fingers():
        parts.append(_finger_part(finger, data["fingers"][finger.name], wrist))
        parts += [_knuckle(finger, bump, wrist) for bump in data["knuckles"].get(finger.name, ())]
    return parts


def _placed(part: dict[str, Any], wrist: F64) -> dict[str, Any]:
    """A part of the palm from the hand's own axes to the body's."""
    axes = hand_axes()
    if "stations" in part:
        stations = np.array(part["stations"], np.float64)
        stations[:, :3] = stations[:, :3] @ axes + wrist
        return {**part, "front": axes[2].tolist(), "stations": stations.tolist()}
    centre = np.array(part["centre"], np.float64) @ axes + wrist
    along = np.array(part["along"], np.float64) @ axes
    return {**part, "centre": centre.tolist(), "axes": _frame(along, axes[1]).tolist()}


def _frame(along: F64, dorsal: F64) -> F64:
    """(3, 3) rows: along, dorsal made orthogonal to it, and the third axis."""
    x = along / np.linalg.norm(along)
    y = dorsal - (dorsal @ x) * x
    y = y / np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)])


def _finger_part(finger: Finger, row: dict[str, Any], wrist: F64) -> dict[str, Any]:
    """A loft from before the knuckle to the tip; stations are (bone, share of it, radii: back, pad, sides)."""
    begins = np.concatenate([[0.0], np.cumsum(finger.lengths)])
    base = wrist + finger.base
    stations = []
    for bone, share, back, pad, side in row["stations"]:
        along = begins[bone] + share * finger.lengths[bone]
        centre = base + along * finger.direction
        stations.append([*centre, back, pad, side, side])
    front = np.cross(finger.direction, finger.dorsal)
    return {
        "name": finger.name,
        "blend": row["blend"],
        "front": front.tolist(),
        "caps": row["caps"],
        "power": 2.15,
        "stations": stations,
        "edge": row["edge"],
    }


def _knuckle(finger: Finger, bump: dict[str, Any], wrist: F64) -> dict[str, Any]:
    centre = wrist + finger.base + bump["along"] * finger.direction + bump["raise"] * finger.dorsal
    return {
        "name": f"{finger.name} knuckle",
        "blend": bump["blend"],
        "centre": centre.tolist(),
        "radii": bump["radii"],
        "axes": _frame(finger.direction, finger.dorsal).tolist(),
        "edge": bump["edge"],
    }


def finger_hinges(skeleton: BodySkeleton) -> dict[str, Hinge]:
    """Where the skin of each finger's joints begins, both hands."""
    widths, hinges = _data()["hinges"], {}
    joints = dict(zip(skeleton.joint_names, skeleton.rest_joints, strict=True))
    for finger in fingers():
        x, y, z = finger.direction
        for i in range(3):
            width = widths["thumb" if finger.name == "thumb" else "finger"][i]
            tip = joints[f"left_{finger.name}3"] + finger.lengths[2] * finger.direction
            for side, sign in (("left", 1.0), ("right", -1.0)):
                hinges[f"{side}_{finger.name}{i + 1}"] = Hinge(
                    (sign * x, y, z), width, alone=True, tip=(sign * tip[0], tip[1], tip[2]) if i == 2 else None
                )
    return hinges


def hand_box(skeleton: BodySkeleton) -> tuple[F64, F64]:
    """Lowest and highest corner (3,) of the box round the flat left hand."""
    wrist = _wrist(skeleton)
    tips = [wrist + f.base + f.lengths.sum() * f.direction for f in fingers()]
    points = np.stack([wrist, *tips])
    low, high = points.min(0) - _MARGIN, points.max(0) + _MARGIN
    low[0] = wrist[0]
    return low, high
