"""Synthetic hands: poses that people know, on arms that wander, seen by a camera and by a detector that errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from mvlift.bodies.hands.fit import Arm
from mvlift.bodies.hands.model import ORDER, HandModel, hand_model
from mvlift.bodies.hands.tables import Side
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.kinematics.rotations import exp_map
from mvlift.typing import F64
from scipy.spatial.transform import Rotation, Slerp

__all__ = ["POSES", "HandScene", "angles_of", "hand_scene"]

_CURLED: Final = (0.0, 80.0, 96.0, 62.0)
_LONG: Final = (0.0, 3.0, 5.0, 3.0)
_THUMB_IN: Final = (-8.0, 24.0, 26.0, 42.0)
_THUMB_OUT: Final = (8.0, -12.0, -10.0, -5.0)


def _up(*names: str) -> dict[str, tuple[float, ...]]:
    fingers = {n: _LONG if n in names else _CURLED for n in ("index", "middle", "ring", "pinky")}
    return {**fingers, "thumb": _THUMB_OUT if "thumb" in names else _THUMB_IN}


POSES: Final[dict[str, dict[str, tuple[float, ...]]]] = {
    "fist": _up(),
    "point": _up("index"),
    "two": _up("index", "middle"),
    "three": _up("index", "middle", "ring"),
    "four": _up("index", "middle", "ring", "pinky"),
    "five": _up("index", "middle", "ring", "pinky", "thumb"),
    "open": {
        "index": (6.0, 2.0, 4.0, 2.0), "middle": (0.0, 2.0, 4.0, 2.0), "ring": (-5.0, 2.0, 4.0, 2.0),
        "pinky": (-12.0, 2.0, 4.0, 2.0), "thumb": (12.0, -15.0, -10.0, -5.0),
    },
    "pinch": {
        "index": (0.0, 45.0, 50.0, 33.0), "middle": (0.0, 20.0, 28.0, 17.0), "ring": (0.0, 18.0, 24.0, 14.0),
        "pinky": (0.0, 14.0, 20.0, 12.0), "thumb": (15.0, 12.0, 15.0, 20.0),
    },
    "typing": {
        "index": (4.0, 30.0, 40.0, 25.0), "middle": (0.0, 25.0, 45.0, 30.0), "ring": (-3.0, 28.0, 42.0, 28.0),
        "pinky": (-8.0, 25.0, 38.0, 24.0), "thumb": (5.0, 5.0, 8.0, 10.0),
    },
}  # fmt: skip
"""Degrees from the flat hand (a thumb's from rest): spread, flexion of the three joints."""


@dataclass(frozen=True, eq=False)
class HandScene:
    """A hand over time, with the truth.

    Attributes:
        hand: the model.
        points, confidence: (T, 21, 2) pixels and (T, 21), as a detector gives them.
        arm: what carries it.
        wrist: (T, 3, 3) the true turn relative to the forearm.
        angles: (T, 5, 5) the true angles from rest.
        K: (3, 3).
        fps: frames a second.
    """

    hand: HandModel
    points: F64
    confidence: F64
    arm: Arm
    wrist: F64
    angles: F64
    K: F64
    fps: float


def angles_of(hand: HandModel, pose: str) -> F64:
    """(5, 5) angles from rest of a pose of ``POSES``."""
    angles = np.zeros((5, 5))
    for f, name in enumerate(ORDER):
        angles[f, :4] = np.radians(POSES[pose][name])
        if name != "thumb":
            angles[f, 1:4] -= hand.rest[f, 1:4]
    return angles


def _eased(keys: F64, frames: int, period: int) -> F64:
    """(frames, ...) from key to key, each held for half of ``every`` frames."""
    rows = np.arange(frames)
    u = np.clip((rows % period) / (period / 2), 0, 1).reshape(-1, *[1] * (keys.ndim - 1))
    u = u * u * (3 - 2 * u)
    return np.asarray(keys[rows // period] * (1 - u) + keys[rows // period + 1] * u)


def hand_scene(
    seed: int,
    side: Side = "left",
    frames: int = 120,
    fps: float = 30.0,
    distance: float = 2.5,
    noise: float = 0.0,
    losses: float = 0.0,
    size: float = 1.0,
) -> HandScene:
    """A hand that goes through poses while wrist and forearm turn.

    Args:
        seed: of everything.
        side, frames, fps: of the clip.
        distance: metres from the camera.
        noise: standard deviation of a keypoint over the hand's length in the picture.
        losses: share of keypoints that are missing, and of those that are far off.
        size: of the hand over the model's.
    """
    rng = np.random.default_rng(seed)
    hand = hand_model(default_human_skeleton_with_fingers(), side)
    period = round(fps * 2 / 3)
    count = frames // period + 2
    names = [list(POSES)[i] for i in rng.integers(len(POSES), size=count)]
    angles = _eased(np.stack([angles_of(hand, n) for n in names]), frames, period)
    base = Rotation.random(random_state=seed)
    turns = [base, *(base * Rotation.from_rotvec(rng.normal(0, 0.5, 3)) for _ in range(2))]
    forearm = Slerp([0, frames / 2, frames], Rotation.concatenate(turns))(np.arange(frames)).as_matrix()
    reach = np.radians([[-70, 70], [-50, 55], [-25, 15]])
    twist, flexion, spread = _eased(rng.uniform(reach[:, 0], reach[:, 1], (count, 3)), frames, period).T[:, :, None]
    sign = 1.0 if side == "left" else -1.0
    distal, dorsal, radial = sign * hand.axes
    wrist = exp_map(twist * distal) @ exp_map(-flexion * radial - spread * dorsal)
    place = np.array([0.25 * np.sin(seed), -0.1, distance])
    place = place + 0.1 * np.sin(np.arange(frames)[:, None] / fps) * rng.normal(size=3)
    points = place[:, None] + np.einsum("tab,tkb->tka", forearm @ wrist, hand.points(angles) * size)
    focal = 900.0
    K = np.array([[focal, 0, 640], [0, focal, 360], [0, 0, 1]])
    pixels = focal * points[..., :2] / points[..., 2:] + K[:2, 2]
    confidence = np.full(pixels.shape[:2], 0.9)
    length = 0.19 * focal / distance
    pixels = pixels + rng.normal(0, 1, pixels.shape) * noise * length
    gross = rng.random(confidence.shape) < losses
    pixels = pixels + gross[..., None] * rng.normal(0, 0.15 * length, pixels.shape)
    confidence = np.where(gross, 0.4, confidence)
    confidence = np.where(rng.random(confidence.shape) < losses, 0.0, confidence)
    return HandScene(hand, pixels, confidence, Arm(place, forearm, np.ones(frames)), wrist, angles, K, fps)
