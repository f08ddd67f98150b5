"""Several synthetic people on one floor before one camera, and what a detector makes of them: identities are known."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from mvlift.bodies.skeletons import default_human_skeleton
from mvlift.keypoints.layouts import get_layout
from mvlift.kinematics.rotations import exp_map
from mvlift.typing import F64
from numpy.typing import NDArray
from scenes import ROOT

sys.path.insert(0, str(ROOT / "examples"))

from make_walk import gait

__all__ = ["NAMES", "SCENARIOS", "Crowd", "Seen", "detect", "make_crowd"]

NAMES: Final = get_layout("coco17").names
SIZE: Final = (1280, 720)
STRIDE: Final = 1.35
"""Metres that somebody of 1.7 m walks in a gait cycle."""
_PHASES: Final = 48


@dataclass(frozen=True, eq=False)
class Crowd:
    """People of known identity.

    Attributes:
        points: (P, T, J, 3) metres, z up, floor at 0.
        pixels: (P, T, J, 2).
        depth: (P, T) metres from the camera.
        K, R, t: of the camera, x_camera = R x_world + t.
        fps: frames per second.
    """

    points: F64
    pixels: F64
    depth: F64
    K: F64
    R: F64
    t: F64
    fps: int = 30


@dataclass(frozen=True, eq=False)
class Seen:
    """N detections in random order within each frame; ``truth`` is -1 where nobody is there."""

    frame: NDArray[np.int64]
    points: F64
    confidence: F64
    truth: NDArray[np.int64]


@lru_cache(maxsize=64)
def _cycle(arms: float, raised: float) -> F64:
    """(48, 17, 3) a gait cycle in place: front is -y, z up, the lowest foot at 0."""
    skeleton = default_human_skeleton()
    phase = np.arange(_PHASES) / _PHASES
    turn = np.zeros((_PHASES, len(skeleton.joint_names), 3))
    j = skeleton.joint_names.index
    for side, shift, sign in (("left", 0.0, 1.0), ("right", 0.5, -1.0)):
        side_phase = (phase + shift) % 1
        hip, knee, ankle = (np.radians(a) for a in gait(side_phase))
        turn[:, j(f"{side}_hip"), 0], turn[:, j(f"{side}_knee"), 0] = -hip, knee
        turn[:, j(f"{side}_ankle"), 0] = -ankle
        swing = arms * np.cos(2 * math.pi * (side_phase + 0.5))
        lowered = np.full(_PHASES, -sign * (1.25 - raised))
        turn[:, j(f"{side}_shoulder")] = np.stack([0 * swing, -sign * swing, lowered], 1)
        turn[:, j(f"{side}_elbow"), 1] = -sign * (0.35 + raised + 0.6 * arms * np.cos(2 * math.pi * (side_phase + 0.5)))
    rotations = exp_map(turn)
    rotations[:, 0] = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    names = skeleton.keypoint_names
    points = skeleton.posed(np.zeros(10), rotations, np.zeros((_PHASES, 3)))[1]
    feet = points[:, [names.index(n) for n in ("l_heel", "l_big_toe", "r_heel", "r_big_toe")], 2].min(1)
    points[..., 2] -= feet[:, None]
    return np.asarray(points[:, [names.index(n) for n in NAMES]] - [*points[..., :2].mean((0, 1)), 0])


def walker(path: F64, height: float, phase: float, arms: float = 0.38, raised: float = 0.0) -> F64:
    """(T, 17, 3) somebody who walks along a path (T, 2) on the floor, steps tied to the way that is covered.

    Args:
        path: metres.
        height: factor on the body.
        phase: of the first frame, 0 to 1.
        arms: swing of the arms, radians.
        raised: how far they are lifted, radians.
    """
    step = np.diff(path, axis=0, append=2 * path[-1:] - path[-2:-1])
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(step, axis=1))[:-1]])
    at = (phase + way / (STRIDE * height) % 1) * _PHASES
    low, share = np.floor(at).astype(int), (at % 1)[:, None, None]
    cycle = _cycle(round(arms, 2), round(raised, 2))
    body = height * ((1 - share) * cycle[low % _PHASES] + share * cycle[(low + 1) % _PHASES])
    smooth = np.stack([np.convolve(np.pad(s, 7, mode="edge"), np.ones(15) / 15, mode="valid") for s in step.T], 1)
    heading = np.unwrap(np.arctan2(smooth[:, 1], smooth[:, 0])) + math.pi / 2
    c, s = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x, y = body[..., 0] * c - body[..., 1] * s, body[..., 0] * s + body[..., 1] * c
    return np.stack([x + path[:, :1], y + path[:, 1:], body[..., 2]], -1)


def _straight(a: F64, b: F64, frames: int) -> F64:
    return a + np.linspace(0, 1, frames)[:, None] * (b - a)


def _cross(people: int, frames: int, random: np.random.Generator, apart: float, speed: float) -> F64:
    """From alternating sides through one middle, ``apart`` metres behind each other."""
    paths = []
    for p in range(people):
        way = speed * random.uniform(0.75, 1.3) * frames / 30
        side, y = (-1) ** p, apart * (p - (people - 1) / 2) + random.uniform(-0.1, 0.1)
        middle = random.uniform(-0.6, 0.6)
        a, b = np.array([middle - side * way / 2, y]), np.array([middle + side * way / 2, y])
        paths.append(_straight(a, b, frames))
    return np.stack(paths)


def _diagonal(people: int, frames: int, random: np.random.Generator) -> F64:
    """Straight across a square, each from another side, all through the middle at about the same time."""
    angle = random.uniform(0, 2 * math.pi, people)
    way = 1.3 * random.uniform(0.7, 1.2, people) * frames / 30
    to = np.stack([np.cos(angle), 0.5 * np.sin(angle)], 1) * way[:, None] / 2
    middle = random.uniform(-0.5, 0.5, (people, 2))
    return np.stack([_straight(m - d, m + d, frames) for m, d in zip(middle, to, strict=True)])


def _turn(people: int, frames: int, random: np.random.Generator) -> F64:
    """They come together, stand beside each other for a second, and go back where they came from."""
    paths = []
    for p in range(people):
        side, y = (-1) ** p, 0.7 * (p - (people - 1) / 2)
        nearest, furthest = side * random.uniform(0.15, 0.5), side * random.uniform(2.2, 3.2)
        t = np.linspace(-1, 1, frames)
        x = nearest + (furthest - nearest) * np.clip((np.abs(t) - 0.12) / 0.88, 0, 1)
        paths.append(np.stack([x, np.full(frames, y) + 0.02 * np.sin(9 * t)], 1))
    return np.stack(paths)


def _group(people: int, frames: int, random: np.random.Generator) -> F64:
    """All but one walk together in two rows; the last comes towards them."""
    way = 1.2 * frames / 30
    paths = []
    for p in range(people - 1):
        start = np.array([-way / 2 - 0.8 * (p // 2), 0.7 * (p % 2) - 0.3]) + random.uniform(-0.12, 0.12, 2)
        sway = 0.08 * np.sin(np.linspace(0, random.uniform(4, 8), frames))
        paths.append(_straight(start, start + np.array([way, 0.0]), frames) + np.stack([sway, 0 * sway], 1))
    paths.append(_straight(np.array([way / 2, -1.1]), np.array([-way / 2, -0.9]), frames))
    return np.stack(paths)


def _dance(people: int, frames: int, random: np.random.Generator) -> F64:
    """In circles about each other: each is hidden again and again."""
    t = np.arange(frames) / 30
    turn = 2 * math.pi * (t[None] / random.uniform(4, 6) + np.arange(people)[:, None] / people)
    radius = 0.75 + 0.12 * people * (1 + 0.15 * np.sin(t[None] + np.arange(people)[:, None]))
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1)


SCENARIOS: Final = {
    "cross": lambda p, n, r: _cross(p, n, r, 0.9, 1.3),
    "cross closely": lambda p, n, r: _cross(p, n, r, 0.45, 1.1),
    "run across": lambda p, n, r: _cross(p, n, r, 0.9, 3.2),
    "diagonal": _diagonal,
    "meet and turn": _turn,
    "group and one": _group,
    "circle dance": _dance,
}


def make_crowd(scenario: str, people: int, seed: int = 0, frames: int = 300) -> Crowd:
    """Two to six people of a scenario, seen by a camera at eye to ladder height, 6 to 9 m away."""
    random = np.random.default_rng([seed, people, list(SCENARIOS).index(scenario)])
    paths = SCENARIOS[scenario](people, frames, random)
    dance = 0.9 if "dance" in scenario else 0.0
    points = np.stack(
        [
            walker(path, random.uniform(0.9, 1.08), random.random(), random.uniform(0.25, 0.5), dance * random.random())
            for path in paths
        ]
    )
    distance, high = random.uniform(6, 9), random.uniform(1.4, 2.8)
    tilt = math.atan2(high - 0.9, distance)
    forward, down = [0, math.cos(tilt), -math.sin(tilt)], [0, -math.sin(tilt), -math.cos(tilt)]
    R = np.array([[1.0, 0, 0], down, forward])
    t = -R @ np.array([0.0, -distance, high])
    K = np.array([[1050.0, 0, SIZE[0] / 2], [0, 1050.0, SIZE[1] / 2], [0, 0, 1]])
    camera = points @ R.T + t
    projected = camera @ K.T
    return Crowd(points, projected[..., :2] / projected[..., 2:], camera[..., 2].mean(-1), K, R, t)


def _boxes(pixels: F64) -> F64:
    """(..., 4) left, top, right, bottom."""
    return np.concatenate([pixels.min(-2), pixels.max(-2)], -1)


def _overlap(a: F64, b: F64) -> float:
    """Intersection over union of two boxes."""
    both = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    area = float(np.prod(both)) if (both > 0).all() else 0.0
    return area / float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - area)


def detect(crowd: Crowd, seed: int = 0, noise: float = 1.0) -> Seen:
    """What a bottom-up detector would say: tremble in proportion to size, missed and invented people, doubles.

    Who is hidden behind somebody nearer has keypoints that are unsure, gone, or taken from the one in front; when the
    boxes agree too far, often nobody is detected behind. People outside the picture are not detected.

    Args:
        crowd: who is there.
        seed: of the detector's mistakes.
        noise: factor on all of them.
    """
    random = np.random.default_rng(seed)
    people, frames, joints = crowd.pixels.shape[:3]
    rows: list[tuple[int, F64, F64, int]] = []
    slip = np.zeros((people, joints, 2))
    for frame in range(frames):
        boxes = _boxes(crowd.pixels[:, frame])
        order = np.argsort(crowd.depth[:, frame])
        for rank, p in enumerate(order):
            size = boxes[p, 3] - boxes[p, 1]
            middle = boxes[p].reshape(2, 2).mean(0)
            slip[p] = 0.8 * slip[p] + 0.004 * noise * size * random.normal(size=(joints, 2))
            front = [q for q in order[:rank] if _overlap(boxes[p], boxes[q]) > 0.02]
            worst = max((_overlap(boxes[p], boxes[q]) for q in front), default=0.0)
            inside = (middle > 0).all() and (middle < SIZE).all()
            if not inside or random.random() < 0.03 * noise or (worst > 0.55 and random.random() < 0.85):
                continue
            points = crowd.pixels[p, frame] + slip[p] + 0.005 * noise * size * random.normal(size=(joints, 2))
            sure = np.clip(random.normal(0.8, 0.08, joints), 0.1, 0.98)
            for q in front:
                distance = np.linalg.norm(points[:, None] - crowd.pixels[q, frame][None], axis=-1)
                covered = distance.min(1) < 0.09 * size
                sure = np.where(covered, 0.45 * sure, sure)
                taken = covered & (random.random(joints) < 0.25 * noise)
                points = np.where(taken[:, None], crowd.pixels[q, frame][distance.argmin(1)], points)
                points += np.where(covered, 0.02 * noise * size, 0.0)[:, None] * random.normal(size=(joints, 2))
                sure = np.where(covered & (random.random(joints) < 0.3 * noise), 0.0, sure)
            sure = np.where(random.random(joints) < 0.03 * noise, 0.0, sure)
            rows.append((frame, points, sure, int(p)))
            if random.random() < 0.02 * noise:
                rows.append((frame, points + 0.01 * size * random.normal(size=(joints, 2)), 0.6 * sure, -1))
        if random.random() < 0.02 * noise:
            ghost = crowd.pixels[random.integers(people), frame] + random.uniform(-400, 400, 2)
            rows.append((frame, ghost + 9 * random.normal(size=(joints, 2)), random.uniform(0.05, 0.35, joints), -1))
    order = np.lexsort((random.random(len(rows)), [r[0] for r in rows]))
    columns: list[Any] = [np.array([rows[i][k] for i in order]) for k in range(4)]
    columns[1] = np.where((columns[2] > 0)[..., None], columns[1], 0.0)
    return Seen(*columns)
