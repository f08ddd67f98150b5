"""What the parts of a body are called in bone maps, read from ``roles.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = [
    "BODIES",
    "FINGERS",
    "LEFT",
    "RIGHT",
    "SIDES",
    "Role",
    "key",
    "legs",
    "limb_keys",
    "limbs",
    "mirrored",
    "ordered_keys",
    "roles",
    "split_key",
    "toe_key",
]

LEFT: Final = "L"
RIGHT: Final = "R"
SIDES: Final = (LEFT, RIGHT)
BODIES: Final = ("human", "quadruped")
FINGERS: Final = ("thumb", "index", "middle", "ring", "pinky")
_FILE: Final = Path(__file__).with_name("roles.json")


@dataclass(frozen=True)
class Role:
    """A part of a body.

    Attributes:
        name: as in bone maps.
        label: for the table.
        parent: what it hangs on, "" for the first.
        next: what its bone points to, "" when it points along itself.
        chain: it may be any number of bones.
        sided: there is one on the left and one on the right.
        weight: how much it counts in detection.
        limit: degrees between its rest direction and the source's up to which it keeps its own; 0 never does.
        follow: takes over how that part was turned, "" for its own.
    """

    name: str
    label: str
    parent: str = ""
    next: str = ""
    chain: bool = False
    sided: bool = False
    weight: float = 1.0
    limit: float = 0.0
    follow: str = ""


@cache
def _data() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))


@cache
def roles(body: str) -> dict[str, Role]:
    """The roles of a kind of body by name, parents before children."""
    return {name: Role(name, **fields) for name, fields in _data()[body].items()}


@cache
def limbs(body: str) -> dict[str, tuple[str, ...]]:
    """Role names (upper, lower, end, and of legs the toes) of each pair of limbs by its name."""
    return {name: tuple(limb) for name, limb in _data()["limbs"][body].items()}


@cache
def legs(body: str) -> tuple[tuple[str, ...], ...]:
    """Role names (upper, lower, foot, toe) of each pair of legs."""
    return tuple(limb for limb in limbs(body).values() if len(limb) == 4)


def key(role: str, side: str = "", index: int | None = None) -> str:
    """The key of one bone: ``hips``, ``upper_arm.L``, ``spine.2``, ``thumb.L.0``."""
    return ".".join(str(part) for part in (role, side, index) if part not in ("", None))


def split_key(name: str) -> tuple[str, str, int | None]:
    """(role, side, index) of a key."""
    role, *rest = name.split(".")
    side = rest.pop(0) if rest and rest[0] in SIDES else ""
    return role, side, int(rest[0]) if rest else None


def limb_keys(body: str, limb: tuple[str, str]) -> tuple[str, str, str]:
    """Keys of the upper bone, lower bone and end of a limb (name, side)."""
    upper, lower, end = limbs(body)[limb[0]][:3]
    return key(upper, limb[1]), key(lower, limb[1]), key(end, limb[1])


def toe_key(body: str, limb: tuple[str, str]) -> str:
    """Key of the toes of a limb (name, side), "" when it has none."""
    toes = limbs(body)[limb[0]][3:]
    return key(toes[0], limb[1]) if toes else ""


def mirrored(name: str) -> str:
    """The key on the other side, or the same for the middle."""
    role, side, index = split_key(name)
    return key(role, {LEFT: RIGHT, RIGHT: LEFT}.get(side, ""), index)


def ordered_keys(body: str, keys: set[str]) -> Iterator[str]:
    """The given keys, parents before children, chains in order, left before right."""
    for role in roles(body).values():
        if role.chain:
            yield from sorted((k for k in keys if split_key(k)[0] == role.name), key=lambda k: split_key(k)[1:])
        else:
            yield from (k for k in (key(role.name, side) for side in (SIDES if role.sided else ("",))) if k in keys)
