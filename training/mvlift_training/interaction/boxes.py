"""Boxes of our own making with people whose motion is free: carried, lifted, pushed, put down, left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from mvlift.kinematics.rotations import unit
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from mvlift_training.interaction.reach import Body, bend, bend_needed, reach

__all__ = ["CORNERS", "Scene", "make_scene"]

Mode = Literal["carry", "one hand", "push", "alone"]
CORNERS: Final = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
"""(8, 3) corners of a unit box: corner number 4 i + 2 j + k, i, j, k along x, y, z of a right-handed frame."""
UP: Final = np.array([0.0, 0.0, 1.0])
REACH_TIME: Final = 12
"""Frames in which a hand comes to a box or leaves it."""
_LABELS: Final = Rotation.create_group("O").as_matrix()
"""(24, 3, 3) rotations of a box onto itself: the labels of the corners are arbitrary."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A person and a box.

    Attributes:
        points: (T, K, 3) keypoints of the person, metres, z up.
        corners: (T, 8, 3) of the box.
        held: (T, 2) True where the left or right hand holds the box.
    """

    points: F64
    corners: F64
    held: NDArray[np.bool_]


@dataclass(frozen=True)
class _Plan:
    """When and how the box is held: frames [first, last) of the hold, beyond the clip where it never ends."""

    mode: Mode
    first: int
    last: int
    size: F64
    forward: float
    side: float
    height: float
    support: tuple[float, float]
    turn: float
    tilt: F64
    pitch: float
    drop: float


def _smooth_step(x: F64) -> F64:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _wobble(rng: np.random.Generator, frames: int, size: float, seconds: float = 1.0) -> F64:
    """(T, 3) slow noise of about a size."""
    noise = gaussian_filter1d(rng.normal(size=(frames + 240, 3)), 30 * seconds, axis=0)[120 : 120 + frames]
    return np.asarray(noise * size * np.sqrt(2 * np.sqrt(np.pi) * 30 * seconds))


def facing(points: F64, body: Body, sigma: float = 8.0) -> F64:
    """(T, 3) horizontal direction that a person faces, smoothed over ``sigma`` frames."""
    hip, shoulder = body.at("l_hip", "r_hip"), body.at("l_shoulder", "r_shoulder")
    left = points[:, hip[0]] - points[:, hip[1]] + points[:, shoulder[0]] - points[:, shoulder[1]]
    ahead = np.cross(left, UP)
    return unit(gaussian_filter1d(unit(ahead * [1, 1, 0]), sigma, axis=0, mode="nearest"))


def _plan(rng: np.random.Generator, points: F64, body: Body, upright: bool) -> _Plan:
    frames = len(points)
    hips = points[:, body.at("l_hip", "r_hip")].mean(1)
    mode: Mode = "alone"
    if upright:
        mode = ("carry", "one hand", "push", "alone")[rng.choice(4, p=[0.58, 0.14, 0.13, 0.15])]  # type: ignore[assignment]
    size = np.clip(0.42 * np.exp(0.4 * rng.normal(size=3)), 0.14, 1.05)
    if mode == "one hand":
        size *= 0.85
    speed = np.linalg.norm(np.gradient(gaussian_filter1d(hips, 6, axis=0), axis=0), axis=-1)
    still = 1 / (speed + 0.004) ** 2
    still[:15] = still[-15:] = 0
    moments = np.sort(rng.choice(frames, 2, replace=False, p=still / still.sum())) if frames > 60 else [0, frames]
    beyond = 10**6
    span_choice = rng.random()
    first = -beyond if span_choice < 0.35 else int(moments[0])
    last = (
        beyond if span_choice < 0.2 or 0.35 <= span_choice < 0.65 or moments[1] - moments[0] < 40 else int(moments[1])
    )
    stature = float(np.percentile(points[:, body.at("nose")[0], 2], 80))
    return _Plan(
        mode=mode,
        first=first,
        last=last,
        size=size,
        forward=0.5 * float(np.hypot(size[0], 0.5 * size[1])) + rng.uniform(0.12, 0.3),
        side=float(rng.normal() * 0.06) if mode != "one hand" else rng.choice([-1, 1]) * rng.uniform(0.2, 0.45),
        height=stature * (rng.uniform(0.45, 0.85) if rng.random() < 0.85 else rng.uniform(0.85, 1.15)),
        support=(_support(rng), _support(rng)),
        turn=float(rng.normal() * 0.35 + rng.integers(0, 4) * np.pi / 2),
        tilt=rng.normal(size=3) * (0.12 if rng.random() < 0.6 else 0.7) * (mode != "push"),
        pitch=rng.uniform(0.5, 1.5),
        drop=rng.uniform(0.1, 0.5),
    )


def _support(rng: np.random.Generator) -> float:
    """Height on which a box rests: mostly the floor."""
    return 0.0 if rng.random() < 0.65 else float(rng.uniform(0.2, 0.95))


def _extent(turn: F64, size: F64) -> F64:
    """(T,) half height of a box turned by matrices (T, 3, 3)."""
    return np.asarray((np.abs(turn[:, 2]) * size).sum(-1) / 2)


def _box_path(rng: np.random.Generator, plan: _Plan, points: F64, body: Body, ahead: F64) -> tuple[F64, F64]:
    """Centre (T, 3) and turn (T, 3, 3) of the box."""
    frames = len(points)
    time = np.arange(frames)
    lift = rng.uniform(14, 34)
    held = _smooth_step((time - plan.first) / lift) * _smooth_step((plan.last - time) / lift)
    inside = np.clip(time, plan.first, plan.last - 1).clip(0, frames - 1)
    hips = gaussian_filter1d(points[:, body.at("l_hip", "r_hip")].mean(1), 4, axis=0, mode="nearest")
    left = np.cross(UP, ahead)
    centre = hips * [1, 1, 0] + plan.forward * ahead + plan.side * left
    yaw = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0])) + plan.turn
    sway = _wobble(rng, frames, 0.06) * held[:, None]
    tilt = (plan.tilt + _wobble(rng, frames, 0.12, 0.8)) * held[:, None]
    if plan.mode == "push":
        sway[:, 2], tilt = 0, tilt * 0
    centre, yaw = (centre + sway * [1, 1, 0])[inside], yaw[inside]
    turn = (Rotation.from_rotvec(yaw[:, None] * UP) * Rotation.from_rotvec(tilt)).as_matrix()
    resting = np.where(time < 0.5 * (max(plan.first, 0) + min(plan.last, frames)), *plan.support)
    low = _extent(turn, plan.size) + (0 if plan.mode == "push" else resting)
    bob = hips[inside, 2] - np.median(hips[:, 2])
    high = np.maximum(plan.height + 0.7 * bob + sway[:, 2], _extent(turn, plan.size) + 0.02)
    if plan.mode == "one hand":
        high = np.maximum(0.42 * plan.height + 0.7 * bob - 0.2 * plan.size[2], _extent(turn, plan.size) + 0.03)
    centre[:, 2] = low if plan.mode == "push" else low + held * (high - low)
    smooth = gaussian_filter1d(centre, 2.0, axis=0, mode="nearest")
    return smooth, turn


def _grips(rng: np.random.Generator, plan: _Plan, turn: F64, centre: F64, body_ahead: F64) -> F64:
    """(2, 3) where the left and right wrist hold the box, in its own frame; NaN for a free hand."""
    left = np.cross(UP, body_ahead)
    local = turn.T @ np.stack([left, body_ahead, UP], 1)  # columns: directions of the person in the box's frame
    across, depth = int(np.abs(local[:, 0]).argmax()), int(np.abs(local[:, 1]).argmax())
    if depth == across:
        depth = (across + 1) % 3
    upward = 3 - across - depth
    sign, near_side, top = np.sign(local[across, 0]), -np.sign(local[depth, 1]), np.sign(local[upward, 2])
    half = plan.size / 2
    grip = np.zeros((2, 3))
    if plan.mode == "one hand":
        grip[:] = np.nan
        hand = 0 if plan.side > 0 else 1
        grip[hand] = 0
        grip[hand, upward] = top * (half[upward] + rng.uniform(-0.02, 0.08))
        grip[hand] += rng.normal(size=3) * 0.1 * half
        return grip
    rise = rng.uniform(-0.9, 0.7) if plan.mode == "carry" else rng.uniform(0.3, 1.0)
    for hand, way in enumerate((1.0, -1.0)):
        if plan.mode == "push" or half[across] > 0.42:  # on the near face or edge
            spread = min(half[across], rng.uniform(0.15, 0.3))
            grip[hand, across], grip[hand, depth] = way * sign * spread, near_side * (half[depth] + 0.07)
        else:
            grip[hand, across] = way * sign * (half[across] + rng.uniform(0.0, 0.06))
            grip[hand, depth] = near_side * (rng.uniform(-0.3, 0.8) * half[depth] + 0.06)
        grip[hand, upward] = top * rise * half[upward]
    return grip + rng.normal(size=(2, 3)) * 0.015


def make_scene(rng: np.random.Generator, points: F64, names: tuple[str, ...]) -> Scene | None:
    """A person interacting with a box, or None where the hands cannot reach it.

    Args:
        rng: randomness.
        points: (T, K, 3) keypoints of a person, metres, z up, floor at 0.
        names: of the keypoints.
    """
    body = Body(names)
    tall = points[:, body.at("neck")[0], 2] - points[:, body.at("l_hip", "r_hip"), 2].mean(1)
    upright = float((tall > 0.3).mean()) > 0.97
    plan = _plan(rng, points, body, upright)
    ahead = facing(points, body)
    centre, turn = _box_path(rng, plan, points, body, ahead)
    grasp = np.zeros((len(points), 2), dtype=bool)
    if plan.mode == "alone":
        at = int(rng.integers(len(points)))
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.6)
        centre = (
            np.broadcast_to(centre[at], centre.shape) + distance * np.array([np.cos(angle), np.sin(angle), 0]) * 0.7
        )
        turn = np.broadcast_to(turn[at], turn.shape)
        centre = centre * [1, 1, 0] + UP * (_extent(turn, plan.size)[:, None] + plan.support[0])
        moved = points
    else:
        middle = int(np.clip(0.5 * (max(plan.first, 0) + min(plan.last, len(points))), 0, len(points) - 1))
        grip = _grips(rng, plan, turn[middle], centre[middle], ahead[middle])
        wanted = centre[:, None] + np.einsum("tab,hb->tha", turn, grip)
        time = np.arange(len(points))
        grasp[:] = ((time >= plan.first) & (time < plan.last))[:, None] & np.isfinite(grip[:, 0])
        moved = _hands_to(rng, plan, points, body, ahead, wanted)
        miss = np.linalg.norm(moved[:, body.at("l_wrist", "r_wrist")] - wanted, axis=-1)[grasp]
        if len(miss) and np.percentile(miss, 90) > 0.05:
            return None
    label = _LABELS[rng.integers(len(_LABELS))]
    corners = (CORNERS @ label.T) * plan.size
    return Scene(moved, centre[:, None] + np.einsum("tab,kb->tka", turn, corners), grasp)


def _hands_to(rng: np.random.Generator, plan: _Plan, points: F64, body: Body, ahead: F64, wanted: F64) -> F64:
    """The person with hands at (T, 2, 3) wanted places while the box is held, bent down where they are low."""
    time = np.arange(len(points))
    approach = _smooth_step((time - plan.first) / REACH_TIME + 1) * _smooth_step(
        (plan.last - 1 - time) / REACH_TIME + 1
    )
    need = bend_needed(points, body, wanted, ahead, plan.pitch, plan.drop) * approach
    need = np.minimum(gaussian_filter1d(maximum_filter1d(need, 13, mode="nearest"), 5, mode="nearest"), 1)
    moved = bend(points, body, need, ahead, plan.pitch, plan.drop)
    left = np.cross(UP, ahead)
    out, down, back = rng.uniform(0.2, 0.9), rng.uniform(0.3, 0.9), rng.uniform(0.0, 0.5)
    for hand, (side, way) in enumerate((("l", 1.0), ("r", -1.0))):
        if np.isnan(wanted[:, hand]).any():
            continue
        shoulder, elbow, wrist = body.at(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
        target = moved[:, wrist] + approach[:, None] * (wanted[:, hand] - moved[:, wrist])
        current_pole = unit(moved[:, elbow] - 0.5 * (moved[:, shoulder] + moved[:, wrist]))
        pole = way * out * left - down * UP - back * ahead
        pole = approach[:, None] * pole + (1 - approach[:, None]) * current_pole
        bent, end = reach(moved[:, shoulder], moved[:, elbow], moved[:, wrist], target, pole)
        free = approach < 1e-3
        moved[:, elbow] = np.where(free[:, None], moved[:, elbow], bent)
        moved[:, wrist] = np.where(free[:, None], moved[:, wrist], end)
    return moved
