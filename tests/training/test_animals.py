"""The procedural animals: bodies that hold together, feet that stay where they stand, the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvlift.errors import KeypointError
from mvlift.lifting import subjects
from mvlift.lifting.subjects import get_subject
from mvlift.typing import F64
from mvlift_training.animals.body import draw_measures
from mvlift_training.animals.build import main
from mvlift_training.animals.footage import OWN_LICENCE, AnimalOptions, Footage, film, own_footage
from mvlift_training.animals.gaits import FPS, draw_motion
from mvlift_training.animals.keypoints import draw_looks, keypoints_of
from mvlift_training.animals.species import Place, species_table
from mvlift_training.animals.validation import write_validation
from mvlift_training.evaluation.cli import EvaluateOptions, evaluate
from mvlift_training.evaluation.data import load_validation
from mvlift_training.motion_data import load_sequences
from rich.console import Console

PAWS = ("l_front_paw", "r_front_paw", "l_back_paw", "r_back_paw")
KINDS = tuple(species_table()["kinds"])


def animal(activity: str, kind: str, frames: int = 90, seed: int = 0) -> dict[str, F64]:
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

    def bend(top: str, joint: str, end: str) -> F64:
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


def test_only_the_wanted_kinds_and_activities_are_filmed() -> None:
    options = AnimalOptions(kinds=("cow",), activities=("trot", "walk"))
    footage = [own_footage(get_subject("ungulate16"), options, i) for i in range(6)]
    assert {f.kind for f in footage} == {"cow"}
    assert {f.category for f in footage} == {"trot", "walk"}


@pytest.mark.parametrize("options", [AnimalOptions(kinds=("unicorn",)), AnimalOptions(activities=("unicorn",))])
def test_an_unknown_kind_or_activity_is_refused(options: AnimalOptions) -> None:
    with pytest.raises(KeypointError, match="unicorn"):
        own_footage(get_subject("quadruped17"), options, 0)


def validation_set(path: Path, seed: int = 71, count: int = 2) -> Path:
    arguments = ["--subject", "ungulate16", "--kinds", "horse", "cow", "--sequences", str(count), "--seed", str(seed)]
    assert main([*arguments, "--validation", str(path)]) == 0
    return path


CAMEL = {
    "trunk": [0.95, 1.05], "hip_height": [1.0, 1.1], "shoulder_width": [0.2, 0.24], "hip_width": [0.2, 0.24],
    "front": [[0.3, 0.34], [0.36, 0.4], [0.2, 0.24], [0.1, 0.12]],
    "back": [[0.34, 0.38], [0.38, 0.42], [0.28, 0.32], [0.1, 0.12]], "neck": [0.9, 1.0], "neck_pitch": [10, 60],
    "head": [0.34, 0.4], "head_pitch": [-40, -10], "withers": [0.1, 0.2], "shoulder_metres": [1.5, 1.7],
}  # fmt: skip


def camel_subject(folder: Path, *extra: str) -> Path:
    """A subject file like that of horses, with keypoints beside theirs."""
    shipped = Path(subjects.__file__).parent / "ungulate16.json"
    content = json.loads(shipped.read_text())
    layout = get_subject("ungulate16").layout
    names = [*layout.names, *extra]
    content |= {"name": "camel", "layout": {"name": "camel", "family": "quadruped", "keypoints": names,
                                            "bones": [[names[0], names[1]]]}}  # fmt: skip
    content["tree"] |= dict.fromkeys(extra, "root")
    content["body_keypoints"] |= dict.fromkeys(extra, "spine2")
    path = folder / "camel.json"
    path.write_text(json.dumps(content))
    return path


def test_a_kind_and_a_keypoint_of_a_users_own_come_from_a_file(tmp_path: Path) -> None:
    species = tmp_path / "species.json"
    hump = {"start": "withers", "end": "croup", "share": 0.4, "up": 0.3}
    species.write_text(json.dumps({"kinds": {"camel": CAMEL}, "keypoints": {"hump": hump}}))
    subject = camel_subject(tmp_path, "hump")
    output = tmp_path / "camels.npz"
    assert main(["--subject", str(subject), "--species", str(species), "--kinds", "camel", "--sequences", "3",
                 "--activities", "walk", "--validation", str(output)]) == 0  # fmt: skip
    camels = np.load(output)
    assert all(name.startswith("camel-walk") for name in camels["clip"].tolist())
    at = {name: camels["points3d"][:, i] for i, name in enumerate(camels["names"].tolist())}
    ahead = at["croup"] - at["withers"]
    to_hump = at["hump"] - at["withers"]
    along = (to_hump * ahead).sum(-1) / (ahead**2).sum(-1)
    np.testing.assert_allclose(along, 0.4, atol=1e-4)
    above = np.linalg.norm(to_hump - along[:, None] * ahead, axis=-1)
    assert 0.3 * 1.5 - 1e-3 <= above.min() <= above.max() <= 0.3 * 1.7 + 1e-3
    assert (to_hump - along[:, None] * ahead)[:, 2].min() > 0.3


def test_a_place_lies_on_its_line_and_above_it() -> None:
    points = {"a": np.zeros((2, 3)), "b": np.array([[2.0, 0.0, 0.0], [0.0, 3.0, 4.0]])}
    np.testing.assert_allclose(
        Place("a", "b", 0.5, 0.1).of(points), [[1, 0, 0.1], [0, 1.5 - 0.08, 2 + 0.06]], atol=1e-12
    )
    np.testing.assert_allclose(Place("a", "b", -1.0).of(points), [[-2, 0, 0], [0, -3, -4]], atol=1e-12)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"kinds": {"camel": {**CAMEL, "trunk": [1.2, 0.9]}}}, "trunk"),
        ({"kinds": {"camel": {**CAMEL, "neck": [-1, 0.9]}}}, "neck"),
        ({"kinds": {"camel": {k: v for k, v in CAMEL.items() if k != "head"}}}, "head"),
        ({"kinds": {"camel": {**CAMEL, "front": [[0.3, 0.4]]}}}, "front"),
        ({"kinds": {"camel": CAMEL}, "keypoints": {"hump": {"start": "withers", "end": "crop"}}}, "crop"),
        ({"kinds": {"camel": CAMEL}}, "hump"),
        ({}, "neither kinds"),
    ],
)
def test_a_faulty_file_of_species_is_refused(
    tmp_path: Path, content: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "species.json").write_text(json.dumps(content))
    subject = camel_subject(tmp_path, "hump")
    assert main(["--subject", str(subject), "--species", str(tmp_path / "species.json"), "--kinds", "camel",
                 "--sequences", "1", "--output", str(tmp_path / "out.npz")]) != 0  # fmt: skip
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_a_validation_set_is_what_its_cameras_see(tmp_path: Path) -> None:
    sequences = load_validation(validation_set(tmp_path / "v.npz"))
    assert len(sequences) == 2
    for s in sequences:
        camera = s.truth @ s.R.T + s.t
        pixels = (camera / camera[..., 2:]) @ s.K.T
        inside = np.isfinite(s.clean).all(-1)
        np.testing.assert_allclose(pixels[inside][:, :2], s.clean[inside], atol=0.02)
        assert s.names == get_subject("ungulate16").layout.names
        assert s.category in s.name
        np.testing.assert_allclose(s.R @ s.R.T, np.eye(3), atol=1e-9)


def test_a_validation_set_has_the_size_of_its_kinds_in_metres(tmp_path: Path) -> None:
    sequences = load_validation(validation_set(tmp_path / "v.npz", count=4))
    for s in sequences:
        columns = [s.names.index(n) for n in ("withers", "l_front_paw", "r_front_paw")]
        heights = s.truth[:, columns, 2]
        assert 0.9 < np.percentile(heights[:, 0] - heights[:, 1:].min(1), 95) < 2.2
    trunks = [np.median(np.linalg.norm(s.truth[:, 2] - s.truth[:, 3], axis=-1)) for s in sequences]
    assert len(np.unique(np.round(trunks, 3))) == 4


def test_a_validation_sets_detections_are_noisy_and_lost_ones_are_marked(tmp_path: Path) -> None:
    sequences = load_validation(validation_set(tmp_path / "v.npz", count=6))
    noise, lost = [], []
    for s in sequences:
        seen = s.noisy_confidence > 0
        assert not (seen & ~np.isfinite(s.clean).all(-1)).any()
        assert (s.noisy[~seen] == 0).all()
        assert s.noisy_confidence.max() <= 1
        extent = np.median(np.nanmax(s.clean, axis=1) - np.nanmin(s.clean, axis=1), axis=0).max()
        noise.append(np.median(np.linalg.norm(s.noisy - s.clean, axis=-1)[seen]) / extent)
        lost.append((~seen & np.isfinite(s.clean).all(-1)).mean())
    assert 0.004 < np.mean(noise) < 0.04
    assert 0 < np.mean(lost) < 0.06


def test_a_validation_set_is_the_same_for_a_seed(tmp_path: Path) -> None:
    first, again = validation_set(tmp_path / "a.npz"), validation_set(tmp_path / "b.npz")
    other = validation_set(tmp_path / "c.npz", seed=72)
    assert first.read_bytes() == again.read_bytes()
    assert load_validation(first)[0].clean.shape != load_validation(other)[0].clean.shape
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz", "c.npz"]


def test_evaluate_finds_the_full_model_better_than_flat_on_a_validation_set(tmp_path: Path) -> None:
    options = EvaluateOptions(
        data=validation_set(tmp_path / "v.npz", count=1), subject="ungulate16", rows=("flat", "full (fast)"), frames=45
    )
    scores = {(s.row, s.noisy): s for s in evaluate(options, Console(quiet=True))}
    assert not any(s.failed for s in scores.values())
    for noisy in (False, True):
        assert scores["full (fast)", noisy].value("mpjpe") < scores["flat", noisy].value("mpjpe")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No file is asked for"),
        (["--validation", "v.npz", "--sequences", "0"], "no animals to validate with"),
        (["--validation", "v.npz", "--real", "real.npz"], "Real footage"),
    ],
)
def test_the_command_says_what_it_cannot_write(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_real_footage_is_no_validation_set(tmp_path: Path) -> None:
    real = Footage(np.zeros((50, 16, 2)), (64, 48), "somebody's cow", "walk", OWN_LICENCE)
    with pytest.raises(KeypointError, match="no 3D truth"):
        write_validation(tmp_path / "v.npz", [real], get_subject("ungulate16"), 0)
    assert not list(tmp_path.iterdir())
