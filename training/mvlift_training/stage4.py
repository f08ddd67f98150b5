"""Stage 4: multi-view 2D diffusion, trained on the strictly consistent views of stage 3 (section 3.4 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from mvlift.diffusion.conditioning import VIEW_FEATURES, view_code, view_features
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import KeypointError
from mvlift.lifting.normalise import UNIT_METRES, VELOCITY_GAIN
from mvlift.lifting.sampling.in_loop import STAGE4_AZIMUTHS
from mvlift.lifting.sampling.views import project, ring
from mvlift.lifting.subjects import Subject
from torch import Tensor

from mvlift_training.detector_noise import DetectorNoise, corrupt
from mvlift_training.draws import Draws

__all__ = ["MotionLibrary", "ViewTask", "bones_to_keypoints", "write_motion_library"]


def write_motion_library(path: Path, motions: list[np.ndarray], names: tuple[str, ...], fps: float) -> None:
    """Write stage 3's motions: each (T, K, 3) metres, z up; atomically."""
    lengths = np.array([len(m) for m in motions])
    temporary = path.with_suffix(".tmp.npz")
    np.savez_compressed(
        temporary,
        points3d=np.concatenate(motions).astype(np.float32),
        start=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        length=lengths,
        names=np.array(names),
        fps=np.float32(fps),
    )
    temporary.replace(path)


class MotionLibrary:
    """Stage 3's motions on the training device, root-centred in the upright lifting frame.

    Args:
        path: of ``write_motion_library``.
        subject: what is lifted.
        window: T frames.
        device: where batches are made.

    Raises:
        KeypointError: there is no such file, or the keypoints are not the subject's.
    """

    def __init__(self, path: Path, subject: Subject, window: int, device: torch.device | str) -> None:
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
        swapped = replace(subject.layout, mirror=()).mirrored()  # a detector confuses sides, not the corners of a box
        self.swap = torch.as_tensor(np.concatenate([swapped, [len(names)]]), device=device)
        self.bones_to_keypoints = torch.as_tensor(bones_to_keypoints(subject), dtype=torch.float32, device=device)

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

    def batch(self, size: int, limb_spread: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random windows x (B, T, P, 3) with limbs of random lengths, and frames (B, T) False for padding."""
        draw = Draws(generator)
        which = torch.multinomial(self.weight, size, replacement=True, generator=generator)
        room = (self.length[which] - self.window).clamp(min=0)
        first = self.start[which] + (draw.uniform(size) * (room + 1)).long()
        offset = torch.arange(self.window, device=self.device)
        frames = offset < self.length[which, None]
        x = self.x[first[:, None] + offset]
        flip = draw.uniform(size) < 0.5
        x = torch.where(flip[:, None, None, None], x[:, :, self.mirror] * x.new_tensor([-1.0, 1.0, 1.0]), x)
        factor = 1 + limb_spread * torch.randn(size, x.shape[2], generator=generator, device=self.device)
        factor = 0.5 * (factor + factor[:, self.mirror])
        bones = torch.einsum("pq,btqc->btpc", torch.linalg.inv(self.bones_to_keypoints), x)
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


@dataclass(frozen=True)
class ViewTask:
    """Loss of stage 4: L1 on X_0 of all views and of the given view itself, whose gaps the network fills.

    Attributes:
        library: stage 3's motions.
        subject: what is lifted.
        schedule: noise schedule.
        noise: what the detector does to the given view.
        limb_spread: standard deviation of limb length factors.
        elevation: range of the given camera's elevation, degrees.
        roll: standard deviation of its roll, degrees.
    """

    library: MotionLibrary
    subject: Subject
    schedule: CosineSchedule
    noise: DetectorNoise = field(default_factory=DetectorNoise)
    limb_spread: float = 0.06
    elevation: tuple[float, float] = (-12.0, 30.0)
    roll: float = 3.0

    def network(self, width: int, layers: int, heads: int, patch: int, dropout: float) -> MotionDenoiser:
        """A fresh denoiser for this task."""
        points = self.library.x.shape[1]
        return MotionDenoiser(
            DenoiserConfig(points, VIEW_FEATURES, width, layers, heads, patch, cross_view=True, dropout=dropout)
        )

    def _groups(self, device: torch.device) -> Tensor:
        """(G, P) keypoints that are lost together."""
        parts = (("toe", "heel"), ("eye", "ear"), ("nose", "eye", "ear"), ("toe", "heel", "ankle", "knee"), ("wrist",))
        names = (*self.subject.layout.names, "")
        groups = [[any(k in n for k in keys) for n in names] for keys in parts]
        rigid = self.subject.rigid
        if self.subject.rigid_object is not None and rigid:  # each side of an object, and the whole of it
            places = np.array([self.subject.rigid_object.points[n] for n in rigid])
            outer = [
                places[:, axis] == end for axis in range(3) for end in (places[:, axis].min(), places[:, axis].max())
            ]
            lost = [{n for n, out in zip(rigid, side, strict=True) if out} for side in [*outer, np.ones(len(rigid))]]
            groups += [[n in part for n in names] for part in lost]
        return torch.tensor(groups, device=device)

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random motions seen by a random camera, its detections, and the level views to generate."""
        x, frames = self.library.batch(size, self.limb_spread, generator)
        device = x.device
        draw = Draws(generator)
        zero = torch.zeros(size, device=device)
        turned = (draw.uniform(size) * 2 * math.pi)[:, None] + (draw.uniform(size, 1) - 0.5) * 0.5 * torch.linspace(
            -1, 1, x.shape[1], device=device
        )  # the line of sight turns with a person who crosses the picture
        x = x @ ring(turned, zero[:, None]).transpose(-1, -2)
        low, high = (math.radians(e) for e in self.elevation)
        camera = ring(zero, low + draw.uniform(size) * (high - low))
        roll = draw.normal(size) * math.radians(self.roll)
        spin = torch.zeros(size, 3, 3, device=device)
        spin[:, 0, 0], spin[:, 0, 1], spin[:, 1, 0], spin[:, 1, 1] = roll.cos(), -roll.sin(), roll.sin(), roll.cos()
        spin[:, 2, 2] = 1
        seen = x @ (spin @ camera)[:, None].transpose(-1, -2)  # (B, T, P, 3) in the given camera's axes
        distance = (2.5 + 8 * draw.uniform(size)[:, None, None] ** 1.5) / UNIT_METRES
        nearness = 1 / (1 + seen[..., 2] / distance).clamp(min=0.3)
        nearness[:, :, -1] = 1
        size_error = torch.exp(0.06 * draw.normal(size))[:, None, None, None]
        given = seen[..., :2] * nearness[..., None] * size_error
        detected, confidence = corrupt(given, self.noise, self.library.swap, self._groups(device), generator)
        angle = torch.tensor([math.radians(a) for a in STAGE4_AZIMUTHS], device=device)
        views = project(ring(angle, angle * 0)[:, None], x[:, None])  # (B, V, T, P, 2)
        level = 1 + (draw.uniform(size).sqrt() * self.schedule.steps).long().clamp(max=self.schedule.steps - 1)
        noise3d = draw.normal(*x.shape)
        noisy = self.schedule.add_noise(views, level, project(ring(angle, angle * 0)[:, None], noise3d[:, None]))
        return {"views": views, "given": given, "detected": detected, "frames": frames, "noisy": noisy,
                "confidence": confidence * frames[..., None], "level": level}  # fmt: skip

    def loss(self, network: Callable[..., Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalar terms; ``loss`` is minimised."""
        device = batch["views"].device
        angle = torch.tensor([0.0, *(math.radians(a) for a in STAGE4_AZIMUTHS)], device=device)
        flags = torch.tensor([1.0] + [0.0] * len(STAGE4_AZIMUTHS), device=device)
        codes = view_code(angle, angle * 0, flags).expand(len(batch["views"]), -1, -1)
        features = view_features(batch["noisy"], batch["detected"], batch["confidence"])
        clean = network(features, batch["level"], codes, batch["frames"]).float()
        weight = batch["frames"].float()[:, None, :, None]
        count = weight.sum().clamp(min=1) * clean.shape[3]
        views = ((clean[:, 1:] - batch["views"]).abs().mean(-1) * weight).sum() / (count * (clean.shape[1] - 1))
        given = ((clean[:, 0] - batch["given"]).abs().mean(-1) * weight[:, 0]).sum() / count
        return {"loss": views + 0.25 * given, "views": views.detach(), "given": given.detach()}
