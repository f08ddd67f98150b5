"""FID of other-view 2D motion, in the features of a convolutional autoencoder of 2D motion trained here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
import tyro
from mvlift.errors import LiftError, ModelError, MvliftError
from mvlift.files import whole_file
from mvlift.lifting.normalise import UNIT_METRES, intrinsics, normalise
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.typing import F64
from rich.progress import track
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from scipy.linalg import sqrtm
from torch import Tensor, nn

from mvlift_training.console import failed, stderr_console
from mvlift_training.motion_data import MotionWindows, file_digest, load_sequences

__all__ = [
    "FeatureNetwork",
    "FidConfig",
    "features",
    "frechet_distance",
    "load_features",
    "main",
    "picture_features",
    "train_features",
]

WINDOW: Final = 32
STRIDE: Final = 8
AZIMUTHS: Final = (90.0, 180.0, 270.0)
SHIPPED: Final = Path(__file__).parent / "fid-features.safetensors"


@dataclass(frozen=True)
class FidConfig:
    """Training of the feature extractor.

    Attributes:
        data: 2D data set.
        output: .safetensors to write.
        subject: whose keypoints.
        steps: of Adam.
        batch: windows in a step.
        threads: CPU threads, 0 = torch's default.
        seed: of everything random.
    """

    data: Path = Path("data/human/train_2d.npz")
    output: Path = Path("runs/fid/fid-features.safetensors")
    subject: str = "human"
    steps: int = 4000
    batch: int = 128
    threads: int = 0
    seed: int = 1


class PictureSequence(Protocol):
    """2D motion of one picture."""

    @property
    def clean(self) -> F64:
        """(T, K, 2) pixels, NaN where unknown."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height)."""
        ...


class FeatureNetwork(nn.Module):
    """Autoencoder of motion windows (B, 32, K, 2); ``encode`` gives (B, 64) features.

    Args:
        keypoints: K.
    """

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.keypoints = keypoints

        def down(a: int, b: int) -> nn.Module:
            return nn.Sequential(nn.Conv1d(a, b, 4, stride=2, padding=1), nn.SiLU())

        def up(a: int, b: int) -> nn.Module:
            return nn.Sequential(nn.ConvTranspose1d(a, b, 4, stride=2, padding=1), nn.SiLU())

        self.encoder = nn.Sequential(down(2 * keypoints, 128), down(128, 128), down(128, 128), nn.Flatten(),
                                     nn.Linear(128 * WINDOW // 8, 64))  # fmt: skip
        self.expand = nn.Linear(64, 128 * WINDOW // 8)
        self.decoder = nn.Sequential(
            up(128, 128), up(128, 128), up(128, 128), nn.Conv1d(128, 2 * keypoints, 3, padding=1)
        )

    def encode(self, windows: Tensor) -> Tensor:
        """(B, 64) of windows (B, 32, K, 2) in network units, root at the origin."""
        return self.encoder(windows.flatten(2).transpose(1, 2))

    def forward(self, windows: Tensor) -> Tensor:
        """Reconstruction of windows."""
        out = self.decoder(self.expand(self.encode(windows)).unflatten(1, (128, -1)))
        return out.transpose(1, 2).unflatten(2, (self.keypoints, 2))


def train_features(config: FidConfig) -> Path:
    """Train the autoencoder and write it."""
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    subject = get_subject(config.subject)
    windows = MotionWindows(load_sequences(config.data), subject, WINDOW, "cpu")
    keypoints = len(subject.layout.names)
    network = FeatureNetwork(keypoints)
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(config.seed)
    for step in track(range(config.steps), "features"):
        for group in adam.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        x, seen, frames = windows.batch(config.batch, generator)
        x, weight = x[:, :, :keypoints], (seen & frames[..., None])[:, :, :keypoints, None].float()
        loss = ((network(x) - x).abs() * weight).sum() / weight.sum().clamp(min=1) / 2
        adam.zero_grad()
        loss.backward()
        adam.step()
    header = {"kind": "features", "keypoints": keypoints, "seed": config.seed, "data": config.data.name,
              "digest": file_digest(config.data), "loss": float(loss.detach())}  # fmt: skip
    tensors = {k: v.detach().half().contiguous() for k, v in network.state_dict().items()}
    with whole_file(config.output) as part:
        save_file(tensors, part, metadata={"mvlift": json.dumps(header)})
    return config.output


def load_features(path: Path = SHIPPED, keypoints: int | None = None) -> FeatureNetwork:
    """The feature extractor.

    Args:
        path: of ``mvlift-train fid``.
        keypoints: that it must read; None for any number.

    Raises:
        ModelError: it is missing or damaged, or reads other keypoints.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["mvlift"])
            network = FeatureNetwork(int(header["keypoints"]))
            network.load_state_dict({k: file.get_tensor(k).float() for k in file.keys()})  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: no FID features ({error}).", "Train them with `mvlift-train fid`.") from error
    if keypoints is not None and network.keypoints != keypoints:
        raise ModelError(
            f"{path}: features of {network.keypoints} keypoints, not {keypoints}.", "Train them for this subject."
        )
    return network.eval().requires_grad_(False)


def _windows(points: F64, subject: Subject) -> Tensor:
    """Windows of other views (N, 32, K, 2) of a motion (T, K, 3), z up, in network units of its own size."""
    names = subject.layout.names
    index = {n: i for i, n in enumerate(names)}
    local = points - points[:, [index[n] for n in subject.root]].mean(1, keepdims=True)
    length = expected = 0.0
    for a, b, metres in subject.scale_bones:
        end = 0.0 if b == "root" else local[:, index[b]]
        length += float(np.median(np.linalg.norm(local[:, index[a]] - end, axis=-1)))
        expected += metres
    local = local * (expected / max(length, 1e-6)) / UNIT_METRES
    out = []
    for degrees in AZIMUTHS:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        view = np.stack([c * local[..., 0] + s * local[..., 1], -local[..., 2]], -1)
        out += [view[i : i + WINDOW] for i in range(0, len(view) - WINDOW + 1, STRIDE)]
    return torch.as_tensor(np.array(out), dtype=torch.float32).view(-1, WINDOW, len(names), 2)


def features(network: FeatureNetwork, motions: Sequence[F64], subject: Subject) -> F64:
    """(N, 64) features of the views at 90, 180 and 270 degrees of motions (T, K, 3), z up."""
    windows = torch.cat([_windows(m, subject) for m in motions])
    with torch.inference_mode():
        return np.asarray(network.encode(windows).double().numpy())


def picture_features(network: FeatureNetwork, sequences: Sequence[PictureSequence], subject: Subject) -> F64:
    """(N, 64) features of real pictures: windows of 2D motion in which every keypoint is seen.

    Args:
        network: the extractor.
        sequences: with ``clean`` (T, K, 2) pixels, NaN where unknown, and ``image_size``.
        subject: whose keypoints.
    """
    out = []
    for s in sequences:
        seen = np.asarray(np.isfinite(s.clean).all(-1))
        try:
            motion = normalise(
                np.asarray(np.nan_to_num(s.clean)), seen.astype(np.float64), subject, intrinsics(s.image_size)
            )
        except LiftError:
            continue
        x = motion.x[:, :-1]
        out += [x[i : i + WINDOW] for i in range(0, len(x) - WINDOW + 1, STRIDE) if seen[i : i + WINDOW].all()]
    if not out:
        return np.zeros((0, 64))
    with torch.inference_mode():
        return np.asarray(network.encode(torch.as_tensor(np.array(out), dtype=torch.float32)).double().numpy())


def frechet_distance(a: F64, b: F64) -> float:
    """|μ_a - μ_b|² + tr(C_a + C_b - 2 (C_a C_b)^½) of two feature sets (N, D) (Heusel et al. 2017)."""
    mean = a.mean(0) - b.mean(0)
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(sqrtm(ca @ cb))
    return float(mean @ mean + np.trace(ca + cb - 2 * root))


def main(arguments: list[str]) -> int:
    """`mvlift-train fid`."""
    config = tyro.cli(FidConfig, args=arguments, prog="mvlift-train fid")
    console = stderr_console()
    try:
        console.print(f"wrote {train_features(config)}")
    except MvliftError as error:
        return failed(error)
    return 0
