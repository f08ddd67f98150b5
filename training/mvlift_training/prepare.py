"""`mvlift-train prepare`: a folder of videos or of keypoint files of any format becomes a 2D data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from mvlift.detection import DetectionOptions, is_video
from mvlift.detection.kept import keypoints_of_video
from mvlift.detection.video import VIDEO_SUFFIXES
from mvlift.errors import DetectionError, KeypointError, LiftError
from mvlift.files import whole_file
from mvlift.keypoints import clean_clip, map_clip, read_keypoints
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.opening import SUFFIXES
from mvlift.keypoints.rates import checked_rate
from mvlift.lifting.normalise import intrinsics, normalise
from mvlift.lifting.sampling.resample import MODEL_FPS, to_model_rate
from mvlift.lifting.subjects import Subject
from rich.console import Console

__all__ = ["PrepareOptions", "prepare"]

SNIFFED: Final = 8
"""Files that are opened to tell frames of one video from videos."""


@dataclass(frozen=True)
class PrepareOptions:
    """What of the footage becomes training data.

    Attributes:
        fps: rate of files that do not say theirs.
        image_size: (width, height) of files that do not say theirs; guessed from the keypoints when None.
        min_frames: shortest stretch that is kept, at 30 fps.
        min_seen: least share of keypoints that are seen in a stretch.
        min_confidence: keypoints below it count as missing.
        min_pixels: least height of the subject.
        smoothing: strength of the cleaning (0 leaves the detections as they are).
        licence: of the footage, kept with every sequence.
    """

    fps: float = 30.0
    image_size: tuple[int, int] | None = None
    min_frames: int = 40
    min_seen: float = 0.6
    min_confidence: float = 0.2
    min_pixels: float = 60.0
    smoothing: float = 1.0
    licence: str = ""


def _shows_one_frame(files: list[Path]) -> bool:
    """Whether files are the frames of one video rather than videos: the first that shows somebody holds one frame."""
    for file in files[:SNIFFED]:
        try:
            return all(len(clip) == 1 for clip in read_keypoints(file))
        except KeypointError:
            continue
    return False


def _inputs(path: Path) -> Iterator[Path]:
    """Things to read in a file or folder: a folder of one file per frame is one, others are looked through.

    Raises:
        KeypointError: there is no such file or folder.
    """
    if not path.exists():
        raise KeypointError(f"{path} does not exist.", "Name a keypoint file or a folder of them.")
    if path.is_file():
        yield path
        return
    entries = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    if is_video(path):  # a folder of pictures
        yield path
        return
    files = [p for p in entries if p.is_file() and p.suffix.lower() in (*SUFFIXES, ".zip", *VIDEO_SUFFIXES)]
    if len(files) > 1 and len({p.suffix for p in files}) == 1 and _shows_one_frame(files):
        yield path
    else:
        yield from files
    for folder in (p for p in entries if p.is_dir()):
        yield from _inputs(folder)


def _clips(source: Path, options: PrepareOptions, detected: Path) -> list[KeypointClip]:
    """The people of a file; the size given by the user counts where the file does not say its own.

    Args:
        source: keypoint file, video or folder of pictures.
        options: what becomes training data.
        detected: folder in which the keypoints of videos are kept, so that another run does not detect again.
    """
    if is_video(source):
        detection = DetectionOptions(fps=None if source.is_file() else Fraction(options.fps).limit_denominator(1001))
        kept = detected / f"{source.stem}-{hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]}.npz"
        return keypoints_of_video(source, detection, kept)
    clips = read_keypoints(source)
    unknown = any(c.image_size is None or c.metadata.get("image_size_assumed") for c in clips)
    return read_keypoints(source, image_size=options.image_size) if unknown and options.image_size else clips


def _stretches(points: np.ndarray, confidence: np.ndarray, options: PrepareOptions) -> Iterable[slice]:
    """Runs of frames in which enough is seen."""
    good = (confidence > 0).mean(1) >= options.min_seen
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    for first, stop in edges.reshape(-1, 2):
        seen = points[first:stop][confidence[first:stop] > 0]
        tall = float(np.percentile(seen[:, 1], 95) - np.percentile(seen[:, 1], 5)) if len(seen) else 0.0
        if stop - first >= options.min_frames and tall >= options.min_pixels:
            yield slice(int(first), int(stop))


def _image_size(clip: KeypointClip, options: PrepareOptions) -> tuple[int, int]:
    size = clip.image_size or options.image_size
    if size is not None:
        return size
    extent = clip.points[clip.seen].max(0) if clip.seen.any() else np.array([1.0, 1.0])
    return int(np.ceil(extent[0] * 1.05)), int(np.ceil(extent[1] * 1.05))


@dataclass(frozen=True, eq=False)
class _Part:
    """One sequence of the data set: points (T, K, 2) pixels and confidence (T, K) at ``MODEL_FPS``."""

    points: np.ndarray
    confidence: np.ndarray
    image_size: tuple[int, int]
    name: str
    category: str


def _parts(clip: KeypointClip, source: Path, subject: Subject, options: PrepareOptions) -> Iterator[_Part]:
    """The stretches of a clip that a model can learn from."""
    mapped = map_clip(clip, subject.layout)
    if options.smoothing > 0:
        mapped = clean_clip(mapped, smoothing=options.smoothing)
    sure = np.where(mapped.confidence >= options.min_confidence, mapped.confidence, 0).astype(np.float64)
    fps = mapped.fps or checked_rate(options.fps) or Fraction(MODEL_FPS)
    points, sure = to_model_rate(mapped.points.astype(np.float64), sure, fps)
    size = _image_size(clip, options)
    for rows in _stretches(points, sure, options):
        try:
            normalise(points[rows], sure[rows], subject, intrinsics(size))
        except LiftError:  # the root or every bone that measures size is out of the picture
            continue
        name = f"{source.stem}:{clip.track_id}@{rows.start}"
        yield _Part(points[rows], sure[rows], size, name, source.parent.name)


def prepare(inputs: list[Path], output: Path, subject: Subject, options: PrepareOptions, console: Console) -> int:
    """Read, clean, cut and write a data set; files that cannot be read are named and passed over.

    Args:
        inputs: files or folders.
        output: to write (npz; atomically).
        subject: whose keypoints are kept.
        options: what becomes training data.
        console: for the report.

    Returns:
        Number of sequences written.

    Raises:
        KeypointError: an input is not there, or nothing usable was found.
    """
    if options.fps <= 0 or not np.isfinite(options.fps):
        raise KeypointError(f"{options.fps} frames a second is not a frame rate.", "Give the video's rate with --fps.")
    parts: list[_Part] = []
    read = 0
    for source in (entry for path in inputs for entry in _inputs(path)):
        try:
            clips = _clips(source, options, output.with_name(f"{output.stem}-keypoints"))
        except (KeypointError, DetectionError) as error:
            console.print(f"passed over {source}: {error}", style="yellow", markup=False)
            continue
        read += 1
        sequences = [part for clip in clips for part in _parts(clip, source, subject, options)]
        console.print(f"{source.name}: {len(clips)} tracks, {len(sequences)} sequences", markup=False)
        parts += sequences
    if not read:
        input_names = ", ".join(map(str, inputs))
        raise KeypointError(
            f"{input_names}: no keypoint file that can be read.", "`mvlift inspect` says why it is not."
        )
    if not parts:
        raise KeypointError("No sequence is long, large and complete enough.", "Lower --min-seen or --min-frames.")
    lengths = np.array([len(p.points) for p in parts])
    confidence = np.concatenate([p.confidence for p in parts])
    points = np.concatenate([p.points for p in parts])
    with whole_file(output) as temporary, temporary.open("wb") as file:  # an open file: numpy adds no .npz to its name
        np.savez_compressed(
            file,
            names=np.array(subject.layout.names),
            fps=np.float32(MODEL_FPS),
            start=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
            length=lengths,
            image_size=np.array([p.image_size for p in parts]),
            clip=np.array([p.name for p in parts]),
            set=np.array([output.stem] * len(parts)),
            category=np.array([p.category for p in parts]),
            licence=np.array([options.licence] * len(parts)),
            xy=np.where(confidence[..., None] > 0, points, np.nan).astype(np.float32),
            confidence=confidence.astype(np.float32),
        )
    return len(parts)
