"""What Blender's own Python does without scipy: the pairing of detections, Euler angles, reading and writing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mvlift.keypoints.tracking.assignment import linear_sum_assignment
from scenes import WALK, small_motion
from scipy.optimize import linear_sum_assignment as scipy_assignment
from test_layers import run_blocked


@pytest.mark.parametrize("seed", range(12))
def test_pairs_cost_what_scipys_cost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(40):
        cost = rng.random((rng.integers(1, 9), rng.integers(1, 9)))
        cost[rng.random(cost.shape) < 0.1 * (seed % 5)] = 1e6
        cost = np.round(3 * cost) if seed % 3 == 0 else cost  # with ties
        rows, columns = linear_sum_assignment(cost)
        assert cost[rows, columns].sum() == pytest.approx(cost[scipy_assignment(cost)].sum())
        assert len(rows) == len(set(columns.tolist())) == min(cost.shape)
        assert (np.diff(rows) > 0).all()


CODE = """
import mvlift, mvlift.keypoints, mvlift.lifting.subjects, mvlift.worker.client, mvlift.bodies.loading
assert len(mvlift.read_keypoints({walk!r}, fps=30)[0]) == 150
mvlift.load_motion({motion!r}).save({bvh!r})
mvlift.bodies.loading.load_body(None)
print("done")
"""


def test_the_light_part_needs_numpy_only(tmp_path: Path) -> None:
    saved = small_motion().save(tmp_path / "m.npz")
    code = CODE.format(walk=str(WALK), motion=str(saved), bvh=str(tmp_path / "m.bvh"))
    done = run_blocked(code, "scipy", "torch", "msgspec", "h5py", "safetensors", "tyro", "rich", "PIL")
    assert done.stdout.strip() == "done", done.stderr[-2000:]
