"""Several samples of one clip: those that agree are averaged, another reading of the picture is left out."""

from __future__ import annotations

import numpy as np
from mvlift.lifting.sampling.in_loop import Sampled, camera_tilt
from mvlift.lifting.sampling.lift_points import _agreed


def test_a_sample_that_is_mirrored_in_depth_does_not_blur_the_mean() -> None:
    random = np.random.default_rng(0)
    body = random.normal(size=(20, 6, 3))
    samples = np.stack([body, body + 0.02, body * [1, 1, -1], body - 0.02]).astype(np.float32)
    tilt = np.array([[0.1, 0.0], [0.2, 0.02], [0.9, 0.5], [0.0, -0.02]], np.float32)
    lifted = Sampled(samples, tilt)
    points, spread, mean_tilt = _agreed(lifted)
    rotations = np.asarray(camera_tilt(tilt), np.float64)
    kept = [samples[i] @ rotations[i].T for i in (0, 1, 3)]
    np.testing.assert_allclose(points, np.mean(kept, axis=0), atol=1e-5)
    np.testing.assert_allclose(mean_tilt, [0.1, 0.0], atol=1e-6)
    expected = np.linalg.norm(np.array(kept) - np.mean(kept, axis=0), axis=-1).mean(0)
    np.testing.assert_allclose(spread, expected, atol=1e-5)


def test_one_sample_is_taken_as_it_is() -> None:
    body = np.random.default_rng(1).normal(size=(5, 4, 3)).astype(np.float32)
    points, spread, tilt = _agreed(Sampled(body[None], np.zeros((1, 2), np.float32)))
    np.testing.assert_allclose(points, body, atol=1e-6)
    assert not spread.any()
    assert tilt.tolist() == [0.0, 0.0]
