"""ElePose (Wandt et al., CVPR 2022): single frames lifted by a network that learns from 2D poses alone.

A normalising flow learns which 2D poses (their principal components) are likely. A lifter predicts a depth for each
joint and the camera's elevation; its 3D pose, turned about the vertical by a random angle, must project to a likely 2D
pose (loss -log p), have likely bone proportions, and lift back to itself. Written from the paper.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
import tyro
from mvlift.errors import KeypointError, ModelError, MvliftError
from mvlift.files import whole_file
from mvlift.lifting.sampling.in_loop import InputView, Sampled, camera_tilt
from mvlift.lifting.sampling.lift_points import Sampler
from mvlift.lifting.sampling.views import ring
from mvlift.lifting.subjects import Subject, get_subject
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mvlift_training.console import failed, stderr_console
from mvlift_training.motion_data import MotionWindows, load_sequences

__all__ = ["EleposeConfig", "Lifter", "load_elepose", "main", "train_elepose"]

BONES: Final = 0.1
"""Standard deviation of relative bone lengths."""


@dataclass(frozen=True)
class EleposeConfig:
    """Training of the ElePose baseline.

    Attributes:
        data: 2D data set.
        output: .safetensors to write.
        subject: whose keypoints.
        flow_steps, lift_steps: Adam steps of both parts.
        batch: poses in a step.
        learning_rate: of both.
        components: principal components that the flow sees.
        threads: CPU threads, 0 = torch's default.
        seed: of everything random.
    """

    data: Path = Path("data/human/train_2d.npz")
    output: Path = Path("runs/elepose/elepose.safetensors")
    subject: str = "human"
    flow_steps: int = 4000
    lift_steps: int = 6000
    batch: int = 512
    learning_rate: float = 4e-4
    components: int = 26
    threads: int = 0
    seed: int = 1


class _Coupling(nn.Module):
    """Affine coupling: half of the numbers scale and shift the other half."""

    def __init__(self, size: int, flip: bool, width: int = 256) -> None:
        super().__init__()
        self.flip, self.split = flip, size // 2
        rest = size - self.split
        inside, outside = (rest, self.split) if flip else (self.split, rest)
        self.net = nn.Sequential(nn.Linear(inside, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                                 nn.Linear(width, 2 * outside))  # fmt: skip
        last = self.net[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x[:, : self.split], x[:, self.split :]
        keep, move = (b, a) if self.flip else (a, b)
        scale, shift = self.net(keep).chunk(2, -1)
        scale = 2 * torch.tanh(scale / 2)
        moved = move * scale.exp() + shift
        return torch.cat([moved, keep] if self.flip else [keep, moved], -1), scale.sum(-1)


class _Flow(nn.Module):
    def __init__(self, size: int, layers: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Coupling(size, bool(i % 2)) for i in range(layers))

    def surprise(self, x: Tensor) -> Tensor:
        """(N,) negative log likelihood of x (N, size), without its constant size/2 log 2π."""
        volume = torch.zeros(len(x), device=x.device)
        for layer in self.layers:
            x, change = layer(x)
            volume = volume + change
        return 0.5 * (x**2).sum(-1) - volume


class Lifter(nn.Module):
    """Depths (N, K) and elevation (N,) of 2D poses (N, K, 2).

    Args:
        keypoints: K.
        width: of the residual layers.
    """

    def __init__(self, keypoints: int, width: int = 512) -> None:
        super().__init__()
        self.enter = nn.Linear(2 * keypoints, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LeakyReLU(), nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, width))
            for _ in range(2)
        )
        self.depth = nn.Linear(width, keypoints)
        self.angle = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.enter(x.flatten(1))
        for block in self.blocks:
            h = h + block(h)
        return self.depth(h), 0.5 * torch.tanh(self.angle(h))[:, 0]


def _bone_ends(subject: Subject) -> tuple[list[int], list[int]]:
    names = subject.layout.names
    pairs = [(names.index(k), names.index(p)) for k, p in subject.tree.items() if p != "root"]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _poses(config: EleposeConfig, subject: Subject) -> Tensor:
    """(N, K, 2) complete poses in network units, root at the origin."""
    windows = MotionWindows(load_sequences(config.data), subject, 4, "cpu")
    keypoints = len(subject.layout.names)
    full = windows.seen[:, :keypoints].all(1)
    if int(full.sum()) < config.components:
        raise KeypointError(
            f"{config.data}: {int(full.sum())} poses have all keypoints, {config.components} components need as many.",
            "Give more footage, or fewer --components.",
        )
    return windows.x[full, :keypoints]


def train_elepose(config: EleposeConfig) -> Path:
    """Train flow and lifter and write the lifter's weights.

    Raises:
        KeypointError: no such data, or too few complete poses in it.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    subject = get_subject(config.subject)
    poses = _poses(config, subject)
    mirror = torch.as_tensor(subject.layout.mirrored())
    poses = torch.cat([poses, poses[:, mirror] * torch.tensor([-1.0, 1.0])])
    mean = poses.flatten(1).mean(0)
    _, _, basis = torch.pca_lowrank(poses.flatten(1)[:: max(1, len(poses) // 20_000)], config.components)
    spread = ((poses.flatten(1) - mean) @ basis).std(0)

    def components(x: Tensor) -> Tensor:
        return ((x.flatten(1) - mean) @ basis) / spread

    def batch() -> Tensor:
        return poses[torch.randint(len(poses), (config.batch,))]

    flow = _Flow(config.components)
    adam = torch.optim.Adam(flow.parameters(), config.learning_rate)
    for _ in track(range(config.flow_steps), "flow"):
        loss = flow.surprise(components(batch())).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    flow.requires_grad_(False)
    lifter = Lifter(poses.shape[1])
    adam = torch.optim.Adam(lifter.parameters(), config.learning_rate)
    ends, starts = _bone_ends(subject)
    proportions = torch.zeros(len(ends))
    for step in track(range(config.lift_steps), "lifter"):
        loss = _lift_loss(lifter, flow, components, batch(), ends, starts, proportions, step)
        adam.zero_grad()
        loss.backward()
        adam.step()
    header = {"kind": "elepose", "keypoints": poses.shape[1], "subject": config.subject, "seed": config.seed}
    tensors = {k: v.detach().half().contiguous() for k, v in lifter.state_dict().items()}
    with whole_file(config.output) as part:
        save_file(tensors, part, metadata={"mvlift": json.dumps(header)})
    return config.output


def _lift_loss(
    lifter: Lifter, flow: _Flow, components: Callable[[Tensor], Tensor], x: Tensor, ends: list[int],
    starts: list[int], proportions: Tensor, step: int,
) -> Tensor:  # fmt: skip
    depth, elevation = lifter(x)
    points = torch.cat([x, depth[..., None]], -1)
    level = camera_tilt(torch.stack([elevation, torch.zeros_like(elevation)], -1))  # upright to camera
    upright = points @ level
    azimuth = torch.rand(len(x)) * 2 * math.pi
    other = elevation[torch.randperm(len(x))].detach()
    turned = upright @ ring(azimuth, other).transpose(-1, -2)
    likely = flow.surprise(components(turned[..., :2])).mean()
    length = (points[:, ends] - points[:, starts]).norm(dim=-1).clamp(min=1e-3).log()
    relative = length - length.mean(1, keepdim=True)
    with torch.no_grad():  # running mean of the proportions
        proportions.lerp_(relative.mean(0), 1.0 if step == 0 else 0.01)
    bones = ((relative - proportions) / BONES).pow(2).mean()
    again, _ = lifter(turned[..., :2])
    consistent = (again - turned[..., 2]).pow(2).mean()
    return likely / x.shape[1] + 0.05 * bones + 10 * consistent


def load_elepose(path: Path, subject: Subject) -> Sampler:
    """The lifter as a source of 3D motion: every frame for itself, elevation by the median.

    Raises:
        ModelError: not an ElePose file, or one of another subject.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("mvlift", "{}"))
            state = {k: file.get_tensor(k).float() for k in file.keys()}  # noqa: SIM118 (not a dict)
        lifter = Lifter(int(header["keypoints"]))
        lifter.load_state_dict(state)
    except Exception as error:
        raise ModelError(
            f"{path}: not an ElePose lifter ({error}).", "Train it with `mvlift-train elepose`."
        ) from error
    if header.get("subject") != subject.name:
        raise ModelError(f"{path}: lifts {header.get('subject')}, not {subject.name}.", "Train one of that subject.")
    lifter.eval().requires_grad_(False)

    def draw(input_view: InputView) -> Sampled:
        keypoints = input_view.x[:, :-1]
        depth, elevation = lifter(keypoints)
        points = torch.cat([keypoints, depth[..., None]], -1)
        points = torch.cat([points, torch.zeros_like(points[:, :1])], 1)
        tilt = torch.stack([elevation.median(), torch.zeros(())])
        upright = points @ (input_view.turn @ camera_tilt(tilt))
        return Sampled(upright[None], tilt[None])

    return draw


def main(arguments: list[str]) -> int:
    """`mvlift-train elepose`."""
    config = tyro.cli(EleposeConfig, args=arguments, prog="mvlift-train elepose")
    console = stderr_console()
    try:
        console.print(f"wrote {train_elepose(config)}")
    except MvliftError as error:
        return failed(error)
    return 0
