"""From pixels to what the networks see: motion about the root, upright, in units of body size.

Every frame is seen by a camera turned towards the root (an exact homography once the focal length is known), so that a
person may cross the whole picture without leaving the networks' workspace. The root's own path is one more point: its
velocity. Scale is a running statistic of apparent bone lengths, so that single frames with bad detections or a
crouching body have no effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.cameras.moving import rays_of_angles
from mvlift.errors import LiftError
from mvlift.filters import gaussian_filter1d
from mvlift.kinematics.rotations import looking_at
from mvlift.lifting.subjects import Bone, Subject
from mvlift.typing import F64

__all__ = [
    "UNIT_METRES",
    "VELOCITY_GAIN",
    "NormalisedMotion",
    "default_focal",
    "intrinsics",
    "normalise",
    "normalise_rays",
]


UNIT_METRES: Final = 0.5
"""Metres in one unit of the networks' coordinates."""
VELOCITY_GAIN: Final = 5.0
"""Factor on the root's velocity (units a frame at 30 fps), which brings it to the keypoints' range."""
SCALE_WINDOW: Final = 121
"""Frames over which apparent size is measured (4 s at 30 fps)."""
SCALE_PERCENTILE: Final = 90


@dataclass(frozen=True, eq=False)
class NormalisedMotion:
    """2D motion as the networks see it.

    Attributes:
        x: (T, K + 1, 2) keypoints relative to the root, and last the root's velocity; x right, y down.
        confidence: (T, K + 1) in [0, 1], 0 = missing.
        turn: (T, 3, 3) rotation from the camera's axes to the axes of the camera turned towards the root.
        root: (T, 2) root in pixels.
        pixels_per_metre: (T,) apparent scale at the root.
        K: (3, 3) intrinsics that were used.
    """

    x: F64
    confidence: F64
    turn: F64
    root: F64
    pixels_per_metre: F64
    K: F64

    @property
    def depth(self) -> F64:
        """(T,) first estimate of the root's depth in metres, from apparent size."""
        return np.asarray(self.K[0, 0] / self.pixels_per_metre)


def default_focal(image_size: tuple[int, int]) -> float:
    """Default focal length in pixels: a 49 degree angle of view along the longer side."""
    return 1.1 * max(image_size)


def intrinsics(image_size: tuple[int, int], focal: float | None = None) -> F64:
    """(3, 3) K with the principal point in the middle and square pixels."""
    f = default_focal(image_size) if focal is None else focal
    return np.array([[f, 0, image_size[0] / 2], [0, f, image_size[1] / 2], [0, 0, 1]], dtype=np.float64)


def fill_gaps(values: F64, seen: NDArray[np.bool_]) -> F64:
    """(T, D) with unseen rows interpolated linearly, and held at the ends.

    Raises:
        LiftError: nothing was seen.
    """
    known = np.flatnonzero(seen)
    if not len(known):
        raise LiftError("The clip has no frame in which the root is seen.", "Check the keypoints and their layout.")
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, known, column[known]) for column in values.T], 1)


def running_percentile(values: F64, window: int, percentile: float) -> F64:
    """(T,) percentile over a centred window of odd length, reflected at the ends, linear in T."""
    half = min(window // 2, len(values) - 1)
    padded = np.pad(values, half, mode="reflect") if half else values
    rank = round(percentile / 100 * 2 * half)
    views = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    blocks = range(0, len(values), 4096)
    return np.concatenate([np.partition(views[i : i + 4096], rank, axis=1)[:, rank] for i in blocks])


def _root(points: F64, seen: NDArray[np.bool_], subject: Subject) -> F64:
    """(T, 2) mean of the root keypoints; the offset between them carries over when only some are seen."""
    columns = [subject.layout.index(name) for name in subject.root]
    root_points, here = points[:, columns], np.asarray(seen[:, columns], dtype=bool)
    all_seen, any_seen = np.asarray(here.all(1)), np.asarray(here.any(1))
    offset = (root_points - root_points.mean(1, keepdims=True))[all_seen]
    typical = np.median(offset, axis=0) if len(offset) else np.zeros((len(columns), 2))
    weight = here[..., None].astype(np.float64)
    mean = ((root_points - typical) * weight).sum(1) / np.maximum(weight.sum(1), 1)
    return fill_gaps(np.where(all_seen[:, None], root_points.mean(1), mean), any_seen)


def _bone_scale(points: F64, seen: NDArray[np.bool_], subject: Subject, bones: tuple[Bone, ...]) -> F64:
    """(T,) pixels a metre, from the 90th percentile of each bone's apparent length; NaN where no bone is seen."""
    total, expected = np.zeros(len(points)), np.zeros(len(points))
    index = {name: i for i, name in enumerate(subject.layout.names)}
    for a, b, metres in bones:
        end, end_seen = points[:, index[a]], seen[:, index[a]]
        start, start_seen = (np.zeros_like(end), end_seen) if b == "root" else (points[:, index[b]], seen[:, index[b]])
        here: NDArray[np.bool_] = np.logical_and(end_seen, start_seen)
        if here.sum() < max(3, 0.05 * len(points)):
            continue
        length = fill_gaps(np.linalg.norm(end - start, axis=1)[:, None], here)[:, 0]
        total += running_percentile(length, SCALE_WINDOW, SCALE_PERCENTILE)
        expected += metres
    with np.errstate(invalid="ignore"):
        return np.where(expected > 0, total / np.maximum(expected, 1e-9), np.nan)


def _apparent_scale(points: F64, seen: NDArray[np.bool_], subject: Subject) -> F64:
    """(T,) pixels a metre, from the first set of bones that are seen."""
    for bones in (subject.scale_bones, subject.scale_fallback_bones):
        scale = _bone_scale(points, seen, subject, bones)
        if not np.isnan(scale).any():
            return gaussian_filter1d(scale, 15)
    raise LiftError("No bone of the body is seen often enough to measure its size.", "Check the keypoint layout.")


def normalise(
    points: NDArray[np.floating],
    confidence: NDArray[np.floating],
    subject: Subject,
    K: F64,
    pixels_per_metre: F64 | None = None,
) -> NormalisedMotion:
    """Root-centred, scaled motion of a clip whose keypoints are in the subject's layout, seen by a still camera.

    Args:
        points: (T, K, 2) pixels.
        confidence: (T, K) in [0, 1], 0 = missing.
        subject: says which keypoints are the root and which bones measure scale.
        K: (3, 3) intrinsics.
        pixels_per_metre: (T,) apparent scale at the root where it is known better than from the picture alone.

    Raises:
        LiftError: the root or every bone is missing throughout, or the person is smaller than a few pixels.
    """
    points_px: F64 = np.asarray(points, dtype=np.float64)
    seen: NDArray[np.bool_] = np.asarray(confidence, dtype=np.float64) > 0
    focal, centre = K[0, 0], K[:2, 2]
    root = _root(points_px, seen, subject)
    rays = np.concatenate([(points_px - centre) / focal, np.ones((*points_px.shape[:2], 1))], -1)  # (T, K, 3)
    root_rays = np.concatenate([(root - centre) / focal, np.ones((len(root), 1))], -1)  # (T, 3)
    turn, flat, scale = _flat(rays, root_rays, seen, subject, focal, pixels_per_metre)
    per_unit = scale[:, None] * UNIT_METRES
    step = np.zeros_like(root)
    if len(root) > 1:
        moved = np.einsum("tab,tb->ta", turn[:-1], np.diff(root_rays, axis=0))[:, :2] * focal
        step[:-1], step[-1] = moved / per_unit[:-1], moved[-1] / per_unit[-1]
    x, weights = _features(flat / per_unit[:, None], step, confidence, seen, subject)
    return NormalisedMotion(x=x, confidence=weights, turn=turn, root=root, pixels_per_metre=scale, K=K)


def normalise_rays(
    angles: F64,
    confidence: NDArray[np.floating],
    subject: Subject,
    K: F64,
    path: F64,
    pixels_per_metre: F64 | None = None,
) -> NormalisedMotion:
    """The same of a camera that moves: keypoints are rays in the scene's axes, and the root's step is the person's own.

    Args:
        angles: (T, K, 2) azimuth and elevation of the keypoints' rays (``cameras.moving.angles_of``).
        confidence: (T, K) in [0, 1], 0 = missing.
        subject: see ``normalise``.
        K: (3, 3) the reference lens; its focal length is the unit of ``pixels_per_metre``.
        path: (T, 3) places of the camera, metres.
        pixels_per_metre: see ``normalise``.

    Returns:
        ``turn`` goes from the scene's axes, ``root`` is (T, 2) its angles.

    Raises:
        LiftError: see ``normalise``.
    """
    seen: NDArray[np.bool_] = np.asarray(confidence, dtype=np.float64) > 0
    focal, root = K[0, 0], _root(angles, seen, subject)
    rays, root_rays = rays_of_angles(angles), rays_of_angles(root)
    turn, flat, scale = _flat(rays, root_rays, seen, subject, focal, pixels_per_metre)
    place = path + (focal / scale)[:, None] * root_rays  # (T, 3) metres
    step = np.zeros_like(root)
    if len(root) > 1:
        moved = np.einsum("tab,tb->ta", turn[:-1], np.diff(place, axis=0))[:, :2] / UNIT_METRES
        step[:-1], step[-1] = moved, moved[-1]
    x, weights = _features(flat / (scale[:, None, None] * UNIT_METRES), step, confidence, seen, subject)
    return NormalisedMotion(x=x, confidence=weights, turn=turn, root=root, pixels_per_metre=scale, K=K)


def _flat(
    rays: F64, root_rays: F64, seen: NDArray[np.bool_], subject: Subject, focal: float, known: F64 | None
) -> tuple[F64, F64, F64]:
    """Turns towards the root (T, 3, 3), pixels about it (T, K, 2), and pixels a metre (T,)."""
    turn = looking_at(root_rays)
    local = np.einsum("tab,tkb->tka", turn, rays)
    flat = focal * local[..., :2] / np.maximum(local[..., 2:], 0.1)
    scale = _apparent_scale(flat, seen, subject) if known is None else known
    if scale.max() < 4:
        raise LiftError(
            f"The {subject.name} is about {scale.max() * 1.7:.0f} pixels tall.", "Use a video in which it is larger."
        )
    return turn, flat, np.maximum(scale, 0.05 * scale.max())


def _features(
    units: F64, step: F64, confidence: NDArray[np.floating], seen: NDArray[np.bool_], subject: Subject
) -> tuple[F64, F64]:
    """(T, K + 1, 2) points in the networks' units with the root's velocity last, and their confidence (T, K + 1)."""
    x = np.concatenate([units, VELOCITY_GAIN * step[:, None]], 1)
    root_seen = np.asarray(seen[:, [subject.layout.index(n) for n in subject.root]].any(1))
    weights = np.concatenate([confidence, root_seen[:, None].astype(np.float64)], 1)
    return np.where(weights[..., None] > 0, np.clip(x, -8, 8), 0.0), weights
