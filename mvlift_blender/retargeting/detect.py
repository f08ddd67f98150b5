"""Which bone map fits a rig: every map is scored on names, sides, hierarchy and tell-tale bones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .bone_map import MapFile, RigMap, read_maps
from .roles import LEFT, RIGHT, key, legs, roles, split_key
from .shape import RigShape
from .structure import map_by_structure

__all__ = ["Candidate", "candidates", "detect", "how_sure"]

_LEAST: Final = 0.6
"""A map with a lower score is not taken; the structure of the rig is looked at instead."""
_NAMES_ONLY: Final = 0.85
_UP: Final = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Candidate:
    """A map tried on a rig: its score in [0, 1] and the bones that it finds."""

    score: float
    rig: RigMap


class _Lookup:
    """Finds bones by name: as written, without a namespace or a map's prefix, and at last in any case."""

    def __init__(self, shape: RigShape, prefixes: Iterable[str]) -> None:
        pattern = re.compile("|".join(f"(?:{p})" for p in prefixes)) if prefixes else None
        self._exact: dict[str, str] = {}
        self._loose: dict[str, str] = {}
        self.prefixed = 0
        self.inexact = 0
        for name in shape.names:
            short = name.rsplit(":", 1)[-1]
            match = pattern.match(name) if pattern else None
            if match and match.end():
                self.prefixed += 1
                short = name[match.end() :]
            for form in (name, short):
                self._exact.setdefault(form, name)
                self._loose.setdefault(form.casefold(), name)

    def find(self, names: Iterable[str]) -> str:
        """The bone of the first alternative that there is, or ""."""
        names = tuple(names)
        for name in names:
            if name in self._exact:
                return self._exact[name]
        for name in names:
            if name.casefold() in self._loose:
                self.inexact += 1
                return self._loose[name.casefold()]
        return ""


def _coverage(file: MapFile, found: Mapping[str, str]) -> float:
    total = got = 0.0
    for role in roles(file.body).values():
        wanted = [k for k in file.bones if split_key(k)[0] == role.name]
        if not wanted:
            continue
        have = sum(k in found for k in wanted)
        share = have / len(wanted)
        if role.name in file.optional and have:
            share = 1.0
        weight = role.weight * (2 if role.sided else 1)
        total += weight
        got += weight * share
    return got / max(total, 1e-9)


def _hierarchy(body: str, found: Mapping[str, str], shape: RigShape) -> float:
    """Share of the parts that hang on the part that they should."""
    good = tried = 0
    for name in found:
        role, side, index = split_key(name)
        above = _above(body, role, side, index, found)
        if above:
            tried += 1
            good += shape.index[found[above]] in shape.ancestors[shape.index[found[name]]]
    return good / tried if tried else 0.0


def _above(body: str, role: str, side: str, index: int | None, found: Mapping[str, str]) -> str:
    """The nearest part above one that was found, or ""."""
    known = roles(body)
    if index:
        return key(role, index=index - 1) if key(role, index=index - 1) in found else ""
    while (role := known[role].parent) and role != "root":
        if known[role].chain:
            chain = sorted((k for k in found if split_key(k)[0] == role), key=lambda k: split_key(k)[2] or 0)
            if chain:
                return chain[-1]
        elif (name := key(role, side if known[role].sided else "")) in found:
            return name
    return ""


def _unbroken(found: Mapping[str, str], shape: RigShape) -> float:
    """Share of the bones between hips and head that the map names."""
    if "hips" not in found or "head" not in found:
        return 0.0
    way = shape.path(shape.index[found["head"]], shape.index[found["hips"]])
    if not way:
        return 0.0
    known = {shape.index[bone] for bone in found.values()}
    return sum(i in known for i in way) / len(way)


def _sides(body: str, found: Mapping[str, str], shape: RigShape) -> float:
    """1 when left bones are left of right ones, 0 when they are swapped; by the toes' direction when they are known."""
    pairs = [(k, k[: -len(LEFT)] + RIGHT) for k in found if split_key(k)[1] == LEFT]
    pairs = [(a, b) for a, b in pairs if b in found]
    if not pairs:
        return 0.0
    across = np.array([shape.heads[shape.index[found[a]]] - shape.heads[shape.index[found[b]]] for a, b in pairs])
    mean = across.mean(0)
    agree = float((across @ mean > 0).mean())
    front = np.zeros(3)
    for *_, foot, toe in legs(body):
        for side in (LEFT, RIGHT):
            a, b = found.get(key(foot, side)), found.get(key(toe, side))
            if a and b:
                front += shape.heads[shape.index[b]] - shape.heads[shape.index[a]]
    front[2] = 0
    left = np.cross(_UP, front)
    return 0.0 if left @ mean < 0 and np.linalg.norm(front) > 1e-3 * shape.height else agree


def _try(file: MapFile, shape: RigShape) -> Candidate:
    lookup = _Lookup(shape, file.prefixes)
    found = {name: bone for name, names in file.bones.items() if (bone := lookup.find(names))}
    inexact = lookup.inexact / max(len(found), 1)
    geometry = {name: bone for name, names in file.geometry.items() if (bone := lookup.find(names))}
    found = {k: bone for k, bone in found.items() if not file.geometry.get(k) or k in geometry}
    where = {k: geometry.get(k, bone) for k, bone in found.items()}
    controls = bool(file.geometry)
    evidence = sum(bool(lookup.find(names)) for names in file.evidence)
    shown = evidence / len(file.evidence) if file.evidence else 0.5
    hierarchy = 1.0 if controls else _hierarchy(file.body, found, shape)
    unbroken = 1.0 if controls else _unbroken(found, shape)
    fit = 0.55 + 0.2 * hierarchy + 0.1 * unbroken + 0.15 * _sides(file.body, where, shape)
    score = _coverage(file, found) * fit * (1 - 0.1 * inexact)
    score = _NAMES_ONLY * score + (1 - _NAMES_ONLY) * shown
    # of maps that fit alike, the one that knows more of the rig: controls, a prefix, more tell-tale bones
    tie = 0.02 * controls + 0.02 * bool(lookup.prefixed) + 0.002 * evidence
    named = {(limb, side): ik for (limb, side), ik in file.ik.items() if ik.control in shape.index}
    settings = tuple(s for s in file.settings if s.bone in shape.index)
    rig = RigMap(file.body, found, geometry, named, settings, file.name, file.title, min(max(score, 0.0), 1.0))
    return Candidate(score + tie if len(found) > 4 else 0.0, rig)


def candidates(shape: RigShape, files: Iterable[MapFile] | None = None) -> list[Candidate]:
    """Every map tried on a rig, best first."""
    tried = [_try(file, shape) for file in (read_maps() if files is None else files)]
    return sorted(tried, key=lambda c: -c.score)


def detect(shape: RigShape, files: Iterable[MapFile] | None = None) -> RigMap | None:
    """The map of a rig: the best of the known ones, else what its structure shows, else None."""
    best = next(iter(candidates(shape, files)), None)
    if best is not None and best.score >= _LEAST and "hips" in best.rig.bones:
        return best.rig
    guess = map_by_structure(shape)
    if guess is not None:
        return guess
    return replace(best.rig, confidence=best.score) if best is not None and best.score > 0.4 else None


def how_sure(rig: RigMap) -> str:
    """What to tell the user about a detection."""
    if not rig.name:
        return f"Unknown rig, recognised by its structure ({100 * rig.confidence:.0f} % sure): check the table"
    word = "surely" if rig.confidence > 0.85 else "probably"
    return f"{rig.title}, {word} ({100 * rig.confidence:.0f} %)"
