"""2D motion on the training device: whole data set in memory, windows and augmentation as tensor operations."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from mvlift.errors import KeypointError, LiftError, MvliftError
from mvlift.lifting.normalise import NormalisedMotion, intrinsics, normalise
from mvlift.lifting.subjects import Subject
from numpy.typing import NDArray
from torch import Tensor

from mvlift_training.arrays import read_arrays
from mvlift_training.draws import Draws

__all__ = ["Augmentation", "MotionWindows", "SequenceSet", "file_digest", "load_sequences"]

_KEYS: Final = ("names", "fps", "start", "length", "image_size", "xy")
_REMEDY: Final = "Make it with `mvlift-train prepare`."


@dataclass(frozen=True, eq=False)
class SequenceSet:
    """Sequences of 2D keypoints, as ``mvlift-train prepare`` writes them.

    Attributes:
        points: per sequence (T, K, 2) pixels.
        confidence: per sequence (T, K), 0 = missing.
        image_size: per sequence (width, height).
        fps: frames per second of all.
        names: (K,) keypoint names.
        clips: per sequence its name.
        digest: of the file's content.
    """

    points: list[np.ndarray]
    confidence: list[np.ndarray]
    image_size: list[tuple[int, int]]
    fps: float
    names: tuple[str, ...]
    clips: list[str]
    digest: str


def file_digest(path: Path) -> str:
    """First 16 hex digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def load_sequences(path: Path) -> SequenceSet:
    """Read a 2D data set (keys ``names fps start length image_size xy`` and optionally ``confidence clip``).

    Raises:
        KeypointError: there is no such file, a key is missing, shapes disagree, or it holds no sequence.
    """
    data = read_arrays(path, _KEYS, "2D data set", _REMEDY)
    try:
        return _sequences(path, data)
    except (ValueError, TypeError) as error:
        raise KeypointError(f"{path}: not a 2D data set ({error}).", _REMEDY) from error


def _sequences(path: Path, data: dict[str, NDArray[Any]]) -> SequenceSet:
    xy = data["xy"].astype(np.float64)
    confidence = np.where(np.isfinite(xy).all(-1), data.get("confidence", np.ones(xy.shape[:2])), 0.0)
    xy = np.nan_to_num(xy)
    rows = [slice(int(s), int(s) + int(n)) for s, n in zip(data["start"], data["length"], strict=True)]
    if not rows or any(r.stop <= r.start for r in rows):
        raise KeypointError(f"{path}: it holds no or empty sequences.", _REMEDY)
    keypoints, last = len(data["names"]), max(r.stop for r in rows)
    if xy.shape[1:] != (keypoints, 2) or len(xy) < last:
        raise KeypointError(f"{path}: xy is {xy.shape}, but {keypoints} names and {last} rows are named.", _REMEDY)
    return SequenceSet(
        points=[xy[r] for r in rows],
        confidence=[confidence[r] for r in rows],
        image_size=[(int(w), int(h)) for w, h in data["image_size"]],
        fps=float(data["fps"]),
        names=tuple(str(n) for n in data["names"]),
        clips=[str(c) for c in data.get("clip", np.arange(len(rows)))],
        digest=file_digest(path),
    )


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training windows, in stage 1 all, in stage 4 the mirror only (its limbs and cameras are drawn).

    Attributes:
        mirror: exchange left and right of half of the windows.
        roll: largest turn of the picture, degrees to either side.
        scale: largest logarithm of a change of size.
        speed: largest logarithm of a change of speed.
    """

    mirror: bool = True
    roll: float = 4.0
    scale: float = 0.12
    speed: float = 0.0

    def __post_init__(self) -> None:
        for name in ("roll", "scale", "speed"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise MvliftError(f"augmentation.{name} is {getattr(self, name)}.", "Give 0 or more.")


class MotionWindows:
    """Normalised sequences packed into one tensor, from which batches of windows are gathered.

    Args:
        sequences: the data set; its keypoints are the subject's.
        subject: what is lifted.
        window: T, frames in a window; shorter sequences are padded and masked.
        device: where batches are made.
        augmentation: of the windows.

    Raises:
        KeypointError: the keypoints are not the subject's.
    """

    def __init__(
        self,
        sequences: SequenceSet,
        subject: Subject,
        window: int,
        device: torch.device | str,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.augmentation = augmentation or Augmentation()
        if sequences.names != subject.layout.names:
            raise KeypointError(
                f"The data set's keypoints {sequences.names} are not those of subject {subject.name}.",
                "Run `mvlift-train prepare` with that subject.",
            )
        self.window = window
        motions = [self._normalised(sequences, i, subject) for i in range(len(sequences.points))]
        lengths = np.array([len(m.x) for m in motions])
        start = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        pad = np.zeros((window, *motions[0].x.shape[1:]))
        self.x = torch.as_tensor(np.concatenate([*(m.x for m in motions), pad]), dtype=torch.float32, device=device)
        self.seen = torch.as_tensor(np.concatenate([*(m.confidence for m in motions), pad[..., 0]]) > 0, device=device)
        self.start = torch.as_tensor(start, device=device)
        self.length = torch.as_tensor(lengths, device=device)
        self.weight = (self.length - window).clamp(min=0).float() + window / 2
        self.mirror = torch.as_tensor(
            np.concatenate([subject.layout.mirrored(), [len(sequences.names)]]), device=device
        )
        self.device = torch.device(device)

    @staticmethod
    def _normalised(sequences: SequenceSet, i: int, subject: Subject) -> NormalisedMotion:
        try:
            K = intrinsics(sequences.image_size[i])
            return normalise(sequences.points[i], sequences.confidence[i], subject, K)
        except LiftError as error:
            raise KeypointError(
                f"Sequence {sequences.clips[i]} of the data set: {error.message}", "Run `mvlift-train prepare` again."
            ) from error

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """A random batch, changed as ``augmentation`` says.

        Returns:
            x (B, T, P, 2), seen (B, T, P) bool and frames (B, T) bool (False = padding).
        """
        draw, change = Draws(generator), self.augmentation
        which = torch.multinomial(self.weight, size, replacement=True, generator=generator)
        speed = torch.exp((draw.uniform(size) * 2 - 1) * change.speed)
        wanted = torch.ceil(self.window * speed).long() if change.speed else torch.full_like(which, self.window)
        room = (self.length[which] - wanted).clamp(min=0)
        first = draw.uniform(size) * (room + 1).float() // 1
        at = first[:, None] + torch.arange(self.window, device=self.device) * speed[:, None]  # (B, T) frames
        frames = at <= self.length[which, None] - 1
        x, seen = self._frames(self.start[which, None], at, speed)
        seen = seen & frames[..., None]
        if change.mirror:
            flip = draw.uniform(size) < 0.5
            x = torch.where(flip[:, None, None, None], x[:, :, self.mirror] * x.new_tensor([-1.0, 1.0]), x)
            seen = torch.where(flip[:, None, None], seen[:, :, self.mirror], seen)
        angle = (draw.uniform(size) * 2 - 1) * math.radians(change.roll)
        scale = torch.exp((draw.uniform(size) * 2 - 1) * change.scale)
        cos, sin = angle.cos() * scale, angle.sin() * scale
        turn = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)  # (B, 2, 2)
        x = torch.einsum("btpi,bij->btpj", x, turn)
        return x * seen[..., None], seen, frames

    def _frames(self, start: Tensor, at: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, T, P, 2) and whether they are seen, at fractional frames; velocity goes by the speed."""
        before = at.long()
        rows = (start + before).clamp(max=len(self.x) - 2)
        if not self.augmentation.speed:
            return self.x[rows], self.seen[rows]
        share = (at - before)[..., None, None]
        x = self.x[rows] * (1 - share) + self.x[rows + 1] * share
        x = torch.cat([x[:, :, :-1], x[:, :, -1:] * speed[:, None, None, None]], 2)
        return x, self.seen[rows] & (self.seen[rows + 1] | (share[..., 0] == 0))
