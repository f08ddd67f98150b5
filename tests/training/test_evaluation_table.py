"""From a validation file to the table: reading, results of other systems, the command and its JSON."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvlift.errors import KeypointError, LiftError, ModelError
from mvlift.lifting.subjects import get_subject
from mvlift_training.cli import main
from mvlift_training.evaluation.cli import noise_distance
from mvlift_training.evaluation.data import Sequence, in_layout, load_validation
from mvlift_training.evaluation.methods import Setting, external, method
from mvlift_training.evaluation.metrics import Prediction
from mvlift_training.evaluation.table import Scores, markdown, run_row, write_scores
from rich.progress import Progress
from walkers import NAMES, SIZE, camera, common_keys, seen, walker, write_validation

HUMAN = get_subject("human")
FRAMES = 40


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two walks of 40 frames, clean and noisy, with their truth."""
    return write_validation(tmp_path_factory.mktemp("validation") / "validation.npz", 2, FRAMES)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, validation: Path) -> Path:
    """A system that knows the truth on clean input, and is off by 1 cm a frame along x on noisy input."""
    folder = tmp_path_factory.mktemp("results")
    for sequence in load_validation(validation):
        drift = np.arange(FRAMES)[:, None, None] * [0.01, 0.0, 0.0]
        np.savez(folder / f"{sequence.name}.npz", points3d=sequence.truth, pixels=sequence.clean + np.array([0.0, 2.0]))
        np.savez(folder / f"{sequence.name}.noisy.npz", points3d=sequence.truth + drift)
    return folder


def evaluate(*arguments: object) -> int:
    return main(["evaluate", "--threads", "1", *map(str, arguments)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


# The file


def test_sequences_are_cut_and_thinned(validation: Path) -> None:
    one, two = load_validation(validation)
    assert (one.name, two.name) == ("walk0#0", "walk1#1")
    assert one.fps == Fraction(30)
    assert one.image_size == SIZE
    assert one.truth.shape == (FRAMES, 24, 3)
    (first,) = load_validation(validation, frames=10, stride=2)
    np.testing.assert_array_equal(first.truth, one.truth[:10])
    np.testing.assert_array_equal(load_validation(validation, frames=10)[1].noisy, two.noisy[:10])


def test_input_is_what_was_asked_for(validation: Path) -> None:
    """Clean points are sure; lost ones of the detector are missing, and nobody is told the camera."""
    sequence = load_validation(validation)[0]
    clean, noisy = sequence.clip(False), sequence.clip(True)
    np.testing.assert_allclose(clean.points, sequence.clean, atol=1e-3)
    assert (clean.confidence == 1).all()
    np.testing.assert_array_equal(noisy.confidence == 0, sequence.noisy_confidence == 0)
    assert (noisy.confidence == 0).any()
    assert not np.allclose(noisy.points, clean.points)
    assert clean.image_size == SIZE


def test_noise_is_that_of_the_points_that_were_found(validation: Path) -> None:
    """A median distance, whatever a file holds where the detector lost a point."""
    (sequence,) = load_validation(validation, stride=2)
    detected = sequence.noisy_confidence > 0
    moved = np.where(detected[..., None], sequence.clean + np.array([3.0, 4.0]), 0.0)
    mostly_lost = {**vars(sequence), "noisy": moved}
    confidence = sequence.noisy_confidence.copy()
    confidence[::2] = 0
    mostly_lost["noisy"] = np.where(confidence[..., None] > 0, moved, 0.0)
    mostly_lost["noisy_confidence"] = confidence
    assert noise_distance([Sequence(**mostly_lost)], HUMAN) == pytest.approx(5)


def test_keypoints_are_found_by_name(validation: Path) -> None:
    """Another order and another spelling of the same keypoints change nothing."""
    (sequence,) = load_validation(validation, stride=2)
    order = np.random.default_rng(0).permutation(24)
    spelled = [{"l_": "left_", "r_": "right_"}.get(NAMES[i][:2], NAMES[i][:2]) + NAMES[i][2:] for i in order]
    other = {**vars(sequence), "names": tuple(spelled)}
    for key in ("clean", "noisy", "noisy_confidence", "truth"):
        other[key] = other[key][:, order]
    (reordered,) = in_layout([Sequence(**other)], HUMAN.layout)
    assert reordered.names == NAMES
    np.testing.assert_array_equal(reordered.truth, sequence.truth)
    np.testing.assert_array_equal(reordered.noisy_confidence, sequence.noisy_confidence)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no such validation set"), (b"", "not a validation set"), (b"PK\x03\x04 nonsense", "not a valid"),
     ("cut", "not a validation set"), ("keys", "keys ['K', 'points3d'] are missing"), ("empty", "holds no sequence")],
)  # fmt: skip
def test_a_file_that_is_none_is_named(
    tmp_path: Path, validation: Path, content: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "cut":
        path.write_bytes(validation.read_bytes()[:-400])
    elif content is not None:
        with np.load(validation) as file:
            arrays = dict(file)
        if content == "keys":
            del arrays["K"], arrays["points3d"]
        else:
            arrays["start"] = arrays["start"][:0]
        np.savez(path, **arrays)
    with pytest.raises(KeypointError) as caught:
        load_validation(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert evaluate("--data", path, "--rows", "flat", "--output", tmp_path / "x.json") == 1
    assert words in said(capsys)
    assert not (tmp_path / "x.json").exists()


# Results of other systems


def test_results_of_another_system_are_measured(validation: Path, results: Path) -> None:
    run = external(results, Setting(HUMAN))
    sequences = load_validation(validation)
    with Progress(disable=True) as progress:
        clean, made = run_row("theirs", run, sequences, HUMAN, False, 0, progress)
        noisy, _ = run_row("theirs", run, sequences, HUMAN, True, 0, progress)
    assert clean.value("mpjpe") == pytest.approx(0, abs=1e-6)
    assert clean.value("j2d") == pytest.approx(2)
    assert made[0] is not None
    np.testing.assert_array_equal(made[0].points, sequences[0].truth)
    assert noisy.value("t_root") == pytest.approx(10 * (FRAMES - 1) / 2)
    assert math.isnan(noisy.value("j2d"))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [({}, "keys ['points3d'] are missing"), ({"points3d": np.zeros((FRAMES, 17, 3))}, "points3d is (40, 17, 3), not"),
     ({"points3d": np.zeros((FRAMES, 24, 3)), "pixels": np.zeros((3, 24, 2))}, "pixels is (3, 24, 2), not"),
     ({"points3d": np.full((FRAMES, 24, 3), np.nan)}, "points3d has gaps"), (b"nonsense", "not a result"),
     (None, "there is no such result")],
)  # fmt: skip
def test_results_that_do_not_fit_are_named(validation: Path, tmp_path: Path, arrays: Any, words: str) -> None:
    path = tmp_path / "walk0#0.npz"
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    elif arrays is not None:
        np.savez(path, **arrays)
    run = external(tmp_path, Setting(HUMAN))
    with pytest.raises(KeypointError) as caught:
        run(load_validation(validation)[0], False, 0)
    assert words in str(caught.value)
    assert "walk0#0.npz" in str(caught.value)


# The table


def test_a_sequence_that_a_method_gives_up_is_counted(validation: Path) -> None:
    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        if sequence.name == "walk0#0":
            raise LiftError("no.")
        return Prediction(sequence.truth, None)

    with Progress(disable=True) as progress:
        row, predictions = run_row("half", run, load_validation(validation), HUMAN, False, 0, progress)
    assert row.failed == ["walk0#0"]
    assert predictions[0] is None
    assert [c["name"] for c in row.clips] == ["walk0#0", "walk1#1"]
    assert row.clips[1]["mpjpe"] == pytest.approx(0, abs=1e-6)
    truth = load_validation(validation)[0].truth
    scored, root = ([HUMAN.layout.index(n) for n in names] for names in (HUMAN.score_keypoints, HUMAN.root))
    size = np.linalg.norm(truth[:, scored] - truth[:, root].mean(1, keepdims=True), axis=-1)
    assert row.clips[0]["mpjpe"] == pytest.approx(1000 * size.mean())  # a person shrunk to a point
    assert row.value("mpjpe") == pytest.approx(500 * size.mean())
    assert row.value("failed") == 0.5


def test_means_medians_and_categories() -> None:
    clips = [{"name": str(i), "category": c, "mpjpe": v}
             for i, (c, v) in enumerate([("a", 10.0), ("a", 20.0), ("b", 90.0), ("b", math.nan)])]  # fmt: skip
    row = Scores("r", True, clips, extra={"fid": 3.5})
    assert row.value("mpjpe") == pytest.approx(40)
    assert row.value("mpjpe", "median") == pytest.approx(20)
    assert row.value("mpjpe", category="a") == pytest.approx(15)
    assert row.value("fid") == 3.5
    assert math.isnan(row.value("hand"))
    table = markdown([row], ("mpjpe", "fid", "hand")).splitlines()
    assert table[0] == "| method | input | MPJPE (mm) | FID | hand on object (mm) |"
    assert table[2] == "| r | noisy | 40.0 | 3.50 | – |"


def test_json_has_no_nan(tmp_path: Path) -> None:
    """Other programs' JSON readers refuse NaN."""
    clips = [{"name": "a", "category": "", "mpjpe": 1.5, "j2d": math.nan}]
    write_scores(tmp_path / "new" / "scores.json", [Scores("r", False, clips)], {"seed": 0, "noise": math.inf})

    def refuse(text: str) -> None:
        raise AssertionError(text)

    table = json.loads((tmp_path / "new" / "scores.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert table["rows"][0]["clips"][0] == {"name": "a", "category": "", "mpjpe": 1.5, "j2d": None}
    assert table["facts"] == {"seed": 0, "noise": None}
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["scores.json"]


# The command


def test_the_command_prints_a_table_and_writes_its_numbers(
    validation: Path, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scores.json"
    assert evaluate("--data", validation, "--rows", "flat", "--external", "theirs", results, "--output", output,
                    "--categories") == 0  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    head, table = rows[0], {(r[0], r[1]): r for r in rows[1:5]}
    assert list(table) == [("flat", "clean"), ("flat", "noisy"), ("theirs", "clean"), ("theirs", "noisy")]
    written = json.loads(output.read_text(encoding="utf-8"))
    assert written["facts"]["data"] == "validation.npz"
    assert written["facts"]["seed"] == 0
    assert len(written["facts"]["digest"]) == 16
    assert f"{written['facts']['noise_px']:.2f} px" in lines[0]
    assert [(r["row"], r["noisy"]) for r in written["rows"]] == [
        ("flat", False), ("flat", True), ("theirs", False), ("theirs", True)]  # fmt: skip
    for row in written["rows"]:
        shown = table[row["row"], "noisy" if row["noisy"] else "clean"]
        mean = np.mean([c["mpjpe"] for c in row["clips"]])
        assert float(shown[head.index("MPJPE (mm)")]) == pytest.approx(mean, abs=0.06)
        assert [c["frames"] for c in row["clips"]] == [FRAMES, FRAMES]
        assert float(shown[head.index("FID")]) == pytest.approx(row["extra"]["fid"], abs=0.06)
    clean = table["theirs", "clean"]
    assert clean[head.index("J2D (px)")] == "2.00"
    assert clean[head.index("FID")] in ("0.00", "-0.00")
    assert table["theirs", "noisy"][head.index("J2D (px)")] == "–"
    assert float(table["flat", "clean"][head.index("MPJPE (mm)")]) > 50
    assert "walk" in lines


def test_only_what_is_asked_for_is_run(validation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "scores.json"
    assert evaluate("--data", validation, "--rows", "flat", "--inputs", "noisy", "--frames", 8, "--stride", 2,
                    "--output", output) == 0  # fmt: skip
    (row,) = json.loads(output.read_text(encoding="utf-8"))["rows"]
    assert row["noisy"] is True
    assert [(c["name"], c["frames"]) for c in row["clips"]] == [("walk0#0", 8)]
    assert "FID" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--rows", "magic"], "There is no row 'magic'. Rows: flat, full, stage 1 only"),
     (["--rows", "ElePose", "--elepose", "none.safetensors"], "not an ElePose lifter"),
     (["--rows", "flat", "--external", "theirs", "nowhere"], "nowhere: there is no such folder"),
     (["--rows", "full", "--models", "multiview", "none.safetensors"], "There are no weights 'none.safetensors'"),
     (["--subject", "unicorn"], "There is no subject 'unicorn'"),
     (["--subject", "quadruped17"], "of ap10k17. Choose the subject of the data with --subject."),
     (["--every", "0"], "--stride is 0"), (["--frames", "0"], "--frames is 0"),
     (["--sds-iterations", "0"], "--sds-iterations is 0")],
)  # fmt: skip
def test_wrong_requests_end_with_a_message(
    validation: Path, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "scores.json"
    assert evaluate("--data", validation, "--output", output, *arguments) == 1
    assert words in said(capsys)
    assert not output.exists()


def test_an_unknown_kind_of_input_is_wrong_usage(validation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not taken for clean input."""
    with pytest.raises(SystemExit) as caught:
        evaluate("--data", validation, "--rows", "flat", "--inputs", "nosy")
    assert caught.value.code == 2


def test_elepose_needs_its_weights() -> None:
    with pytest.raises(ModelError, match="mvlift-train elepose"):
        method("ElePose", Setting(HUMAN))


def test_people_with_objects_have_columns_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A box between the hands, without toes in the file; a system that moves the box by (0, 3, 4) cm."""
    box = get_subject("human+box")
    person, view = walker(5, 36), camera(5)
    centre = person[:, [NAMES.index("l_wrist"), NAMES.index("r_wrist")]].mean(1, keepdims=True)
    corners = np.array([box.rigid_object.points[n] for n in box.rigid]) if box.rigid_object else np.zeros((0, 3))
    truth = np.concatenate([person[:, :18], centre + 0.3 * (corners - corners.mean(0))], 1)
    xy = seen(truth, *view)
    K, R, t = (v[None] for v in view)
    keys = {**common_keys([36]), "names": np.array([*NAMES[:18], *box.rigid])}
    data = tmp_path / "boxes.npz"
    np.savez(data, xy=xy, noisy_xy=xy, noisy_confidence=np.ones(xy.shape[:2]), points3d=truth, K=K, R=R, t=t, **keys)
    theirs = np.full((36, len(box.layout.names), 3), np.nan)
    for i, name in enumerate(keys["names"]):
        theirs[:, box.layout.index(name)] = truth[:, i] + (np.array([0.0, 0.03, 0.04]) if name in box.rigid else 0.0)
    (tmp_path / "theirs").mkdir()
    np.savez(tmp_path / "theirs" / "walk0#0.npz", points3d=theirs)
    output = tmp_path / "scores.json"
    assert evaluate("--data", data, "--subject", "human+box", "--rows", "flat", "--inputs", "clean", "--external", "o",
                    tmp_path / "theirs", "--output", output) == 0  # fmt: skip
    table = capsys.readouterr().out
    assert "T_root^O (mm)" in table
    assert "O-MPJPE (mm)" in table
    assert "FID" not in table
    flat, other = (row["clips"][0] for row in json.loads(output.read_text(encoding="utf-8"))["rows"])
    assert other["t_root_object"] == pytest.approx(50)
    assert other["o_mpjpe"] == pytest.approx(0, abs=1e-6)
    assert other["mpjpe"] == pytest.approx(0, abs=1e-6)
    assert flat["t_root_object"] > 20


def test_a_row_without_its_weights_is_left_out_with_a_note(
    validation: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(validation), "--frames", "10", "--elepose", str(tmp_path / "absent.safetensors")]
    assert main(["evaluate", *arguments, "--rows", "flat", "ElePose", "--inputs", "clean"]) == 0
    out, err = capsys.readouterr()
    assert "| flat | clean |" in out
    assert "ElePose" not in out
    assert "Row ElePose left out" in " ".join(err.split())
    assert main(["evaluate", *arguments, "--rows", "ElePose"]) == 1
    assert main(["evaluate", *arguments, "--rows", "flat", "Elepose"]) == 1
