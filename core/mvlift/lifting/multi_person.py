"""Several people of one video, each lifted on their own, in one world: one camera, one floor, one scale.

A lift knows a person's size, hence the distance, only from the distribution of statures: both may be wrong by the same
few percent. A common floor and camera of several people reduce that error. Found are the up direction n and height h of
the camera and each person's scale s_i about the camera's centre, which the picture does not show:

    n . (s_i c) = -h   for the places c where person i's feet rest (camera axes),

with priors on n (each lift's own, and that people hold their trunk upright: hardly sideways, less surely forwards) and
on log s_i (how statures scatter). Each person is then scaled, turned upright about the middle of their steps, and set
onto the floor. Before a camera that moves they only meet in one world, at the size they were lifted in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.kinematics.rotations import mean_rotation, rotation_between
from mvlift.lifting.size import rescale
from mvlift.lifting.world import world_axes
from mvlift.motion import Camera, LiftedMotion
from mvlift.typing import F64

__all__ = ["align_people", "body_for_size"]

UP_SIGMA: Final = 0.055
"""Radians by which a lift's up direction may be wrong."""
ASIDE_SIGMA: Final = 0.02
"""Standard deviation, radians, of the sideways lean of a trunk averaged over a clip, with the lift's error."""
FORWARD_SIGMA: Final = 0.08
"""The same, forwards and backwards."""
SIZE_SIGMA: Final = 0.06
"""Scatter of the logarithm of people's statures about what a lift says; 0.004 where the user gave the height."""
KNOWN_SIGMA: Final = 0.004
TOLD_SIGMA: Final = 1e-4
"""Radians, where gravity was known to every lift."""
FLOOR_SIGMA: Final = 0.04
"""Metres by which a resting foot may lie off the floor."""
RESTING: Final = 0.5
"""Probability above which a contact keypoint rests."""
MAX_FOOTHOLDS: Final = 12
"""Places that are taken of each person's steps."""
_UPRIGHT: Final = 0.7
"""Cosine with the up direction, from which on a trunk is upright."""
_ROUNDS: Final = 50
FINITE_DIFFERENCE: Final = 1e-5
_STAGE: Final = 0.25
"""People whose steps are further than this from the floor, metres, stand on something else and keep their height."""


@dataclass(frozen=True, eq=False)
class Footholds:
    """Where somebody's feet rest: (N, 3) in camera axes, height above the own floor, and the own up direction.

    ``lean`` (K, 3) times a unit vector says how badly it is up for this person's trunk, in units of sigma.
    """

    places: F64
    height: F64
    up: F64
    lean: F64


def footholds_of(motion: LiftedMotion) -> Footholds:
    """Means over stretches of the clip, so that standing counts no more than walking."""
    columns = [motion.keypoint_names.index(n) for n in motion.contact_names if n in motion.keypoint_names]
    known = [i for i, n in enumerate(motion.contact_names) if n in motion.keypoint_names]
    feet = np.asarray(motion.keypoints[:, columns], np.float64)
    rests = np.asarray(motion.contacts[:, known]) > RESTING
    if rests.sum() < 4:  # no contacts: the lowest points
        rests = feet[..., 2] <= np.quantile(feet[..., 2], 0.1)
    frame, foot = np.nonzero(rests)
    places = feet[frame, foot]
    parts = np.array_split(np.arange(len(places)), min(MAX_FOOTHOLDS, len(places)))
    means = np.stack([np.median(places[p], axis=0) for p in parts])
    up = np.asarray(motion.camera.R, np.float64)[:, 2]
    return Footholds(
        np.asarray(motion.camera.to_camera(means.astype(np.float32)), np.float64), means[:, 2], up, _lean(motion)
    )


def _lean(motion: LiftedMotion) -> F64:
    """(3, 3) of `_Steps`; (0, 3) for those who have no shoulders and hips, or who lie or crawl."""
    corners = ("l_shoulder", "r_shoulder", "l_hip", "r_hip")
    if motion.body == "smal" or not all(c in motion.keypoint_names for c in corners):
        return np.zeros((0, 3))
    at = [motion.keypoint_names.index(c) for c in corners]
    world = np.asarray(motion.keypoints[:, at], np.float64)
    points = world @ np.asarray(motion.camera.R, np.float64).T
    trunk = points[:, :2].mean(1) - points[:, 2:].mean(1)
    across = points[:, 0] - points[:, 1] + points[:, 2] - points[:, 3]
    forward = np.cross(across, trunk)
    aside = np.cross(trunk, forward)
    upright = world[:, :2, 2].mean(1) - world[:, 2:, 2].mean(1) > _UPRIGHT * np.linalg.norm(trunk, axis=1)
    usable = upright & (np.linalg.norm(forward, axis=1) > 1e-6)
    if usable.mean() < 0.5:
        return np.zeros((0, 3))
    rows = [v[usable] / np.linalg.norm(v[usable], axis=1, keepdims=True) for v in (aside, forward)]
    squares = [r.T @ r / len(r) / sigma**2 for r, sigma in zip(rows, (ASIDE_SIGMA, FORWARD_SIGMA), strict=True)]
    values, vectors = np.linalg.eigh(squares[0] + squares[1])
    return np.asarray(np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)


def _tangent(up: F64) -> F64:
    """(2, 3) two directions that are orthogonal to a unit vector."""
    first = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(up, first)])


def _solve(steps: Sequence[Footholds], known: Sequence[bool], up_sigma: float = UP_SIGMA) -> tuple[F64, float, F64]:
    """Up direction (3,), height of the camera above the floor, and scales (P,)."""
    mean = np.mean([s.up for s in steps], axis=0)
    mean /= np.linalg.norm(mean)
    basis = _tangent(mean)
    measured_tilt = np.stack([basis @ s.up for s in steps])
    sigma = np.where(known, KNOWN_SIGMA, SIZE_SIGMA)
    weight = [1 / (FLOOR_SIGMA * np.sqrt(len(s.places))) for s in steps]

    def up_of(x: F64) -> F64:
        up = mean + x[:2] @ basis
        return np.asarray(up / np.linalg.norm(up))

    def misfit(x: F64) -> F64:
        up, high, grown = up_of(x), x[2], np.exp(x[3:])
        floor = [w * (s * (p.places @ up - p.height) + high) for p, s, w in zip(steps, grown, weight, strict=True)]
        # tilts of lifts by one network and lens have correlated errors: together they count as two at most
        many = max(1.0, np.sqrt(len(steps) / 2))
        tilt = (x[:2] - measured_tilt) / (up_sigma * many)
        lean = [p.lean @ up / many for p in steps]
        return np.concatenate([*floor, tilt.ravel(), *lean, x[3:] / sigma])

    high = float(np.median([np.median(s.height - s.places @ mean) for s in steps]))
    solution = robust_gauss_newton(misfit, np.concatenate([[0.0, 0.0, high], np.zeros(len(steps))]))
    return up_of(solution), float(solution[2]), np.exp(solution[3:])


def robust_gauss_newton(misfit: Callable[[F64], F64], x: F64) -> F64:
    """Gauss-Newton with finite differences and robust weights, which fall for residuals beyond 3 sigma."""
    for _ in range(_ROUNDS):
        r = misfit(x)
        slope = np.stack([(misfit(x + d) - r) / FINITE_DIFFERENCE for d in FINITE_DIFFERENCE * np.eye(len(x))], 1)
        weight = 1 / np.sqrt(1 + (r / 3) ** 2)
        normal = slope.T @ (weight[:, None] * slope)
        step = np.linalg.solve(normal + 1e-9 * np.eye(len(x)), slope.T @ (weight * r))
        x = x - step
        if np.abs(step).max() < 1e-7:
            break
    return x


def _same(a: Camera, b: Camera) -> bool:
    return bool(np.array_equal(a.R, b.R) and np.array_equal(a.t, b.t))


def _poses(motion: LiftedMotion) -> tuple[F64, F64]:
    """(T, 3, 3) and (T, 3) of a motion's camera."""
    R, t = (np.asarray(v, np.float64) for v in (motion.camera.R, motion.camera.t))
    return np.broadcast_to(R, (len(motion), 3, 3)), np.broadcast_to(t, (len(motion), 3))


def _beside_camera(motion: LiftedMotion, first: LiftedMotion) -> LiftedMotion:
    """A motion moved into the world of the first one, where the same camera that moves has the same path.

    A point X is R X + t in its own camera and R' X' + t' in the first one's: X' = A X + b with A = R'^T R and
    b = R'^T (t - t'), the same in all frames but for what both lifts get wrong, so means are taken. Where no frame has
    both, the two that are nearest in time stand for one.
    """
    later = motion.first_frame - first.first_frame
    common = np.arange(max(0, later), min(len(first), later + len(motion)))
    if not len(common):
        common = np.array([len(first) - 1 if later > 0 else 0])
    (R, t), (first_R, first_t) = _poses(motion), _poses(first)
    rows = np.clip(common - later, 0, len(motion) - 1)
    back = first_R[common].transpose(0, 2, 1)
    A = mean_rotation(back @ R[rows])
    b = np.einsum("tab,tb->ta", back, t[rows] - first_t[common]).mean(0)
    return motion.transformed(A, b)


def align_people(
    motions: Sequence[LiftedMotion],
    skeletons: Sequence[BodySkeleton | None] | None = None,
    heights_known: Sequence[bool] | None = None,
) -> list[LiftedMotion]:
    """People of one video in the world of one camera.

    Args:
        motions: lifts of people of one video, each in a world of its own, with the same lens and picture.
        skeletons: the body of each, whose shape takes the new size; None where it has no size, or for all of them.
            Who has none is scaled in rest joints and path alone.
        heights_known: whose size the user gave; None takes it from the motions' metadata.

    Returns:
        The same motions (untouched where they share a camera already): one camera, the floor at z = 0, the first
        one's first root above the origin. ``metadata`` has the factor that each grew by and the degrees that each was
        turned by ("together"). Reprojection errors are anew.
    """
    if len(motions) < 2 or all(_same(m.camera, motions[0].camera) for m in motions):
        return list(motions)
    if any(m.camera.moves for m in motions):
        return [motions[0], *(_beside_camera(m, motions[0]) for m in motions[1:])]
    known = [m.metadata.get("height") is not None for m in motions] if heights_known is None else list(heights_known)
    bodies = list(skeletons) if skeletons is not None else [None] * len(motions)
    steps = [footholds_of(m) for m in motions]
    settled = all(m.metadata.get("gravity") == "known" for m in motions)
    up, high, scales = _solve(steps, known, TOLD_SIGMA if settled else UP_SIGMA)
    axes = world_axes(up)  # camera to world
    grown = [rescale(m, b, float(s)) for m, b, s in zip(motions, bodies, scales, strict=True)]
    first = grown[0].camera.to_camera(grown[0].keypoints[0]).mean(0) @ axes.T
    origin = np.array([first[0], first[1], -high])
    camera = Camera(
        motions[0].camera.K,
        axes.T.astype(np.float32),
        (axes.T @ origin).astype(np.float32),
        motions[0].camera.image_size,
    )
    placed = []
    for motion, step, scale in zip(grown, steps, scales, strict=True):
        turn = rotation_between(step.up, up)
        centre = float(scale) * step.places.mean(0)
        own_R, own_t = np.asarray(motion.camera.R, np.float64), np.asarray(motion.camera.t, np.float64)
        # world -> camera -> upright about the middle of the steps -> the common world
        A = axes @ turn @ own_R
        b = axes @ (turn @ (own_t - centre) + centre) - origin
        feet = float(scale) * ((step.places - step.places.mean(0)) @ turn.T + step.places.mean(0))
        off = float(np.median((feet @ axes.T - origin)[:, 2] - scale * step.height))
        if abs(off) < _STAGE:
            b = b - np.array([0.0, 0.0, off])
        moved = motion.transformed(A, b).with_camera(camera)
        tilt = float(np.degrees(np.arccos(np.clip(step.up @ up, -1, 1))))
        facts = {"scale": round(float(scale), 4), "tilt_degrees": round(tilt, 3)}
        placed.append(replace(moved, metadata={**moved.metadata, "together": facts}))
    return placed


def body_for_size(motion: LiftedMotion, file: str | None = None) -> BodySkeleton | None:
    """The skeleton whose shape coefficients a motion's are: of a body file, else the default one of its kind.

    Raises:
        BodyFileError: the file cannot be used.
    """
    from mvlift.bodies.loading import load_body
    from mvlift.bodies.skeletons import default_human_skeleton, default_quadruped_skeleton

    if file:
        return load_body(file).skeleton()
    return default_quadruped_skeleton() if motion.body == "smal" else default_human_skeleton()
