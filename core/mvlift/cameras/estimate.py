"""The camera of a tripod from its video: pans, tilts and zooms by homographies between frames, outside of the people.

A camera that only turns sees the same picture through another homography H = K' R K^-1, whatever is in it. Features are
followed from frame to frame, and one focal length (or one a frame, when it zooms) makes all homographies rotations.
A camera that travels contradicts the model, which is detected in frames that lie further apart and reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.cameras.track import CameraTrack
from mvlift.detection.video import open_frames, probe_video
from mvlift.errors import CameraError
from mvlift.filters import savgol_filter
from mvlift.keypoints.clip import KeypointClip
from mvlift.kinematics.rotations import nearest_rotation
from mvlift.typing import F64

__all__ = ["Homographies", "estimate_rotation", "follow_features", "turning_camera"]

U8 = NDArray[np.uint8]
_SIDE: Final = 960
"""Longer side of the pictures in which features are followed."""
_FEATURES: Final = 400
_LEAST: Final = 12
"""Features that a homography needs."""
_MARGIN: Final = 0.25
"""By which the box of a person is enlarged to each side before it is masked, in its own sizes."""
_FAR: Final = 15
"""Frames apart at which travelling shows."""
_CLOSE: Final = 2.5
"""Largest distance, in pixels at size ``_SIDE``, of a feature from its place for a turning camera."""
_TURNS: Final = 0.6
"""Least share of such features for a camera that only turns."""
_ZOOM: Final = 0.03
"""Change of the focal length from which on the camera zooms."""
_STILL: Final = 0.02
"""Radians of turning below which no focal length can be found."""
_GRID: Final = 81


@dataclass(frozen=True, eq=False)
class Homographies:
    """How the picture moved.

    Attributes:
        steps: (T, 3, 3) from the frame before, pixels of the video; the first is the identity.
        distant_matches: pairs (frame, later frame, (N, 2) pixels in both) of features in frames that lie apart.
        size: (width, height) of the video.
        numbers: (T,) frame numbers.
    """

    steps: F64
    distant_matches: tuple[tuple[int, int, F64, F64], ...]
    size: tuple[int, int]
    numbers: NDArray[np.int64]


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise CameraError(
            "Estimating the camera needs OpenCV, which is not installed.", "pip install 'mvlift[camera]'"
        ) from error
    return cv2


def _mask(shape: tuple[int, int], people: Sequence[KeypointClip], number: int, scale: float) -> U8:
    """Mask, 255 outside of people."""
    mask = np.full(shape, 255, np.uint8)
    for clip in people:
        row = number - clip.first_frame
        if not 0 <= row < len(clip) or not clip.seen[row].any():
            continue
        points = clip.points[row][clip.seen[row]] * scale
        low, high = points.min(0), points.max(0)
        room = _MARGIN * (high - low) + 4
        x0, y0 = np.maximum(low - room, 0).astype(int)
        x1, y1 = np.maximum(high + room, 0).astype(int)
        mask[y0:y1, x0:x1] = 0
    return mask


def follow_features(
    video: Path, people: Sequence[KeypointClip], progress: Callable[[float], None] = lambda _: None
) -> Homographies:
    """Homographies from frame to frame.

    Args:
        video: a video or a folder of pictures.
        people: whose surroundings are left out.
        progress: is told the share that is done.

    Raises:
        CameraError: OpenCV is missing, or the picture has too little to follow.
    """
    cv2, info = _opencv(), probe_video(video)
    steps, numbers, distant_matches = [np.eye(3)], list[int](), list[tuple[int, int, F64, F64]]()
    before: tuple[U8, U8] | None = None
    anchor: tuple[int, U8, F64] | None = None
    scale = min(1.0, _SIDE / max(info.image_size))
    for frame in open_frames(video):
        picture = cv2.cvtColor(np.ascontiguousarray(frame.image[..., :3]), cv2.COLOR_RGB2GRAY)
        size = (max(2, round(info.image_size[0] * scale)), max(2, round(info.image_size[1] * scale)))
        grey = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        free = _mask(grey.shape, people, frame.number, scale)
        if before is not None:
            steps.append(_step(cv2, *before, grey, scale, frame.number))
        numbers.append(frame.number)
        if anchor is None or len(numbers) - 1 - anchor[0] >= _FAR:
            if anchor is not None:
                a, b = _matches(cv2, anchor[1], grey, anchor[2], free, _chained(steps[anchor[0] + 1 :], scale))
                distant_matches.append((anchor[0], len(numbers) - 1, a / scale, b / scale))
            anchor = (len(numbers) - 1, grey, _corners(cv2, grey, free))
        before = grey, free
        progress(min(1.0, len(numbers) / (info.frame_count or len(numbers))))
    return Homographies(np.stack(steps), tuple(distant_matches), info.image_size, np.array(numbers, dtype=np.int64))


def _corners(cv2: Any, grey: U8, mask: U8) -> F64:
    """(N, 2) features outside of the people."""
    corners = cv2.goodFeaturesToTrack(grey, _FEATURES, 0.01, 7, mask=mask)
    return np.zeros((0, 2)) if corners is None else np.asarray(corners, dtype=np.float64).reshape(-1, 2)


def _chained(steps: list[F64], scale: float) -> F64:
    """(3, 3) homography of several steps, in pictures that are scaled."""
    H = np.eye(3)
    for step in steps:
        H = step @ H
    size = np.diag([scale, scale, 1.0])
    return np.asarray(size @ H @ np.linalg.inv(size))


def _matches(cv2: Any, a: U8, b: U8, corners: F64, free: U8, guess: F64 | None = None) -> tuple[F64, F64]:
    """Features of a that are found again in b and back, (N, 2) each; ``guess`` says about where."""
    if not len(corners):
        return corners, corners
    window: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 4}
    start = corners.astype(np.float32)[:, None]
    about = None
    if guess is not None:
        seen = np.concatenate([corners, np.ones((len(corners), 1))], 1) @ guess.T
        about = (seen[:, None, :2] / seen[:, None, 2:]).astype(np.float32)
        window |= {"flags": cv2.OPTFLOW_USE_INITIAL_FLOW, "maxLevel": 2}
    there, ok, _ = cv2.calcOpticalFlowPyrLK(a, b, start, about, **window)
    back, again, _ = cv2.calcOpticalFlowPyrLK(b, a, there, start.copy() if guess is not None else None, **window)
    consistent = np.linalg.norm(back - start, axis=-1)[:, 0] < 1.0
    at = np.round(there[:, 0]).astype(int)
    inside = (at >= 0).all(1) & (at[:, 0] < b.shape[1]) & (at[:, 1] < b.shape[0])
    empty = np.zeros(len(at), dtype=bool)
    empty[inside] = free[at[inside, 1], at[inside, 0]] > 0
    good = (ok[:, 0] > 0) & (again[:, 0] > 0) & consistent & inside & empty
    return corners[good], there[good, 0].astype(np.float64)


def _step(cv2: Any, before: U8, mask: U8, grey: U8, scale: float, number: int) -> F64:
    """(3, 3) homography between neighbouring frames, pixels of the video."""
    a, b = _matches(cv2, before, grey, _corners(cv2, before, mask), np.full(grey.shape, 255, np.uint8))
    H = None
    if len(a) >= _LEAST:
        H, _ = cv2.findHomography(a / scale, b / scale, cv2.RANSAC, 1.0 / scale)
    if H is None:
        raise CameraError(
            f"Frame {number}: the background shows too little to follow ({len(a)} features).",
            "Solve the camera with another program, or say --camera static.",
        )
    return np.asarray(H, dtype=np.float64)


def turning_camera(homographies: Homographies, focal: float) -> tuple[CameraTrack, list[str]]:
    """The camera that turns and zooms as the homographies say.

    Args:
        homographies: of a video.
        focal: pixels, where the video does not turn enough to tell.

    Returns:
        The track (rotation only), and sentences for the user.

    Raises:
        CameraError: the camera travels.
    """
    chain = [np.eye(3)]
    for H in homographies.steps[1:]:
        chain.append(H @ chain[-1])
    G = np.stack([g / np.cbrt(np.linalg.det(g)) for g in chain])
    middle = np.array([[1, 0, -homographies.size[0] / 2], [0, 1, -homographies.size[1] / 2], [0, 0, 1.0]])
    G = middle @ G @ np.linalg.inv(middle)  # about the principal point
    candidates = max(homographies.size) * np.exp(np.linspace(np.log(0.4), np.log(4.0), _GRID))
    best = float(candidates[int(np.argmin([_misfit(G, f) for f in candidates]))])
    candidates = best * np.exp(np.linspace(-0.03, 0.03, _GRID))
    best = float(candidates[int(np.argmin([_misfit(G, f) for f in candidates]))])
    turns = float(np.linalg.norm(_rotations(G, best)[0] - np.eye(3), axis=(1, 2)).max()) / np.sqrt(2)
    notes = []
    if turns < _STILL:
        best = focal
        notes.append("The camera turns too little to tell its focal length; the usual one was taken.")
    R, focals = _rotations(G, best)
    if np.ptp(np.log(focals)) > _ZOOM:
        focals = np.exp(_smooth(np.log(focals)))
        notes.append(f"The camera zooms from {focals.min():.0f} to {focals.max():.0f} pixels of focal length.")
    else:
        focals = np.full(len(R), float(np.median(focals)))
    K = np.zeros((len(R), 3, 3))
    K[:, 0, 0] = K[:, 1, 1] = focals
    K[:, :, 2] = [homographies.size[0] / 2, homographies.size[1] / 2, 1.0]
    track = CameraTrack(
        homographies.numbers, R, np.zeros((len(R), 3)), K, homographies.size, "none", source="the video"
    )
    share = _agreement(track, homographies)
    if share < _TURNS:
        raise CameraError(
            f"The camera travels: only {100 * share:.0f} % of the background moves as for a camera that turns.",
            "Solve it with COLMAP, Blender's Movie Clip Editor or another program, and give the track with --camera.",
        )
    return track, notes


def _smooth(values: F64) -> F64:
    """Values (T,) with the trembling of single frames taken out; steady changes stay as they are."""
    window = min(9, len(values) - 1 + len(values) % 2)
    return savgol_filter(values, window) if window > 3 else values


def _rotations(G: F64, focal: float) -> tuple[F64, F64]:
    """(T, 3, 3) rotations and (T,) focal lengths of homographies about the principal point, the first's given."""
    M = G @ np.diag([focal, focal, 1.0])
    M /= np.cbrt(np.linalg.det(M))[:, None, None]
    length = np.linalg.norm(M, axis=2)
    focals = np.sqrt((length[:, 0] ** 2 + length[:, 1] ** 2) / 2) / length[:, 2]
    turned = M / np.stack([focals, focals, np.ones_like(focals)], 1)[..., None]
    return nearest_rotation(turned), focals


def _misfit(G: F64, focal: float) -> float:
    """How far homographies are from rotations for a focal length of the first frame."""
    M = G @ np.diag([focal, focal, 1.0])
    length = np.linalg.norm(M, axis=2)
    focals = np.sqrt((length[:, 0] ** 2 + length[:, 1] ** 2) / 2) / length[:, 2]
    turned = M / (np.stack([focals, focals, np.ones_like(focals)], 1) * length[:, 2:])[..., None]
    off = turned @ turned.transpose(0, 2, 1) - np.eye(3)
    return float(np.mean(np.linalg.norm(off, axis=(1, 2))))


def _agreement(track: CameraTrack, homographies: Homographies) -> float:
    """Share of features in frames apart that lie where a turning camera has them; 1 where there are none."""
    assert track.K is not None
    close = total = 0
    for i, j, a, b in homographies.distant_matches:
        H = track.K[j] @ track.R[j] @ track.R[i].T @ np.linalg.inv(track.K[i])
        seen = np.concatenate([a, np.ones((len(a), 1))], 1) @ H.T
        error = np.linalg.norm(seen[:, :2] / seen[:, 2:] - b, axis=1)
        close += int((error < _CLOSE * max(1.0, max(homographies.size) / _SIDE)).sum())
        total += len(a)
    return close / total if total else 1.0


def estimate_rotation(
    video: Path,
    people: Sequence[KeypointClip],
    focal: float | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[CameraTrack, list[str]]:
    """The camera of a video that pans, tilts or zooms.

    Args:
        video: a video or a folder of pictures.
        people: its people, whose surroundings are left out.
        focal: pixels, where it is known; used where the video cannot tell.
        progress: is told the share that is done.

    Raises:
        CameraError: OpenCV is missing, the background shows too little, or the camera travels.
    """
    homographies = follow_features(video, people, progress)
    return turning_camera(homographies, focal or 1.1 * max(homographies.size))
