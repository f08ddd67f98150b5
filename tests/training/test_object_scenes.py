"""People with objects: scenes of our own making, and how their lifts are measured."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift.lifting.subjects import get_subject
from mvlift_training.evaluation.data import Sequence, in_layout
from mvlift_training.evaluation.methods import Setting, method, method_names
from mvlift_training.evaluation.metrics import Prediction, measure
from mvlift_training.interaction.boxes import Scene, make_scene
from walkers import NAMES, SIZE, camera, seen, walker

BOX = get_subject("human+box")
WRISTS = [NAMES.index("l_wrist"), NAMES.index("r_wrist")]


def carried(frames: int = 48) -> Scene:
    """A walker who carries a box all the time, with both hands."""
    for seed in range(200):
        scene = make_scene(np.random.default_rng(seed), walker(1, frames), NAMES)
        if scene is not None and scene.held.all():
            return scene
    raise AssertionError("no scene in which a box is carried")


def sequence(frames: int = 48) -> Sequence:
    """The carried box before a camera, keypoints named as other people name them, without toes and heels."""
    scene, view = carried(frames), camera(3)
    truth = np.concatenate([scene.points[:, :18], scene.corners], 1)
    names = (*NAMES[:18], *(f"object_corner{i}" for i in range(8)))
    xy = seen(truth, *view)
    return Sequence("box#0", "carry", xy, xy, np.full(xy.shape[:2], 0.9), truth, *view, SIZE, names, Fraction(30))


def test_boxes_are_rigid_and_hands_stay_on_them() -> None:
    made = 0
    for seed in range(60):
        scene = make_scene(np.random.default_rng(seed), walker(seed % 5, 64), NAMES)
        if scene is None:
            continue
        made += 1
        edges = np.linalg.norm(scene.corners[:, [1, 2, 4]] - scene.corners[:, :1], axis=-1)
        assert np.ptp(edges, axis=0).max() < 1e-6
        axes = scene.corners[:, [4, 2, 1]] - scene.corners[:, :1]
        assert (np.linalg.det(axes) > 0).all(), "corners are named in a right-handed frame"
        assert scene.corners[..., 2].min() > -0.05
        grip_distance = np.linalg.norm(scene.points[:, WRISTS] - scene.corners.mean(1, keepdims=True), axis=-1)
        for hand in range(2):
            held = scene.held[:, hand]
            if held.any():
                assert grip_distance[held, hand].std() < 0.03
    assert made > 20


def test_data_may_lack_what_is_not_scored() -> None:
    needed = (*BOX.score_keypoints, *BOX.rigid)
    (reordered,) = in_layout([sequence()], BOX.layout, needed)
    assert reordered.names == BOX.layout.names
    assert np.isnan(reordered.truth[:, BOX.layout.index("l_big_toe")]).all()
    np.testing.assert_array_equal(reordered.truth[:, 24:], sequence().truth[:, 18:])
    with pytest.raises(KeypointError, match="l_big_toe"):
        in_layout([sequence()], BOX.layout)


def test_errors_of_objects() -> None:
    (reordered,) = in_layout([sequence()], BOX.layout, (*BOX.score_keypoints, *BOX.rigid))
    scores = measure(Prediction(reordered.truth, None), reordered, BOX)
    assert scores["t_root_object"] == pytest.approx(0, abs=1e-6)
    assert scores["o_mpjpe"] == pytest.approx(0, abs=1e-6)
    assert scores["hand"] < 10
    moved = reordered.truth.copy()
    moved[:, 24:] += [0.0, 0.03, 0.04]
    assert measure(Prediction(moved, None), reordered, BOX)["t_root_object"] == pytest.approx(50, abs=0.1)
    assert measure(Prediction(moved, None), reordered, BOX)["o_mpjpe"] == pytest.approx(0, abs=1e-6)
    shaken = reordered.truth.copy()
    shaken[::2, WRISTS] += 0.1
    assert measure(Prediction(shaken, None), reordered, BOX)["hand"] > scores["hand"] + 10


def test_the_rows_that_need_no_weights_know_the_object() -> None:
    setting = Setting(BOX)
    assert {"full", "SMPLify", "person's model", "SMPLify, size known"} <= set(method_names(setting))
    (reordered,) = in_layout([sequence(24)], BOX.layout, (*BOX.score_keypoints, *BOX.rigid))
    made = method("SMPLify, size known", setting)(reordered, False, 0)
    assert made.points.shape == (24, 32, 3)
    assert made.pixels is not None
    pixel_error = np.linalg.norm(made.pixels[:, 24:] - reordered.clean[:, 24:], axis=-1)
    assert np.median(pixel_error) < 5
    edges = np.linalg.norm(made.points[:, [25, 26, 28]] - made.points[:, 24:25], axis=-1)
    true = np.linalg.norm(reordered.truth[:, [25, 26, 28]] - reordered.truth[:, 24:25], axis=-1)
    np.testing.assert_allclose(edges, true, rtol=1e-3)
