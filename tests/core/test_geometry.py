"""Perspective geometry, with numbers."""

import math

import pytest
import torch
from mvlift.geometry.cameras import PinholeCameras, camera_ring, look_at
from mvlift.geometry.epipolar import epipolar_lines, epipole, essential, fundamental, symmetric_distance
from mvlift.geometry.lines import lines_from_view, point_line_distance
from mvlift.geometry.triangulation import triangulate_pixels
from mvlift.lifting.views import project, ring

SIZES = [(1920, 1080), (720, 1280)]


def ring_of_six(size: tuple[int, int]) -> PinholeCameras:
    azimuths = torch.arange(6, dtype=torch.float64) * math.pi / 3
    return camera_ring(azimuths, 4.0, 0.2, 1000.0, size, height=0.9)


def points(count: int = 30) -> torch.Tensor:
    draw = torch.rand(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return draw * torch.tensor([1.6, 1.6, 1.8]) - torch.tensor([0.8, 0.8, 0.0])


@pytest.mark.parametrize("size", SIZES)
def test_the_ring_sees_its_target_in_the_middle_and_up_is_up(size: tuple[int, int]) -> None:
    cameras = ring_of_six(size)
    middle = cameras.project(torch.tensor([[0.0, 0.0, 0.9]], dtype=torch.float64).expand(6, 1, 3))
    assert torch.allclose(middle[:, 0], torch.tensor(size, dtype=torch.float64) / 2)
    higher = cameras.project(torch.tensor([[0.0, 0.0, 1.2]], dtype=torch.float64).expand(6, 1, 3))
    assert (higher[:, 0, 1] < size[1] / 2).all()
    assert torch.allclose(torch.linalg.det(cameras.R), torch.ones(6, dtype=torch.float64))
    assert torch.allclose(cameras.centre.norm(dim=-1) ** 2 - 0.9**2 - 2 * 0.9 * 4 * math.sin(0.2),
                          torch.full((6,), 16.0, dtype=torch.float64))  # fmt: skip


def test_what_lies_to_the_right_appears_on_the_right() -> None:
    rotation, translation = look_at(torch.tensor([0.0, -3.0, 1.0]), torch.tensor([0.0, 0.0, 1.0]))
    camera = PinholeCameras(torch.diag(torch.tensor([100.0, 100.0, 1.0])), rotation, translation)
    assert camera.project(torch.tensor([[0.5, 0.0, 1.0]]))[0] == pytest.approx([100 * 0.5 / 3, 0.0], abs=1e-4)
    assert camera.project(torch.tensor([[0.0, -4.0, 1.0]])).isnan().all()


@pytest.mark.parametrize("size", SIZES)
def test_epipolar_constraint_holds_for_every_pair(size: tuple[int, int]) -> None:
    cameras, world = ring_of_six(size), points()
    for i in range(6):
        for j in range(6):
            if i == j:
                continue
            a = PinholeCameras(cameras.K[i], cameras.R[i], cameras.t[i])
            b = PinholeCameras(cameras.K[j], cameras.R[j], cameras.t[j])
            u, v = a.project(world), b.project(world)
            assert symmetric_distance(fundamental(a, b), u, v).max() < 1e-8
            assert abs(float(torch.linalg.det(essential(a, b)))) < 1e-9
            lines, pole = epipolar_lines(fundamental(a, b), u), epipole(a, b)
            assert (lines @ pole).abs().max() / pole.norm() < 1e-8
            assert torch.allclose(lines[:, :2].norm(dim=-1), torch.ones(30, dtype=torch.float64))


def test_triangulation_is_exact_and_ignores_what_has_no_weight() -> None:
    cameras, world = ring_of_six((1920, 1080)), points()
    pixels = cameras.project(world.expand(6, -1, -1))
    weights = torch.ones(6, 30, dtype=torch.float64)
    assert (triangulate_pixels(cameras, pixels, weights) - world).abs().max() < 1e-9
    pixels[2] += 500.0
    weights[2] = 0
    assert (triangulate_pixels(cameras, pixels, weights) - world).abs().max() < 1e-9
    weights[1:] = 0
    assert triangulate_pixels(cameras, pixels, weights).isnan().all()


def test_reweighting_lowers_the_reprojection_error() -> None:
    cameras, world = ring_of_six((1920, 1080)), points(200)
    cameras = PinholeCameras(cameras.K, cameras.R, cameras.t * torch.linspace(0.6, 2.0, 6)[:, None])
    clean = cameras.project(world.expand(6, -1, -1))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 8

    def error(count: int) -> float:
        found = triangulate_pixels(cameras, clean + noise, torch.ones(6, 200, dtype=torch.float64), count)
        return float((cameras.project(found.expand(6, -1, -1)) - clean - noise).pow(2).sum(-1).mean())

    assert error(2) < error(0)
    assert error(4) == pytest.approx(error(2), rel=1e-3)


def test_parallel_views_put_points_on_the_lines_of_the_given_view() -> None:
    world = points(25)[None]  # (1, P, 3)
    given = ring(torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64))
    other = ring(torch.tensor(1.7, dtype=torch.float64), torch.tensor(-0.1, dtype=torch.float64))
    lines = lines_from_view(project(given, world), given[None], other[None])
    assert point_line_distance(project(other, world), lines).max() < 1e-12
