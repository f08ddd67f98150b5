"""From the keypoint names that people and tools write to the vocabulary of the layouts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Literal

from mvlift.keypoints.layouts import Layout, get_layout, layout_names

__all__ = ["keypoint_name", "layout_of_names"]

Family = Literal["human", "quadruped", "other"]
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SIDES: Final = {"l": "l", "left": "l", "near": "l", "r": "r", "right": "r", "off": "r"}
_LEGS: Final = {"lf": ("l", "front"), "rf": ("r", "front"), "lh": ("l", "back"), "rh": ("r", "back")} | {
    "lb": ("l", "back"),
    "rb": ("r", "back"),
}
_ENDS: Final = {"f": "front", "fore": "front", "front": "front", "b": "back", "hind": "back", "rear": "back"}
# a bare "hip" in a human list is the middle of the pelvis when sided hips are there too
_MIDDLE: Final = {"hip": "mid_hip"}
_ANIMAL_MARKS: Final = frozenset(
    [
        "tail_root",
        "withers",
        "front_paw",
        "back_paw",
        "throat",
        "front_knee",
        "hock",
        "front_fetlock",
        "back_fetlock",
        "poll",
        "croup",
        "antler_base",
    ]
)


_FINGERS: Final = {
    "thumb": 0,
    **dict.fromkeys(("forefinger", "fore_finger", "index", "index_finger"), 1),
    **dict.fromkeys(("middle", "middle_finger"), 2),
    **dict.fromkeys(("ring", "ring_finger"), 3),
    **dict.fromkeys(("pinky", "pinky_finger", "little_finger"), 4),
}
_JOINTS: Final = {"tip": 4, "first_joint": 3, "second_joint": 2, "third_joint": 1} | {
    "mcp": 1,
    "pip": 2,
    "dip": 3,
    "cmc": 1,
    "ip": 3,
}
_FINGER: Final = re.compile(rf"({'|'.join(_FINGERS)})_?([1-4]|{'|'.join(_JOINTS)})")


@cache
def _aliases() -> dict[str, dict[str, str]]:
    data = json.loads((Path(__file__).parent / "names.json").read_text(encoding="utf-8"))
    return {k: v for k, v in data.items() if isinstance(v, dict)}


def _split(name: str) -> tuple[str, str, tuple[str, ...]]:
    """(side "l", "r" or "", end "front", "back" or "", the other words in lower case)."""
    side = end = ""
    rest: list[str] = []
    for word in (w.lower() for w in _WORDS.findall(name)):
        glued = re.fullmatch(r"(left|right|near|off)(front|hind|)(\w+)", word)
        if word in _LEGS and not side:
            side, end = _LEGS[word]
        elif word in _SIDES and not side:
            side = _SIDES[word]
        elif glued and not side:
            side, end = _SIDES[glued[1]], _ENDS.get(glued[2], end)
            rest.append(glued[3])
        elif word in _ENDS and not end:
            end = _ENDS[word]
        else:
            rest.append(word)
    return side, end, tuple(rest)


@lru_cache(maxsize=4096)
def _canonical(name: str, family: Family, dialect: str = "") -> str:
    side, end, words = _split(name)
    aliases = _aliases()
    tables = ([aliases[dialect]] if dialect else []) + [aliases.get(family, {}), aliases["both"]]
    key = end + "".join(words)
    word = next((t[key] for t in tables if key in t), None)
    if word is None:
        word = "_".join(w for w in (end, *words) if w) or name.strip().lower() or "unnamed"
        word = _finger(word) or word
    return f"{side}_{word}" if side else word


def _finger(words: str) -> str | None:
    """``hand_1`` to ``hand_20`` of a finger's name and a joint: a number from the palm, or a word.

    Goliath and Momentum count joints from the tip: ``first_joint`` is next to it, ``third_joint`` the knuckle.
    """
    match = _FINGER.fullmatch(words)
    if match is None:
        return None
    joint = int(match[2]) if match[2].isdigit() else _JOINTS[match[2]]
    return f"hand_{4 * _FINGERS[match[1]] + joint}" if 1 <= joint <= 4 else None


def _plain(canonical: str) -> str:
    return canonical[2:] if canonical[:2] in ("l_", "r_") else canonical


def _family(names: Sequence[str]) -> Family:
    as_animal = {_plain(_canonical(n, "quadruped")) for n in names}
    if len(as_animal & _ANIMAL_MARKS) >= 2:
        return "quadruped"
    human = {_canonical(n, "human") for n in names}
    known = set(get_layout("mediapipe33").names) | set(get_layout("body25").names)
    return "human" if len(human & known) >= 5 else "other"


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    taken: dict[str, int] = {}
    made = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        made.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return tuple(made)


def keypoint_name(name: str) -> str:
    """A keypoint's name in the vocabulary of the layouts, or as written in lower case."""
    return _canonical(name, "other")


def layout_of_names(names: Sequence[str]) -> Layout:
    """The layout of a file that names its keypoints.

    Args:
        names: one for each keypoint, in file order, as written ("LShoulder", "left_shoulder", "Nearfrontfoot").

    Returns:
        The known layout with the same names in the same order, else a layout called "named" with the names in the
        vocabulary where they were understood and as written where not. Its family is "human", "quadruped" or "other".
    """
    family = _family(names)
    dialect = "superanimal" if any("thai" in n.lower() for n in names) else ""
    made = _unique([_canonical(n, family, dialect) for n in names])
    if family == "human" and "l_hip" in made:
        made = tuple(_MIDDLE.get(n, n) for n in made)
    for known in map(get_layout, layout_names()):
        if known.names == made:
            return known
    known_bones = {b for k in map(get_layout, layout_names()) if k.family == family for b in k.bones}
    bones = tuple(sorted(b for b in known_bones if b[0] in made and b[1] in made))
    derived = {"neck": ("l_shoulder", "r_shoulder"), "mid_hip": ("l_hip", "r_hip")} if family == "human" else {}
    derived = {k: v for k, v in derived.items() if k not in made and all(p in made for p in v)}
    return Layout("named", made, bones, derived, f"Named keypoints ({len(made)})", family)
