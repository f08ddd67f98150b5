"""Fewer keys: curves through them are Hermite cubics, and no frame is off by more than the bound."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation

from mvlift_blender.motion.skeleton import RestSkeleton
from mvlift_blender.motion.thinning import hermite, slopes_of, thin, thin_motion

FRAMES = np.arange(40, dtype=float) * 2 + 5  # every second frame of a scene
CURVE = np.stack([np.sin(FRAMES / 9), 0.01 * FRAMES, np.cos(FRAMES / 13) ** 2], -1)


def test_a_curve_through_keys_is_scipys():
    rows, slopes = np.array([0, 7, 19, 39]), slopes_of(CURVE, FRAMES)
    expected = CubicHermiteSpline(FRAMES[rows], CURVE[rows], slopes[rows])(FRAMES)
    np.testing.assert_allclose(hermite(CURVE, slopes, FRAMES, rows), expected, atol=1e-12)


def test_places_keep_to_the_tolerance():
    slopes = slopes_of(CURVE, FRAMES)
    rows = thin(CURVE, slopes, FRAMES, 0.01, 1.0, rotation=False)
    assert 3 < len(rows) < 20
    assert np.linalg.norm(hermite(CURVE, slopes, FRAMES, rows) - CURVE, axis=-1).max() <= 0.01


def test_no_joint_of_a_thinned_motion_is_off_by_more_than_the_bound():
    skeleton = RestSkeleton(("a", "b", "c"), (-1, 0, 1), np.tile(np.eye(3), (3, 1, 1)), np.array([[0.0, 0, 0], [0, 0.5, 0], [0, 1.0, 0]]))  # fmt: skip  # noqa: E501
    turns = [Rotation.from_rotvec(a * CURVE).as_quat()[:, [3, 0, 1, 2]] for a in (0.6, 0.3, 0.1)]
    rotations = np.stack(turns, 1)
    thinned = thin_motion(skeleton, FRAMES, rotations, CURVE, 0.02)
    shown = np.stack([hermite(t, slopes_of(t, FRAMES), FRAMES, c.rows) for t, c in zip(turns, thinned.rotations, strict=True)], 1)  # fmt: skip  # noqa: E501
    shown /= np.linalg.norm(shown, axis=-1, keepdims=True)
    path = hermite(CURVE, slopes_of(CURVE, FRAMES), FRAMES, thinned.location.rows)
    off = np.linalg.norm(skeleton.forward(shown, path)[0] - skeleton.forward(rotations, CURVE)[0], axis=-1).max()
    assert off == thinned.error or abs(off - thinned.error) < 1e-9
    assert off <= 0.02
    assert thinned.keys < 0.5 * 40 * 4
