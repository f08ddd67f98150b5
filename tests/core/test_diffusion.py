"""Schedule, samplers and network: pinned numbers, a Gaussian whose posterior is known, masks, any length."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from mvlift.arrays import normal_noise
from mvlift.diffusion.conditioning import line_features, view_code, view_features
from mvlift.diffusion.samplers import SamplerName, ancestral, ddim, dpm_solver_pp, sample
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.sampling.in_loop import InputView, SampleOptions, sample_lines, sample_views
from mvlift.lifting.sampling.windows import Windows
from scenes import tiny_network
from torch import Tensor

MEAN, DEVIATION = 0.7, 0.3
"""Of the Gaussian that the analytic denoiser knows."""


def posterior_mean(schedule: CosineSchedule):  # type: ignore[no-untyped-def]
    """E[X_0 | X_n] for X_0 ~ N(MEAN, DEVIATION²): the denoiser that training would end at."""
    bar = torch.as_tensor(schedule.alpha_bar())

    def denoise(x: Tensor, n: int) -> Tensor:
        a = bar[n]
        gain = DEVIATION**2 * a.sqrt() / (DEVIATION**2 * a + 1 - a)
        return MEAN + gain * (x - a.sqrt() * MEAN)

    return denoise


def test_schedule_numbers() -> None:
    bar = CosineSchedule().alpha_bar()
    assert bar.shape == (1001,)
    assert bar[0] == 1
    # Nichol and Dhariwal 2021, eq. 17: cos² of (n/N + s) / (1 + s) of a quarter turn, relative to n = 0
    assert bar[[1, 250, 500, 750]].tolist() == pytest.approx([0.9999587, 0.8470122, 0.4938436, 0.1442721], abs=1e-7)
    assert 0 < bar[1000] < 1e-6
    assert (np.diff(bar) < 0).all()
    assert (bar[1:] / bar[:-1]).min() == pytest.approx(1e-3, rel=1e-6)


def test_added_noise_has_the_announced_mean_and_variance() -> None:
    schedule = CosineSchedule()
    noise = torch.randn(3, 20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    timestep = torch.tensor([1, 500, 1000])
    noisy = schedule.add_noise(torch.full_like(noise, 2.0), timestep, noise)
    bar = torch.as_tensor(schedule.alpha_bar())[timestep]
    assert noisy.mean(1).tolist() == pytest.approx((2 * bar.sqrt()).tolist(), abs=0.02)
    assert noisy.var(1).tolist() == pytest.approx((1 - bar).tolist(), abs=0.02)


def test_levels_are_even_and_bounded() -> None:
    schedule = CosineSchedule()
    assert schedule.timesteps(4) == [1000, 750, 500, 250]
    assert schedule.timesteps(1000) == list(range(1000, 0, -1))
    for count in (0, 1001):
        with pytest.raises(ValueError, match="1 to 1000"):
            schedule.timesteps(count)


@pytest.mark.parametrize(
    ("name", "steps", "tolerance"), [("ancestral", 200, 0.015), ("ddim", 60, 0.015), ("dpm++", 20, 0.015)]
)
def test_samplers_reach_a_known_gaussian(name: SamplerName, steps: int, tolerance: float) -> None:
    schedule = CosineSchedule()
    noise = normal_noise((20_000,), np.random.default_rng(1), torch.zeros(1))
    drawn = sample(name, posterior_mean(schedule), schedule, noise, steps)
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=tolerance)
    assert float(drawn.std()) == pytest.approx(DEVIATION, abs=tolerance)


def test_error_falls_with_steps_and_falls_faster_for_the_second_order_solver() -> None:
    """The probability flow of a Gaussian keeps every path at its quantile, so the end of each path is known."""
    schedule = CosineSchedule()
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)
    bar = torch.as_tensor(schedule.alpha_bar())
    quantile = (start - bar[1000].sqrt() * MEAN) / (bar[1000] * DEVIATION**2 + 1 - bar[1000]).sqrt()

    def error(solver, steps: int) -> float:  # type: ignore[no-untyped-def]
        end = solver(posterior_mean(schedule), schedule, lambda: start, schedule.timesteps(steps))
        return float((end - MEAN - DEVIATION * quantile).abs().max())

    errors = {solver: [error(solver, n) for n in (10, 20, 40)] for solver in (ddim, dpm_solver_pp)}
    for by_steps in errors.values():
        assert by_steps[2] < 0.7 * by_steps[1] < 0.5 * by_steps[0]
    assert errors[dpm_solver_pp][1] < 0.5 * errors[ddim][1]


def test_ddim_is_deterministic_after_its_first_noise_and_ancestral_is_not() -> None:
    schedule, calls = CosineSchedule(), []

    def noise() -> Tensor:
        calls.append(1)
        return torch.zeros(3)

    ddim(posterior_mean(schedule), schedule, noise, schedule.timesteps(5))
    assert len(calls) == 1
    ancestral(posterior_mean(schedule), schedule, noise, schedule.timesteps(5))
    assert len(calls) == 1 + 5


def test_an_unknown_sampler_is_named() -> None:
    schedule = CosineSchedule()
    with pytest.raises(ValueError, match="euler"):
        sample("euler", posterior_mean(schedule), schedule, lambda: torch.zeros(1), 3)  # type: ignore[arg-type]


def input_view(frames: int, missing: int | None = None, value: float = 0.0, seed: int = 0) -> InputView:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(frames, 25, 2, generator=generator)
    confidence = torch.full((frames, 25), 0.8)
    if missing is not None:
        confidence[:, missing] = 0
        x[:, missing] = value
    return InputView(x, confidence, torch.eye(3).expand(frames, 3, 3), torch.tensor([0.12, 0.0]))


def drawn(view: InputView, cross_view: bool, seed: int = 0, **options: int) -> Tensor:
    draw = sample_views if cross_view else sample_lines
    chosen = SampleOptions("ddim", **{"steps": 3, "window": 16, "stride": 8, **options})  # type: ignore[arg-type]
    network, generator = tiny_network(cross_view=cross_view), torch.Generator().manual_seed(seed)
    return draw(network, view, CosineSchedule(), chosen, generator).points


@pytest.mark.parametrize("cross_view", [True, False])
def test_the_value_of_a_missing_keypoint_changes_nothing(cross_view: bool) -> None:
    at_zero, at_five = input_view(24, 7), input_view(24, 7, 5.0)
    assert torch.equal(drawn(at_zero, cross_view), drawn(at_five, cross_view))
    seen = input_view(24, 7, 5.0)
    seen.confidence[:, 7] = 0.8
    assert not torch.allclose(drawn(seen, cross_view), drawn(at_five, cross_view), atol=1e-2)


@pytest.mark.parametrize("cross_view", [True, False])
def test_the_condition_reaches_the_network(cross_view: bool) -> None:
    """Another given motion changes what the views are denoised to, not only what is held."""
    network = tiny_network(cross_view=cross_view)
    timestep = torch.tensor([500])
    if cross_view:
        noisy, sure = torch.zeros(1, 3, 8, 25, 2), torch.ones(1, 8, 25)
        flags = torch.tensor([1.0, 0, 0, 0])
        code = view_code(torch.arange(4.0), torch.zeros(4), flags)[None]
        first = network(view_features(noisy, torch.zeros(1, 8, 25, 2), sure), timestep, code)
        other = network(view_features(noisy, torch.ones(1, 8, 25, 2), sure), timestep, code)
    else:
        noisy, lines = torch.zeros(1, 1, 8, 25, 2), torch.ones(1, 1, 8, 25, 3)
        code = torch.zeros(1, 1, 8)
        first = network(line_features(noisy, lines, torch.ones(1, 1, 8, 25)), timestep, code)
        other = network(line_features(noisy, lines, torch.zeros(1, 1, 8, 25)), timestep, code)
    assert (first - other).abs().max() > 1e-3


def test_padding_is_not_attended_to() -> None:
    network = tiny_network(cross_view=False)
    features = torch.randn(1, 1, 16, 25, 6, generator=torch.Generator().manual_seed(2))
    inside = torch.ones(1, 16, dtype=torch.bool)
    inside[:, 8:] = False
    other = features.clone()
    other[:, :, 8:] += 10
    timestep, code = torch.tensor([100]), torch.zeros(1, 1, 8)
    a, b = network(features, timestep, code, inside), network(other, timestep, code, inside)
    assert torch.allclose(a[:, :, :8], b[:, :, :8], atol=1e-5)
    open_, shut = network(other, timestep, code), network(features, timestep, code)
    assert (open_ - shut)[:, :, :8].abs().max() > 1e-3


def test_another_noise_level_and_another_view_give_other_results() -> None:
    network = tiny_network()
    features = torch.randn(1, 2, 8, 25, 6, generator=torch.Generator().manual_seed(3))
    code = torch.zeros(1, 2, 8)
    turned = code.clone()
    turned[:, 1, 1] = 1
    base = network(features, torch.tensor([10]), code)
    assert (base - network(features, torch.tensor([900]), code)).abs().max() > 1e-3
    assert (base - network(features, torch.tensor([10]), turned))[:, 0].abs().max() > 1e-4  # through cross-view


@pytest.mark.parametrize("frames", [1, 3, 4, 17, 33, 101])
def test_any_length(frames: int) -> None:
    points = drawn(input_view(frames), True)
    assert points.shape == (1, frames, 25, 3)
    assert torch.isfinite(points).all()


def test_one_window_is_the_whole_clip() -> None:
    one_window = drawn(input_view(32), True, window=32, stride=16)
    assert torch.equal(one_window, drawn(input_view(32), True, window=64, stride=8))
    several = drawn(input_view(32), True, window=16, stride=8)
    assert not torch.allclose(one_window, several, atol=1e-4)


def test_windows_cover_every_frame_and_their_number_is_linear() -> None:
    for frames in (1, 5, 16, 17, 31, 100):
        starts = Windows(frames, 16, 8).starts()
        covered = {s + i for s in starts for i in range(16)}
        assert set(range(frames)) <= covered
        assert frames < 16 or starts[-1] == frames - 16
    counts = [len(Windows(n, 96, 48).starts()) for n in (960, 1920, 3840)]
    assert counts == [19, 39, 79]


def test_memory_is_bounded_and_cost_linear() -> None:
    seen: list[int] = []

    def evaluate(rows: Tensor, inside: Tensor) -> Tensor:
        seen.append(len(rows))
        return rows.astype(np.float32)

    Windows(20_000, 96, 48, chunk=32).mean(evaluate)
    assert max(seen) == 32
    assert sum(seen) == 416

    def seconds(frames: int) -> float:
        view = input_view(frames)
        began = time.perf_counter()
        drawn(view, True, window=32, stride=16)
        return time.perf_counter() - began

    seconds(200)
    short, long = min(seconds(400) for _ in range(3)), min(seconds(1600) for _ in range(2))
    assert long < 9 * short  # 4 times the frames; quadratic would be 16


def test_seeds() -> None:
    view = input_view(20)
    assert torch.equal(drawn(view, True, seed=4), drawn(view, True, seed=4))
    assert not torch.allclose(drawn(view, True, seed=4), drawn(view, True, seed=5), atol=1e-3)
