"""The library of 3D motions that stage 4 learns from: stage 3's file, and random windows of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mvlift.errors import KeypointError
from mvlift.files import whole_file
from mvlift.lifting.normalise import UNIT_METRES, VELOCITY_GAIN
from mvlift.lifting.subjects import Subject
from torch import Tensor

from mvlift_training.draws import Draws

__all__ = ["MotionLibrary", "bones_to_keypoints", "write_motion_library"]


def write_motion_library(path: Path, motions: list[np.ndarray], names: tuple[str, ...], fps: float) -> None:
    """Write stage 3's motions: each (T, K, 3) metres, z up; atomically."""
    lengths = np.array([len(m) for m in motions])
    with whole_file(path) as part:
        np.savez_compressed(
            part,
            points3d=np.concatenate(motions).astype(np.float32),
            start=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
            length=lengths,
            names=np.array(names),
            fps=np.float32(fps),
        )


class MotionLibrary:
    """Stage 3's motions on the training device, root-centred in the upright lifting frame.

    Args:
        path: of ``write_motion_library``.
        subject: what is lifted.
        window: T frames.
        device: where batches are made.
        mirrored: exchange left and right of half of the windows.

    Raises:
        KeypointError: there is no such file, or the keypoints are not the subject's.
    """

    def __init__(
        self, path: Path, subject: Subject, window: int, device: torch.device | str, mirrored: bool = True
    ) -> None:
        self.mirrored = mirrored
        if not path.is_file():
            raise KeypointError(f"{path} does not exist.", "Run `mvlift-train stage3` first.")
        with np.load(path, allow_pickle=False) as data:
            names = tuple(str(n) for n in data["names"])
            points, start, length = data["points3d"].astype(np.float64), data["start"], data["length"]
        if names != subject.layout.names:
            raise KeypointError(f"{path}: keypoints {names} are not those of {subject.name}.", "Run stage 3 again.")
        self.window, self.device = window, torch.device(device)
        index = {n: i for i, n in enumerate(names)}
        lifted = np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)  # z up -> x right, y down, z forward
        self.root = [index[n] for n in subject.root]
        root = lifted[:, self.root].mean(1)
        parts = []
        for first, count in zip(start, length, strict=True):
            rows = slice(int(first), int(first) + int(count))
            parts.append(self._normalised(lifted[rows], root[rows], subject, index))
        pad = np.zeros((window, *parts[0].shape[1:]))
        self.x = torch.as_tensor(np.concatenate([*parts, pad]), dtype=torch.float32, device=device)
        self.start = torch.as_tensor(np.asarray(start, np.int64), device=device)
        self.length = torch.as_tensor(np.asarray(length, np.int64), device=device)
        self.weight = (self.length - window).clamp(min=0).float() + window / 2
        self.mirror = torch.as_tensor(np.concatenate([subject.layout.mirrored(), [len(names)]]), device=device)
        swapped = replace(subject.layout, mirror=()).mirrored()  # detectors exchange sides of people, not of a box
        self.swap = torch.as_tensor(np.concatenate([swapped, [len(names)]]), device=device)
        self.reflection = torch.tensor([-1.0, 1.0, 1.0], device=device)
        matrix = bones_to_keypoints(subject)
        self.bones_to_keypoints = torch.as_tensor(matrix, dtype=torch.float32, device=device)
        self.keypoints_to_bones = torch.as_tensor(np.linalg.inv(matrix), dtype=torch.float32, device=device)

    @staticmethod
    def _normalised(points: np.ndarray, root: np.ndarray, subject: Subject, index: dict[str, int]) -> np.ndarray:
        """(T, K + 1, 3) in network units, by the same bones that ``normalise`` measures."""
        local = points - root[:, None]
        length = expected = 0.0
        for a, b, metres in subject.scale_bones:
            end = 0.0 if b == "root" else local[:, index[b]]
            length += float(np.median(np.linalg.norm(local[:, index[a]] - end, axis=1)))
            expected += metres
        unit = UNIT_METRES * length / expected
        step = np.diff(root, axis=0, append=root[-1:])
        if len(step) > 1:
            step[-1] = step[-2]
        return np.concatenate([local, VELOCITY_GAIN * step[:, None]], 1) / unit

    def _windows(self, size: int, tempo_spread: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random windows x (B, T, P, 3) played at random tempos, and frames (B, T) False for padding."""
        draw = Draws(generator)
        which = torch.multinomial(self.weight, size, replacement=True, generator=generator)
        length, offset = self.length[which], torch.arange(self.window, device=self.device)
        if not tempo_spread:
            room = (length - self.window).clamp(min=0)
            first = self.start[which] + (draw.uniform(size) * (room + 1)).long()
            return self.x[first[:, None] + offset], offset < length[:, None]
        tempo = torch.exp(tempo_spread * draw.normal(size))
        last = (length - 1).float()
        first_place = draw.uniform(size) * (last - tempo * (self.window - 1)).clamp(min=0)
        place = first_place[:, None] + tempo[:, None] * offset  # fractional frames of the motion
        frames = place <= last[:, None]
        before = torch.minimum(place, last[:, None] - 1).clamp(min=0).long()
        share = (place - before).clamp(0, 1)[..., None, None]
        row = self.start[which][:, None] + before
        x = (1 - share) * self.x[row] + share * self.x[row + 1]
        x[:, :, -1] *= tempo[:, None, None]  # the root's velocity
        return x, frames

    def batch(
        self, size: int, limb_spread: float, generator: torch.Generator, tempo_spread: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Random windows x (B, T, P, 3) with limbs of random lengths, and frames (B, T) False for padding."""
        draw = Draws(generator)
        x, frames = self._windows(size, tempo_spread, generator)
        if self.mirrored:
            flip = draw.uniform(size) < 0.5
            x = torch.where(flip[:, None, None, None], x[:, :, self.mirror] * self.reflection, x)
        factor = 1 + limb_spread * torch.randn(size, x.shape[2], generator=generator, device=self.device)
        factor = 0.5 * (factor + factor[:, self.mirror])
        bones = torch.einsum("pq,btqc->btpc", self.keypoints_to_bones, x)
        x = torch.einsum("pq,btqc->btpc", self.bones_to_keypoints, bones * factor[:, None, :, None])
        x[:, :, :-1] -= x[:, :, self.root].mean(2, keepdim=True)  # limbs of other lengths may move the root
        return x * frames[..., None, None], frames


def bones_to_keypoints(subject: Subject) -> np.ndarray:
    """(P, P) matrix G with x = G bones: each keypoint is the sum of the bones on its way from the root."""
    names = subject.layout.names
    matrix = np.zeros((len(names) + 1, len(names) + 1))
    matrix[-1, -1] = 1
    for i, name in enumerate(names):
        at = name
        while at != "root":
            matrix[i, names.index(at)] = 1
            at = subject.tree[at]
    return matrix
