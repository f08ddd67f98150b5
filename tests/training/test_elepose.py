"""ElePose: the flow's likelihood is one, the training's parts do what they say, and its weights lift."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mvlift.errors import KeypointError, ModelError
from mvlift.lifting.sampling.in_loop import InputView, camera_tilt
from mvlift.lifting.sampling.views import ring
from mvlift.lifting.subjects import get_subject
from mvlift_training.cli import main
from mvlift_training.elepose import EleposeConfig, Lifter, _bone_ends, _Flow, _lift_loss, load_elepose, train_elepose
from safetensors.torch import load_file
from torch import Tensor
from walkers import NAMES, write_data_set

HUMAN = get_subject("human")
DOG = get_subject("quadruped17")


def untrained_flow(size: int, seed: int = 0) -> _Flow:
    """A flow that is not the identity: its last layers, which begin at zero, are random."""
    torch.manual_seed(seed)
    flow = _Flow(size, layers=4).double()
    for layer in flow.layers:
        torch.nn.init.normal_(layer.net[-1].weight, std=0.05)  # type: ignore[index, union-attr, arg-type]
        torch.nn.init.normal_(layer.net[-1].bias, std=0.3)  # type: ignore[index, union-attr, arg-type]
    return flow.requires_grad_(False)


def through(flow: _Flow, x: Tensor) -> Tensor:
    for layer in flow.layers:
        x = layer(x)[0]
    return x


@pytest.mark.parametrize("size", [4, 5])
def test_likelihood_is_the_change_of_variables(size: int) -> None:
    """log p(x) = log N(f(x)) + log |det ∂f/∂x|, the determinant from autograd's Jacobian."""
    flow = untrained_flow(size)
    points = torch.randn(6, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for x in points:
        jacobian = torch.autograd.functional.jacobian(lambda v: through(flow, v[None])[0], x)
        volume = torch.linalg.slogdet(jacobian)  # type: ignore[arg-type]
        wanted = 0.5 * (through(flow, x[None]) ** 2).sum() - volume.logabsdet
        assert float(volume.sign) == 1
        torch.testing.assert_close(flow.surprise(x[None])[0], wanted)
    log_determinant = flow.surprise(points) - 0.5 * (through(flow, points) ** 2).sum(-1)
    assert float(log_determinant.abs().max()) > 0.05, "the determinants are all one"


def test_likelihood_integrates_to_one() -> None:
    """Over the plane, with the constant that the surprise leaves out."""
    flow, step = untrained_flow(2), 0.2
    axis = torch.arange(-9, 9, step, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    density = (-flow.surprise(grid)).exp() / (2 * math.pi)
    assert float(density.sum()) * step**2 == pytest.approx(1, abs=0.01)
    normal = (-0.5 * grid.pow(2).sum(-1)).exp() / (2 * math.pi)
    assert float((density - normal).abs().sum()) * step**2 > 0.1


def test_layers_can_be_inverted() -> None:
    """Half of the numbers pass unchanged, from which the others' scale and shift are known again."""
    flow = untrained_flow(5)
    x = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for layer in flow.layers:
        y, change = layer(x)
        kept = slice(2, None) if layer.flip else slice(None, 2)
        moved = slice(None, 2) if layer.flip else slice(2, None)
        assert torch.equal(y[:, kept], x[:, kept])
        scale, shift = layer.net(y[:, kept]).chunk(2, -1)  # type: ignore[operator]
        scale = 2 * torch.tanh(scale / 2)
        torch.testing.assert_close((y[:, moved] - shift) * (-scale).exp(), x[:, moved])
        torch.testing.assert_close(change, scale.sum(-1))
        assert not torch.equal(y[:, moved], x[:, moved])


class Knows(torch.nn.Module):
    """A lifter that gives the depth of a flat figure, whatever it sees, and a camera that is level."""

    def __init__(self, depth: Tensor) -> None:
        super().__init__()
        self.known = depth

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.known.expand(len(x), -1), torch.zeros(len(x))


class Free(torch.nn.Module):
    """Calls every pose as likely as any other."""

    def surprise(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x))


def lift_loss(lifter: Any, flow: Any, x: Tensor, proportions: Tensor, step: int) -> float:
    ends, starts = _bone_ends(HUMAN)
    torch.manual_seed(0)
    return float(_lift_loss(lifter, flow, lambda v: v.flatten(1), x, ends, starts, proportions, step))


def test_bones_are_those_of_the_subject() -> None:
    ends, starts = _bone_ends(HUMAN)
    pairs = {(NAMES[a], NAMES[b]) for a, b in zip(ends, starts, strict=True)}
    assert ("l_elbow", "l_shoulder") in pairs
    assert ("neck", "root") not in pairs
    assert len(pairs) == len([p for p in HUMAN.tree.values() if p != "root"])


def test_a_lift_that_ignores_the_turn_is_not_consistent() -> None:
    """A flat figure lifted as flat from every side: its own depth is not found again from another side."""
    x = torch.randn(64, len(NAMES), 2, generator=torch.Generator().manual_seed(0))
    flat = lift_loss(Knows(torch.zeros(len(NAMES))), Free(), x, torch.zeros(21), 0)
    assert flat > 1  # the turned figure has depth, the lifter says none
    point = lift_loss(Knows(torch.zeros(len(NAMES))), Free(), 0 * x, torch.zeros(21), 0)
    assert point == pytest.approx(0, abs=1e-6)


def test_unlikely_views_cost() -> None:
    class Likes(torch.nn.Module):
        def surprise(self, x: Tensor) -> Tensor:
            return 24 * torch.ones(len(x))

    x = torch.randn(16, len(NAMES), 2, generator=torch.Generator().manual_seed(0))
    lifter = Knows(torch.zeros(len(NAMES)))
    more = lift_loss(lifter, Likes(), x, torch.zeros(21), 0) - lift_loss(lifter, Free(), x, torch.zeros(21), 0)
    assert more == pytest.approx(1, rel=1e-4)  # per keypoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny training through the command."""
    folder = tmp_path_factory.mktemp("elepose")
    data = write_data_set(folder / "walks.npz", sequences=3, frames=24)
    output = folder / "new" / "lifter.safetensors"
    arguments = ["--data", data, "--output", output, "--flow-steps", 4, "--lift-steps", 6, "--batch", 16]
    assert main(["elepose", *map(str, arguments)]) == 0
    return output


def test_training_writes_weights_that_lift(trained: Path) -> None:
    """Points lie on the pixels that were given, upright as the file's elevation says."""
    assert [p.name for p in trained.parent.iterdir()] == ["lifter.safetensors"]
    assert load_file(trained)["depth.bias"].shape == (24,)
    generator = torch.Generator().manual_seed(0)
    turn = ring(torch.linspace(-0.2, 0.2, 8), torch.zeros(8))
    seen = torch.randn(8, 25, 2, generator=generator)
    lifted = load_elepose(trained, HUMAN)(InputView(seen, torch.ones(8, 25), turn, torch.zeros(2)))
    assert lifted.points.shape == (1, 8, 25, 3)
    camera = turn @ camera_tilt(lifted.tilt[0])
    torch.testing.assert_close((lifted.points[0] @ camera.transpose(-1, -2))[:, :-1, :2], seen[:, :-1])
    assert float((lifted.points[0] @ camera.transpose(-1, -2))[:, :-1, 2].std()) > 0.01
    assert abs(float(lifted.tilt[0, 0])) < 0.5


def test_training_is_the_same_for_a_seed(trained: Path, tmp_path: Path) -> None:
    def weights(seed: int) -> Tensor:
        path = tmp_path / f"{seed}.safetensors"
        train_elepose(EleposeConfig(data=trained.parents[1] / "walks.npz", output=path, flow_steps=4, lift_steps=6,
                                    batch=16, seed=seed))  # fmt: skip
        return load_file(path)["depth.weight"]

    assert torch.equal(weights(1), load_file(trained)["depth.weight"])
    assert not torch.equal(weights(2), load_file(trained)["depth.weight"])


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    """The lifter after some steps is better at its own loss, on poses and turns that it meets anew."""
    from mvlift_training.motion_data import MotionWindows, load_sequences

    data = write_data_set(tmp_path / "walks.npz", sequences=2, frames=24)
    poses = MotionWindows(load_sequences(data), HUMAN, 4, "cpu").x[:48, :24]
    torch.manual_seed(0)
    lifter, (ends, starts) = Lifter(24, width=64), _bone_ends(HUMAN)
    adam, proportions = torch.optim.Adam(lifter.parameters(), 2e-3), torch.zeros(len(ends))
    losses = []
    for step in range(80):
        loss = _lift_loss(lifter, Free(), lambda v: v, poses, ends, starts, proportions, step)  # type: ignore[arg-type]
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])


def test_what_is_no_lifter_of_the_subject_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lifts human, not quadruped17"):
        load_elepose(trained, DOG)
    with pytest.raises(ModelError, match="not an ElePose lifter"):
        load_elepose(tmp_path / "none.safetensors", HUMAN)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(trained.read_bytes()[:200])
    with pytest.raises(ModelError, match="not an ElePose lifter"):
        load_elepose(damaged, HUMAN)


def test_data_without_complete_poses_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data_set(tmp_path / "walks.npz", sequences=1, frames=24)
    with np.load(data) as file:
        content = dict(file)
    content["xy"][:, NAMES.index("l_ear")] = np.nan
    np.savez(data, **content)
    with pytest.raises(KeypointError, match="0 poses have all keypoints"):
        train_elepose(EleposeConfig(data=data, output=tmp_path / "x.safetensors"))
    assert main(["elepose", "--data", str(tmp_path / "none.npz"), "--output", str(tmp_path / "x.safetensors")]) == 1
    assert "there is no such 2D data set" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x.safetensors").exists()
