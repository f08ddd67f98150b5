"""The options of a lift, stated once: `mvlift.lift`, the command line, the engine's messages and Blender take them from
here. A new option is one field of `LiftOptions`."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, fields, replace
from fractions import Fraction
from functools import cache
from math import isfinite
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from mvlift.errors import LiftError
from mvlift.keypoints.rates import checked_rate
from mvlift.lifting.constraints import Constraints
from mvlift.lifting.objects.shape import ObjectShape
from mvlift.lifting.subjects import Subject

__all__ = ["RETIRED_PRESETS", "LiftOptions", "current_preset", "option_fields", "option_help", "option_type",
           "parse_frames", "parse_numbers", "parse_size", "takes_options", "with_changes"]  # fmt: skip

Call = TypeVar("Call", bound=Callable[..., Any])
RETIRED_PRESETS: Final = {"quality": "fast"}
"""Presets of earlier versions, in files and commands -> the one that is used now. "quality" compared four samples:
three times the time for an error less than 1 % smaller."""


@dataclass(frozen=True)
class LiftOptions:
    """How a clip is lifted.

    Raises:
        MvliftError: a value is out of range; numbers that were typed as text are read.
    """

    subject: str | Subject = "human"
    """What is lifted: a subject by name, or the file of one of your own."""
    preset: Literal["fast", "paper"] = "fast"
    """How much is computed: "fast" keeps up with video, "paper" does as published, hundreds of times slower."""
    device: str | None = None
    """Where the networks run: "auto", "cpu", "cuda", "cuda:1", "mps"; None for the best there is."""
    height: float | None = None
    """Standing height in metres (of an animal: at the withers), which sets the scale of everything."""
    focal: float | None = None
    """Focal length in pixels; None for 1.1 times the longer side of the picture."""
    fps: Fraction | None = None
    """Frames per second of the video: 25, 29.97 (which means 30000/1001) or 30000/1001; None for the clip's."""
    image_size: tuple[int, int] | None = None
    """Width and height of the video in pixels (1920x1080); None for the clip's."""
    seed: int = 0
    """Seed of the random numbers: the same seed gives the same motion, another seed another plausible one."""
    smoothing: float = 1.0
    """Multiplier on temporal smoothing of keypoints and body; 0 disables it."""
    body: str | None = None
    """An SMPL-family model file of your own, instead of the default body."""
    models: dict[str, str] | None = None
    """Role ("multiview", "line") -> weights by name or path, instead of the subject's."""
    rigid_object: ObjectShape | None = None
    """Keypoints and size of the object, for a subject with one; None for the subject's own, of unknown size."""
    hands: Literal["auto", "off", "relaxed"] = "auto"
    """"auto": wrists turn and fingers bend where hands are seen; "off": SMPL's 24 joints, wrists in line with the
    forearm; "relaxed": SMPL-H's 52 joints, fingers at rest."""
    camera: str | None = None
    """Where the camera was: the file of a camera track, "estimate" (of a video that pans or zooms), or "static"."""
    tilt: float | None = None
    """Degrees by which the camera looks down (negative: up), where it is known and level; None to estimate gravity."""
    up: tuple[float, float, float] | None = None
    """Direction against gravity (0,-1,0), in camera axes: x right, y down, z forward; of a moving camera: in its
    track's world."""
    horizon: tuple[float, float, float, float] | None = None
    """Two points of the horizon in pixels (X1,Y1,X2,Y2) of the first frame."""
    verticals: tuple[float, float, float, float, float, float, float, float] | None = None
    """Two lines of the first frame that are vertical in the scene, in pixels (X1,Y1,X2,Y2,X3,Y3,X4,Y4)."""
    pin_contacts: bool = True
    """Hold feet, hands, knees and seat at one place for as long as they rest."""
    frames: tuple[int, int] | None = None
    """First and last frame number of the video to lift (120-480); None for all."""
    constraints: str | Constraints | None = None
    """Poses and pins that the motion has to meet: a JSON file, see the guide "Fix it there". Or the word seated: hips
    and knees are bent as on a chair, for somebody whose legs are not in the picture."""
    start_from: str | None = None
    """A motion (.npz) lifted before from the same keypoints, which is kept: only the constraints change it."""
    threads: int | None = None
    """Threads of the processor; None for the number that was measured to be best."""

    def __post_init__(self) -> None:
        set_field = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        set_field("fps", checked_rate(self.fps))
        set_field("image_size", parse_size(self.image_size) if isinstance(self.image_size, str) else self.image_size)
        set_field("frames", parse_frames(self.frames) if isinstance(self.frames, str) else self.frames)
        for name, kind in _types().items():
            retired = name == "preset" and getattr(self, name) in RETIRED_PRESETS
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind) and not retired:
                raise LiftError(f"There is no {name} {getattr(self, name)!r}.", f"Choose {', '.join(get_args(kind))}.")
        self._check_gravity()
        if not 0 <= self.smoothing < float("inf"):
            raise LiftError(f"smoothing is {self.smoothing:g}.", "Give 0 or more.")
        if self.threads is not None and self.threads < 1:
            raise LiftError(f"{self.threads} threads are too few.", "Give 1 or more, or nothing for the best number.")

    def _check_gravity(self) -> None:
        for name, count in (("up", 3), ("horizon", 4), ("verticals", 8)):
            value = getattr(self, name)
            object.__setattr__(self, name, parse_numbers(value, count, name) if value else None)
        stated = [name for name in ("tilt", "up", "horizon", "verticals") if getattr(self, name) is not None]
        if len(stated) > 1:
            raise LiftError(f"Gravity is given twice, by {stated[0]} and by {stated[1]}.", "Give one of them.")
        if self.tilt is not None and not -90 <= self.tilt <= 90:
            raise LiftError(f"A camera cannot look down by {self.tilt:g} degrees.", "Give -90 to 90.")
        if self.up is not None and not any(self.up):
            raise LiftError("up is 0, which is no direction.", "Give three numbers, such as 0,-1,0.")

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold.

        Raises:
            LiftError: the subject is an object of this process and not a name or file.
        """
        if isinstance(self.subject, Subject):
            raise LiftError(f"The subject {self.subject.name} is not a file.", "Give its name or file.")
        held = self.constraints
        return {
            **self.__dict__,
            "fps": None if self.fps is None else str(self.fps),
            "rigid_object": None if self.rigid_object is None else self.rigid_object.to_json(),
            "constraints": held.to_json() if isinstance(held, Constraints) else held,
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> LiftOptions:
        """Inverse of ``to_json``; unknown names raise TypeError."""
        pairs = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        shape, held = values.get("rigid_object"), values.get("constraints")
        made = {
            "rigid_object": ObjectShape.from_json(shape) if shape else None,
            "constraints": Constraints.from_json(held) if isinstance(held, dict) else held,
        }
        return LiftOptions(**{**values, **pairs, **made})


def parse_size(text: str) -> tuple[int, int] | None:
    """Width and height as typed, None for nothing.

    Raises:
        LiftError: it is none.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,6})[x,](\d{1,6})", text)
    if not match or not int(match[1]) or not int(match[2]):
        raise LiftError(f"{text!r} is not an image size.", "Give width and height, such as 1920x1080.")
    return int(match[1]), int(match[2])


def parse_frames(text: str) -> tuple[int, int] | None:
    """A frame range as typed, None for nothing.

    Raises:
        LiftError: it is none.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d+)[-:](\d+)", text)
    if not match or int(match[2]) <= int(match[1]):
        raise LiftError(f"{text!r} is not a frame range.", "Give first and last frame, such as 120-480.")
    return int(match[1]), int(match[2])


def parse_numbers(value: str | Iterable[float], count: int, name: str) -> tuple[float, ...]:
    """So many finite numbers, typed with commas or spaces between them, or given as such.

    Raises:
        LiftError: they are not.
    """
    parts = re.split(r"[,;\s]+", value.strip()) if isinstance(value, str) else list(value)
    try:
        numbers = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != count or not all(map(isfinite, numbers)):
        raise LiftError(f"{name} is {value!r}.", f"Give {count} numbers with commas between them.")
    return numbers


def option_fields() -> tuple[Field[Any], ...]:
    """The options, in their order."""
    return fields(LiftOptions)


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(LiftOptions)


def option_type(name: str) -> tuple[Any, bool]:
    """Type of an option without None, and whether it may be None; a subject is a name."""
    kind = _types()[name]
    if get_args(kind) and type(None) in get_args(kind):
        return get_args(kind)[0], True
    return (str if str in get_args(kind) else kind), False


@cache
def option_help() -> dict[str, str]:
    """Name -> docstring of each option; empty where the source is not at hand."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(LiftOptions))).body[0]
    except (OSError, SyntaxError):
        return {field.name: "" for field in option_fields()}
    assert isinstance(body, ast.ClassDef)
    help_of = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            assert isinstance(after, ast.Expr)
            assert isinstance(after.value, ast.Constant)
            help_of[statement.target.id] = str(after.value.value)
    return help_of


def takes_options(function: Call) -> Call:
    """Decorator of a function (clip, options, *, progress, **changes): signature and docstring state the options."""
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    stated = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in option_fields()
    ]
    before = [p for p in parameters if p not in keyword]
    function.__signature__ = signature.replace(parameters=[*before, *stated, *keyword])  # type: ignore[attr-defined]
    lines = [f"        {name}: {text}" for name, text in option_help().items()]
    function.__doc__ = (function.__doc__ or "").replace("        changes: options by name.", "\n".join(lines))
    return function


def current_preset(options: LiftOptions) -> tuple[LiftOptions, list[str]]:
    """Options whose preset is one of today's, and what to say of it: an earlier version's name goes on working."""
    name = RETIRED_PRESETS.get(options.preset)
    if name is None:
        return options, []
    note = f"The preset {options.preset!r} is no longer there: it was hardly better than {name!r}, which was used."
    return replace(options, preset=cast(Any, name)), [note]


def with_changes(options: LiftOptions | None, changes: dict[str, Any]) -> LiftOptions:
    """Options with some of them given by name.

    Raises:
        TypeError: there is no option of that name.
    """
    unknown = sorted(set(changes) - {f.name for f in option_fields()})
    if unknown:
        raise TypeError(f"lift() has no option {unknown[0]!r}; there are {', '.join(f.name for f in option_fields())}")
    return replace(options or LiftOptions(), **changes)
