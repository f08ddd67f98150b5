"""Simulated detector errors on true 2D keypoints, from which stage 4 learns to use confidence, to fill gaps and not to
follow offsets.

A window is one of three kinds. *Clean*: the true points. *Realistic*: as OpenPose and its kind err on good footage:
each keypoint sits beside the body's joint by a fixed offset, trembles by millimetres, and has a middling confidence.
*Rough*: low-resolution or crowded footage: strong jitter, gross errors, lost points, exchanged sides. Groups of
keypoints and stretches of frames are lost in all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from mvlift.errors import MvliftError
from mvlift.lifting.subjects import Subject
from torch import Tensor

from mvlift_training.draws import Draws

__all__ = ["FAR_SIDE", "DetectorNoise", "OffsetModel", "WindowKinds", "corrupt", "draw_kinds"]

OFFSET_SCALE: Final = {
    "hip": 1.35, "shoulder": 1.15, "neck": 1.0, "elbow": 0.85, "wrist": 1.0, "knee": 0.95, "ankle": 0.95,
    "nose": 0.7, "eye": 0.75, "ear": 0.75, "small_toe": 1.2, "toe": 1.05, "heel": 1.0,
}  # fmt: skip
"""Size of a keypoint's offset relative to the average keypoint, by the first listed part of its name."""
CONFIDENCE_SHIFT: Final = {"toe": -0.09, "heel": -0.09, "nose": 0.07, "neck": 0.07}
"""Confidence of a keypoint above that of the average keypoint, likewise."""
FAR_SIDE: Final = 0.35
"""How much more the side of the body away from the camera errs."""


@dataclass(frozen=True)
class DetectorNoise:
    """Strength of each effect; lengths in network units (half a metre on the body).

    Attributes:
        clean: share of windows whose points are true and sure.
        realistic: share of windows that err as real detectors do; the rest are rough.
        offset: standard deviation along each axis of an average keypoint's fixed offset in realistic windows.
        body_share: share of the offset's variance that turns with the torso; the rest is fixed in the picture.
        side_share: share of the body's part that is the mirror image on the other side.
        tremble: standard deviation of independent noise a frame in realistic windows.
        sway: standard deviation of slow noise in realistic windows.
        confidence: middle of the confidence of realistic windows.
        jitter: largest standard deviation of independent noise a frame in rough windows, for an average keypoint (half
            to one and a half of it, by keypoint).
        drift: largest standard deviation of slow noise in rough windows.
        gross: largest share of points of rough windows that are far off, with low confidence.
        dropped: largest share of single points lost in rough windows.
        swapped: chance that a stretch of frames of a rough window has left and right exchanged.
        groups_lost: chance that a group of keypoints (feet, face, legs, arms) is never seen.
        frames_lost: chance that a stretch of frames is lost.

    Raises:
        MvliftError: a share outside [0, 1], or a strength below 0.
    """

    clean: float = 0.3
    realistic: float = 0.0
    offset: float = 0.04
    body_share: float = 0.7
    side_share: float = 0.8
    tremble: float = 0.01
    sway: float = 0.015
    confidence: float = 0.65
    jitter: float = 0.05
    drift: float = 0.04
    gross: float = 0.04
    dropped: float = 0.15
    swapped: float = 0.15
    groups_lost: float = 0.3
    frames_lost: float = 0.15

    def __post_init__(self) -> None:
        strengths = ("offset", "tremble", "sway", "jitter", "drift")
        for name, value in vars(self).items():
            if not 0 <= value <= (float("inf") if name in strengths else 1):
                raise MvliftError(
                    f"noise.{name} is {value}.",
                    "Give 0 or more." if name in strengths else "Give a share between 0 and 1.",
                )
        if self.clean + self.realistic > 1:
            raise MvliftError(
                f"noise.clean {self.clean} and noise.realistic {self.realistic} are more than all windows.",
                "Give shares whose sum is at most 1.",
            )


@dataclass(frozen=True, eq=False)
class WindowKinds:
    """Which windows of a batch are realistic and which rough, (B,) 0 or 1; the others are clean.

    Attributes:
        realistic, rough: see there.
        offset: (B,) factor on the fixed offsets: about 1 in realistic windows, up to 1 in rough ones, 0 in clean ones.
    """

    realistic: Tensor
    rough: Tensor
    offset: Tensor


def draw_kinds(size: int, noise: DetectorNoise, generator: torch.Generator) -> WindowKinds:
    """Random kinds of a batch's windows."""
    draw = Draws(generator)
    kind = draw.uniform(size)
    realistic = ((kind >= noise.clean) & (kind < noise.clean + noise.realistic)).float()
    rough = (kind >= noise.clean + noise.realistic).float()
    strength = realistic * torch.exp(0.3 * draw.normal(size)) + rough * draw.uniform(size)
    return WindowKinds(realistic, rough, strength if noise.realistic else torch.zeros_like(strength))


def _by_name(names: tuple[str, ...], table: dict[str, float], default: float) -> list[float]:
    return [next((value for part, value in table.items() if part in name), default) for name in names]


class OffsetModel:
    """Fixed offsets of a detector's keypoints from the body's joints, which hang on the torso or on the picture.

    Args:
        subject: whose keypoints; an object's keypoints have offsets in the picture only.
        noise: strengths.
        device: of the batches.
    """

    def __init__(self, subject: Subject, noise: DetectorNoise, device: torch.device | str) -> None:
        names = subject.layout.names
        mirror = subject.layout.mirrored()
        rigid = set(subject.rigid)
        self.noise = noise
        trunk = [i for i, n in enumerate(names) if subject.tree[n] == "root" and mirror[i] == i and n not in rigid]
        root = [names.index(n) for n in subject.root]
        self._ends = ([trunk[0]], [trunk[1]] if len(trunk) > 1 else root) if trunk else (root[:1], root[1:])
        pairs = [(i, int(j)) for i, j in enumerate(mirror) if i < j and names[i] not in rigid]
        self._left, self._right = ([p[k] for p in pairs] for k in (0, 1))
        scale = _by_name(names, OFFSET_SCALE, 1.0)
        self.scale = torch.tensor([*scale, 0.0], device=device)[:, None]  # (P, 1); the root's velocity has none
        self.shift = torch.tensor([*_by_name(names, CONFIDENCE_SHIFT, 0.0), 0.1], device=device)
        self.body = torch.tensor([*(n not in rigid for n in names), False], device=device).float()[:, None]
        self.mirror = torch.tensor([*(int(m) for m in mirror), len(names)], device=device)
        self.reflection = torch.tensor([-1.0, 1.0, 1.0], device=device)

    def axes(self, x: Tensor) -> Tensor:
        """(B, T, 3, 3) torso axes of points (B, T, P, 3): columns across, along the trunk, and through the body."""
        along = x[:, :, self._ends[0]].mean(2) - x[:, :, self._ends[1]].mean(2)
        along = torch.nn.functional.normalize(along, dim=-1)
        across = (x[:, :, self._left] - x[:, :, self._right]).mean(2)
        across = across - (across * along).sum(-1, keepdim=True) * along
        across = torch.nn.functional.normalize(across, dim=-1)
        return torch.stack([across, along, torch.linalg.cross(across, along)], -1)

    def draw(self, x: Tensor, strength: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Offsets of a batch.

        Args:
            x: (B, T, P, 3) true points, the last of which is the root's velocity.
            strength: (B,) factor.
            generator: randomness.

        Returns:
            (B, T, P, 3) offsets of the points in space, and (B, 1, P, 2) offsets in the picture.
        """
        b, _, p, _ = x.shape
        draw = Draws(generator)
        sigma = self.noise.offset * strength[:, None, None] * self.scale
        single, both = draw.normal(b, p, 3), draw.normal(b, p, 3)
        left = torch.arange(p, device=x.device) <= self.mirror
        both = torch.where(left[:, None], both, both[:, self.mirror] * self.reflection)
        share = self.noise.side_share
        local = sigma * (share**0.5 * both + (1 - share) ** 0.5 * single) * self.body
        space = torch.einsum("btij,bpj->btpi", self.axes(x), local * self.noise.body_share**0.5)
        in_picture = 1 - self.noise.body_share * self.body
        return space, (sigma * in_picture**0.5 * draw.normal(b, p, 2))[:, None]

    def far_side(self, depth: Tensor) -> Tensor:
        """(B, T, P) in [0, 1]: how far a point (depth (B, T, P), forward) lies behind its partner on the other side."""
        return torch.sigmoid((depth - depth[..., self.mirror]) / 0.15)


def _stretch(size: int, frames: int, longest: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(B, T) bool: one random stretch of frames a window."""
    first = torch.randint(0, frames, (size, 1), generator=generator, device=device)
    length = torch.randint(1, longest + 1, (size, 1), generator=generator, device=device)
    t = torch.arange(frames, device=device)
    return (t >= first) & (t < first + length)


def _slow(draw: Draws, b: int, t: int, p: int) -> Tensor:
    """(B, T, P, 2) noise of unit size that changes over half a second."""
    knots = draw.normal(b * p * 2, 1, max(t // 16, 2))
    slow = torch.nn.functional.interpolate(knots, size=t, mode="linear", align_corners=True)
    return slow.view(b, p, 2, t).permute(0, 3, 1, 2)


def corrupt(
    x: Tensor,
    noise: DetectorNoise,
    mirror: Tensor,
    groups: Tensor,
    generator: torch.Generator,
    kinds: WindowKinds | None = None,
    shift: Tensor | float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Detections of true points (or of points with a detector's offsets).

    Args:
        x: (B, T, P, 2) true points, units of the networks; the last point (root velocity) keeps to the others.
        noise: strengths.
        mirror: (P,) partner of each point on the other side.
        groups: (G, P) bool, points that are lost together.
        generator: randomness.
        kinds: of the windows; None draws them.
        shift: (..., P) added to the confidence of realistic windows.

    Returns:
        Points (B, T, P, 2) and confidence (B, T, P), 0 where lost.
    """
    b, t, p, _ = x.shape
    device = x.device
    draw = Draws(generator)
    kinds = draw_kinds(b, noise, generator) if kinds is None else kinds
    rough, realistic = kinds.rough[:, None, None], kinds.realistic[:, None, None]
    jitter = noise.jitter * draw.uniform(b, 1, 1) ** 2 * (0.5 + draw.uniform(b, 1, p)) * rough
    tremble = noise.tremble * torch.exp(0.35 * draw.normal(b, 1, 1)) * (0.7 + 0.6 * draw.uniform(b, 1, p)) * realistic
    swing = noise.drift * draw.uniform(b, 1, p) ** 2 * rough + noise.sway * realistic
    gross = draw.uniform(b, t, p) < noise.gross * draw.uniform(b, 1, 1) * (rough + 0.1 * realistic)
    off = torch.where(gross[..., None], draw.normal(b, t, p, 2) * 0.5, torch.zeros_like(x))
    body = torch.ones(p, device=device)
    body[-1] = 0.2  # the velocity is a difference of smoothed roots
    spoilt = (jitter + tremble)[..., None] * draw.normal(b, t, p, 2) + swing[..., None] * _slow(draw, b, t, p) + off
    seen_x = x + spoilt * body[:, None]
    swap = _stretch(b, t, max(t // 6, 1), generator, device)
    swap &= (draw.uniform(b, 1) < noise.swapped) & (rough[:, :, 0] > 0)
    seen_x = torch.where(swap[..., None, None], seen_x[:, :, mirror], seen_x)
    confidence = (1 - 4 * jitter) * (1 - 0.25 * draw.uniform(b, t, p) * rough)
    usual = noise.confidence + 0.1 * draw.normal(b, 1, 1) + 0.05 * draw.normal(b, 1, p) + 0.1 * draw.normal(b, t, p)
    confidence = torch.where(realistic > 0, (usual + shift).clamp(0.05, 1), confidence)
    confidence = torch.where(gross, confidence * (0.1 + 0.6 * draw.uniform(b, t, p)), confidence)
    confidence = torch.where(swap[..., None], confidence * (0.5 + 0.5 * draw.uniform(b, 1, 1)), confidence)
    share = noise.dropped * draw.uniform(b, 1, 1) ** 2 * (rough + 0.1 * realistic)
    lost = draw.uniform(b, t, p) < share
    lost_groups = (draw.uniform(b, len(groups)) < noise.groups_lost * draw.uniform(b, 1)).float() @ groups.float() > 0
    lost |= lost_groups[:, None]
    gap = _stretch(b, t, max(t // 5, 1), generator, device) & (draw.uniform(b, 1) < noise.frames_lost)
    lost |= gap[..., None]
    confidence = torch.where(lost, torch.zeros_like(confidence), confidence.clamp(0.02, 1))
    return seen_x * (confidence > 0)[..., None], confidence
