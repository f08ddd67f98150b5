"""`mvlift-train prepare`: a folder of keypoint files of any supported format becomes a 2D data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from mvlift.errors import KeypointError
from mvlift.keypoints import clean_clip, map_clip, read_keypoints
from mvlift.keypoints.clip import KeypointClip
from mvlift.lifting.resample import MODEL_FPS, to_model_rate
from mvlift.lifting.subjects import Subject
from rich.console import Console

__all__ = ["PrepareOptions", "prepare"]


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
    """

    fps: float = 30.0
    image_size: tuple[int, int] | None = None
    min_frames: int = 40
    min_seen: float = 0.6
    min_confidence: float = 0.2
    min_pixels: float = 60.0
    smoothing: float = 1.0


def _inputs(folder: Path) -> Iterable[Path]:
    """Things to read: the folder itself when a reader takes it whole, else what lies in it."""
    if folder.is_file():
        return [folder]
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    files = [p for p in entries if p.is_file()]
    return [folder] if files and len({p.suffix for p in files}) == 1 and len(files) > 20 else entries


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
    far = clip.points[clip.seen].max(0) if clip.seen.any() else np.array([1.0, 1.0])
    return int(np.ceil(far[0] * 1.05)), int(np.ceil(far[1] * 1.05))


def prepare(inputs: list[Path], output: Path, subject: Subject, options: PrepareOptions, console: Console) -> int:
    """Read, clean, cut and write a data set; files that cannot be read are named and passed over.

    Args:
        inputs: files or folders.
        output: .npz to write (atomically).
        subject: whose keypoints are kept.
        options: what becomes training data.
        console: for the report.

    Returns:
        Number of sequences written.

    Raises:
        KeypointError: nothing usable was found.
    """
    xy, weight, lengths, sizes, names = [], [], [], [], []
    for source in (entry for folder in inputs for entry in _inputs(folder)):
        try:
            clips = read_keypoints(source, fps=options.fps, image_size=options.image_size)
        except KeypointError as error:
            console.print(f"[yellow]passed over[/yellow] {source}: {error}")
            continue
        kept = 0
        for clip in clips:
            mapped = map_clip(clip, subject.layout)
            if options.smoothing > 0:
                mapped = clean_clip(mapped, smoothing=options.smoothing)
            sure = np.where(mapped.confidence >= options.min_confidence, mapped.confidence, 0).astype(np.float64)
            points, sure = to_model_rate(
                mapped.points.astype(np.float64), sure, mapped.fps or Fraction(options.fps).limit_denominator(1001)
            )
            for rows in _stretches(points, sure, options):
                xy.append(np.where(sure[rows, :, None] > 0, points[rows], np.nan).astype(np.float32))
                weight.append(sure[rows].astype(np.float32))
                lengths.append(rows.stop - rows.start)
                sizes.append(_image_size(clip, options))
                names.append(f"{source.stem}:{clip.track_id}@{rows.start}")
                kept += 1
        console.print(f"{source.name}: {len(clips)} tracks, {kept} sequences")
    if not lengths:
        raise KeypointError("No sequence is long, large and complete enough.", "Lower --min-seen or --min-frames.")
    temporary = output.with_suffix(".tmp.npz")
    output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        temporary,
        names=np.array(subject.layout.names),
        fps=np.float32(MODEL_FPS),
        start=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        length=np.array(lengths),
        image_size=np.array(sizes),
        clip=np.array(names),
        xy=np.concatenate(xy),
        confidence=np.concatenate(weight),
    )
    temporary.replace(output)
    return len(lengths)
