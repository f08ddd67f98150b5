"""The procedural animals: bodies that hold together, feet that stay where they stand, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift.lifting.subjects import get_subject
from mvlift_training.animals.body import draw_measures, species_table
from mvlift_training.animals.footage import AnimalOptions, film, main, own_footage
from mvlift_training.animals.gaits import FPS, draw_motion
from mvlift_training.animals.keypoints import draw_looks, keypoints_of
from mvlift_training.motion_data import load_sequences
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
PAWS = ("l_front_paw", "r_front_paw", "l_back_paw", "r_back_paw")
KINDS = tuple(species_table()["kinds"])


def animal(activity: str, kind: str, frames: int = 90, seed: int = 0) -> dict[str, FloatArray]:
    random = np.random.default_rng([seed, KINDS.index(kind)])
    measures = draw_measures(random, (kind,))
    return keypoints_of(measures, draw_motion(activity, frames, measures, random), draw_looks(random))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activity", ["walk", "gallop", "sit", "jump"])
def test_bones_keep_their_length_and_paws_stay_above_the_ground(kind: str, activity: str) -> None:
    points = animal(activity, kind)
    for side in ("l", "r"):
        for a, b in (("shoulder", "elbow"), ("elbow", "front_knee"), ("hip", "knee"), ("knee", "hock")):
            length = np.linalg.norm(points[f"{side}_{a}"] - points[f"{side}_{b}"], axis=1)
            assert length.std() < 0.02 * length.mean() + 0.01, (a, b)
    heights = np.stack([points[n][:, 2] for n in PAWS])
    assert heights.min() > -0.02  # shoulder heights


@pytest.mark.parametrize("activity", ["walk", "trot"])
def test_a_paw_on_the_ground_does_not_slide_and_every_paw_leaves_it(activity: str) -> None:
    points = animal(activity, "dog")
    for name in PAWS:
        paw = points[name]
        speed = np.linalg.norm(np.diff(paw[:, :2], axis=0), axis=1) * FPS
        low = np.minimum(paw[1:, 2], paw[:-1, 2]) < paw[:, 2].min() + 0.005
        assert low.mean() > 0.2
        assert np.median(speed[low]) < 0.1  # shoulder heights a second
        assert speed.max() > 1


@pytest.mark.parametrize("activity", ["walk", "canter"])
def test_knees_bend_forward_and_hocks_backward(activity: str) -> None:
    points = animal(activity, "horse")
    ahead = points["withers"] - points["croup"]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)

    def bend(top: str, joint: str, end: str) -> FloatArray:
        """How far a joint is in front of the line between its neighbours."""
        line = points[end] - points[top]
        along = ((points[joint] - points[top]) * line).sum(1) / (line**2).sum(1)
        return np.asarray(((points[joint] - points[top] - along[:, None] * line) * ahead).sum(1))

    for side in ("l", "r"):
        assert (bend(f"{side}_hip", f"{side}_knee", f"{side}_hock") > 0).mean() > 0.95
        assert (bend(f"{side}_knee", f"{side}_hock", f"{side}_back_fetlock") < 0).mean() > 0.95
        assert (bend(f"{side}_shoulder", f"{side}_elbow", f"{side}_front_knee") < 0).mean() > 0.95


def test_footage_is_the_same_for_a_seed_and_inside_its_picture() -> None:
    subject, options = get_subject("quadruped17"), AnimalOptions(output=Path("unused.npz"), seed=4)
    first, again, other = (own_footage(subject, options, i) for i in (0, 0, 1))
    np.testing.assert_array_equal(first.xy, again.xy)
    assert first.clip != other.clip
    seen = first.xy[np.isfinite(first.xy).all(-1)]
    assert (seen >= 0).all()
    assert (seen < np.array(first.image_size)).all()


def test_film_is_a_pinhole_camera() -> None:
    """Four points in a plane seen twice are related by one homography; cross-ratios on a line are kept."""
    line = np.linspace([0, 0, 0.5], [0.9, 0.3, 0.8], 4)
    shift = np.linspace(0, 0.2, 20)[:, None, None] * np.array([0.0, 1.0, 0.0])
    xy, _ = film(line[None] + shift, np.random.default_rng(2))
    seen = np.isfinite(xy).all((1, 2))
    assert seen.any()
    for a, b, c, d in xy[seen]:
        along = [float(np.linalg.norm(p - a)) for p in (b, c, d)]
        ratio = (along[1] / along[2]) / ((along[1] - along[0]) / (along[2] - along[0]))
        assert ratio == pytest.approx((2 / 3) / (1 / 2), rel=1e-6)


@pytest.mark.parametrize("subject", ["quadruped17", "ungulate16"])
def test_the_command_writes_a_data_set_and_a_library(tmp_path: Path, subject: str) -> None:
    output, library = tmp_path / "animals.npz", tmp_path / "library.npz"
    arguments = ["--output", str(output), "--subject", subject, "--sequences", "3", "--library", str(library)]
    assert main(arguments) == 0
    sequences = load_sequences(output)
    assert len(sequences.points) == 3
    with np.load(library) as data:
        assert tuple(data["names"]) == get_subject(subject).layout.names
        assert np.isfinite(data["points3d"]).all()
        assert len(data["start"]) == 3


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KeypointError, match="unicorn"):
        own_footage(get_subject("quadruped17"), AnimalOptions(output=Path("x.npz"), kinds=("unicorn",)), 0)
