"""What a lift does where the camera moves: the unit of its path, and results in the camera's axes and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from mvlift.bodies.fit_problem import BodyFit
from mvlift.cameras.moving import MovingView, angles_of, rays_of_angles
from mvlift.cameras.reading import read_camera_track
from mvlift.cameras.track import CameraTrack
from mvlift.errors import CameraError
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.camera_scale import path_size
from mvlift.lifting.normalise import normalise_rays
from mvlift.lifting.prepared import PreparedClip
from mvlift.lifting.subjects import Subject

__all__ = [
    "camera_axes",
    "camera_notes",
    "first_path_size",
    "fitted_path_size",
    "hands_seen",
    "scene_axes",
    "track_of",
    "unknown_size",
    "with_zoom",
]

_FEET: Final = ("heel", "big_toe", "ankle", "paw", "hoof", "foot")


def unknown_size(view: MovingView | None) -> bool:
    """Whether the camera travels by a path of unknown unit."""
    return view is not None and view.scale == "unknown" and view.travels


def _feet(names: tuple[str, ...]) -> list[int]:
    return [i for i, name in enumerate(names) if name.endswith(_FEET)]


def first_path_size(prepared: PreparedClip, subject: Subject) -> float:
    """Metres in a unit of the camera's path, from apparent size and the rays of the feet; 1 where nothing tells."""
    view = prepared.view
    assert view is not None
    clip = prepared.clip
    angles, confidence = angles_of(view.rays(clip.points.astype(np.float64))), clip.confidence.astype(np.float64)
    still = normalise_rays(angles, confidence, subject, prepared.K, np.zeros((len(clip), 3)))
    root, rays = rays_of_angles(still.root), rays_of_angles(angles)
    feet = _feet(clip.layout.names)
    ahead = np.maximum((rays[:, feet] * root[:, None]).sum(-1, keepdims=True), 0.1)
    depth = still.depth[:, None]
    points = rays[:, feet] / ahead * depth[..., None]
    size = path_size(view.centre, points, root * depth, confidence[:, feet], float(prepared.fps))
    return 1.0 if size is None else size


def fitted_path_size(prepared: PreparedClip, fitted: BodyFit) -> float:
    """The same from a fitted body, whose distance to the camera is known better."""
    view = prepared.view
    assert view is not None
    feet = _feet(prepared.clip.layout.names)
    offset = fitted.points - view.path[:, None]
    confidence = prepared.clip.confidence[:, feet].astype(np.float64)
    size = path_size(view.centre, offset[:, feet], offset.mean(1), confidence, float(prepared.fps))
    return view.size if size is None else size


def camera_notes(prepared: PreparedClip) -> list[str]:
    """What was taken from the camera's track and what was solved, for the user."""
    view = prepared.view
    if view is None:
        return []
    if not view.travels:
        notes = ["The camera only turns and zooms; its track was taken as it is."]
    elif view.scale == "metric":
        notes = ["The camera's path was taken in metres from its track."]
    elif view.size == 0:
        notes = ["The camera travels too little to tell the unit of its path; it was taken to turn in one place."]
    else:
        notes = [f"The unit of the camera's path was solved: {view.size:.4g} metres, from feet that rest."]
    if prepared.up is None:
        return [*notes, "Gravity was estimated."]
    return [*notes, "Gravity was taken from the track."] if prepared.up is view.up else notes


def camera_axes(fitted: BodyFit, view: MovingView | None) -> BodyFit:
    """A fit in scene axes as each frame's camera sees it."""
    if view is None:
        return fitted
    rotations = fitted.rotations.copy()
    rotations[:, 0] = view.R @ rotations[:, 0]
    return replace(fitted, rotations=rotations, root=view.to_camera(fitted.root), points=view.to_camera(fitted.points))


def scene_axes(fitted: BodyFit, view: MovingView | None, before: BodyFit) -> BodyFit:
    """Inverse of ``camera_axes`` for a fit whose limbs were changed; ``before`` is the fit in scene axes."""
    if view is None:
        return fitted
    rotations = fitted.rotations.copy()
    rotations[:, 0] = view.R.transpose(0, 2, 1) @ rotations[:, 0]
    return replace(fitted, rotations=rotations, root=before.root, points=view.from_camera(fitted.points))


def hands_seen(clip: KeypointClip, view: MovingView | None) -> KeypointClip:
    """A clip with all of its keypoints, the hands' too, as the reference lens has them."""
    if view is None:
        return clip
    points = view.without_zoom(clip.points.astype(np.float64)).astype(np.float32)
    hands = clip.hands
    if hands is not None:
        frames = len(clip)
        flat = view.without_zoom(hands.points.reshape(frames, -1, 2).astype(np.float64))
        hands = replace(hands, points=flat.reshape(hands.points.shape).astype(np.float32))
    return replace(clip, points=points, hands=hands)


def with_zoom(prepared: PreparedClip) -> KeypointClip:
    """The cleaned clip as the camera saw it, its zoom and turns included."""
    clip, view = prepared.clip, prepared.view
    if view is None:
        return clip
    return replace(clip, points=view.with_zoom(clip.points.astype(np.float64)).astype(np.float32))


def track_of(
    camera: str | None, clip: KeypointClip, size: tuple[int, int] | None, focal: float | None = None
) -> CameraTrack | None:
    """The track that an option names; None for a still camera. It is estimated from the video in the clip's metadata.

    Raises:
        CameraError: the file is no track, or the camera would have to be estimated from a video that is not at hand.
    """
    if camera is None or camera == "static":
        return None
    if camera == "estimate":
        video = clip.metadata.get("video")
        if video and Path(str(video)).exists():
            from mvlift.cameras.estimate import estimate_rotation

            return estimate_rotation(Path(str(video)), [clip], focal)[0]
        raise CameraError("A clip of keypoints has no picture to estimate a camera from.",
                          "Lift the video (`mvlift lift VIDEO --camera estimate`), or give a track.")  # fmt: skip
    return read_camera_track(camera, fps=clip.fps, image_size=size or clip.image_size)
