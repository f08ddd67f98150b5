"""Small videos that tests make: drawn frames, rotation flags, odd pixels, variable rates, cuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from mvlift.detection.poses import FramePoses
from mvlift.detection.video import Frame
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.typing import F64
from numpy.typing import NDArray

SIZE = (128, 136)
_OPTIONS = {
    "libx265": {"crf": "10", "preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx-vp9": {"crf": "10", "b": "0", "cpu-used": "8", "deadline": "realtime"},
    "mpeg4": {"b": "4000000"},
}
"""Of encoders, by name."""


def dot_at(t: int) -> tuple[int, int]:
    """Where the white square of frame t is, pixels."""
    return 36 + 2 * t, 36 + t


def picture(t: int, size: tuple[int, int] = SIZE, ground: int = 40) -> NDArray[np.uint8]:
    """(H, W, 3): a textured ground with a white square of 9 pixels."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    image = np.repeat((ground + 10 * ((rows // 8 + columns // 8) % 2))[..., None], 3, 2).astype(np.uint8)
    x, y = dot_at(t)
    image[y - 4 : y + 5, x - 4 : x + 5] = 255
    return image


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    rate: Fraction = Fraction(25),
    stamps: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    quarter_turn: bool = False,
    codec: str = "libx264",
    pixels: str = "yuv444p",
) -> Path:
    """A video, H.264 unless said otherwise.

    Args:
        path: .mp4 or .mkv.
        frames: (H, W, 3) each.
        rate: nominal.
        stamps: presentation time of each frame in milliseconds, for a variable rate.
        aspect: of the pixels.
        quarter_turn: players turn it by 90 degrees clockwise (.mp4 only).
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
    """
    options = {"crf": "10", "preset": "ultrafast", "bf": "0"} if codec == "libx264" else _OPTIONS.get(codec, {})
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    if quarter_turn:
        _turn_clockwise(path)
    return path


def _turn_clockwise(path: Path) -> None:
    """Write the matrix (x, y) -> (-y, x) into the track's header, as telephones do."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    values = (0, 1, 0, -1, 0, 0, 0, 0)
    for i, value in enumerate(values):
        data[matrix + 4 * i : matrix + 4 * i + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(bytes(data))


class DotDetector:
    """Finds the white square and delivers it as a person's keypoints, laid out about it."""

    def __init__(self, spread: float = 15.0, layout: str = "coco17") -> None:
        self._spread = spread
        self._layout = get_layout(layout)
        self.calls = 0
        self.resets = 0
        self._carried = 0.0

    @property
    def layout(self) -> Layout:
        """COCO-17 unless said otherwise."""
        return self._layout

    def offsets(self) -> F64:
        """(J, 2) of the keypoints from the square."""
        count = np.arange(len(self._layout.names))
        return np.stack([count % 4, count // 4], 1) * self._spread

    def detect(self, frame: Frame) -> FramePoses:
        """One person where there is a white square."""
        self.calls += 1
        self._carried = 0.5 * self._carried + 1.0
        bright, joints = frame.image[..., :3].min(-1) > 200, len(self._layout.names)
        if not bright.any():
            return FramePoses(np.zeros((0, joints, 2)), np.zeros((0, joints)))
        y, x = np.nonzero(bright)
        middle = np.array([x.mean(), y.mean()])
        confidence = np.full((1, joints), min(0.4 + 0.1 * self._carried, 1.0))
        return FramePoses((middle + self.offsets())[None], confidence)

    def reset(self) -> None:
        """Count it."""
        self.resets += 1
        self._carried = 0.0

    def state(self) -> dict[str, F64]:
        """What is carried on."""
        return {"carried": np.array([self._carried])}

    def restore(self, state: dict[str, F64]) -> None:
        """Go on."""
        self._carried = float(state["carried"][0])


def centres(frames: Iterator[Frame]) -> F64:
    """(T, 2) where the white square is in each frame, in the video's own pixels."""
    positions = []
    for frame in frames:
        y, x = np.nonzero(frame.image[..., :3].min(-1) > 200)
        positions.append([x.mean() / frame.scale, y.mean() / frame.scale])
    return np.array(positions)
