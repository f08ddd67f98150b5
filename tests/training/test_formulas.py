"""Batches and losses against values computed another way: a changed sign, weight or partner must fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.lifting.normalise import UNIT_METRES
from mvlift.lifting.subjects import get_subject
from mvlift_training.detector_noise import DetectorNoise, OffsetModel, WindowKinds, corrupt
from mvlift_training.draws import Draws
from mvlift_training.motion_data import Augmentation, MotionWindows, load_sequences
from mvlift_training.motion_library import MotionLibrary, write_motion_library
from mvlift_training.sds import SdsOptions, _Denoiser, _line_gradient
from mvlift_training.stage1 import RING_FOCAL, LineTask, random_lines
from mvlift_training.stage3 import FittedMotion
from mvlift_training.stage4 import ViewTask
from test_sds import Scene, energy, random_views, scene, six_cameras
from torch import Tensor
from walkers import NAMES, walker

__all__ = ["scene"]
HUMAN = get_subject("human")
WINDOW = 24
SILENT = DetectorNoise(clean=1.0, groups_lost=0.0, frames_lost=0.0)
STILL = Augmentation(mirror=False, roll=0.0, scale=0.0)
LEFT = [i for i, n in enumerate(NAMES) if n.startswith("l_")]
RIGHT = [NAMES.index(NAMES[i].replace("l_", "r_", 1)) for i in LEFT]


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> MotionLibrary:
    path = tmp_path_factory.mktemp("library") / "motions.npz"
    write_motion_library(path, [walker(i, 60) for i in range(3)], NAMES, 30.0)
    return MotionLibrary(path, HUMAN, WINDOW, "cpu", mirrored=False)


def view_task(library: MotionLibrary, **changes: Any) -> ViewTask:
    plain: dict[str, Any] = {"noise": SILENT, "limb_spread": 0.0, "roll": 0.0, "size_error": 0.0, "turn": 0.0,
                             "azimuths": (0.0, 90.0)}  # fmt: skip
    return ViewTask(library, HUMAN, CosineSchedule(), **{**plain, **changes})


def in_space(batch: dict[str, Tensor]) -> Tensor:
    """(B, T, P, 3) of the level views at 0 and 90 degrees: x and y of the first, depth is the second's x."""
    front, side = batch["views"][:, 0], batch["views"][:, 1]
    return torch.stack([front[..., 0], front[..., 1], side[..., 0]], -1)


def test_the_input_view_is_the_perspective_picture_of_the_views(library: MotionLibrary) -> None:
    """A camera at a distance d that looks down by e sees a point at depth z behind the root d / (d + z) as big."""
    batch = view_task(library, elevation=(20.0, 40.0), roll=5.0).batch(16, generator())
    x, (elevation, roll, log_distance) = in_space(batch), batch["camera"].double().unbind(-1)
    x = x.double()
    assert float(elevation.min()) >= math.radians(20)
    c, s = elevation.cos()[:, None, None], elevation.sin()[:, None, None]
    y, z = c * x[..., 1] - s * x[..., 2], s * x[..., 1] + c * x[..., 2]  # a point behind the root is seen higher up
    a, b = roll.cos()[:, None, None], roll.sin()[:, None, None]
    u, v = a * x[..., 0] - b * y, b * x[..., 0] + a * y
    distance = (log_distance.exp() / UNIT_METRES)[:, None, None]
    factor = distance / (distance + z)
    wanted = torch.stack([u * factor, v * factor], -1)
    torch.testing.assert_close(batch["input"][:, :, :-1].double(), wanted[:, :, :-1], rtol=1e-4, atol=1e-5)
    unscaled = torch.stack([u, v], -1)[:, :, -1]  # the root's velocity has no depth of its own
    torch.testing.assert_close(batch["input"][:, :, -1].double(), unscaled, rtol=1e-4, atol=1e-5)
    assert float((factor - 1).abs().max()) > 0.05


def test_the_detected_view_is_centred_on_the_detected_hips(library: MotionLibrary) -> None:
    noise = DetectorNoise(clean=0, realistic=1, offset=0.1, tremble=0, sway=0, gross=0, dropped=0, groups_lost=0,
                          frames_lost=0)  # fmt: skip
    batch = view_task(library, noise=noise).batch(32, generator())
    root = batch["detected"][:, :, [NAMES.index(n) for n in HUMAN.root]].mean(2)
    assert float(root.abs().max()) < 1e-5
    offset = (batch["detected"] - batch["input"])[:, :, :-1]
    assert 0.05 < float(offset.std()) < 0.3
    slow = (offset[:, 1:] - offset[:, :-1]).abs().mean() / offset.abs().mean()
    assert float(slow) < 0.1


def fake(batch: dict[str, Tensor], input_error: float, view_error: float) -> Callable[..., Tensor]:
    """A network that knows the answer up to an error."""
    return lambda *_: torch.cat([batch["input"][:, None] + input_error, batch["views"] + view_error], 1)


def test_stage_4_weighs_the_input_view(library: MotionLibrary) -> None:
    task = view_task(library, input_weight=0.25)
    batch = task.batch(8, generator())
    assert float(task.loss(fake(batch, 0.0, 0.0), batch)["loss"]) == pytest.approx(0, abs=1e-6)
    assert float(task.loss(fake(batch, 0.2, 0.0), batch)["loss"]) == pytest.approx(0.25 * 0.2, rel=1e-3)
    assert float(task.loss(fake(batch, 0.0, 0.2), batch)["loss"]) == pytest.approx(0.2, rel=1e-3)


def test_the_camera_head_learns_the_tilt_and_the_distance(library: MotionLibrary) -> None:
    task = view_task(library, camera_weight=0.1, elevation=(-15.0, 45.0))
    batch = task.batch(64, generator())

    def loss(mean: Tensor, sigma: float) -> float:
        said = torch.cat([mean, torch.full_like(mean, math.log(sigma))], -1)
        network = lambda *_, **__: (fake(batch, 0.0, 0.0)(), said)  # noqa: E731
        terms = task.loss(network, batch)
        assert float(terms["loss"]) == pytest.approx(0.1 * float(terms["camera"]), abs=1e-6)
        return float(terms["camera"])

    exact = batch["camera"]
    assert loss(exact, 0.1) < loss(exact + 0.05, 0.1) < loss(exact + 0.2, 0.1)
    sigma, error = 0.1, 0.3
    assert loss(exact + error, sigma) == pytest.approx(
        3 * sigma * (0.5 * (error / sigma) ** 2 + math.log(sigma)), rel=1e-4
    )


def test_all_stage_4_views_are_those_of_the_config(library: MotionLibrary) -> None:
    batch = view_task(library, azimuths=(90.0, 180.0, 270.0)).batch(4, generator())
    at90, at180, at270 = batch["views"].unbind(1)
    torch.testing.assert_close(at270[..., 0], -at90[..., 0])
    torch.testing.assert_close(at270[..., 1], at90[..., 1])
    assert float((at180[..., 1] - at90[..., 1]).abs().max()) < 1e-5


def test_a_mirrored_motion_changes_its_sides(tmp_path: Path) -> None:
    """Every window of the batch is one of the data, or its mirror image with left and right exchanged."""
    points = walker(0, WINDOW)
    points[:, LEFT, 2] += 0.3  # no symmetry: everything on the left is higher
    write_motion_library(tmp_path / "m.npz", [points], NAMES, 30.0)
    same = MotionLibrary(tmp_path / "m.npz", HUMAN, WINDOW, "cpu", mirrored=False).batch(1, 0.0, generator())[0]
    both = MotionLibrary(tmp_path / "m.npz", HUMAN, WINDOW, "cpu").batch(32, 0.0, generator())[0]
    mirrored = same * torch.tensor([-1.0, 1.0, 1.0])
    mirrored[:, :, LEFT], mirrored[:, :, RIGHT] = mirrored[:, :, RIGHT], mirrored[:, :, LEFT].clone()
    is_same = (both - same).abs().amax((1, 2, 3)) < 1e-5
    is_mirrored = (both - mirrored).abs().amax((1, 2, 3)) < 1e-5
    assert bool((is_same ^ is_mirrored).all())
    assert 5 < int(is_mirrored.sum()) < 27


def test_a_window_of_another_tempo_is_the_motion_between_its_frames(tmp_path: Path) -> None:
    """A point that moves evenly stays on its line; its velocity, and how far it comes in a window, grow alike."""
    points = np.repeat(walker(0, 1), 4 * WINDOW, 0)
    points[..., 0] += 0.02 * np.arange(4 * WINDOW)[:, None]
    points[:, NAMES.index("l_wrist"), 2] += 0.01 * np.arange(4 * WINDOW)
    write_motion_library(tmp_path / "m.npz", [points], NAMES, 30.0)
    even = MotionLibrary(tmp_path / "m.npz", HUMAN, WINDOW, "cpu", mirrored=False)
    plain = even.batch(1, 0.0, generator())[0]
    x, frames = even.batch(256, 0.0, generator(), tempo_spread=0.3)
    assert bool(frames.all())
    wrist = x[:, :, NAMES.index("l_wrist"), 1]
    rise = wrist[:, 1:] - wrist[:, :-1]
    torch.testing.assert_close(rise, rise[:, :1].expand_as(rise), rtol=0, atol=1e-5)
    unit = (plain[0, 1] - plain[0, 0])[NAMES.index("l_wrist"), 1]
    tempo = rise[:, 0] / unit
    assert float(tempo.log().std()) == pytest.approx(0.3, abs=0.06)
    torch.testing.assert_close(x[:, 0, -1], plain[0, :1, -1] * tempo[:, None], rtol=1e-3, atol=1e-5)


def test_a_window_of_a_short_motion_ends_with_it(tmp_path: Path) -> None:
    write_motion_library(tmp_path / "m.npz", [walker(0, 10)], NAMES, 30.0)
    short = MotionLibrary(tmp_path / "m.npz", HUMAN, WINDOW, "cpu", mirrored=False)
    x, frames = short.batch(64, 0.0, generator(), tempo_spread=0.3)
    assert 4 <= int(frames.sum(1).min()) < int(frames.sum(1).max()) <= 20
    assert not bool(x[~frames].any())


def test_other_arms_hang_on_the_torso_as_they_did_on_theirs(library: MotionLibrary) -> None:
    """Seen from its torso, an exchanged arm has the angles that it had on the other body; nothing else moves."""
    task = view_task(library, other_arms=1.0)
    x, frames = library.batch(4, 0.0, generator())
    mixed = task._with_other_arms(x, frames, Draws(generator()))
    arms = [i for i, n in enumerate(NAMES) if "elbow" in n or "wrist" in n]
    others = [i for i in range(x.shape[2]) if i not in arms]
    torch.testing.assert_close(mixed[:, :, others], x[:, :, others], rtol=0, atol=1e-5)

    def flexion_and_raise(points: Tensor, side: str) -> tuple[Tensor, Tensor]:
        at = {n: points[:, :, NAMES.index(f"{side}_{n}")] for n in ("shoulder", "elbow", "wrist")}
        trunk = points[:, :, NAMES.index("neck")]  # the root is the origin
        upper, lower = at["elbow"] - at["shoulder"], at["wrist"] - at["elbow"]
        cosine = torch.nn.functional.cosine_similarity
        return cosine(upper, lower, dim=-1), cosine(upper, trunk, dim=-1)

    for side in ("l", "r"):
        for now, before in zip(flexion_and_raise(mixed, side), flexion_and_raise(x, side), strict=True):
            torch.testing.assert_close(now, before.roll(1, 0), rtol=0, atol=2e-3)
    assert float((mixed - x).abs().max()) > 0.05
    still = view_task(library, other_arms=0.0)._with_other_arms(x, frames, Draws(generator()))
    torch.testing.assert_close(still, x, rtol=0, atol=1e-5)


def test_pure_noise_is_what_a_lift_in_one_step_begins_with(library: MotionLibrary) -> None:
    steps = CosineSchedule().steps
    shares = [
        float((view_task(library, pure_noise=share).batch(400, generator())["timestep"] == steps).float().mean())
        for share in (0.0, 0.6, 1.0)
    ]
    assert shares[0] < 0.02
    assert shares[1] == pytest.approx(0.6, abs=0.08)
    assert shares[2] == 1


@pytest.fixture(scope="module")
def windows(data: Path) -> MotionWindows:
    return MotionWindows(load_sequences(data), HUMAN, 48, "cpu", STILL)


def test_a_mirrored_picture_changes_its_sides(data: Path, windows: MotionWindows) -> None:
    both = MotionWindows(load_sequences(data), HUMAN, 48, "cpu", Augmentation(roll=0.0, scale=0.0))
    x, seen, _ = both.batch(32, generator())
    kept = []
    for view, its in zip(x, seen, strict=True):
        matches = [
            (view - window * its[..., None]).abs().max() < 1e-5
            for window in (windows.x[int(s) : int(s) + 48] for s in windows.start)
        ]
        turned = view * torch.tensor([-1.0, 1.0])
        turned[:, LEFT], turned[:, RIGHT] = turned[:, RIGHT], turned[:, LEFT].clone()
        mirrored = [(turned - windows.x[int(s) : int(s) + 48]).abs().max() < 1e-5 for s in windows.start]
        assert any(matches) != any(mirrored)
        kept.append(any(matches))
    assert 5 < sum(kept) < 27


def test_a_faster_window_moves_faster(data: Path) -> None:
    quick = MotionWindows(load_sequences(data), HUMAN, 24, "cpu", Augmentation(False, 0.0, 0.0, speed=0.4))
    x, seen, frames = quick.batch(64, generator())
    assert bool(frames.all())
    velocity = x[:, :, -1].norm(dim=-1).mean(1)
    plain = MotionWindows(load_sequences(data), HUMAN, 24, "cpu", STILL).batch(64, generator())[0]
    assert float(velocity.std()) > 1.2 * float(plain[:, :, -1].norm(dim=-1).mean(1).std())
    assert bool(seen.any())


def line_task(windows: MotionWindows, **changes: Any) -> LineTask:
    return LineTask(windows, CosineSchedule(), **{"unconditional": 0.0, "lineless": 0.0, **changes})


def test_eq_3_measures_the_distance_to_the_line_through_the_true_point(windows: MotionWindows) -> None:
    """The network is told a displaced line; who answers with the true point has no error, whatever it was told."""
    task = line_task(windows, line_noise=0.5)
    batch = task.batch(16, generator())
    line_distance = (batch["lines"][..., :2] * batch["x"]).sum(-1) + batch["lines"][..., 2]
    assert float(line_distance[batch["has_line"]].abs().mean()) > 0.05
    exact = task.loss(lambda *_: batch["x"][:, None], batch)
    assert float(exact["line"]) < 1e-5
    assert float(exact["loss"]) < 1e-5
    moved = task.loss(lambda *_: (batch["x"] + torch.tensor([0.3, -0.1]))[:, None], batch)
    normal = batch["true_lines"][..., :2]
    wanted = (normal[..., 0] * 0.3 - normal[..., 1] * 0.1).abs()[batch["has_line"]].mean()
    assert float(moved["line"]) == pytest.approx(float(wanted), rel=1e-4)
    assert float(moved["data"]) == pytest.approx(0.2, rel=1e-4)
    assert float(moved["loss"]) == pytest.approx(0.2 + float(wanted), rel=1e-4)


@pytest.mark.parametrize("epipoles", ["mixed", "ring"])
def test_lines_meet_in_the_epipole_and_those_of_the_velocity_are_parallel(epipoles: Any) -> None:
    x = torch.randn(64, 6, 5, 2, generator=generator())
    lines, line_features = random_lines(x, generator(2), 0.0, epipoles)
    torch.testing.assert_close(lines, line_features)
    through = ((lines[..., :2] * x).sum(-1) + lines[..., 2]).abs()
    assert float(through.max()) < 1e-5
    velocity = lines[:, :, -1, :2]
    assert float((velocity - velocity[:, :1]).abs().max()) < 1e-6
    rest = lines[:, :, :-1].flatten(1, 2).double()
    for frame_lines in rest:  # homogeneous epipole e: every line l has l . e = 0
        _, values, vectors = torch.linalg.svd(frame_lines)
        assert float(values[-1] / values[0]) < 1e-4
        if abs(float(vectors[-1, 2])) < 1e-6:  # at infinity: all parallel, the velocity's too
            torch.testing.assert_close(frame_lines[0, :2].float(), velocity[0][0] * 0 + frame_lines[-1, :2].float())


def test_half_of_the_authors_epipoles_are_those_of_a_ring_of_level_cameras() -> None:
    """The camera at an angle a on the ring sees the other at cot(a / 2) times the focal length, at its own height."""
    x = torch.zeros(4000, 1, 3, 2)
    x[:, 0, 1] = torch.tensor([0.0, 1.0])
    lines = random_lines(x, generator(), 0.0, "ring")[0][:, 0].double()
    epipole = torch.linalg.cross(lines[:, 0], lines[:, 1])
    epipole = epipole[:, :2] / epipole[:, 2:]
    level = epipole[:, 1].abs() < 1e-4
    assert float(level.float().mean()) == pytest.approx(0.5, abs=0.03)
    ring = torch.tensor([3.4 * RING_FOCAL / math.tan(k * math.pi / 30) for k in range(1, 30)]).double()
    deviation = (epipole[level, :1] - ring).abs().amin(1)
    assert float((deviation / epipole[level, 0].abs().clamp(min=1)).max()) < 1e-3
    assert float(epipole[~level].abs().max()) <= 3 * 3.4 + 1e-3


def test_the_score_of_a_candidate_counts_agreement_reprojection_and_energy() -> None:
    nothing = np.zeros((1, 1, 3), np.float32)
    assert FittedMotion(nothing, 0.0, 0.12, 0.0, 0.0).score == pytest.approx(2)
    assert FittedMotion(nothing, 0.03, 0.0, 0.0, 0.0).score == pytest.approx(3)
    assert FittedMotion(nothing, 0.0, 0.0, 1.5, 9.0).score == pytest.approx(1.5)


def test_the_paper_s_weight_of_eq_4_is_that_of_the_predicted_noise(scene: Scene) -> None:
    """e' - e for the noise e that made X_n and the e' that follows from X_0'."""
    views = torch.randn(1, 5, len(scene.input_view.x), scene.input_view.x.shape[1], 2, generator=generator())
    n = 300
    gradients = {}
    for weighting in ("clean", "noise"):
        options = SdsOptions(1, 0.1, weighting=weighting, lowest=n, highest=n)  # type: ignore[arg-type]
        denoiser = _Denoiser(scene.oracle, CosineSchedule(), options, [scene.input_view], [generator()])
        gradients[weighting] = denoiser.gradient(views)
    bar = float(CosineSchedule().alpha_bar()[n])
    clean = views - gradients["clean"]
    noise = torch.randn(views.shape, generator=generator(9))
    noisy = bar**0.5 * views + (1 - bar) ** 0.5 * noise
    predicted = (noisy - bar**0.5 * clean) / (1 - bar) ** 0.5
    torch.testing.assert_close(gradients["noise"], predicted - noise, rtol=1e-3, atol=1e-4)


def test_the_l1_line_gradient_is_autograd_s() -> None:
    views, rotations = random_views().requires_grad_(), six_cameras()
    weights = torch.rand(views.shape[:-1], generator=generator(4), dtype=torch.float64)
    pairs = [(i, j) for i in range(len(views)) for j in range(i)]
    from test_sds import distance

    total = torch.stack(
        [(weights[i] * weights[j] * distance(views, rotations, i, j).abs()).sum() for i, j in pairs]
    ).sum()
    (wanted,) = torch.autograd.grad(total, views)
    torch.testing.assert_close(_line_gradient(views.detach(), rotations, weights, "l1"), wanted)
    assert float(energy(views, rotations, weights)) > 0


REALISTIC = DetectorNoise(clean=0, realistic=1, gross=0, dropped=0, groups_lost=0, frames_lost=0)


def test_offsets_hang_on_the_body(library: MotionLibrary) -> None:
    """A person who turns carries the offsets along; left and right mirror each other."""
    x = library.batch(256, 0.0, generator())[0]
    model = OffsetModel(HUMAN, REALISTIC, "cpu")
    space, flat = model.draw(x, torch.ones(len(x)), generator())
    a, b = 0.7, 2.1
    turn = torch.tensor([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    lean = torch.tensor([[math.cos(b), -math.sin(b), 0], [math.sin(b), math.cos(b), 0], [0, 0, 1]])
    turned = model.draw(x @ (turn @ lean).T, torch.ones(len(x)), generator())[0]
    torch.testing.assert_close(turned, space @ (turn @ lean).T, rtol=1e-3, atol=1e-4)
    assert flat.shape == (256, 1, len(NAMES) + 1, 2)
    knee = NAMES.index("l_knee")
    size = math.hypot(float(space[:, :, knee].std()), float(flat[:, :, knee].std()))
    assert size == pytest.approx(REALISTIC.offset * 0.95, rel=0.1)
    local = torch.einsum("btij,btpi->btpj", model.axes(x), space)
    left, right = local[:, 0, NAMES.index("l_knee")], local[:, 0, NAMES.index("r_knee")]
    for axis, sign in enumerate((-1, 1, 1)):
        together = torch.corrcoef(torch.stack([left[:, axis], sign * right[:, axis]]))[0, 1]
        assert float(together) == pytest.approx(REALISTIC.side_share, abs=0.12)
    assert not space[:, :, -1].any()
    assert not flat[:, :, -1].any()


def test_realistic_windows_are_middling_sure_and_tremble_by_millimetres() -> None:
    x = torch.zeros(128, 48, 7, 2)
    kinds = WindowKinds(torch.ones(128), torch.zeros(128), torch.ones(128))
    mirror, groups = torch.arange(7), torch.zeros(1, 7, dtype=torch.bool)
    corrupted, confidence = corrupt(x, REALISTIC, mirror, groups, generator(), kinds)
    assert float(confidence.median()) == pytest.approx(0.65, abs=0.03)
    low, high = (float(torch.quantile(confidence.flatten()[:100_000], q)) for q in (0.1, 0.9))
    assert 0.4 < low < 0.52
    assert 0.78 < high < 0.9
    steps = (corrupted[:, 1:, :-1] - corrupted[:, :-1, :-1]).flatten()
    millimetres = 1000 * UNIT_METRES * float(steps.abs().median()) / 0.6745 / 2**0.5
    assert 3 < millimetres < 8
    surer = corrupt(x, REALISTIC, mirror, groups, generator(), kinds, shift=torch.full((7,), 0.1))[1]
    assert float((surer - confidence).median()) == pytest.approx(0.1, abs=0.01)
