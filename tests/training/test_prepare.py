"""A folder of keypoint files of several formats becomes a data set that stage 1 trains on; bad input leaves nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from mvlift.keypoints import map_clip, write_keypoints
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.lifting.subjects import get_subject
from mvlift_training.cli import main
from mvlift_training.motion_data import MotionWindows, load_sequences
from tiny_runs import tiny_config
from walkers import NAMES, SIZE, filmed

HUMAN = get_subject("human")
FRAMES = 60


def clip(seed: int, frames: int = FRAMES) -> KeypointClip:
    """A walker as OpenPose sees people: BODY_25, picture and rate unknown to most files."""
    points = filmed(seed, frames).astype(np.float32)
    layout = get_layout("body25")
    hips = [NAMES.index("l_hip"), NAMES.index("r_hip")]
    columns = [points[:, NAMES.index(n)] if n in NAMES else points[:, hips].mean(1) for n in layout.names]
    return KeypointClip(
        np.stack(columns, 1), np.full((frames, len(columns)), 0.9, np.float32), layout, Fraction(30), SIZE
    )


def openpose(seed: int, folder: Path) -> None:
    """One json a frame, without size and rate."""
    write_keypoints([clip(seed)], folder)


def coco(seed: int, path: Path, frames: int = FRAMES) -> None:
    """One json with names, size and rate."""
    write_keypoints([clip(seed, frames)], path)


def prepare(folder: Path, output: Path, *options: object) -> int:
    arguments = ["prepare", folder, "--output", output, "--width", SIZE[0], "--height", SIZE[1], *options]
    return main([str(a) for a in arguments])


def true_points(seed: int) -> np.ndarray:
    """(T, 24, 2) pixels of the walker, as the data set orders them."""
    return np.asarray(map_clip(clip(seed), HUMAN.layout).points)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos: a folder of OpenPose files, a COCO json, a zip, and a csv in a folder of its own."""
    folder = tmp_path_factory.mktemp("footage")
    openpose(1, folder / "street")
    coco(2, folder / "park.json")
    write_keypoints([clip(3)], folder / "yard.zip")
    (folder / "dance").mkdir()
    write_keypoints([clip(4)], folder / "dance" / "hall.csv")
    return folder


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory, footage: Path) -> Path:
    output = tmp_path_factory.mktemp("out") / "new" / "data.npz"
    assert prepare(footage, output, "--smoothing", 0, "--licence", "CC0-1.0") == 0
    return output


def test_every_format_becomes_a_sequence(data_set: Path) -> None:
    sequences = load_sequences(data_set)
    assert [c.split(":")[0] for c in sequences.clips] == ["park", "yard", "hall", "street"]
    assert sequences.names == NAMES
    assert sequences.fps == 30
    assert sequences.image_size == [SIZE] * 4
    for seed, points, sure in zip((2, 3, 4, 1), sequences.points, sequences.confidence, strict=True):
        assert len(points) == FRAMES
        assert (sure > 0).all()
        np.testing.assert_allclose(points, true_points(seed), atol=0.01)


def test_it_keeps_licence_and_folder(data_set: Path) -> None:
    with np.load(data_set) as file:
        assert list(file["licence"]) == ["CC0-1.0"] * 4
        assert file["category"][2] == "dance"
        assert list(file["set"]) == ["data"] * 4
    assert [p.name for p in data_set.parent.iterdir()] == ["data.npz"]


def test_stage_1_trains_on_it(data_set: Path, tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "run", data_set, train1={"steps": 2, "batch": 4})
    assert main(["stage1", "--config", str(config)]) == 0
    assert torch.load(tmp_path / "run" / "stage1" / "last.pt", weights_only=True)["step"] == 2
    assert len(MotionWindows(load_sequences(data_set), HUMAN, 32, "cpu").length) == 4


def test_the_frame_rate_becomes_the_networks(tmp_path: Path) -> None:
    """60 fps footage that does not say so: a second is thirty frames, and the walk is as fast as before."""
    openpose(1, tmp_path / "street")
    assert prepare(tmp_path / "street", tmp_path / "d.npz", "--fps", 60, "--smoothing", 0, "--min-frames", 20) == 0
    (points,) = load_sequences(tmp_path / "d.npz").points
    assert len(points) == 30
    np.testing.assert_allclose(points, true_points(1)[::2], atol=0.01)


def test_a_file_s_own_rate_and_size_count(tmp_path: Path) -> None:
    """What the user says is for files that do not say theirs."""
    write_keypoints([replace(clip(2), fps=Fraction(60), image_size=(1600, 900))], tmp_path / "park.json")
    assert prepare(tmp_path / "park.json", tmp_path / "d.npz", "--fps", 30, "--min-frames", 20) == 0
    sequences = load_sequences(tmp_path / "d.npz")
    assert sequences.image_size == [(1600, 900)]
    assert len(sequences.points[0]) == 30


def test_stretches_in_which_too_little_is_seen_are_cut_out(tmp_path: Path) -> None:
    """Ten frames without legs and arms in the middle make two sequences of a video; lost joints stay missing."""
    full = clip(2, 110)
    confidence = full.confidence.copy()
    names = full.layout.names
    confidence[50:60, [i for i, n in enumerate(names) if n not in ("nose", "neck", "l_eye", "r_eye")]] = 0
    confidence[:, names.index("l_wrist")] = 0
    write_keypoints([replace(full, confidence=confidence)], tmp_path / "park.json")
    assert prepare(tmp_path, tmp_path / "out" / "d.npz", "--smoothing", 0) == 0
    sequences = load_sequences(tmp_path / "out" / "d.npz")
    assert [len(p) for p in sequences.points] == [50, 50]
    assert [c.rsplit("@", 1)[1] for c in sequences.clips] == ["0", "60"]
    column = NAMES.index("l_wrist")
    assert not sequences.confidence[0][:, column].any()
    assert sequences.confidence[0][:, column - 1].all()
    assert prepare(tmp_path / "park.json", tmp_path / "out" / "e.npz", "--smoothing", 0, "--min-frames", 51) == 1


def test_people_who_are_too_small_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = clip(2)
    write_keypoints([replace(small, points=0.1 * small.points)], tmp_path / "park.json")
    assert prepare(tmp_path, tmp_path / "d.npz") == 1
    assert "No sequence is long, large and complete enough" in capsys.readouterr().err


def test_cleaning_takes_outliers_away(tmp_path: Path) -> None:
    points = np.array(clip(2).points)
    points[30, 4] += 400
    write_keypoints([replace(clip(2), points=points)], tmp_path / "park.json")
    worst_error = {}
    for strength in (0, 1):
        assert prepare(tmp_path / "park.json", tmp_path / "d.npz", "--smoothing", strength) == 0
        (cleaned,), (sure,) = load_sequences(tmp_path / "d.npz").points, load_sequences(tmp_path / "d.npz").confidence
        worst_error[strength] = float((np.linalg.norm(cleaned - true_points(2), axis=-1) * (sure > 0)).max())
    assert worst_error[0] > 300
    assert worst_error[1] < 50


def test_damaged_files_are_named_and_passed_over(
    tmp_path: Path, footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are used; a name with brackets is shown as it is."""
    coco(2, tmp_path / "park.json")
    (tmp_path / "[red]cut.json").write_bytes((footage / "park.json").read_bytes()[:5000])
    (tmp_path / "noise.npz").write_bytes(b"nonsense")
    (tmp_path / "notes.txt").write_text("filmed in the park\n", encoding="utf-8")
    assert prepare(tmp_path, tmp_path / "d.npz") == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "[red]cut.json is not valid JSON" in shown
    assert "noise.npz" in shown
    assert [c.split(":")[0] for c in load_sequences(tmp_path / "d.npz").clips] == ["park"]


def test_its_own_output_is_not_taken_for_footage(tmp_path: Path) -> None:
    """A data set that lies in the folder of the footage changes nothing the next time."""
    coco(2, tmp_path / "park.json")
    for _ in range(2):
        assert prepare(tmp_path, tmp_path / "data.npz") == 0
        assert len(load_sequences(tmp_path / "data.npz").points) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [("empty", "no keypoint file that can be read"), ("damaged", "no keypoint file that can be read"),
     ("missing", "does not exist"), ("short", "No sequence is long, large and complete enough")],
)  # fmt: skip
def test_without_footage_nothing_is_written(
    tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the data set nor a part of it; what was there before stays."""
    folder, output = tmp_path / "footage", tmp_path / "out"
    output.mkdir()
    (output / "old.npz").write_bytes(b"old")
    if content != "missing":
        folder.mkdir()
    if content == "damaged":
        (folder / "clip.json").write_text('{"people": [', encoding="utf-8")
    if content == "short":
        coco(2, folder / "clip.json", frames=10)
    for name in ("new.npz", "old.npz"):
        assert prepare(folder, output / name) == 1
        assert words in " ".join(capsys.readouterr().err.split())
    assert [p.name for p in output.iterdir()] == ["old.npz"]
    assert (output / "old.npz").read_bytes() == b"old"


def test_any_output_name_will_do(tmp_path: Path) -> None:
    coco(2, tmp_path / "park.json")
    assert prepare(tmp_path, tmp_path / "out" / "dataset") == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["dataset"]
    assert len(load_sequences(tmp_path / "out" / "dataset").points) == 1


def test_a_rate_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    openpose(1, tmp_path / "street")
    assert prepare(tmp_path, tmp_path / "d.npz", "--fps", 0) == 1
    assert "0.0 frames a second is not a frame rate" in capsys.readouterr().err


def test_footage_of_something_else_gives_no_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keypoints of a dog are not those of a person."""
    layout = get_layout("ap10k17")
    dog = KeypointClip(
        100 * np.ones((50, 17, 2), np.float32), np.ones((50, 17), np.float32), layout, Fraction(30), SIZE
    )
    write_keypoints([dog], tmp_path / "dog.csv")
    assert prepare(tmp_path, tmp_path / "d.npz") == 1
    assert "error:" in capsys.readouterr().err
