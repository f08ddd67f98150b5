"""Score distillation with a stand-in for the network that knows the truth: it must find the true 3D points."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from mvlift.diffusion.network import DenoiserConfig, MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.geometry.lines import lines_from_view
from mvlift.lifting.sampling.in_loop import LINE_AZIMUTHS, InputView, camera_tilt, line_of_sight
from mvlift.lifting.sampling.views import project, ring
from mvlift_training.sds import SdsOptions, _line_gradient, distil_points, distil_views, sds_options
from torch import Tensor

FRAMES, POINTS, PATCH = 6, 5, 4
TILT = torch.tensor([0.2, 0.05])
OPTIONS = SdsOptions(iterations=120, learning_rate=0.1)
RING = ring(torch.tensor([math.radians(a) for a in LINE_AZIMUTHS]), TILT[0])


@dataclass
class Oracle:
    """Stands for a denoiser: whatever it is given, it answers with the true views, padded as it was asked.

    Attributes:
        truth: (T, P, 3) in the frame that follows the line of sight.
        asked: features of every call, (V, T, P, 6).
        levels: of every call.
    """

    truth: Tensor
    asked: list[Tensor] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    config: Any = field(default_factory=lambda: SimpleNamespace(patch=PATCH))

    def __call__(self, features: Tensor, level: Tensor, code: Tensor, mask: Tensor) -> Tensor:
        assert features.shape == (len(RING), 1, 8, POINTS, 6)
        assert mask[:, :FRAMES].all()
        assert not mask[:, FRAMES:].any()
        self.asked.append(features[:, 0])
        self.levels += level.tolist()
        views = project(RING[:, None], self.truth)
        return torch.cat([views, views[:, -1:].expand(-1, features.shape[2] - FRAMES, -1, -1)], 1)[:, None]

    @property
    def network(self) -> MotionDenoiser:
        return cast(MotionDenoiser, self)


@dataclass(frozen=True)
class Scene:
    """True points in the upright frame (T, P, 3), the view of them, and the network that knows them."""

    points: Tensor
    input_view: InputView
    oracle: Oracle


@pytest.fixture
def scene() -> Scene:
    """Points that move, seen by a tilted camera whose line of sight turns with them."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(1, POINTS, 3, generator=generator)
    points = points + 0.1 * torch.randn(FRAMES, POINTS, 3, generator=generator)
    turn = ring(torch.linspace(-0.3, 0.2, FRAMES), torch.zeros(FRAMES))
    seen = project(turn @ camera_tilt(TILT), points)
    input_view = InputView(seen, torch.ones(FRAMES, POINTS), turn, TILT, tilt_known=True)
    _, follow = line_of_sight(turn, TILT[None])
    return Scene(points, input_view, Oracle(points @ follow[0].transpose(-1, -2)))


def lift(method: Any, scene: Scene, options: SdsOptions = OPTIONS, **changes: Any) -> Tensor:
    input_view = InputView(**{**vars(scene.input_view), **changes})
    (result,) = method(
        scene.oracle.network, [input_view], CosineSchedule(), options, [torch.Generator().manual_seed(1)]
    )
    assert torch.equal(result.tilt, TILT[None])
    return cast(Tensor, result.points[0])


@pytest.mark.parametrize("method", [distil_points, distil_views])
def test_a_network_that_knows_the_truth_gives_the_true_points(method: Any, scene: Scene) -> None:
    torch.testing.assert_close(lift(method, scene), scene.points, atol=0.02, rtol=0)


@pytest.mark.parametrize("method", [distil_points, distil_views])
def test_points_that_the_given_view_lost_are_found_from_the_others(method: Any, scene: Scene) -> None:
    sure, seen = scene.input_view.confidence.clone(), scene.input_view.x.clone()
    sure[2, 1], seen[2, 1] = 0.0, 0.0
    sure[:, 3], seen[:, 3] = 0.0, 0.0
    points = lift(method, scene, confidence=sure, x=seen)
    torch.testing.assert_close(points, scene.points, atol=0.02, rtol=0)


def test_the_given_view_counts_by_its_confidence(scene: Scene) -> None:
    """Pixels that disagree with the network pull a point, and a doubtful one pulls less."""
    off = scene.input_view.x.clone()
    off[..., 1] += 0.3

    def moved(confidence: float) -> float:
        sure = torch.full((FRAMES, POINTS), confidence)
        return float((lift(distil_points, scene, x=off, confidence=sure) - scene.points).norm(dim=-1).mean())

    assert moved(1.0) > 1.5 * moved(0.1) > 0.03


@pytest.mark.parametrize("method", [distil_points, distil_views])
def test_the_network_is_told_the_lines_on_which_the_points_lie(method: Any, scene: Scene) -> None:
    """Lines pass through the true points of every view; lost points and the ablation have none."""
    sure = scene.input_view.confidence.clone()
    sure[:, 3] = 0.0
    lift(method, scene, SdsOptions(2, 0.05), confidence=sure)
    lines, flag = scene.oracle.asked[-1][:, :FRAMES, :, 2:5], scene.oracle.asked[-1][:, :FRAMES, :, 5]
    views = project(RING[:, None], scene.oracle.truth)
    line_distance = ((lines[..., :2] * views).sum(-1) + lines[..., 2]).abs()
    assert torch.equal(flag, (sure > 0).float().expand(len(RING), -1, -1))
    assert float(line_distance.max()) < 1e-4
    assert not lines[:, :, 3].any()
    lift(method, scene, SdsOptions(1, 0.05, lines=False))
    assert not scene.oracle.asked[-1][..., 2:].any()


@pytest.mark.parametrize("method", [distil_points, distil_views])
def test_motions_of_other_lengths_come_out_of_a_batch_as_they_do_alone(method: Any) -> None:
    """With a real network, which would see the filling of the shorter ones if it were not masked."""
    torch.manual_seed(0)
    network = MotionDenoiser(DenoiserConfig(points=POINTS, features=6, width=32, layers=2, heads=2, patch=PATCH))
    torch.nn.init.normal_(network.head.weight, std=0.1)
    network.eval().requires_grad_(False)
    givens = []
    for i, frames in enumerate((6, 11, 8)):
        turn = ring(torch.linspace(-0.3, 0.2, frames), torch.zeros(frames))
        seen = torch.randn(frames, POINTS, 2, generator=torch.Generator().manual_seed(i))
        givens.append(InputView(seen, torch.ones(frames, POINTS), turn, TILT * (1 + i)))

    def lifted(which: list[int]) -> list[Tensor]:
        generators = [torch.Generator().manual_seed(i) for i in which]
        results = method(network, [givens[i] for i in which], CosineSchedule(), SdsOptions(5, 0.1), generators)
        return [f.points for f in results]

    for together, alone in zip(lifted([0, 1, 2]), [lifted([i])[0] for i in range(3)], strict=True):
        torch.testing.assert_close(together, alone, atol=1e-3, rtol=0)
        assert float(alone.abs().mean()) > 0.05


def test_noise_levels_are_drawn_from_the_range(scene: Scene) -> None:
    lift(distil_views, scene, SdsOptions(200, 0.01, lowest=5, highest=9))
    assert set(scene.oracle.levels) == {5, 6, 7, 8, 9}


def test_the_network_sees_the_views_with_noise_of_the_level(scene: Scene) -> None:
    """At the start all views are zero: what the network sees is noise, nothing at the lowest level."""
    lift(distil_views, scene, SdsOptions(1, 0.01, lowest=999, highest=999))
    assert float(scene.oracle.asked[-1][..., :2].std()) == pytest.approx(1, abs=0.15)
    lift(distil_views, scene, SdsOptions(1, 0.01, lowest=1, highest=1))
    assert float(scene.oracle.asked[-1][..., :2].std()) < 0.05


@pytest.mark.parametrize("iterations", [15, 60, 5000])
def test_iterations_times_learning_rate_is_the_same(iterations: int) -> None:
    options = sds_options(iterations)
    assert options.iterations * options.learning_rate == pytest.approx(5.0)
    assert not sds_options(iterations, lines=False).lines


def test_few_iterations_reach_far_points(scene: Scene) -> None:
    """Adam moves a point by about the learning rate a step: at 0.001 sixty steps end in the middle of the body."""
    enlargement = 3.2 / float(scene.points.abs().max())  # a raised hand at 1.6 m
    large = Scene(enlargement * scene.points, scene.input_view, Oracle(enlargement * scene.oracle.truth))
    points = lift(distil_points, large, sds_options(60), x=enlargement * scene.input_view.x)
    assert float((points - large.points).norm(dim=-1).mean()) < 0.2
    stuck = lift(distil_points, large, SdsOptions(60), x=enlargement * scene.input_view.x)
    assert float((stuck - large.points).norm(dim=-1).mean()) > 1.5


def six_cameras() -> Tensor:
    """(6, T, 3, 3): a tilted one and the ring, in double precision."""
    angle = torch.tensor([math.radians(a) for a in LINE_AZIMUTHS], dtype=torch.float64)
    input_camera = ring(torch.tensor(0.1, dtype=torch.float64), angle[0] * 0) @ camera_tilt(TILT.double())
    return torch.cat([input_camera[None], ring(angle, angle * 0 + 0.2)])[:, None].expand(-1, FRAMES, -1, -1)


def distance(views: Tensor, rotations: Tensor, i: int, j: int) -> Tensor:
    """Signed distance of view j's points to the lines of view i's, (T, P)."""
    lines = lines_from_view(views[i], rotations[i], rotations[j])
    return (lines[..., :2] * views[j]).sum(-1) + lines[..., 2]


def energy(views: Tensor, rotations: Tensor, weights: Tensor) -> Tensor:
    """Half the squared distance of the points of a view to the lines of another, once for each pair."""
    pairs = [(i, j) for i in range(len(views)) for j in range(i)]
    return torch.stack([0.5 * (weights[i] * weights[j] * distance(views, rotations, i, j) ** 2).sum()
                        for i, j in pairs]).sum()  # fmt: skip


def random_views() -> Tensor:
    return torch.randn(6, FRAMES, POINTS, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_the_line_gradient_is_autograd_s() -> None:
    """Six views of points that do not agree; the gradient goes through the lines, too."""
    views, rotations = random_views().requires_grad_(), six_cameras()
    weights = torch.rand(6, FRAMES, POINTS, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    (wanted,) = torch.autograd.grad(energy(views, rotations, weights), views)
    torch.testing.assert_close(_line_gradient(views.detach(), rotations, weights), wanted)
    assert float(wanted.abs().mean()) > 0.1


def test_the_distance_to_lines_is_the_same_in_both_directions() -> None:
    views, rotations = random_views(), six_cameras()
    for i, j in ((0, 1), (0, 3), (2, 5), (4, 1)):
        torch.testing.assert_close(distance(views, rotations, i, j).abs(), distance(views, rotations, j, i).abs())


def test_views_of_the_same_points_have_no_line_gradient() -> None:
    points = torch.randn(FRAMES, POINTS, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    views, ones = project(six_cameras(), points), torch.ones(6, FRAMES, POINTS, dtype=torch.float64)
    assert float(_line_gradient(views, six_cameras(), ones).abs().max()) < 1e-12


def test_consistency_holds_a_wandering_view_to_the_given_one(scene: Scene) -> None:
    """A network that is wrong by 0.4 in every view, each time otherwise: the lines bring the points back."""

    class Liar(Oracle):
        def __call__(self, features: Tensor, level: Tensor, code: Tensor, mask: Tensor) -> Tensor:
            off = torch.tensor([-0.4, 0.4, -0.4, 0.4, -0.4])[:, None, None, None, None]
            return super().__call__(features, level, code, mask) + off

    def apart(weight: float) -> float:
        liar = Liar(scene.oracle.truth)
        lift(
            distil_views,
            Scene(scene.points, scene.input_view, liar),
            SdsOptions(100, 0.05, weight, lowest=1, highest=1),
        )
        views = liar.asked[-1][:, :FRAMES, :, :2].double()
        cameras, ones = six_cameras()[1:], torch.ones(5, FRAMES, POINTS, dtype=torch.float64)
        return float(energy(views, cameras, ones))

    assert apart(5.0) < 0.2 * apart(0.0)
