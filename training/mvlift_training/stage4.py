"""Stage 4: multi-view 2D diffusion, trained on the strictly consistent views of stage 3 (section 3.4 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mvlift.diffusion.conditioning import VIEW_FEATURES, view_code, view_features
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.errors import KeypointError
from mvlift.lifting.normalise import UNIT_METRES, VELOCITY_GAIN
from mvlift.lifting.sampling.in_loop import camera_tilt
from mvlift.lifting.sampling.views import project, ring
from mvlift.lifting.subjects import Subject
from torch import Tensor

from mvlift_training.detector_noise import FAR_SIDE, DetectorNoise, OffsetModel, corrupt, draw_kinds
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

    def batch(self, size: int, limb_spread: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random windows x (B, T, P, 3) with limbs of random lengths, and frames (B, T) False for padding."""
        draw = Draws(generator)
        which = torch.multinomial(self.weight, size, replacement=True, generator=generator)
        room = (self.length[which] - self.window).clamp(min=0)
        first = self.start[which] + (draw.uniform(size) * (room + 1)).long()
        offset = torch.arange(self.window, device=self.device)
        frames = offset < self.length[which, None]
        x = self.x[first[:, None] + offset]
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


def _camera_loss(said: Tensor, truth: Tensor) -> Tensor:
    """Gaussian negative log-likelihood weighted by the predicted deviation, so that windows with small deviations do
    not dominate
    (Seitzer et al. 2022, beta 0.5).

    Args:
        said: (B, 6) means and log deviations.
        truth: (B, 3).
    """
    mean, log_sigma = said.float().chunk(2, -1)
    log_sigma = log_sigma.clamp(-4, 2)
    likelihood = 0.5 * ((truth - mean) * torch.exp(-log_sigma)) ** 2 + log_sigma
    return (likelihood * torch.exp(log_sigma.detach())).sum(-1).mean()


@dataclass(frozen=True)
class ViewTask:
    """Loss of stage 4: L1 on X_0 of all views and of the input view itself, whose gaps the network fills.

    Attributes:
        library: stage 3's motions.
        subject: what is lifted.
        schedule: noise schedule.
        noise: what the detector does to the input view.
        limb_spread: standard deviation of limb length factors.
        elevation: range of the input camera's elevation, degrees.
        roll: standard deviation of its roll, degrees.
        distance: nearest and farthest camera, metres; near ones are drawn more often.
        perspective: False: the input view is a parallel projection, too.
        size_error: standard deviation of the logarithm of the input view's scale error.
        turn: largest turn of the line of sight over a window, degrees to either side.
        azimuths: of the generated views, degrees.
        input_weight: weight of the input view's own loss.
        camera_weight: weight of the camera head's loss; 0: the network has no such head.
    """

    library: MotionLibrary
    subject: Subject
    schedule: CosineSchedule
    noise: DetectorNoise = field(default_factory=DetectorNoise)
    limb_spread: float = 0.06
    elevation: tuple[float, float] = (-12.0, 30.0)
    roll: float = 3.0
    distance: tuple[float, float] = (2.5, 10.5)
    perspective: bool = True
    size_error: float = 0.06
    turn: float = 14.3
    azimuths: tuple[float, ...] = (0.0, 60.0, 120.0)
    input_weight: float = 0.25
    camera_weight: float = 0.0
    _offsets: OffsetModel = field(init=False, repr=False)
    _lost_groups: Tensor = field(init=False, repr=False)
    _rotations: Tensor = field(init=False, repr=False)
    _codes: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Constants on the device: a step copies none, which a GPU would have to wait for."""
        angle = torch.tensor([0.0, *(math.radians(a) for a in self.azimuths)], device=self.library.device)
        flags = torch.zeros_like(angle)
        flags[0] = 1
        object.__setattr__(self, "_rotations", ring(angle[1:], 0 * angle[1:])[:, None])  # (V, 1, 3, 3)
        object.__setattr__(self, "_codes", view_code(angle, 0 * angle, flags))  # (1 + V, 8)
        object.__setattr__(self, "_offsets", OffsetModel(self.subject, self.noise, self.library.device))
        object.__setattr__(self, "_lost_groups", self._groups(self.library.device))

    def network(self, width: int, layers: int, heads: int, patch: int, dropout: float) -> MotionDenoiser:
        """A fresh denoiser for this task."""
        points = self.library.x.shape[1]
        shape = DenoiserConfig(points, VIEW_FEATURES, width, layers, heads, patch, cross_view=True, dropout=dropout,
                               azimuths=self.azimuths, camera_head=self.camera_weight > 0)  # fmt: skip
        return MotionDenoiser(shape)

    def _groups(self, device: torch.device) -> Tensor:
        """(G, P) keypoints that are lost together."""
        parts = (("toe", "heel"), ("eye", "ear"), ("nose", "eye", "ear"), ("toe", "heel", "ankle", "knee"), ("wrist",))
        names = (*self.subject.layout.names, "")
        groups = [[any(k in n for k in keys) for n in names] for keys in parts]
        rigid = self.subject.rigid
        if self.subject.rigid_object is not None and rigid:  # each side of an object, and all of it
            places = np.array([self.subject.rigid_object.points[n] for n in rigid])
            outer = [
                places[:, axis] == end for axis in range(3) for end in (places[:, axis].min(), places[:, axis].max())
            ]
            lost = [{n for n, out in zip(rigid, side, strict=True) if out} for side in [*outer, np.ones(len(rigid))]]
            groups += [[n in part for n in names] for part in lost]
        return torch.tensor(groups, device=device)

    def _turned(self, x: Tensor, draw: Draws) -> Tensor:
        """Motions x (B, T, P, 3) seen from anywhere; the line of sight turns with a person who crosses the picture."""
        size, frames = x.shape[:2]
        ramp = torch.linspace(-1, 1, frames, device=x.device) * math.radians(self.turn)
        azimuth = (draw.uniform(size) * 2 * math.pi)[:, None] + (draw.uniform(size, 1) * 2 - 1) * ramp
        return x @ ring(azimuth, 0 * azimuth).transpose(-1, -2)

    def _detections(
        self, x: Tensor, tilt: Tensor, distance: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """True points of the input view (B, T, P, 2), detected ones, and their confidence (B, T, P).

        Args:
            x: (B, T, P, 3) motions in the frame that follows the line of sight.
            tilt: (B, 2) elevation and roll of the camera, radians.
            distance: (B,) metres.
            generator: randomness.
        """
        draw = Draws(generator)
        size = len(x)
        rotation = camera_tilt(tilt)[:, None].transpose(-1, -2)
        scale = torch.exp(self.size_error * draw.normal(size))[:, None, None, None]
        units = (distance / UNIT_METRES)[:, None, None]

        def picture(points: Tensor) -> Tensor:
            nearness = 1 / (1 + points[..., 2] / units).clamp(min=0.3) if self.perspective else points[..., 2] * 0 + 1
            nearness[:, :, -1] = 1  # the root's velocity
            return points[..., :2] * nearness[..., None] * scale

        kinds = draw_kinds(size, self.noise, generator)
        space, flat = self._offsets.draw(x, kinds.offset, generator)
        seen = x @ rotation
        far_side = self._offsets.far_side(seen[..., 2])[..., None]
        true = picture(seen)
        offset = picture(seen + space @ rotation) - true + flat
        moved = true + offset * (1 + FAR_SIDE * (2 * far_side - 1))
        moved[:, :, :-1] -= moved[:, :, self.library.root].mean(2, keepdim=True)  # what lifting takes for the root
        shift = self._offsets.shift - 0.1 * (far_side[..., 0] - 0.5)
        return true, *corrupt(moved, self.noise, self.library.swap, self._lost_groups, generator, kinds, shift)

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random motions seen by a random camera, its detections, and the level views to generate."""
        x, frames = self.library.batch(size, self.limb_spread, generator)
        draw = Draws(generator)
        x = self._turned(x, draw)
        low, high = (math.radians(e) for e in self.elevation)
        nearest, furthest = self.distance
        tilt = torch.stack([low + draw.uniform(size) * (high - low), draw.normal(size) * math.radians(self.roll)], -1)
        distance = nearest + (furthest - nearest) * draw.uniform(size) ** 1.5
        true, detected, confidence = self._detections(x, tilt, distance, generator)
        views = project(self._rotations, x[:, None])  # (B, V, T, P, 2)
        n = 1 + (draw.uniform(size).sqrt() * self.schedule.steps).long().clamp(max=self.schedule.steps - 1)
        noise3d = draw.normal(*x.shape)
        noisy = self.schedule.add_noise(views, n, project(self._rotations, noise3d[:, None]))
        return {"views": views, "input": true, "detected": detected, "frames": frames, "noisy": noisy,
                "confidence": confidence * frames[..., None], "timestep": n,
                "camera": torch.cat([tilt, distance.log()[:, None]], -1)}  # fmt: skip

    def loss(self, network: Callable[..., Any], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scalar terms; ``loss`` is minimised."""
        codes = self._codes.expand(len(batch["views"]), -1, -1)
        features = view_features(batch["noisy"], batch["detected"], batch["confidence"])
        arguments = (features, batch["timestep"], codes, batch["frames"])
        camera = features.new_zeros(())
        if self.camera_weight > 0:
            clean, said = network(*arguments, with_camera=True)
            camera = _camera_loss(said, batch["camera"])
        else:
            clean = network(*arguments)
        clean = clean.float()
        weight = batch["frames"].float()[:, None, :, None]
        count = weight.sum().clamp(min=1) * clean.shape[3]
        views = ((clean[:, 1:] - batch["views"]).abs().mean(-1) * weight).sum() / (count * (clean.shape[1] - 1))
        input_loss = ((clean[:, 0] - batch["input"]).abs().mean(-1) * weight[:, 0]).sum() / count
        loss = views + self.input_weight * input_loss + self.camera_weight * camera
        terms = {"loss": loss, "views": views.detach(), "input": input_loss.detach()}
        return terms | ({"camera": camera.detach()} if self.camera_weight > 0 else {})
