"""The JSON of a bone map's file: its schema, and what may stand before the names of bones."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import product
from typing import Any, Final, Required, TypedDict

from mvlift.errors import DamagedFileError, MvliftError
from mvlift.safe_reading import checked

from .roles import BODIES

__all__ = ["SCHEMA", "VERSION", "BoneMapError", "checked_map", "prefix_length", "prefixes_of_version_1"]

SCHEMA: Final = "mvlift-bone-map"
VERSION: Final = 2
_LONGEST_PREFIX: Final = 80
_MOST_PREFIXES: Final = 64
_FEW_LETTERS: Final = 8
_TOKEN: Final = re.compile(r"(\\.|\[\^?\]?[^\]]*\]|[^(){}|*+?\\[])([?*+]?)", re.DOTALL)
"""A letter, an escaped letter or a class of letters, and how often it may stand there."""
Entry = str | list[str | list[str]]


class BoneMapError(MvliftError):
    """A bone map cannot be read or written."""


class _Setting(TypedDict):
    bone: str
    property: str
    value: bool | int | float


class _Switch(TypedDict):
    bone: str
    property: str
    ik: float
    fk: float


class _Limb(TypedDict, total=False):
    control: Required[str]
    pole: str
    switch: _Switch | None
    settings: list[_Setting]
    toe: str
    bend: str
    heel: str


class _Map(TypedDict, total=False):
    version: int
    name: Required[str]
    title: str
    sides: dict[str, str]
    prefixes: Entry
    bones: Required[dict[str, Entry | dict[str, Entry]]]
    optional: Entry
    evidence: list[str | list[str]]
    geometry: dict[str, Entry | dict[str, Entry]]
    ik: dict[str, dict[str, Any]]
    settings: list[_Setting]


def checked_map(data: Any, source: str) -> Mapping[str, Any]:
    """The data of a map's file, whose values are of the types of the schema; prefixes of version 1 are translated.

    Raises:
        BoneMapError: it is none, is of a later version, or a value is of another type.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise BoneMapError(f"{source} is not an MVLift bone map.", f'It should say "schema": "{SCHEMA}".')
    version = data.get("version", 0)
    if not isinstance(version, int):
        raise BoneMapError(f"{source}: version is {version!r}.", f"It should be {VERSION}, a whole number.")
    if version > VERSION:
        raise BoneMapError(f"{source} is a bone map of version {version}.", "Update MVLift to read it.")
    if data.get("body") not in BODIES:
        raise BoneMapError(f"{source}: body is {data.get('body')!r}.", f"Use one of {', '.join(BODIES)}.")
    try:
        result = checked(data, _Map, source)
        for limb in result.get("ik", {}).values():
            for entry in (limb[side] for side in ("L", "R") if side in limb):
                checked(entry, _Limb, f"{source}: ik")
            if limb and not {"L", "R"} & set(limb):
                checked(limb, _Limb, f"{source}: ik")
    except DamagedFileError as error:
        reason = error.message.removeprefix(f"{source}: ").rstrip(".")
        raise BoneMapError(
            f"{source} is not a complete bone map ({reason})", "Compare it with docs/bone-maps.md."
        ) from error
    prefixes = _prefix_list(result.get("prefixes", []), source)
    if version < 2:
        prefixes = [p for pattern in prefixes for p in prefixes_of_version_1(pattern, source)]
    return {**result, "body": data["body"], "prefixes": prefixes}


def _prefix_list(entry: Any, source: str) -> list[str]:
    """The prefixes of a file, which are a text or a list of a few."""
    prefixes: list[Any] = [entry] if isinstance(entry, str) else list(entry)
    if any(not isinstance(p, str) or len(p) > _LONGEST_PREFIX for p in prefixes) or len(prefixes) > _MOST_PREFIXES:
        raise BoneMapError(
            f"{source}: a prefix is no text, or is too long.",
            f"Give up to {_MOST_PREFIXES} prefixes of up to {_LONGEST_PREFIX} letters.",
        )
    return prefixes


def prefix_length(pattern: str, name: str) -> int:
    """Letters of a name that a prefix takes, as many as it can; 0 where the name begins otherwise.

    Args:
        pattern: ``#`` is any number of digits or none, ``*`` any letters or none, ``?`` one letter; any other stands
            for itself.
        name: of a bone.
    """
    ends = {0}
    for letter in pattern:
        if letter == "*":
            ends = set(range(min(ends), len(name) + 1))
        elif letter == "#":
            ends = {e for start in ends for e in range(start, start + _digits(name[start:]) + 1)}
        else:
            ends = {e + 1 for e in ends if e < len(name) and letter in ("?", name[e])}
        if not ends:
            return 0
    return max(ends)


def _digits(text: str) -> int:
    return len(text) - len(text.lstrip("0123456789"))


def prefixes_of_version_1(pattern: str, source: str) -> list[str]:
    """A prefix of version 1, which was a simple regular expression, as prefixes of today.

    Args:
        pattern: letters, ``.``, ``\\d``, ``\\w``, classes such as ``[:_]``, and ``? * +`` behind them.
        source: of messages.

    Raises:
        BoneMapError: it is another pattern.
    """
    tokens = list(_TOKEN.finditer(pattern.removeprefix("^")))
    if "".join(t[0] for t in tokens) != pattern.removeprefix("^"):
        raise BoneMapError(
            f"{source}: the prefix {pattern[:40]!r} is not supported.",
            'Write "version": 2 and prefixes of letters, # for digits, ? for a letter, * for any letters.',
        )
    choices = [_choices(t[1], t[2]) for t in tokens]
    if math.prod(map(len, choices)) > _MOST_PREFIXES:
        choices = [c if len(c) == 1 else ["*"] if "" in c else ["?"] for c in choices]
    return ["".join(parts) for parts in product(*choices)]


def _choices(token: str, repeat: str) -> list[str]:
    """What a part of a pattern of version 1 may stand for, as parts of prefixes of today."""
    letters = _letters(token)
    if letters == ["#"]:
        return letters
    if letters == ["?"]:
        return {"": ["?"], "?": ["?", ""], "*": ["*"], "+": ["?*"]}[repeat]
    if repeat in ("*", "+") and len(letters) > 1:
        return ["*"] if repeat == "*" else ["?*"]
    once = list(letters)
    return {"": once, "?": [*once, ""], "*": [2 * once[0], once[0], ""], "+": [2 * once[0], once[0]]}[repeat]


def _letters(token: str) -> list[str]:
    if token in (r"\d", "[0-9]", r"[\d]"):
        return ["#"]
    if token.startswith("[") and len(token) > 1:
        inside = token[1:-1].replace("\\", "")
        plain = 0 < len(inside) <= _FEW_LETTERS and not inside.startswith("^") and "-" not in inside[1:-1]
        return list(inside) if plain else ["?"]
    if token.startswith("\\"):
        return ["?"] if token[1:].isalnum() else [token[1:]]
    return ["?"] if token == "." else [token]
