"""Sampling: windows, consistency with the given view, tilt, determinism; with oracles in place of networks."""

from __future__ import annotations

import math

import pytest
import torch
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.sampling.in_loop import InputView, SampleOptions, camera_tilt, sample_lines, sample_views
from mvlift.lifting.sampling.tilt_prior import TILT_MEAN
from mvlift.lifting.sampling.views import project, ring, triangulate
from mvlift.lifting.sampling.windows import Windows
from torch import Tensor


class Oracle(torch.nn.Module):
    """Stands in for a perfectly trained stage-4 network: it knows the motion and projects it into the level views."""

    def __init__(self, motion: Tensor) -> None:
        super().__init__()
        self.motion = motion
        self.config = DenoiserConfig(points=motion.shape[1], features=6, cross_view=True)

    def forward(self, features: Tensor, level: Tensor, views: Tensor, frames: Tensor) -> Tensor:
        angle = torch.tensor([0.0, 0.0, math.pi / 3, 2 * math.pi / 3])
        seen = project(ring(angle, angle * 0)[:, None], self.motion)  # (V, T, P, 2)
        return seen[None, :, : features.shape[2]].expand(len(features), -1, -1, -1, -1)


def given_from(motion: Tensor, tilt: Tensor) -> InputView:
    seen = project(camera_tilt(tilt), motion)
    identity = torch.eye(3).expand(len(motion), 3, 3)
    return InputView(seen, torch.ones(seen.shape[:2]), identity, torch.tensor([0.12, 0.0]))


def test_windows_average_to_the_function_they_sample() -> None:
    signal = torch.arange(101.0)
    windows = Windows(frames=101, size=16, stride=8, chunk=3)
    assert windows.mean(lambda rows, _: signal[rows]).tolist() == pytest.approx(signal.tolist())


def test_triangulation_inverts_projection_and_ignores_unseen_views() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(7, 5, 3, generator=generator)
    views = ring(torch.tensor([0.0, 1.0, 2.0]), torch.tensor(0.2))[:, None]
    seen = project(views, points)
    seen[2] += 100
    weights = torch.ones(3, 7, 5)
    weights[2] = 0
    assert torch.allclose(triangulate(views, seen, weights), points, atol=1e-4)


def test_tilt_is_found_and_the_motion_returned_in_camera_axes() -> None:
    generator = torch.Generator().manual_seed(1)
    motion = torch.randn(24, 6, 3, generator=generator)
    tilt = torch.tensor([0.35, -0.06])
    lifted = sample_views(Oracle(motion), given_from(motion, tilt), CosineSchedule(), SampleOptions(steps=5), generator)
    estimated, usual = lifted.tilt[0], torch.tensor(TILT_MEAN)
    assert estimated.tolist() == pytest.approx(tilt.tolist(), abs=0.04)
    assert (estimated - usual).norm() < (tilt - usual).norm()  # between what the views say and what is usual
    expected = motion @ camera_tilt(tilt).T
    assert (lifted.in_camera()[0] - expected).abs().max() < 0.1


def test_given_view_is_held_and_a_seed_decides_everything() -> None:
    torch.manual_seed(0)
    network = MotionDenoiser(DenoiserConfig(points=6, features=6, width=32, layers=2, heads=2)).eval()
    torch.nn.init.normal_(network.head.weight, std=0.05)
    motion = torch.randn(50, 6, 3) * 0.5
    input_view = given_from(motion, torch.tensor([0.12, 0.0]))
    options = SampleOptions(steps=4, window=16, stride=8, hypotheses=2)

    def draw(seed: int) -> Tensor:
        return sample_lines(network, input_view, CosineSchedule(), options, torch.Generator().manual_seed(seed)).points

    first = draw(3)
    assert first.shape == (2, 50, 6, 3)
    assert torch.equal(first, draw(3))
    assert not torch.equal(first, draw(4))
    reprojected = project(camera_tilt(input_view.tilt), first)
    assert (reprojected - input_view.x).norm(dim=-1).mean() < 0.2 * input_view.x.norm(dim=-1).mean()
