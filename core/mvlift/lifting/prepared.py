"""The prepared input of a lift: a clip in the subject's layout, cleaned, with frame rate, image size and camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np

from mvlift.cameras.moving import MovingView, angles_of, moving_view, rays_of_angles
from mvlift.cameras.track import CameraTrack
from mvlift.errors import LiftError
from mvlift.keypoints import clean_clip, map_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.completing import never_seen, with_guessed_hips
from mvlift.keypoints.rates import checked_rate
from mvlift.lifting.normalise import intrinsics
from mvlift.lifting.subjects import Subject
from mvlift.typing import F64

__all__ = ["MIN_FRAMES", "STILL_FRAMES", "PreparedClip", "prepare_clip"]

MIN_FRAMES: Final = 4
STILL_FRAMES: Final = 30
"""Frames to which a clip of fewer than ``MIN_FRAMES``, such as one picture, is repeated."""
LEGS: Final = ("l_knee", "r_knee", "l_ankle", "r_ankle")
TREMBLE: Final = 0.5
"""Noise of detections over the median distance to the cleaned ones, half of which is what cleaning smooths away."""
MIN_SEEN: Final = 3
"""Keypoints that a frame needs to count, at least a tenth of the clip."""


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """A clip ready for lifting, and what had to be assumed.

    Attributes:
        raw: in the subject's layout, as it was given.
        clip: the same without outliers, smoothed.
        fps: exact frame rate.
        image_size: (width, height).
        K: (3, 3) intrinsics.
        noise: pixels, how far detections tremble about the cleaned ones.
        assumptions: sentences for the user.
        view: of a camera that moves; points are then those of its reference lens ``K``.
        up: (3,) against gravity where it is known, in the axes of a still camera or of the view's scene.
    """

    raw: KeypointClip
    clip: KeypointClip
    fps: Fraction
    image_size: tuple[int, int]
    K: F64
    noise: float
    assumptions: tuple[str, ...]
    view: MovingView | None = None
    up: F64 | None = None


def _guessed_size(clip: KeypointClip) -> tuple[int, int]:
    """The smallest image size of a usual aspect ratio that contains every keypoint."""
    extent = clip.points[clip.seen].max(0)
    wide, high = max(float(extent[0]), 16.0), max(float(extent[1]), 16.0)
    for w, h in ((640, 480), (1280, 720), (1920, 1080), (3840, 2160)):
        if wide <= w and high <= h:
            return w, h
        if wide <= h and high <= w and high > wide:
            return h, w
    return int(np.ceil(wide)), int(np.ceil(high))


def _focal_of_video(clip: KeypointClip, size: tuple[int, int]) -> float | None:
    """Pixels, as the video says itself; None where it does not, or cannot be right."""
    focal = clip.metadata.get("focal")
    return float(focal) if isinstance(focal, int | float) and 0.1 * max(size) < focal < 50 * max(size) else None


def _check(clip: KeypointClip, subject: Subject) -> None:
    if len(clip) < MIN_FRAMES:
        raise LiftError(f"The clip has {len(clip)} frames; at least {MIN_FRAMES} are needed.", "Use a longer clip.")
    full = clip.seen.sum(1) >= MIN_SEEN
    if full.sum() < max(MIN_FRAMES, len(clip) // 10):
        raise LiftError(
            f"Only {int(full.sum())} of {len(clip)} frames have {MIN_SEEN} or more keypoints of a {subject.name}.",
            "Check the keypoint layout, and choose a frame range in which the subject is seen.",
        )


def prepare_clip(
    clip: KeypointClip,
    subject: Subject,
    fps: Fraction | float | None,
    image_size: tuple[int, int] | None,
    focal: float | None,
    smoothing: float,
    camera: CameraTrack | None = None,
) -> PreparedClip:
    """Map, check and clean a clip.

    Args:
        clip: one track.
        subject: whose layout it is mapped onto.
        fps: overrides the clip's rate.
        image_size: overrides the clip's size.
        focal: in pixels, or None for the default.
        smoothing: strength of the cleaning, 0 for none.
        camera: of a camera that moves.

    Raises:
        LiftError: too short, too empty, or a focal length that cannot be.
        CameraError: the camera's track does not fit the clip.
        KeypointError: the layout does not fit the subject, or there is no such frame rate.
    """
    mapped = map_clip(clip, subject.layout)
    if subject.body == "smpl":
        mapped = with_guessed_hips(mapped)
    _check(mapped, subject)
    assumed = list(mapped.assumptions)
    if never_seen(mapped, LEGS):
        assumed.append(
            "Knees and ankles are never seen: the legs are only guessed, as of somebody who stands. For somebody who "
            "sits, set the constraints to the word seated, or bend the legs and keep that pose."
        )
    rate = checked_rate(fps) or clip.fps
    if rate is None:
        rate = Fraction(30)
        assumed.append("The frame rate is unknown; 30 frames per second were assumed.")
    size = image_size or clip.image_size
    if size is None:
        size = _guessed_size(mapped)
        assumed.append(f"The image size is unknown; {size[0]}x{size[1]} was assumed.")
    if focal is None and (camera is None or camera.K is None):
        focal = _focal_of_video(mapped, size)
        if focal is not None:
            assumed.append(f"The focal length was taken from the video's metadata: {focal:.0f} pixels.")
    if focal is None and (camera is None or camera.K is None):
        assumed.append("The focal length is unknown; 1.1 times the longer side of the picture was assumed.")
    elif focal is not None and not 0.1 * max(size) < focal < 50 * max(size):
        raise LiftError(f"A focal length of {focal:g} pixels does not fit {size[0]}x{size[1]}.", "Give it in pixels.")
    mapped = replace(mapped, fps=rate, image_size=size)
    lens = intrinsics(size, focal)
    if camera is not None:
        return _seen_by_moving(mapped, subject, camera, lens, smoothing, tuple(assumed))
    clean = clean_clip(mapped, smoothing=smoothing) if smoothing > 0 else mapped
    _check(clean, subject)
    correction = np.linalg.norm(mapped.points - clean.points, axis=-1)[mapped.seen & clean.seen]
    noise = TREMBLE * float(np.median(correction))
    return PreparedClip(mapped, clean, rate, size, lens, noise, tuple(assumed))


def _seen_by_moving(
    clip: KeypointClip, subject: Subject, camera: CameraTrack, lens: F64, smoothing: float, assumed: tuple[str, ...]
) -> PreparedClip:
    """A clip through the camera's reference lens, cleaned where the camera's own turns do not show: in its rays."""
    fps, image_size = clip.fps, clip.image_size
    assert fps is not None
    assert image_size is not None
    track = camera.aligned(clip.first_frame, len(clip), fps).for_picture(image_size)
    view = moving_view(track, lens)
    if track.distortion is not None:
        ideal = track.distortion.undistort(clip.points.astype(np.float64), view.K)
        clip = replace(clip, points=np.where(clip.seen[..., None], ideal, 0.0).astype(np.float32))
        assumed = (*assumed, "The lens distortion of the camera's track was taken out.")
    raw = replace(clip, points=view.without_zoom(clip.points.astype(np.float64)).astype(np.float32))
    focal, clean = float(view.reference[0, 0]), raw
    if smoothing > 0:
        rays = view.rays(raw.points.astype(np.float64))
        steady = clean_clip(replace(raw, points=(focal * angles_of(rays)).astype(np.float32)), smoothing=smoothing)
        back = view.pixels_of_rays(rays_of_angles(steady.points.astype(np.float64) / focal))
        clean = replace(steady, points=back.astype(np.float32))
    _check(clean, subject)
    correction = np.linalg.norm(raw.points - clean.points, axis=-1)[raw.seen & clean.seen]
    noise = TREMBLE * float(np.median(correction))
    return PreparedClip(raw, clean, fps, image_size, view.reference, noise, assumed, view, view.up)
