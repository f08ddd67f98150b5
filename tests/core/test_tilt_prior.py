"""The camera head's opinion of the tilt, and how it joins the general one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.lifting.sampling.tilt_prior import TILT_MEAN, TILT_SPREAD, TiltPrior, camera_tilt, tilt_prior
from mvlift.lifting.sampling.windows import Windows
from torch import Tensor, nn

FRAMES, POINTS = 20, 5


class Head(nn.Module):
    """A network whose camera head says one thing."""

    def __init__(self, elevation: float, roll: float, sigma: float, camera_head: bool = True) -> None:
        super().__init__()
        self.config = DenoiserConfig(POINTS, 6, cross_view=True, azimuths=(60, 120), camera_head=camera_head)
        self.said = torch.tensor([elevation, roll, 1.0, math.log(sigma), math.log(sigma), 0.0])

    def forward(self, features: Tensor, *rest: Any, with_camera: bool = False) -> tuple[Tensor, Tensor]:
        assert with_camera
        assert features.shape[1] == 3
        return features[..., :2], self.said.expand(len(features), -1)


def asked(network: Head, turn: Tensor) -> TiltPrior:
    x, confidence = torch.zeros(FRAMES, POINTS, 2), torch.ones(FRAMES, POINTS)
    return tilt_prior(network, x, confidence, turn, Windows(FRAMES, 8, 4), 1000)


def test_without_a_head_it_is_the_general_prior() -> None:
    assert asked(Head(0.4, 0.1, 0.01, camera_head=False), torch.eye(3).expand(FRAMES, 3, 3)) == TiltPrior()


def test_the_head_and_the_general_prior_are_multiplied() -> None:
    combined = asked(Head(0.4, 0.1, 0.05), torch.eye(3).expand(FRAMES, 3, 3))
    for i, said in enumerate((0.4, 0.1)):
        a, b = TILT_SPREAD[i] ** -2, 0.05**-2
        assert combined.mean[i] == pytest.approx((a * TILT_MEAN[i] + b * said) / (a + b), abs=1e-5)
        assert combined.spread[i] == pytest.approx((a + b) ** -0.5)


def test_what_the_head_says_of_the_turned_camera_is_turned_back() -> None:
    """The person is 20 degrees below the optical axis: the turned camera looks down by so much more than the camera."""
    angle = math.radians(20)
    turn = torch.tensor([[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]])
    up = torch.tensor([0.0, -1.0, 0.0])  # of a level camera
    turned_up = turn @ up
    elevation = math.asin(-float(turned_up[2]))
    torch.testing.assert_close(-camera_tilt(torch.tensor([elevation, 0.0]))[:, 1], turned_up)
    combined = asked(Head(elevation, 0.0, 1e-4), turn.expand(FRAMES, 3, 3))
    assert combined.mean[0] == pytest.approx(0.0, abs=1e-3)
    assert abs(elevation) == pytest.approx(angle, abs=1e-6)


def test_only_a_network_with_the_head_answers() -> None:
    network = MotionDenoiser(DenoiserConfig(POINTS, 6, width=16, layers=1, heads=2, cross_view=True, camera_head=True))
    features = torch.randn(2, 4, 8, POINTS, 6)
    frames = torch.ones(2, 8, dtype=torch.bool)
    clean, said = network(features, torch.tensor([3, 500]), torch.randn(2, 4, 8), frames, with_camera=True)
    assert clean.shape == (2, 4, 8, POINTS, 2)
    assert said.shape == (2, 6)
    blind = MotionDenoiser(DenoiserConfig(POINTS, 6, width=16, layers=1, heads=2, cross_view=True))
    with pytest.raises(ValueError, match="camera head"):
        blind(features, torch.tensor([3, 500]), torch.randn(2, 4, 8), frames, with_camera=True)


def test_attention_by_hand_is_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = MotionDenoiser(DenoiserConfig(POINTS, 6, width=16, layers=2, heads=2, cross_view=True)).eval()
    torch.nn.init.normal_(network.head.weight)
    features, frames = torch.randn(2, 4, 16, POINTS, 6), torch.arange(16).expand(2, 16) < torch.tensor([[16], [8]])
    arguments = features, torch.tensor([3, 500]), torch.randn(2, 4, 8), frames
    explicit = network(*arguments)
    monkeypatch.setattr("mvlift.diffusion.network.EXPLICIT_TOKENS", 0)
    fused = network(*arguments)
    assert float(explicit.std()) > 0.1
    torch.testing.assert_close(explicit[0], fused[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(explicit[1, :, :8], fused[1, :, :8], rtol=1e-4, atol=1e-5)
