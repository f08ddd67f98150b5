"""Stage 4: multi-view 2D diffusion, trained on the strictly consistent views of stage 3 (section 3.4 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mvlift.diffusion.conditioning import VIEW_FEATURES, view_code, view_features
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.normalise import UNIT_METRES
from mvlift.lifting.sampling.in_loop import camera_tilt
from mvlift.lifting.sampling.views import project, ring
from mvlift.lifting.subjects import Subject
from torch import Tensor

from mvlift_training.detector_noise import FAR_SIDE, DetectorNoise, OffsetModel, corrupt, draw_kinds
from mvlift_training.draws import Draws
from mvlift_training.motion_library import MotionLibrary

__all__ = ["ViewTask"]


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
        pure_noise: share of windows whose views are pure noise: all that a lift in one step asks of the network. The
            timesteps of the others are drawn with a density that rises linearly.
        tempo_spread: standard deviation of the logarithm of a window's tempo: motion is played faster and slower.
        other_arms: chance that a window's arms, in the axes of its torso, are those of another window.
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
    pure_noise: float = 0.0
    tempo_spread: float = 0.0
    other_arms: float = 0.0
    _offsets: OffsetModel = field(init=False, repr=False)
    _lost_groups: Tensor = field(init=False, repr=False)
    _arms: Tensor = field(init=False, repr=False)
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
        object.__setattr__(self, "_arms", self._beyond_shoulders(self.library.device))

    def network(self, width: int, layers: int, heads: int, patch: int, dropout: float) -> MotionDenoiser:
        """A fresh denoiser for this task."""
        points = self.library.x.shape[1]
        shape = DenoiserConfig(points, VIEW_FEATURES, width, layers, heads, patch, cross_view=True, dropout=dropout,
                               azimuths=self.azimuths, camera_head=self.camera_weight > 0)  # fmt: skip
        return MotionDenoiser(shape)

    def _beyond_shoulders(self, device: torch.device) -> Tensor:
        """(P,) bool: keypoints whose bones are an arm's."""
        tree = self.subject.tree
        arms = []
        for name in self.subject.layout.names:
            above = tree[name]
            while above != "root" and "shoulder" not in above:
                above = tree[above]
            arms.append(above != "root")
        return torch.tensor([*arms, False], device=device)

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

    def _with_other_arms(self, x: Tensor, frames: Tensor, draw: Draws) -> Tensor:
        """Motions x (B, T, P, 3), some of which get the arms of the window before them."""
        library = self.library
        bones = torch.einsum("pq,btqc->btpc", library.keypoints_to_bones, x)
        axes = self._offsets.axes(x)
        turn = axes @ axes.roll(1, 0).transpose(-1, -2)  # from the torso of the other window to this one's
        moved = torch.einsum("btij,btpj->btpi", turn, bones.roll(1, 0))
        fits = (frames.roll(1, 0) | ~frames).all(1) & (draw.uniform(len(x)) < self.other_arms)
        bones = torch.where(fits[:, None, None, None] & self._arms[:, None], moved, bones)
        return torch.einsum("pq,btqc->btpc", library.bones_to_keypoints, bones) * frames[..., None, None]

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

    def _timesteps(self, size: int, draw: Draws) -> Tensor:
        """(B,) timesteps from 1 to N."""
        n = 1 + (draw.uniform(size).sqrt() * self.schedule.steps).long().clamp(max=self.schedule.steps - 1)
        if not self.pure_noise:
            return n
        return torch.where(draw.uniform(size) < self.pure_noise, torch.full_like(n, self.schedule.steps), n)

    def batch(self, size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random motions seen by a random camera, its detections, and the level views to generate."""
        x, frames = self.library.batch(size, self.limb_spread, generator, self.tempo_spread)
        draw = Draws(generator)
        if self.other_arms:
            x = self._with_other_arms(x, frames, draw)
        x = self._turned(x, draw)
        low, high = (math.radians(e) for e in self.elevation)
        nearest, furthest = self.distance
        tilt = torch.stack([low + draw.uniform(size) * (high - low), draw.normal(size) * math.radians(self.roll)], -1)
        distance = nearest + (furthest - nearest) * draw.uniform(size) ** 1.5
        true, detected, confidence = self._detections(x, tilt, distance, generator)
        views = project(self._rotations, x[:, None])  # (B, V, T, P, 2)
        n = self._timesteps(size, draw)
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
