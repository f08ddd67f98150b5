"""Frames of a video or of a folder of pictures: upright, in square pixels, with their time stamps.

Rotation flags, sample aspect ratios and time stamps are read by PyAV (FFmpeg's libraries); a video with a variable
frame rate keeps the time stamp of every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DetectionError
from mvlift.keypoints.numbering import number_files
from mvlift.keypoints.rates import exact_rate

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Frame",
    "VideoInfo",
    "is_video",
    "open_frames",
    "probe_video",
    "pyav",
]

U8 = NDArray[np.uint8]
VIDEO_SUFFIXES: Final = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv"),
    *(".3gp", ".ogv", ".mxf", ".gif", ".insv", ".lrv", ".dv", ".vob"),
)
IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".exr")
MAX_SIDE: Final = 1920
"""Frames are analysed at no more than this many pixels along the longer side."""
OVERVIEW_SIDE: Final = 448
"""Longer side of the small copy of each frame, in which people are searched for."""
_FOCAL_KEY: Final = "focal_length.35mm_equivalent"
_FULL_FRAME_WIDTH: Final = 36.0
"""Millimetres; a "35 mm equivalent" focal length refers to a picture so wide."""
_REMEDY: Final = "Convert it (ffmpeg -i VIDEO -c:v libx264 converted.mp4) and open what comes out."


@dataclass(frozen=True)
class VideoInfo:
    """What a video says about itself.

    Attributes:
        path: of the file or folder.
        image_size: (width, height) of the upright picture in square pixels.
        fps: nominal frame rate; None for pictures.
        frame_count: from the header, None when it does not say.
        rotation: degrees by which the stored picture is turned for display.
        sample_aspect: width of a stored pixel over its height.
        codec: name of the codec.
        focal: focal length in pixels where the metadata tells it.
        first_frame: number of the first picture of a numbered series, 0 for a video.
    """

    path: Path
    image_size: tuple[int, int]
    fps: Fraction | None
    frame_count: int | None
    rotation: int = 0
    sample_aspect: Fraction = Fraction(1)
    codec: str = ""
    focal: float | None = None
    first_frame: int = 0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        number: 0-based, in order of display (of pictures: the number in the file's name).
        time: seconds after the first frame, NaN where there is none.
        image: (H, W, 4) upright, red, green, blue and a byte without meaning.
        scale: pixels of ``image`` for one square pixel of the video.
        overview: (h, w, 4), the same, small.
    """

    number: int
    time: float
    image: U8
    scale: float
    overview: U8


def is_video(path: Path) -> bool:
    """True for a file with the extension of a video, and for a folder that holds mostly pictures."""
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
        return True
    if not path.is_dir():
        return False
    files = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
    return bool(files) and 2 * sum(p.suffix.lower() in IMAGE_SUFFIXES for p in files) > len(files)


def pyav() -> ModuleType:
    """PyAV.

    Raises:
        DetectionError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise DetectionError(
            "Videos are read by PyAV, which is not installed.", "pip install 'mvlift[video]'"
        ) from error
    return av


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Container and first video stream."""
    av = pyav()
    if not path.exists():
        raise DetectionError(f"{path} is not there.", "Check the path.")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise DetectionError(*_why_unreadable(path, error)) from error
    with container:
        stream = next((s for s in container.streams.video if not _is_cover(s)), None)
        if stream is None or stream.codec_context is None:
            why = "no video" if stream is None else "a codec that is not known"
            raise DetectionError(f"{path.name} holds {why}.", _REMEDY)
        yield container, stream


def _why_unreadable(path: Path, error: Exception) -> tuple[str, str]:
    """What is wrong with a file that is no video, and what to do."""
    if path.stat().st_size == 0:
        return f"{path.name} is empty.", "Copy or record it again."
    with path.open("rb") as stream:
        head = stream.read(12)
    if head[4:8] == b"ftyp":  # MP4 and MOV: the index, at the end, is written when the recording stops
        return (
            f"{path.name} is incomplete: a video begins, but its index is missing.",
            "Copy it again from where it was recorded; programs that repair MP4 files may help.",
        )
    return f"{path.name} cannot be read as a video ({getattr(error, 'strerror', None) or error}).", _REMEDY


def _is_cover(stream: Any) -> bool:
    """Cover pictures of music files are video streams of one frame."""
    return "attached_pic" in str(getattr(stream, "disposition", ""))


def _decoded(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Frames of a stream; packets that are damaged are left out."""
    av = pyav()
    stream.thread_type = "AUTO"
    count = 0
    try:
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    count += 1
                    yield frame
            except av.error.InvalidDataError:
                continue
    except av.error.FFmpegError as error:
        if not count:
            raise DetectionError(f"{path.name}: no frame can be decoded ({error}).", _REMEDY) from error
    if not count:
        raise DetectionError(f"{path.name}: no frame can be decoded.", _REMEDY)


def _aspect(stream: Any) -> Fraction:
    value = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(value) if value and Fraction(1, 20) < value < 20 else Fraction(1)


def _square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Size in square pixels: the width is stretched, as players do."""
    return max(1, round(width * aspect)), height


def _rate(stream: Any) -> Fraction | None:
    rate = stream.guessed_rate or stream.average_rate or stream.base_rate
    return exact_rate(float(rate)) if rate else None


def _count(stream: Any, container: Any, fps: Fraction | None) -> int | None:
    if stream.frames:
        return int(stream.frames)
    seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
    return round(seconds * fps) if fps and seconds > 0 else None


def _focal(metadata: dict[str, str], width: int, height: int) -> float | None:
    """Pixels, from a 35 mm equivalent in the metadata (telephones write one)."""
    text = next((v for k, v in metadata.items() if k.lower().endswith(_FOCAL_KEY)), "")
    with suppress(ValueError):
        millimetres = float(text)
        if 5 < millimetres < 2000:
            return millimetres / _FULL_FRAME_WIDTH * max(width, height)
    return None


def probe_video(path: Path) -> VideoInfo:
    """What a video or a folder of pictures says about itself; the first frame is decoded.

    Raises:
        DetectionError: it is none, or cannot be decoded.
    """
    if path.is_dir():
        names, first = _pictures(path)
        with _opened(path / names[0]) as (container, stream):
            frame = next(_decoded(container, stream, path / names[0]))
            size = _upright(_square_size(frame.width, frame.height, _aspect(stream)), int(frame.rotation))
        return VideoInfo(path, size, None, len(names), codec="pictures", first_frame=first[0])
    with _opened(path) as (container, stream):
        frame = next(_decoded(container, stream, path))
        aspect, turn, fps = _aspect(stream), int(frame.rotation) % 360, _rate(stream)
        size = _upright(_square_size(frame.width, frame.height, aspect), turn)
        facts = {**container.metadata, **stream.metadata}
        return VideoInfo(
            path=path,
            image_size=size,
            fps=fps,
            frame_count=_count(stream, container, fps),
            rotation=turn,
            sample_aspect=aspect,
            codec=stream.codec_context.name,
            focal=_focal(facts, *size),
        )


def _upright(size: tuple[int, int], rotation: int) -> tuple[int, int]:
    return size[::-1] if rotation % 180 else size


def _turned(image: U8, rotation: int) -> U8:
    """The picture as it is displayed; FFmpeg gives the turn counter-clockwise."""
    return np.ascontiguousarray(np.rot90(image, round(rotation / 90) % 4)) if rotation % 360 else image


def _picture(frame: Any, size: tuple[int, int], side: int) -> tuple[U8, float]:
    """A decoded frame in square pixels with at most ``side`` along the longer side, and its scale."""
    scale = min(1.0, side / max(size))
    width, height = (max(2, round(v * scale)) for v in size)
    made = frame.reformat(width=width, height=height, format="rgba", interpolation="AREA" if scale < 1 else "BILINEAR")
    return np.asarray(made.to_ndarray(), dtype=np.uint8), width / size[0]


def _frame(decoded: Any, number: int, time: float, aspect: Fraction) -> Frame:
    size, turn = _square_size(decoded.width, decoded.height, aspect), int(decoded.rotation)
    image, scale = _picture(decoded, size, MAX_SIDE)
    overview, _ = _picture(decoded, size, OVERVIEW_SIDE)
    return Frame(number, time, _turned(image, turn), scale, _turned(overview, turn))


def open_frames(path: Path, first: int = 0) -> Iterator[Frame]:
    """Frames in order of display.

    Args:
        path: a video, or a folder of pictures.
        first: frames before this number are decoded and left out.

    Raises:
        DetectionError: it is none, or cannot be decoded.
    """
    if path.is_dir():
        yield from _picture_frames(path, first)
        return
    with _opened(path) as (container, stream):
        aspect, begin = _aspect(stream), None
        for number, decoded in enumerate(_decoded(container, stream, path)):
            stamp = decoded.pts
            begin = stamp if begin is None else begin
            if number < first:
                continue
            time = float((stamp - begin) * decoded.time_base) if stamp is not None and begin is not None else np.nan
            try:
                frame = _frame(decoded, number, time, aspect)
            except pyav().error.FFmpegError as error:  # a pixel format that nothing converts
                raise DetectionError(f"{path.name}: frame {number} cannot be shown ({error}).", _REMEDY) from error
            yield frame


def _pictures(folder: Path) -> tuple[list[str], list[int]]:
    """Names and numbers of the pictures of a folder."""
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    if not names:
        raise DetectionError(f"{folder} holds no pictures.", f"Known: {', '.join(IMAGE_SUFFIXES)}.")
    numbered, _ = number_files(names)
    return [n for n, _ in numbered], [i for _, i in numbered]


def _picture_frames(folder: Path, first: int) -> Iterator[Frame]:
    size: tuple[int, int] | None = None
    for name, number in zip(*_pictures(folder), strict=True):
        if number < first:
            continue
        with _opened(folder / name) as (container, stream):
            decoded = next(_decoded(container, stream, folder / name))
            shape = _upright(_square_size(decoded.width, decoded.height, _aspect(stream)), int(decoded.rotation))
            size = size or shape
            if shape != size:
                raise DetectionError(
                    f"{name} is {shape[0]}x{shape[1]}, the pictures before it are {size[0]}x{size[1]}.",
                    "Put the pictures of each shot into a folder of their own.",
                )
            yield _frame(decoded, number, np.nan, _aspect(stream))
