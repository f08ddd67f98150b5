"""Configs and the command: what is refused, with which words and which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mvlift_training.cli import main
from mvlift_training.config import ConfigError, TrainConfig, load_config, plain

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "mvlift_training" / "configs").glob("*.yaml"))


def config(folder: Path, text: str) -> TrainConfig:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


@pytest.mark.parametrize("path", CONFIGS, ids=[p.stem for p in CONFIGS])
def test_every_config_that_comes_along_is_read(path: Path) -> None:
    settings = load_config(path)
    assert settings.folder.parts[0] == "runs"
    assert settings.train1.steps > 0
    assert json.loads(json.dumps(plain(settings)))["name"] == settings.name


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert config(tmp_path, "") == TrainConfig()


def test_values_get_their_types(tmp_path: Path) -> None:
    """YAML takes 1e5 and 3e-4 for texts, a list for a tuple, and null for none."""
    settings = config(
        tmp_path,
        "train1: {steps: 1e5, learning_rate: 3e-4, minutes: null, compile: true}\n"
        "train4: {minutes: 20}\n"
        "stage4: {elevation: [-5, 20]}\nlibrary: motions.npz\nname: 7\nalike: {withers: neck}\n",
    )
    assert settings.train1.steps == 100_000
    assert isinstance(settings.train1.steps, int)
    assert settings.train1.learning_rate == pytest.approx(3e-4)
    assert settings.train1.minutes is None
    assert settings.train4.minutes == 20.0
    assert settings.train1.compile is True
    assert settings.stage4.elevation == (-5.0, 20.0)
    assert settings.library == Path("motions.npz")
    assert settings.name == "7"
    assert settings.alike == {"withers": "neck"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("windw: 32", "unknown keys ['windw']"),
        ("train1: {stepz: 1}", "train1: unknown keys ['stepz']"),
        ("1: 2\nwindw: 3", "unknown keys ['1', 'windw']"),
        ("window: wide", "window: 'wide' is not a int"),
        ("window: 32.5", "window: 32.5 is not a int"),
        ("window: .inf", "window: inf is not a int"),
        ("window: null", "window: None is not a number"),
        ("window: true", "window: True is not a number"),
        ("train1: {compile: 1}", "train1.compile: 1 is not true or false"),
        ("name: [a]", "name: ['a'] is not a text"),
        ("data: null", "data: None is not a Path"),
        ("device: tpu", "device: 'tpu' Choose one of auto, cpu, cuda, mps."),
        ("stage2: {method: magic}", "Choose one of loop, sds, lift."),
        ("stage4: {elevation: 3}", "stage4.elevation: 3 is not a list. Write [first, second]."),
        ("stage4: {elevation: [1, 2, 3]}", "has 3 values, not 2"),
        ("train1: 5", "train1: 5 is not a mapping"),
        ("alike: [withers]", "alike: ['withers'] is not a mapping"),
        ("alike: {withers: [neck]}", "alike.withers: ['neck'] is not a text"),
        ("stage2: {stride: 0}", "stage2.stride is 0"),
        ("stage2: {sds_iterations: 0}", "stage2.sds_iterations is 0"),
        ("stage2: {sds_batch: 0}", "stage2.sds_batch is 0"),
        ("stage2: {later: magic}", "Choose one of stage4, loop, sds, lift."),
        ("network: {width: 100, heads: 6}", "width that is a multiple of twice the heads"),
        ("network: {layers: 0}", "layers 0"),
        ("- a\n- b", "is not a mapping"),
        ("a: [", "run.yaml"),
        ("a: \x00", "run.yaml"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text)
    assert words in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xff\xfe\x00\x80\x81")
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("stage1", "[red]/none.npz: there is no such 2D data set. Make it with `mvlift-train prepare`."),
        ("stage2", "[red]/run/stage1/last.pt does not exist. Run `mvlift-train stage1` first."),
        ("stage3", "[red]/none.npz: there is no such 2D data set."),
        ("stage4", "[red]/run/stage3/motions.npz does not exist. Run `mvlift-train stage3` first."),
        ("all", "[red]/none.npz: there is no such 2D data set."),
    ],
)
def test_commands_say_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    """In a folder whose name a console's markup would swallow."""
    folder = tmp_path / "[red]"
    folder.mkdir()
    path = folder / "run.yaml"
    path.write_text(f"data: '{folder / 'none.npz'}'\nfolder: '{folder / 'run'}'\ndevice: cpu\n", encoding="utf-8")
    assert main([command, "--config", str(path)]) == 1
    assert words in capsys.readouterr().err


def test_messages_keep_their_brackets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("stage4: {elevation: 3}", encoding="utf-8")
    assert main(["stage1", "--config", str(path)]) == 1
    assert "Write [first, second]." in capsys.readouterr().err


def test_export_needs_a_trained_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"folder: '{tmp_path / 'run'}'\ndevice: cpu\n", encoding="utf-8")
    assert main(["export", "--config", str(path), "--folder", str(tmp_path / "export")]) == 1
    assert "Run `mvlift-train stage1` first" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("arguments", [["stage9"], ["stage1"], ["prepare"], ["evaluate", "--rowz", "flat"], []])
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name in ("prepare", "animals", "objects", "stage1", "stage4", "all", "export", "prior", "fid", "elepose",
                 "evaluate"):  # fmt: skip
        assert name in shown


@pytest.mark.parametrize("command", ["prior", "fid", "elepose", "evaluate", "animals", "objects"])
def test_further_commands_have_a_help_of_their_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"mvlift-train {command}" in capsys.readouterr().out


def test_keys_of_the_first_version_are_read(tmp_path: Path) -> None:
    assert config(tmp_path, "stage2: {every: 3}").stage2.stride == 3
    assert config(tmp_path, "stage2: {preset: quality}").stage2.preset == "fast"
