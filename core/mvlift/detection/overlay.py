"""A video with the skeletons drawn over its frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.detection.even_rate import RESAMPLED
from mvlift.detection.video import Frame, VideoInfo, open_frames, pyav
from mvlift.errors import DetectionError
from mvlift.files import whole_file
from mvlift.keypoints.clip import KeypointClip
from mvlift.typing import F64

__all__ = ["draw_skeletons", "write_overlay"]

U8 = NDArray[np.uint8]
_COLOURS: Final = (
    ((66, 133, 244), (234, 120, 30)),
    ((15, 157, 88), (219, 68, 120)),
    ((0, 172, 193), (244, 180, 0)),
    ((126, 87, 194), (192, 202, 51)),
    ((120, 144, 156), (255, 112, 67)),
)
"""Colours of a person's left and right side, by person."""
_WHITE: Final = (240, 240, 240)
_LEAST: Final = 0.3
_SIDE: Final = 1280


def draw_skeletons(image: U8, clips: Sequence[KeypointClip], number: int, scale: float) -> None:
    """Draw everybody of a frame into its picture (H, W, 3 or 4).

    Args:
        image: is changed.
        clips: of the video.
        number: of the frame.
        scale: pixels of the picture for one of the clips.
    """
    width = max(1.5, max(image.shape[:2]) / 400)
    for person, clip in enumerate(clips):
        row = number - clip.first_frame
        if not 0 <= row < len(clip):
            continue
        names, points = clip.layout.names, clip.points[row].astype(np.float64) * scale
        sure = clip.confidence[row] >= _LEAST
        left, right = _COLOURS[person % len(_COLOURS)]
        for a, b in clip.layout.bones:
            i, j = names.index(a), names.index(b)
            if sure[i] and sure[j]:
                side = {("l_", True): left, ("r_", True): right}
                same = a[:2] == b[:2] or (b[:2] in ("l_", "r_") and a[:2] not in ("l_", "r_"))
                thin = 0.5 if "_hand_" in a else 1.0
                _line(image, points[i], points[j], thin * width, side.get((b[:2], same), _WHITE))


def _line(image: U8, a: F64, b: F64, width: float, colour: tuple[int, int, int]) -> None:
    """A line with soft edges and round ends; ``width`` is half of its own, pixels."""
    height, wide = image.shape[:2]
    low = np.floor(np.minimum(a, b) - width - 1).astype(int)
    high = np.ceil(np.maximum(a, b) + width + 2).astype(int)
    x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
    x1, y1 = min(int(high[0]), wide), min(int(high[1]), height)
    if x0 >= x1 or y0 >= y1:
        return
    x, y = np.arange(x0, x1)[None] - a[0], np.arange(y0, y1)[:, None] - a[1]
    dx, dy = b - a
    share = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
    distance = np.hypot(x - share * dx, y - share * dy)
    cover = np.clip(width + 0.5 - distance, 0, 1)[..., None]
    part = image[y0:y1, x0:x1, :3]
    part[:] = (part + cover * (np.array(colour) - part)).astype(np.uint8)


def _smaller(frame: Frame) -> tuple[U8, float]:
    """A frame's picture (H, W, 3) with sides that are even, as encoders want them, and its scale."""
    step = max(1, round(max(frame.image.shape[:2]) / _SIDE))
    image = frame.image[::step, ::step, :3]
    return np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]), frame.scale / step


def write_overlay(info: VideoInfo, clips: Sequence[KeypointClip], path: Path) -> Path:
    """Write a video with the skeletons over its frames.

    Args:
        info: of the video.
        clips: of its people.
        path: of the result, ``.mp4`` or what else FFmpeg can write.

    Raises:
        DetectionError: the result cannot be written.
    """
    av = pyav()
    rate = (clips[0].fps if clips else None) or info.fps or Fraction(30)
    by_time = any(clip.metadata.get(RESAMPLED) for clip in clips)
    try:
        with whole_file(path) as part, av.open(str(part), "w") as out:
            stream, last = None, -1
            for frame in open_frames(info.path):
                number = round(frame.time * rate) if by_time else frame.number
                if number <= last:  # two frames of the video within one step
                    continue
                last = number
                image, scale = _smaller(frame)
                draw_skeletons(image, clips, number, scale)
                if stream is None:
                    stream = out.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "yuv420p"
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = number, 1 / rate
                out.mux(stream.encode(picture))
            if stream is not None:
                out.mux(stream.encode(None))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DetectionError(
            f"{path} cannot be written ({reason}).", "Give a path that ends in .mp4, on a disk with room."
        ) from error
    return path
