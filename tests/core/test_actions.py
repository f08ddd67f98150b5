"""The synthetic people of ``actions.py`` do what they say: what rests does not move, what flies falls."""

from __future__ import annotations

import numpy as np
import pytest
from actions import ACTIONS, GRAVITY, make_action, project


@pytest.mark.parametrize("name", ACTIONS)
def test_what_rests_does_not_move_and_lies_on_its_support(name: str) -> None:
    action = make_action(name, 90)
    assert np.isfinite(action.points).all()
    assert action.points[..., 2].min() > -0.06
    for part, rests in action.contacts.items():
        if part not in action.names:
            continue
        place = action.points[:, action.names.index(part)]
        moved = np.linalg.norm(np.diff(place, axis=0), axis=-1)[rests[1:] & rests[:-1]]
        assert moved.size
        assert moved.mean() < 0.002, part
        above = place[rests, 2] - np.broadcast_to(action.support[part], rests.shape)[rests]
        assert np.abs(above).max() < 0.09, part


def test_bones_keep_their_lengths() -> None:
    for name in ACTIONS:
        action = make_action(name, 60)
        for a, b in (("l_knee", "l_ankle"), ("r_elbow", "r_wrist")):
            length = np.linalg.norm(
                action.points[:, action.names.index(a)] - action.points[:, action.names.index(b)], axis=-1
            )
            assert np.ptp(length) < 1e-6, name


def test_the_jump_is_a_free_fall() -> None:
    action = make_action("jump", 120)
    root = action.joints[:, 0, 2]
    fall = np.diff(root, 2) * 30**2
    flying = ~action.contacts["l_heel"]
    inside = flying[:-2] & flying[1:-1] & flying[2:]
    assert inside.sum() > 8
    np.testing.assert_allclose(fall[inside], -GRAVITY, rtol=1e-6)


def test_the_projection_is_a_pinhole_camera() -> None:
    action = make_action("seated", 20)
    clip, R, t = project(action, noise=0.0)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    assert R[1, 2] < -0.8  # the camera's y points down
    nose = action.points[3, action.names.index("nose")] @ R.T + t
    expected = 1150 * nose[:2] / nose[2] + [640, 360]
    np.testing.assert_allclose(clip.points[3, clip.layout.names.index("nose")], expected, atol=1e-3)
    assert 0 < clip.points[..., 0].min() < clip.points[..., 0].max() < 1280
