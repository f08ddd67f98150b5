"""Checks of keypoints against the facts of their video, with suggested corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.rates import exact_rate
from mvlift.typing import F64

__all__ = ["Finding", "VideoFacts", "compare", "extent", "holds", "suggested_size"]

Size = tuple[int, int]

_STANDARD: Final = (
    (320, 240), (426, 240), (640, 360), (640, 480), (854, 480), (960, 540), (1280, 720), (1440, 1080), (1920, 1080),
    (2048, 1080), (2560, 1440), (2704, 1520), (3840, 2160), (4096, 2160), (5312, 2988), (7680, 4320),
)  # fmt: skip
_COMMON: Final = (1920, 1080)
_SHARE_OUTSIDE: Final = 0.02
"""Of the detected keypoints; detectors place some a little outside the picture."""
_MARGIN: Final = 0.03
"""Of the picture's edge, by which a keypoint may lie outside it."""
_CORNER: Final = 0.55
"""Of width and height, within which all keypoints lie in a picture that is about twice too large."""
_SAME_SHAPE: Final = 0.01
_FRAMES: Final = 2
"""By which the counts of keypoints and video may differ: readers and encoders disagree about ends."""


@dataclass(frozen=True)
class VideoFacts:
    """What a video file says of itself.

    Attributes:
        size: (width, height) in pixels.
        fps: exact frames per second, None for pictures.
        frames: number of frames.
        variable: the frames do not last equally long.
        pixel_aspect: width of a pixel by its height.
    """

    size: Size
    fps: Fraction | None
    frames: int
    variable: bool = False
    pixel_aspect: float = 1.0


@dataclass(frozen=True)
class Finding:
    """A mismatch between keypoints and video.

    Attributes:
        text: a sentence for the user.
        fix: label of the button that mends it, "" where only the user can know.
        size: the picture size that the button sets, None for none.
        fps: the frame rate that the button sets, None for none.
    """

    text: str
    fix: str = ""
    size: Size | None = None
    fps: Fraction | None = None


def extent(clips: Sequence[KeypointClip]) -> F64:
    """(2,) the lower right end of what was detected, in pixels; a few strays beyond it do not count."""
    seen = [clip.points[clip.seen] for clip in clips if clip.seen.any()]
    if not seen:
        return np.zeros(2)
    return np.quantile(np.concatenate(seen).astype(np.float64), 0.998, axis=0)


def suggested_size(clips: Sequence[KeypointClip], pixels: bool) -> Size:
    """The smallest usual picture that holds the keypoints, upright or lying; for want of pixels the commonest one.

    Args:
        clips: of one video.
        pixels: the keypoints are in pixels; otherwise they are shares of a picture of any size.
    """
    if not pixels:
        return _COMMON
    x, y = extent(clips)
    shapes = sorted({shape for w, h in _STANDARD for shape in ((w, h), (h, w))}, key=lambda s: s[0] * s[1])
    fitting = (s for s in shapes if x <= s[0] * (1 + _MARGIN) and y <= s[1] * (1 + _MARGIN))
    return next(fitting, (int(np.ceil(x)), int(np.ceil(y))))


def compare(
    clips: Sequence[KeypointClip], size: Size | None, fps: Fraction | None, video: VideoFacts | None = None
) -> list[Finding]:
    """What does not fit between keypoints, the stated picture and rate, and the video.

    Args:
        clips: of one file, points in pixels of a picture of ``size``.
        size: that a lift would use.
        fps: that a lift would use.
        video: the file's own facts, None without one.
    """
    findings = _picture(clips, size, video) if size is not None else []
    if video is not None:
        if size is not None:
            findings += _shape(clips, size, video)
        findings += _count(clips, fps, video)
    return findings


def _picture(clips: Sequence[KeypointClip], size: Size, video: VideoFacts | None) -> list[Finding]:
    points = [clip.points[clip.seen] for clip in clips if clip.seen.any()]
    if not points:
        return []
    positions = np.concatenate(points).astype(np.float64)
    width, height = size
    margin = _MARGIN * np.array(size)
    outside = float(((positions < -margin) | (positions > size + margin)).any(1).mean())
    fitting = video.size if video is not None and _fits(clips, video.size) else suggested_size(clips, True)
    label = f"Use {fitting[0]} x {fitting[1]}"
    if outside > _SHARE_OUTSIDE:
        text = f"{100 * outside:.0f} % of the keypoints lie outside the picture of {width} x {height}."
        return [Finding(text, label, fitting)] if fitting != size else [Finding(text)]
    x, y = extent(clips)
    if x < _CORNER * width and y < _CORNER * height and fitting != size:
        text = (
            f"All keypoints lie in the upper left {x:.0f} x {y:.0f} of {width} x {height}: "
            "they may come from a smaller copy of the video."
        )
        smaller = (_scaled(video.size, fitting) if video is not None else None) or fitting
        return [Finding(text, f"Use {smaller[0]} x {smaller[1]}", smaller)]
    return []


def holds(clips: Sequence[KeypointClip], size: Size) -> bool:
    """Whether a picture of that size is large enough for the keypoints."""
    x, y = extent(clips)
    return bool(x <= size[0] * (1 + _MARGIN) and y <= size[1] * (1 + _MARGIN))


def _fits(clips: Sequence[KeypointClip], size: Size) -> bool:
    x, y = extent(clips)
    return bool(holds(clips, size) and (x >= _CORNER * size[0] or y >= _CORNER * size[1]))


def _scaled(video: Size, least: Size) -> Size | None:
    """The video's picture at a half, a third or a quarter, the smallest that is not smaller than ``least``."""
    for part in (4, 3, 2):
        if video[0] / part >= 0.97 * least[0] and video[1] / part >= 0.97 * least[1]:
            return round(video[0] / part), round(video[1] / part)
    return None


def _shape(clips: Sequence[KeypointClip], size: Size, video: VideoFacts) -> list[Finding]:
    stated, true = size[0] / size[1], video.size[0] / video.size[1]
    if abs(stated / true - 1) < _SAME_SHAPE:
        return []
    turned = abs(stated * true - 1) < _SAME_SHAPE
    difference = "is rotated" if turned else "has another aspect ratio"
    video_size, stated_size = f"{video.size[0]} x {video.size[1]}", f"{size[0]} x {size[1]}"
    text = f"The video is {video_size}, but the keypoints' picture is {stated_size}: it {difference}."
    if _fits(clips, video.size):
        return [Finding(text, f"Use {video.size[0]} x {video.size[1]}", video.size)]
    return [Finding(text + " Pick the video that the keypoints were detected in.")]


def _count(clips: Sequence[KeypointClip], fps: Fraction | None, video: VideoFacts) -> list[Finding]:
    findings = []
    last = max((clip.first_frame + len(clip) for clip in clips), default=0)
    if video.variable and video.fps is not None:
        text = "The video has a variable frame rate; the motion will run ahead or behind in places."
        findings.append(Finding(text + " Convert the video to a constant frame rate for an exact lift."))
    if video.fps is None or fps is None:
        return findings
    if video.variable and abs(last - video.frames) > _FRAMES:
        text = (
            f"The video has {video.frames} frames, the keypoints {last}: its frame rate varies, or not every frame was "
            "detected."
        )
        rate = exact_rate(float(video.fps * last / video.frames))
        if rate is not None and rate != fps:
            return [*findings, Finding(text, f"Use {float(rate):.5g} Frames a Second", fps=rate)]
        return findings
    if last > video.frames + _FRAMES:
        text = f"There are keypoints up to frame {last - 1}, but the video has {video.frames} frames."
        rate = exact_rate(float(video.fps * last / video.frames))
        label = f"Use {float(rate):.5g} Frames a Second" if rate is not None else ""
        return [*findings, Finding(text, label, fps=rate)]
    step = round(video.frames / last) if last else 1
    if step > 1 and abs(video.frames / step - last) <= _FRAMES:
        rate = video.fps / step
        if rate == fps:
            return findings
        text = f"The keypoints have {last} frames, the video {video.frames}: one frame in {step} was detected."
        return [*findings, Finding(text, f"Use {float(rate):.5g} Frames a Second", fps=rate)]
    if fps != video.fps:
        text = f"The video has {float(video.fps):.5g} frames a second, the keypoints {float(fps):.5g}."
        return [*findings, Finding(text, f"Use {float(video.fps):.5g} Frames a Second", fps=video.fps)]
    if video.frames - last > max(_FRAMES, 0.02 * video.frames):
        findings.append(Finding(f"The keypoints end with frame {last - 1} of {video.frames}."))
    return findings
