"""Which bone map fits a rig: maps of known programs are scored, then words in the names, then the rig's structure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from mvlift.errors import MvliftError

from .bone_map import read_maps
from .bone_map_file import prefix_length
from .recognition.bodies import Body
from .recognition.checks import problem_of
from .recognition.fingers import find_fingers
from .recognition.kinds import not_supported
from .recognition.names import BoneName, normal_forms, parse_names
from .recognition.scores import name_scores, without_false_ends
from .recognition.words import best_body
from .rig_map import MapFile, RigMap
from .roles import FINGERS, LEFT, RIGHT, key, legs, roles, split_key
from .shape import RigShape
from .structure import map_by_structure

__all__ = ["LEAST_CONFIDENCE", "Candidate", "NotRecognisedError", "candidates", "detect", "how_sure", "recognise"]

LEAST_CONFIDENCE: Final = 0.5
"""A map with less is shown in the table, and not retargeted with until the user has confirmed it."""
_KNOWN: Final = 0.85
"""Score from which on a map of a known program is taken as it stands."""
_NAMED_AFTER: Final = 0.8
_AGREES: Final = 0.8
"""Share of a map's bones that the words in the names must give too for the rig to be called that program's."""
_SURE: Final = (0.5, 0.45)
"""Confidence of an assignment by words: at names that say nothing, and what names that say all add."""
_MISSING: Final = 0.1
_OTHERWISE: Final = -0.2
"""Fit of a name below which it says another part."""
_LEAST_NAMED: Final = 0.35
_NAMES_ONLY: Final = 0.85
_UP: Final = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Candidate:
    """A map tried on a rig: its score in [0, 1] and the bones that it finds."""

    score: float
    rig: RigMap


class NotRecognisedError(MvliftError):
    """A rig is not supported or not recognised."""


@cache
def _normal_of(names: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(names, normal_forms(names), strict=True))


class _Lookup:
    """Finds bones by name: as written, without a namespace or a map's prefix, in any case, at last without suffixes."""

    def __init__(self, shape: RigShape, file: MapFile) -> None:
        written = tuple(dict.fromkeys(n for names in (*file.bones.values(), *file.evidence) for n in names))
        self._wanted, forms = _normal_of(written), _normal_of(shape.names)
        counts = Counter(forms.values())
        # control rigs have many bones whose names differ in such suffixes only
        self._normal = {} if file.geometry else {form: name for name, form in forms.items() if counts[form] == 1}
        self._exact: dict[str, str] = {}
        self._loose: dict[str, str] = {}
        self.prefixed = 0
        self.inexact = 0
        for name in shape.names:
            short = name.rsplit(":", 1)[-1]
            length = max((prefix_length(p, name) for p in file.prefixes), default=0)
            if length:
                self.prefixed += 1
                short = name[length:]
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
        for name in names:
            if self._wanted.get(name, name) in self._normal:
                self.inexact += 1
                return self._normal[self._wanted.get(name, name)]
        return ""


def _coverage(file: MapFile, bones: Mapping[str, str]) -> float:
    total = got = 0.0
    for role in roles(file.body).values():
        wanted = [k for k in file.bones if split_key(k)[0] == role.name]
        if not wanted:
            continue
        have = sum(k in bones for k in wanted)
        share = have / len(wanted)
        if role.name in file.optional and have:
            share = 1.0
        weight = role.weight * (2 if role.sided else 1)
        total += weight
        got += weight * share
    return got / max(total, 1e-9)


def _hierarchy(body: str, bones: Mapping[str, str], shape: RigShape) -> float:
    """Share of the parts that hang on the part that they should."""
    good = tried = 0
    for name in bones:
        role, side, index = split_key(name)
        above = _above(body, role, side, index, bones)
        if above:
            tried += 1
            good += shape.index[bones[above]] in shape.ancestors[shape.index[bones[name]]]
    return good / tried if tried else 0.0


def _above(body: str, role: str, side: str, index: int | None, bones: Mapping[str, str]) -> str:
    """The nearest part above one that was found, or ""."""
    known = roles(body)
    if index:
        return key(role, index=index - 1) if key(role, index=index - 1) in bones else ""
    while (role := known[role].parent) and role != "root":
        if known[role].chain:
            chain = sorted((k for k in bones if split_key(k)[0] == role), key=lambda k: split_key(k)[2] or 0)
            if chain:
                return chain[-1]
        elif (name := key(role, side if known[role].sided else "")) in bones:
            return name
    return ""


def _unbroken(bones: Mapping[str, str], shape: RigShape) -> float:
    """Share of the bones between hips and head that the map names."""
    if "hips" not in bones or "head" not in bones:
        return 0.0
    way = shape.path(shape.index[bones["head"]], shape.index[bones["hips"]])
    if not way:
        return 0.0
    known = {shape.index[bone] for bone in bones.values()}
    return sum(i in known for i in way) / len(way)


def _sides(body: str, bones: Mapping[str, str], shape: RigShape) -> float:
    """1 when left bones are left of right ones, 0 when they are swapped; by the toes' direction when they are known."""
    pairs = [(k, k[: -len(LEFT)] + RIGHT) for k in bones if split_key(k)[1] == LEFT]
    pairs = [(a, b) for a, b in pairs if b in bones]
    if not pairs:
        return 0.0
    across = np.array([shape.heads[shape.index[bones[a]]] - shape.heads[shape.index[bones[b]]] for a, b in pairs])
    mean = across.mean(0)
    agree = float((across @ mean > 0).mean())
    front = np.zeros(3)
    for *_, foot, toe in legs(body):
        for side in (LEFT, RIGHT):
            a, b = bones.get(key(foot, side)), bones.get(key(toe, side))
            if a and b:
                front += shape.heads[shape.index[b]] - shape.heads[shape.index[a]]
    front[2] = 0
    left = np.cross(_UP, front)
    return 0.0 if left @ mean < 0 and np.linalg.norm(front) > 1e-3 * shape.height else agree


def _closed_up(bones: Mapping[str, str], geometry: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Chains counted anew from 0 where the rig lacks some of a map's bones."""
    counts: Counter[tuple[str, str]] = Counter()
    renumbered, places = {}, {}
    for name, bone in bones.items():
        role, side, index = split_key(name)
        now = name if index is None else key(role, side, counts[role, side])
        counts[role, side] += 1
        renumbered[now] = bone
        if name in geometry:
            places[now] = geometry[name]
    return renumbered, places


def _try(file: MapFile, shape: RigShape) -> Candidate:
    lookup = _Lookup(shape, file)
    bones = {name: bone for name, names in file.bones.items() if (bone := lookup.find(names))}
    inexact = lookup.inexact / max(len(bones), 1)
    geometry = {name: bone for name, names in file.geometry.items() if (bone := lookup.find(names))}
    bones = {k: bone for k, bone in bones.items() if not file.geometry.get(k) or k in geometry}
    bones, geometry = _closed_up(bones, geometry)
    geometry_bones = {k: geometry.get(k, bone) for k, bone in bones.items()}
    controls = bool(file.geometry)
    evidence = sum(bool(lookup.find(names)) for names in file.evidence)
    shown = evidence / len(file.evidence) if file.evidence else 0.5
    hierarchy = 1.0 if controls else _hierarchy(file.body, bones, shape)
    unbroken = 1.0 if controls else _unbroken(bones, shape)
    fit = 0.55 + 0.2 * hierarchy + 0.1 * unbroken + 0.15 * _sides(file.body, geometry_bones, shape)
    score = _coverage(file, bones) * fit * (1 - 0.1 * inexact)
    score = _NAMES_ONLY * score + (1 - _NAMES_ONLY) * shown
    # of maps that fit alike, the one that knows more of the rig: controls, a prefix, more tell-tale bones
    tie = 0.02 * controls + 0.02 * bool(lookup.prefixed) + 0.002 * evidence
    named = {(limb, side): ik for (limb, side), ik in file.ik.items() if ik.control in shape.index}
    settings = tuple(s for s in file.settings if s.bone in shape.index)
    rig = RigMap(file.body, bones, geometry, named, settings, file.name, file.title, min(max(score, 0.0), 1.0))
    return Candidate(score + tie if len(bones) > 4 else 0.0, rig)


def candidates(shape: RigShape, files: Iterable[MapFile] | None = None) -> list[Candidate]:
    """Every map tried on a rig, best first."""
    tried = [_try(file, shape) for file in (read_maps() if files is None else files)]
    return sorted(tried, key=lambda c: -c.score)


def detect(shape: RigShape, files: Iterable[MapFile] | None = None) -> RigMap | None:
    """The map of a rig, or None where ``recognise`` refuses it."""
    try:
        return recognise(shape, files)
    except NotRecognisedError:
        return None


def recognise(shape: RigShape, files: Iterable[MapFile] | None = None) -> RigMap:
    """The map of a rig: of a known program, else by the words in its names, else by its structure.

    Args:
        shape: the rig at rest.
        files: maps that are tried, None for the shipped ones.

    Raises:
        NotRecognisedError: why the rig cannot be animated, or that nothing was recognised, and what to do.
    """
    names = without_false_ends(shape, parse_names(shape.names))
    body = best_body(shape, names)
    tried = candidates(shape, files)
    known = next((c.rig for c in tried if c.score >= _KNOWN and not problem_of(shape, c.rig)), None)
    if known is not None and known.geometry:
        return known
    reason = not_supported(shape, names, body if body is not None and not body.problem else None)
    if reason and (known is None or (body is not None and not body.problem)):
        raise NotRecognisedError(f"This rig is not supported: {reason}.", "Choose a person or a four-legged animal.")
    rig_map = _completed(known, shape, body) if known is not None else _by_words(shape, body, tried)
    if rig_map is None:
        rig_map = map_by_structure(shape)
        problem = problem_of(shape, rig_map) if rig_map is not None else ""
        if rig_map is None or problem:
            raise NotRecognisedError(
                f"This rig cannot be recognised: {_why(body, problem)}.", "Fill in the bone map's table and save it."
            )
        confidence = round(rig_map.confidence * _not_contradicted(shape, names, rig_map), 3)
        return replace(rig_map, confidence=confidence, notes=("Recognised by its shape alone: check the bone map",))
    numbers = {k: shape.index[b] for k, b in rig_map.bones.items()}
    fingers = {k: shape.names[i] for k, i in find_fingers(shape, names, numbers).items()}
    return replace(rig_map, bones={**fingers, **rig_map.bones})


def _not_contradicted(shape: RigShape, names: Sequence[BoneName], rig: RigMap) -> float:
    """A share in [0, 1] of a map's bones whose names say no other part; names that say nothing count as such."""
    table = name_scores(shape, names, rig.body)
    parts = [(split_key(k)[0], shape.index[b]) for k, b in rig.bones.items()]
    known = [table[role][i] >= _OTHERWISE for role, i in parts if role in table]
    return sum(known) / max(len(known), 1)


def _completed(rig: RigMap, shape: RigShape, body: Body | None) -> RigMap:
    """A known program's map with the parts that it does not list, such as toes, from the words."""
    if body is None or body.problem or body.body != rig.body:
        return rig
    words = {k: shape.names[i] for k, i in body.bones.items()}
    if _agreement(rig.bones, words) < _AGREES:
        return rig
    have, used = {split_key(k)[0] for k in rig.bones}, set(rig.bones.values())
    return replace(rig, bones={**rig.bones, **{k: b for k, b in words.items() if _lacks(k, b, have, used)}})


def _agreement(bones: Mapping[str, str], others: Mapping[str, str]) -> float:
    """Share of a map's bones without fingers that another gives too."""
    keys = [k for k in bones if split_key(k)[0] not in FINGERS]
    return sum(others.get(k) == bones[k] for k in keys) / max(len(keys), 1)


def _lacks(name: str, bone: str, have: set[str], used: set[str]) -> bool:
    return split_key(name)[0] not in have and bone not in used


def _why(body: Body | None, problem: str) -> str:
    if problem:
        return problem
    return body.problem if body is not None and body.problem else "no hips, spine, head and four limbs were found"


def _by_words(shape: RigShape, body: Body | None, tried: Sequence[Candidate]) -> RigMap | None:
    """The map that the words in the bones' names give, called after the known program that gives the same."""
    if body is None or body.problem or body.named < _LEAST_NAMED:
        return None
    bones = {k: shape.names[i] for k, i in body.bones.items()}
    confidence = _SURE[0] + _SURE[1] * body.named - _MISSING * len(body.missing)
    notes = tuple(f"No {roles(body.body)[m].label.lower()} was found" for m in body.missing)
    rig = RigMap(body.body, bones, confidence=round(min(max(confidence, 0.0), 0.97), 3), notes=notes)
    problem = problem_of(shape, rig)
    if problem:
        return None
    for candidate in tried[:3]:
        if candidate.score > _NAMED_AFTER and _agreement(candidate.rig.bones, bones) >= _AGREES:
            return replace(rig, name=candidate.rig.name, title=candidate.rig.title)
    return rig


def how_sure(rig: RigMap) -> str:
    """What to tell the user about a recognition."""
    check = "" if rig.confidence > _KNOWN else ": check the bone map"
    return f"{rig.title or 'Unknown program'}, confidence {100 * rig.confidence:.0f} %{check}"
