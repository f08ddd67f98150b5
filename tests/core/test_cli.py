"""`mvlift lift | inspect | convert | models`: exit codes, files, batches, and what is left after a failure."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mvlift
import numpy as np
import pytest
from mvlift.cli import main
from mvlift.keypoints.clip import KeypointClip
from mvlift.models import model_names
from scenes import WALK

VIDEO = ["--fps", "30", "--image-size", "1280x720"]


@pytest.fixture
def lift_options(tiny_subject: str) -> list[str]:
    return [*VIDEO, "--subject", tiny_subject, "--preset", "fast", "--device", "cpu"]


def run(*arguments: str | Path) -> int:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_lift_writes_what_the_function_returns(
    tmp_path: Path, lift_options: list[str], tiny_subject: str, walk: KeypointClip, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [tmp_path / "new" / f"walk.{e}" for e in ("npz", "bvh", "png")]
    code = run("lift", WALK, "-o", *out, "--frames", "10-29", "--seed", "2", "--height", "1.8", *lift_options)
    assert code == 0
    assert files(tmp_path) == ["walk.bvh", "walk.npz", "walk.png"]
    written = mvlift.load_motion(out[0])
    returned = mvlift.lift(
        walk.restricted(10, 29), subject=tiny_subject, preset="fast", device="cpu", seed=2, height=1.8
    )  # fmt: skip
    for name in ("translation", "rotations", "keypoints", "betas"):
        np.testing.assert_array_equal(getattr(written, name), getattr(returned, name), err_msg=name)
    assert (written.first_frame, len(written)) == (10, 20)
    assert "Frames: 20" in out[1].read_text()
    assert out[2].read_bytes().startswith(b"\x89PNG")
    assert "1 x 20 frames" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--preset", "quality"), ("--preset=quality",)])
def test_a_command_with_a_preset_of_an_earlier_version_goes_on(
    tmp_path: Path, words: tuple[str, ...], tiny_subject: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "quality.npz"
    assert run("lift", WALK, "-o", out, "--frames", "10-29", "--subject", tiny_subject, "--device", "cpu", *words) == 0
    assert mvlift.load_motion(out).metadata["preset"] == "fast"
    assert "'quality' is no longer there: 'fast' is used" in capsys.readouterr().err


def test_timings_are_json_on_standard_output(
    tmp_path: Path, lift_options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("lift", WALK, "-o", tmp_path / "a.npz", "--frames", "0-9", "--timings", *lift_options) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["frames"] == 10
    assert {"load", "prepare", "sample", "fit", "write"} <= set(line)


@pytest.mark.parametrize(
    ("more", "said", "code"),
    [
        (["--person", "nobody"], "no person 'nobody'", 1),
        (["--frames", "900-990"], "outside the clip", 1),
        (["--layout", "coco17"], "coco17", 1),
        (["--frames", "9-2"], "not a frame range", 2),
        (["--fps", "fast"], "not a frame rate", 2),
        (["--fps", "0"], "0 frames per second", 2),
        (["--fps", "-25"], "-25 frames per second", 2),
        (["--image-size", "big"], "not an image size", 2),
        (["--device", "abacus"], "abacus", 2),
        (["--subject", "unicorn"], "no subject", 2),
        (["--height", "17"], "height of 17", 2),
        (["--layout", "cave painting"], "no keypoint layout", 2),
        (["--format", "tarot"], "tarot", 2),
        (["--report", "a.txt"], "not a report format", 2),
        (["--shard", "9/3"], "9/3", 2),
    ],
)
def test_wrong_requests_write_nothing_and_end_with_2_where_no_input_could_serve(
    tmp_path: Path, lift_options: list[str], more: list[str], said: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = list(lift_options)
    if more[0] in options:
        del options[options.index(more[0]) : options.index(more[0]) + 2]
    assert run("lift", WALK, "-o", tmp_path / "a.npz", *options, *more) == code
    text = " ".join(capsys.readouterr().err.split())
    assert said in text
    assert "Traceback" not in text
    assert files(tmp_path) == []


def test_commands_without_input_and_folders_of_several_clips(
    tmp_path: Path, two_clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (("lift", "-o", tmp_path / "a.npz"), ("inspect",), ("detect", "-o", tmp_path / "a.npz")):
        assert run(*command) == 2
        assert "No input was given" in capsys.readouterr().err
    assert run("inspect", two_clips) == 1
    assert "2 files or folders: a.zip, b.zip" in " ".join(capsys.readouterr().err.split())
    tables = tmp_path / "tables"
    tables.mkdir()
    for name in ("a.csv", "b.csv"):
        assert run("convert", WALK, "-o", tables / name) == 0
    assert run("inspect", tables) == 1
    text = " ".join(capsys.readouterr().err.split())
    assert "holds 2 clips: a.csv, b.csv." in text
    assert "--batch" in text


def test_models_are_listed_with_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "human-stage4" in listed
    assert "multi-view 2D diffusion model" in listed


def test_wrong_arguments_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lift", WALK) == 2
    assert run("lift", WALK, "-o", "x.npz", "--bogus") == 2
    assert run("fly") == 2
    assert run("--help") == 0
    assert "lift" in capsys.readouterr().out


def test_inputs_that_are_not_there_or_are_no_keypoints(
    tmp_path: Path, lift_options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("lift", tmp_path / "absent.json", "-o", tmp_path / "a.npz", *lift_options) == 1
    (tmp_path / "noise.json").write_bytes(b"\x00\xffnoise")
    assert run("lift", tmp_path / "noise.json", "-o", tmp_path / "a.npz", *lift_options) == 1
    text = capsys.readouterr().err
    assert "absent.json" in text
    assert "noise.json" in text
    assert files(tmp_path) == ["noise.json"]


@pytest.mark.parametrize("suffix", [".npz", ".bvh", ".png"])
def test_an_output_that_cannot_be_written(
    tmp_path: Path, lift_options: list[str], suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert run("lift", WALK, "-o", tmp_path / "file" / f"a{suffix}", "--frames", "0-9", *lift_options) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert files(tmp_path) == ["file"]


def test_an_unknown_extension(tmp_path: Path, lift_options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lift", WALK, "-o", tmp_path / "a.c3d", "--frames", "0-9", *lift_options) == 2
    assert ".c3d cannot be written" in capsys.readouterr().err
    assert files(tmp_path) == []


def test_a_batch_resumes_and_reports(
    tmp_path: Path, two_clips: Path, lift_options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (two_clips / "c.json").write_text("{}")
    out = tmp_path / "out"
    command = ["lift", two_clips, "--batch", "-o", out, "--extensions", "npz", "bvh", *lift_options]
    assert run(*command) == 1
    assert "2 lifted, 0 already there, 1 failed: c.json" in capsys.readouterr().err
    assert files(out) == ["a.bvh", "a.npz", "b.bvh", "b.npz"]
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    (out / "b.bvh").unlink()
    (two_clips / "c.json").unlink()
    assert run(*command) == 0
    assert "1 lifted, 1 already there, 0 failed" in capsys.readouterr().err
    assert files(out) == ["a.bvh", "a.npz", "b.bvh", "b.npz"]
    assert (out / "a.npz").stat().st_mtime_ns == before["a.npz"]
    assert run(*command, "--overwrite") == 0
    assert "2 lifted" in capsys.readouterr().err
    assert (out / "a.npz").stat().st_mtime_ns > before["a.npz"]
    assert mvlift.load_motion(out / "b.npz").fps == 30


def test_several_engines_write_what_one_writes(tmp_path: Path, two_clips: Path, lift_options: list[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert run("lift", two_clips, "--batch", "-o", one, *lift_options) == 0
    assert run("lift", two_clips, "--batch", "-o", two, "--jobs", "2", *lift_options) == 0
    assert files(one) == files(two) == ["a.npz", "b.npz"]
    for name in files(one):
        a, b = mvlift.load_motion(one / name), mvlift.load_motion(two / name)
        np.testing.assert_array_equal(a.rotations, b.rotations)
        np.testing.assert_array_equal(a.translation, b.translation)


def test_several_clips_need_a_folder(tmp_path: Path, two_clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lift", two_clips / "a.zip", two_clips / "b.zip", "-o", tmp_path / "one.npz") == 2
    assert "one folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run("lift", tmp_path / "empty", "--batch", "-o", tmp_path / "out") == 1
    assert "is empty" in capsys.readouterr().err
    assert run("lift", two_clips / "a.zip", "--batch", "-o", tmp_path / "out") == 1
    assert "is not a folder" in capsys.readouterr().err


def wait_for_torch(pid: int) -> None:
    """Until a process has loaded torch and is some way into its lift."""
    ends = time.monotonic() + 60
    while "libtorch" not in Path(f"/proc/{pid}/maps").read_text() and time.monotonic() < ends:
        time.sleep(0.05)
    time.sleep(2.5)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not list what a process has loaded")
def test_interrupting_leaves_nothing(tmp_path: Path, tiny_subject: str) -> None:
    # a shell starts what runs in its background with interrupts ignored, and these tests may run there
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{hears}; from mvlift.cli import main; main()"
    command = [sys.executable, "-c", code, "lift", str(WALK), "-o", str(tmp_path / "a.npz"), *VIDEO]
    command += ["--subject", tiny_subject, "--preset", "paper", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for_torch(process.pid)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert files(tmp_path) == []


def test_inspect(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("inspect", WALK, "--json", *VIDEO) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["format"], about["layout"]) == ("openpose", "body25")
    assert (about["frames"], about["first"], about["last"]) == (150, 0, 149)
    assert (about["fps"], about["image_size"]) == (30, [1280, 720])
    assert len(about["people"]) == 1
    assert about["people"][0]["mean_confidence"] == pytest.approx(0.85, abs=0.02)
    assert run("inspect", WALK) == 0
    text = capsys.readouterr().out
    assert "BODY_25" in text
    assert "150" in text
    assert run("inspect", WALK, tmp_path / "absent [bold].json") == 1
    caught = capsys.readouterr()
    assert "absent [bold].json" in caught.err
    assert "BODY_25" in caught.out
    assert run("convert", tmp_path / "absent [red].json", "-o", tmp_path / "a.csv") == 1
    assert "absent [red].json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["o.csv", "o.json", "o.zip", "folder"])
def test_convert_round_trip(tmp_path: Path, name: str, walk40: KeypointClip) -> None:
    target = tmp_path / name
    assert run("convert", WALK, "-o", target, *VIDEO) == 0
    clip = mvlift.read_keypoints(target, fps=30, image_size=(1280, 720))[0]
    assert len(clip) == 150
    assert clip.layout.names == walk40.layout.names
    np.testing.assert_array_equal(clip.seen[:40], walk40.seen)
    np.testing.assert_allclose(clip.points[:40], walk40.points, atol=0.01)
    np.testing.assert_allclose(clip.confidence[:40], walk40.confidence, atol=0.002)


def test_convert_refuses_what_it_does_not_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", WALK, "-o", tmp_path / "a.xml", *VIDEO) == 2
    assert ".xml" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    for name in ("a.csv", "a.zip", "folder"):
        assert run("convert", WALK, "-o", tmp_path / "file" / name, *VIDEO) == 1
        assert "Traceback" not in capsys.readouterr().err
    assert files(tmp_path) == ["file"]


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    text = capsys.readouterr().out
    assert model_names()
    for name in model_names():
        assert name in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["lift", "--help"], 0),
        (["inspect", "{folder}/歩く—ж.zip"], 0),
        (["inspect", "{folder}/нет.csv"], 1),
        (["lift", "{folder}/пустой—歩.csv", "-o", "{folder}/ж.npz"], 1),
    ],
)
def test_terminals_of_windows_print_every_name(tmp_path: Path, arguments: list[str], code: int) -> None:
    """A terminal of code page 1252 has neither Cyrillic nor Japanese: names are written with replacements."""
    shutil.copy(WALK, tmp_path / "歩く—ж.zip")
    (tmp_path / "пустой—歩.csv").write_text("x\n")
    run_cli = "from mvlift.cli import main; main()"
    command = [sys.executable, "-X", "utf8=0", "-c", run_cli, *(a.format(folder=tmp_path) for a in arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode == code, done.stderr.decode("cp1252")
    assert b"Traceback" not in done.stderr
    assert done.stdout or done.stderr
