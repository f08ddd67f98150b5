"""The options of a lift are stated once: a new field of `LiftOptions` reaches Python, the command line, the engine."""

from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys
from fractions import Fraction

import mvlift
import pytest
from mvlift.errors import KeypointError, LiftError
from mvlift.keypoints.rates import checked_rate, exact_rate
from mvlift.lifting.options import LiftOptions, current_preset, option_fields, option_help, option_type, with_changes
from mvlift.lifting.subjects import get_subject
from scenes import WALK

NAMES = [f.name for f in option_fields()]
SPELT_OTHERWISE = {"pin_contacts": "--pin-contacts", "models": "--weights", "rigid_object": "--object-shape"}
"""Options that the command line asks for in its own way."""


def test_every_option_has_a_sentence() -> None:
    assert list(option_help()) == NAMES
    assert all(text.endswith(".") and len(text) > 10 for text in option_help().values())


def test_the_function_states_the_options() -> None:
    parameters = inspect.signature(mvlift.lift).parameters
    assert list(parameters) == ["clip", "options", *NAMES, "progress"]
    for field in option_fields():
        assert parameters[field.name].default == field.default
        assert f"{field.name}: {option_help()[field.name]}" in str(mvlift.lift.__doc__)


def help_of(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from mvlift.cli import main; main()", command, "--help"],
        capture_output=True, text=True, timeout=60, check=True, env=WIDE,
    )  # fmt: skip
    return " ".join(done.stdout.replace("│", " ").split())


WIDE = {**dict(__import__("os").environ), "COLUMNS": "200"}


def test_the_command_line_states_the_options() -> None:
    text = help_of("lift")
    for name in NAMES:
        assert SPELT_OTHERWISE.get(name, f"--{name.replace('_', '-')} ") in text
        if name not in SPELT_OTHERWISE:
            assert " ".join(option_help()[name].split()) in text


def test_a_new_option_is_one_edit() -> None:
    """A field that is added to the dataclass, and nothing else: every place that states options has it."""
    code = """
import pathlib, sys
import mvlift.lifting
path = pathlib.Path(mvlift.lifting.__file__).with_name("options.py")
text = path.read_text().replace(
    "    threads: int | None = None\\n",
    '    brand_new: int = 7\\n    \\"\\"\\"Brand new, in metres.\\"\\"\\"\\n    threads: int | None = None\\n')
import importlib.util, linecache
loader = importlib.util.spec_from_loader("mvlift.lifting.options", None, origin=str(path) + ".new")
module = importlib.util.module_from_spec(loader)
linecache.cache[str(path) + ".new"] = (len(text), None, text.splitlines(True), str(path) + ".new")
module.__file__ = str(path) + ".new"
sys.modules["mvlift.lifting.options"] = module
exec(compile(text, str(path) + ".new", "exec"), module.__dict__)
import inspect, mvlift
from mvlift.cli import Lift
from mvlift.commands.lift import _options
assert "brand_new" in inspect.signature(mvlift.lift).parameters
assert "brand_new: Brand new, in metres." in mvlift.lift.__doc__
options = _options(Lift(inputs=[], output=[], brand_new=9))
assert options.brand_new == 9
assert module.LiftOptions.from_json(options.to_json()).brand_new == 9
from mvlift.cli import main
main(["lift", "--help"])
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=WIDE)
    assert done.returncode == 0, done.stderr
    assert "--brand-new INT" in done.stdout


def test_options_and_changes() -> None:
    options = with_changes(LiftOptions(seed=3, height=1.8), {"seed": 4})
    assert (options.seed, options.height) == (4, 1.8)
    with pytest.raises(TypeError, match="no option 'colour'"):
        with_changes(None, {"colour": "red"})
    assert option_type("fps") == (Fraction, True)
    assert option_type("subject") == (str, False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smoothing": -1.0}, "smoothing is -1"),
        ({"smoothing": float("nan")}, "smoothing is nan"),
        ({"threads": 0}, "0 threads"),
        ({"hands": "tied"}, "no hands 'tied'"),
        ({"preset": "slow"}, "no preset 'slow'"),
        ({"fps": "fast"}, "not a frame rate"),
        ({"fps": -3}, "not a frame rate"),
        ({"image_size": "big"}, "not an image size"),
        ({"image_size": "0x10"}, "not an image size"),
        ({"frames": "9-2"}, "not a frame range"),
    ],
)
def test_values_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises((LiftError, KeypointError), match=message):
        LiftOptions(**changes)  # type: ignore[arg-type]


def test_what_is_typed_is_read() -> None:
    options = LiftOptions(fps="29.97", image_size="1920x1080", frames="120-480")  # type: ignore[arg-type]
    assert options == LiftOptions(fps=Fraction(30000, 1001), image_size=(1920, 1080), frames=(120, 480))
    again = LiftOptions.from_json(json.loads(json.dumps(options.to_json())))
    assert again == options
    with pytest.raises(LiftError, match="not a file"):
        LiftOptions(subject=get_subject("human")).to_json()
    assert dataclasses.is_dataclass(options)


@pytest.mark.parametrize(
    ("stated", "exact"),
    [
        (23.976, Fraction(24000, 1001)), (23.98, Fraction(24000, 1001)), (24, Fraction(24)), (25.0, Fraction(25)),
        (29.97, Fraction(30000, 1001)), ("29.97", Fraction(30000, 1001)), ("29,97", Fraction(30000, 1001)),
        ("30000/1001", Fraction(30000, 1001)), (Fraction(2997, 100), Fraction(2997, 100)), (30, Fraction(30)),
        (47.952, Fraction(48000, 1001)), (59.94, Fraction(60000, 1001)), (119.88, Fraction(120000, 1001)),
        (239.76, Fraction(240000, 1001)), (12.5, Fraction(25, 2)), ("7.5", Fraction(15, 2)),
        (0, None), (-25, None), (float("nan"), None), (float("inf"), None), (1e5, None), ("", None), ("fast", None),
        ("1/0", None), ("-3/2", None), ("20000/1", None),
    ],
)  # fmt: skip
def test_one_exact_frame_rate(stated: float | str | Fraction, exact: Fraction | None) -> None:
    assert exact_rate(stated) == exact


def test_a_rate_means_the_same_wherever_it_is_given() -> None:
    read = mvlift.read_keypoints(WALK, fps=29.97, image_size=(1280, 720))[0]
    assert read.fps == checked_rate(29.97) == LiftOptions(fps=29.97).fps  # type: ignore[arg-type]
    assert checked_rate(None) is None


def test_a_preset_of_an_earlier_version_goes_on_and_is_said() -> None:
    options, notes = current_preset(LiftOptions.from_json({"preset": "quality", "seed": 4}))
    assert (options.preset, options.seed) == ("fast", 4)
    assert "'quality' is no longer there" in notes[0]
    assert current_preset(LiftOptions(preset="paper")) == (LiftOptions(preset="paper"), [])
