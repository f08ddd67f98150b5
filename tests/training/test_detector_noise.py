"""What the simulated detector does to true keypoints: each effect alone, and what it must leave alone."""

from __future__ import annotations

import pytest
import torch
from mvlift.lifting.subjects import get_subject
from mvlift_training.detector_noise import DetectorNoise, OffsetModel, corrupt
from torch import Tensor

BATCH, FRAMES, POINTS = 64, 48, 7
NOTHING = DetectorNoise(jitter=0, drift=0, gross=0, dropped=0, swapped=0, groups_lost=0, frames_lost=0, clean=0)
MIRROR = torch.tensor([1, 0, 3, 2, 4, 5, 6])
GROUPS = torch.tensor(
    [[True, True, False, False, False, False, False], [False, False, True, False, True, False, False]]
)
TRUE = torch.randn(BATCH, FRAMES, POINTS, 2, generator=torch.Generator().manual_seed(9))


def detected(seed: int = 0, **effects: float) -> tuple[Tensor, Tensor]:
    noise = DetectorNoise(**{**vars(NOTHING), **effects})
    return corrupt(TRUE, noise, MIRROR, GROUPS, torch.Generator().manual_seed(seed))


def test_without_effects_the_points_are_true_and_found() -> None:
    x, confidence = detected()
    assert torch.equal(x, TRUE)
    assert bool((confidence >= 0.75).all())


def test_it_is_the_same_for_a_seed() -> None:
    first = corrupt(TRUE, DetectorNoise(), MIRROR, GROUPS, torch.Generator().manual_seed(5))
    again = corrupt(TRUE, DetectorNoise(), MIRROR, GROUPS, torch.Generator().manual_seed(5))
    other = corrupt(TRUE, DetectorNoise(), MIRROR, GROUPS, torch.Generator().manual_seed(6))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_what_is_lost_is_zero_and_confidence_is_a_share() -> None:
    x, confidence = corrupt(TRUE, DetectorNoise(), MIRROR, GROUPS, torch.Generator().manual_seed(5))
    lost = confidence == 0
    assert 0.02 < float(lost.float().mean()) < 0.5
    assert not x[lost].any()
    assert bool(x[~lost].any(-1).all())
    assert float(confidence[~lost].min()) >= 0.02
    assert float(confidence.max()) <= 1


def test_jitter_is_bounded_independent_and_costs_confidence() -> None:
    """Up to one and a half of the strength, no memory from frame to frame, lower confidence where it is stronger."""
    x, confidence = detected(jitter=0.05)
    off = x - TRUE
    spread = off[..., :-1, :].std((1, 3))  # (B, P - 1)
    assert 0.04 < float(spread.max()) < 1.5 * 0.05 * 1.3
    after = (off[:, 1:] * off[:, :-1]).mean() / off.pow(2).mean()
    assert abs(float(after)) < 0.05
    mean = confidence[..., :-1].mean(1)
    together = torch.corrcoef(torch.stack([spread.flatten(), mean.flatten()]))[0, 1]
    assert float(together) < -0.7


def test_drift_is_slow() -> None:
    off = detected(drift=0.5)[0] - TRUE
    assert float(off.abs().max()) > 0.2
    after = (off[:, 1:] * off[:, :-1]).mean() / off.pow(2).mean()
    assert float(after) > 0.9


def test_gross_errors_are_far_off_and_doubtful() -> None:
    x, confidence = detected(gross=0.2)
    off = (x - TRUE).norm(dim=-1)[..., :-1]
    wrong = off > 0
    assert 0.05 < float(wrong.float().mean()) < 0.15  # uniform in windows, 0.2 at the most
    assert float(off[wrong].mean()) > 0.4
    assert float(confidence[..., :-1][wrong].mean()) < 0.6 * float(confidence[..., :-1][~wrong].mean())


def test_the_root_s_velocity_keeps_to_the_others() -> None:
    """It is a difference of smoothed roots: a fifth of the noise, but lost like any other point."""
    off = (detected(jitter=0.1, drift=0.2)[0] - TRUE).abs().mean((0, 1, 3))
    assert float(off[-1]) < 0.35 * float(off[:-1].mean())


def test_sides_are_swapped_in_one_stretch() -> None:
    """Left and right change places for at most a sixth of the window; the middle stays."""
    x, _ = detected(swapped=1.0)
    swapped = (x != TRUE).any(-1)
    assert torch.equal(x[swapped.any(-1)], TRUE[swapped.any(-1)][:, MIRROR])
    frames = swapped[..., 0]
    assert torch.equal(frames, swapped[..., 3])
    assert not swapped[..., 4:].any()
    length = frames.sum(1)
    assert int(length.min()) >= 1
    assert int(length.max()) <= FRAMES // 6
    edges = (frames[:, 1:] != frames[:, :-1]).sum(1)
    assert int(edges.max()) <= 2
    assert not (detected(swapped=0.0)[0] != TRUE).any()


def test_groups_are_lost_together_for_the_whole_window() -> None:
    _, confidence = detected(groups_lost=1.0)
    lost = confidence == 0
    assert torch.equal(lost, lost[:, :1].expand_as(lost))
    assert torch.equal(lost[..., 0], lost[..., 1])
    assert torch.equal(lost[..., 2], lost[..., 4])
    assert not lost[..., [3, 5, 6]].any()
    assert 0.2 < float(lost[:, 0, 0].float().mean()) < 0.8


def test_frames_are_lost_in_one_stretch_with_all_their_points() -> None:
    _, confidence = detected(frames_lost=1.0)
    lost = confidence == 0
    assert torch.equal(lost, lost[..., :1].expand_as(lost))
    length = lost[..., 0].sum(1)
    assert int(length.min()) >= 1
    assert int(length.max()) <= FRAMES // 5


def test_single_points_are_dropped_up_to_the_share() -> None:
    lost = (detected(dropped=0.3)[1] == 0).float()
    by_window = lost.mean((1, 2))
    assert 0.15 < float(by_window.max()) < 0.4
    assert float(by_window.min()) < 0.02


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_windows_is_true_and_sure(share: float) -> None:
    x, confidence = detected(clean=share, jitter=0.05, gross=0.1, dropped=0.3, swapped=1.0)
    clean = (x == TRUE).all(-1).all(-1).all(-1) & (confidence == 1).all(-1).all(-1)
    assert float(clean.float().mean()) == pytest.approx(share, abs=0.2 * (share == 0.5))


def offsets(side_share: float) -> tuple[OffsetModel, Tensor, Tensor, Tensor]:
    """A model, points (B, 1, P, 3) of no special pose, and their offsets in space and in the picture."""
    subject = get_subject("human")
    model = OffsetModel(subject, DetectorNoise(offset=0.04, body_share=0.7, side_share=side_share), "cpu")
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(6000, 1, len(subject.layout.names) + 1, 3, generator=generator)
    return model, x, *model.draw(x, torch.ones(len(x)), generator)


def test_offsets_hang_in_shares_on_the_body_and_on_the_picture() -> None:
    """Variances: share (offset scale)² along each axis of the body, the rest in the picture."""
    model, _, space, picture = offsets(0.8)
    variance = (0.04 * model.scale[:-1, 0]) ** 2
    torch.testing.assert_close(space.var((0, 1))[:-1].mean(1), 0.7 * variance, rtol=0.06, atol=0)
    torch.testing.assert_close(picture.var((0, 1))[:-1].mean(1), 0.3 * variance, rtol=0.06, atol=0)
    assert not space[:, :, -1].any()
    assert not picture[:, :, -1].any()


def test_offsets_of_the_two_sides_are_mirror_images() -> None:
    model, x, space, _ = offsets(1.0)
    names = get_subject("human").layout.names
    local = torch.einsum("btij,btpi->btpj", model.axes(x), space)
    left, right = names.index("l_wrist"), names.index("r_wrist")
    torch.testing.assert_close(local[:, :, left], local[:, :, right] * torch.tensor([-1.0, 1, 1]), atol=1e-6, rtol=1e-4)


def test_the_far_side_lies_behind() -> None:
    model, x, *_ = offsets(0.8)
    names = get_subject("human").layout.names
    depth = torch.zeros(x.shape[:3])
    depth[:, :, names.index("l_wrist")] = 1.0
    share = model.far_side(depth)
    assert float(share[0, 0, names.index("l_wrist")]) > 0.99
    assert float(share[0, 0, names.index("r_wrist")]) < 0.01
    assert float(share[0, 0, names.index("l_knee")]) == 0.5
