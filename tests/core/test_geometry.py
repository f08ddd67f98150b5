"""Views, and the lines that points of one view draw in another, with numbers."""

import numpy as np
import pytest
import torch
from mvlift.geometry.cameras import look_at
from mvlift.geometry.lines import lines_from_view, point_line_distance
from mvlift.lifting.sampling.views import project, ring


def points(count: int = 30) -> torch.Tensor:
    draw = torch.rand(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return draw * torch.tensor([1.6, 1.6, 1.8]) - torch.tensor([0.8, 0.8, 0.0])


def test_parallel_views_put_points_on_the_lines_of_the_given_view() -> None:
    world = points(25)[None]  # (1, P, 3)
    input_camera = ring(torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64))
    other = ring(torch.tensor(1.7, dtype=torch.float64), torch.tensor(-0.1, dtype=torch.float64))
    lines = lines_from_view(project(input_camera, world), input_camera[None], other[None])
    assert point_line_distance(project(other, world), lines).max() < 1e-12


def test_a_camera_that_looks_at_a_point_sees_it_in_the_middle_upright_and_turned_by_its_roll() -> None:
    centre, target = np.array([0.0, -3.0, 2.0]), np.array([0.0, 1.0, 1.0])
    level = look_at(centre, target)
    assert level @ (target - centre) == pytest.approx([0, 0, np.sqrt(17)])
    assert level @ [1, 0, 0] == pytest.approx([1, 0, 0])  # what is on the right appears on the right
    assert (level @ [0, 0, 1])[1] == pytest.approx(-4 / np.sqrt(17))  # up is up: y points down
    assert np.linalg.det(level) == pytest.approx(1)
    rolled = look_at(centre, target, roll=0.1)
    assert rolled @ [1, 0, 0] == pytest.approx([np.cos(0.1), np.sin(0.1), 0])
