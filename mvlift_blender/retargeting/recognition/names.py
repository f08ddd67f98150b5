"""Names of bones as what they say: side, body words, numbers. Prefixes, namespaces and suffixes are stripped first."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["BoneName", "normal_forms", "parse_names", "vocabulary"]

_FILE: Final = Path(__file__).with_name("vocabulary.json")
_NAMESPACE: Final = re.compile(r"^.*[:|]")
_COPY: Final = re.compile(r"\.(\d{3})$")
_NUMBERED: Final = re.compile(r"_0*\d{1,3}$")
_BRACKETED: Final = re.compile(r"(?<=\w)\s*\[[^\]]*\]$")
"""An abbreviation of the name behind the name."""
_ALPHABET: Final = re.compile(r"[a-z\u0400-\u04ff]+")
"""Scripts whose words are long enough not to be found in one another by chance."""
_PIECES: Final = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")
_COMMON: Final = 0.6
"""A first word that this share of a rig's bones begin with says nothing about any of them."""
_SUFFIXED: Final = 0.75
"""From this share of bones with a number at the end on, the number is an importer's."""
_CORNERS: Final = 3
"""Least bones of each corner, or of front and hind, for letters to be read so."""
_GLUED: Final = 3
"""Least letters of a word that is found inside another without a border."""


@dataclass(frozen=True)
class BoneName:
    """What the name of a bone says.

    Attributes:
        text: the name.
        side: "L", "R", "" for none.
        atoms: body words of the vocabulary.
        number: the last number in it, None without.
        stem: the name without side and numbers; equal for a pair.
        key: the name without side, with numbers; a bone and its mate have the same.
        unknown: words that are in no vocabulary.
    """

    text: str
    side: str
    atoms: frozenset[str]
    number: int | None
    stem: tuple[str, ...]
    key: tuple[str, ...]
    unknown: tuple[str, ...]


@cache
def vocabulary() -> dict[str, Any]:
    """The words of ``vocabulary.json``."""
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """Atoms by word."""
    return {_plain(w): tuple(atoms.split("+")) for atoms, words in vocabulary()["words"].items() for w in words}


@cache
def _sides() -> dict[str, str]:
    return {word: side for side, words in vocabulary()["sides"].items() for word in words}


@cache
def _longest() -> int:
    return max(map(len, _words()))


def _plain(text: str) -> str:
    """Lower case without accents; full-width and half-width letters become ordinary ones."""
    text = unicodedata.normalize("NFKC", text).replace("ß", "ss")
    if text.isascii():
        return text.casefold()
    # only Latin letters lose their marks: the voicing marks of kana tell words apart
    kept = []
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        kept.append(parts[0] if parts[0].isascii() else letter)
    return "".join(kept).casefold()


def _pieces(text: str) -> list[str]:
    """Runs of letters, at camel-case borders too, and numbers."""
    text = unicodedata.normalize("NFKC", text)
    marked = "".join(
        unicodedata.normalize("NFD", c)[0] if unicodedata.normalize("NFD", c)[0].isascii() else c for c in text
    )
    return [_plain(piece) for piece in _PIECES.findall(marked.replace("ß", "ss"))]


def _segment(piece: str) -> tuple[str, ...]:
    """A run of letters as known words and sides, as few as can be; itself when it cannot be divided without rest."""
    if piece in _words() or piece in _sides() or piece.isdigit() or piece in vocabulary()["junk"]:
        return (piece,)
    latin = bool(_ALPHABET.fullmatch(piece))
    best: list[tuple[int, tuple[str, ...]] | None] = [(0, ()), *([None] * len(piece))]
    for end in range(1, len(piece) + 1):
        for start in range(max(0, end - _longest()), end):
            before, word = best[start], piece[start:end]
            if before is None:
                continue
            edge = start == 0 or end == len(piece)
            known = word in _words() and (not latin or len(word) >= _GLUED or word == "ik" or word == "up")
            known = known or (latin and word in vocabulary()["junk"] and len(word) >= _GLUED)
            side = word in _sides() and word not in ("m", "c", "der", "mid") and (edge or not latin)
            if (known or side) and (best[end] is None or before[0] + 1 < best[end][0]):  # type: ignore[index]
                best[end] = (before[0] + 1, (*before[1], word))
    segmentation = best[-1]
    if segmentation is not None:
        return segmentation[1]
    return (piece,) if latin else _cjk(piece)


def _cjk(piece: str) -> tuple[str, ...]:
    """Japanese and Chinese without spaces: the longest known words from the left, what is between them passed over."""
    words, at = [], 0
    rest = ""
    while at < len(piece):
        for length in range(min(_longest(), len(piece) - at), 0, -1):
            word = piece[at : at + length]
            if word in _words() or word in _sides():
                words.append(word)
                at += length
                break
        else:
            rest += piece[at]
            at += 1
    return (*words, rest) if rest else tuple(words)


def _stripped(names: Sequence[str]) -> list[str]:
    """Names without namespaces, copy numbers and an importer's numbers."""
    short = [_BRACKETED.sub("", _COPY.sub(r"_\1", _NAMESPACE.sub("", name))) for name in names]
    numbered = [bool(_NUMBERED.search(name)) for name in short]
    numbers = {m[0] for name in short if (m := _NUMBERED.search(name))}
    # an importer numbers every bone once; a chain's own numbers come again and again
    if sum(numbered) >= _SUFFIXED * len(short) and len(numbers) > 0.8 * sum(numbered):
        short = [_NUMBERED.sub("", name) for name in short]
    return short


def _without_common(rows: list[list[str]]) -> list[list[str]]:
    """Rows of words without first words that most rows share and that name no part, one after the other."""
    for _ in range(3):
        first = Counter(row[0] for row in rows if len(row) > 1)
        common = {
            word
            for word, count in first.items()
            if count >= max(_COMMON * len(rows), 4) and word not in _sides() and not _names_part(word)
        }
        if not common:
            return rows
        rows = [row[1:] if row and row[0] in common and len(row) > 1 else row for row in rows]
    return rows


def _names_part(word: str) -> bool:
    parts = vocabulary()["kinds"]["part"]
    return any(atom in parts and atom != "root" for atom in _words().get(word, ()))


def parse_names(names: Sequence[str]) -> tuple[BoneName, ...]:
    """What the names of a rig's bones say, all together: what is common to all is no information."""
    rows = [[w for piece in _pieces(name) for w in _segment(piece)] for name in _stripped(names)]
    rows = _with_corners([_joined(row) for row in _without_common(rows)])
    extra = _weak_sides(rows)
    rows = _with_ends(rows, extra)
    present = {tuple(row) for row in rows}
    return tuple(_one(text, row, extra, present) for text, row in zip(names, rows, strict=True))


def _with_corners(rows: list[list[str]]) -> list[list[str]]:
    """Rows in which a word such as LF, on a rig that has all four corners, stands as its side and its end."""
    counts = Counter(w for row in rows for w in row)
    for words in vocabulary()["corners"]:
        if min(counts[w] for w in words) >= _CORNERS:
            meant = dict(zip(words, (("l", "front"), ("r", "front"), ("l", "hind"), ("r", "hind")), strict=True))
            return [[w for word in row for w in meant.get(word, (word,))] for row in rows]
    return rows


def _with_ends(rows: list[list[str]], extra: Mapping[str, str]) -> list[list[str]]:
    """Rows in which letters that stand for front and hind, on a rig whose legs all have one, are those words."""
    said = _atoms_of([word for row in rows for word in row])
    for pair in vocabulary()["weak_ends"]:
        if not set(pair) & extra.keys():
            of_legs = [row for row in rows if not {"leg", "foot"}.isdisjoint(_atoms_of(row))]
            counts = [sum(letter in row[:2] for row in of_legs) for letter in pair]
            both = sum(counts)
            if min(counts) >= _CORNERS and both == len(of_legs) and {"front", "hind"}.isdisjoint(said):
                meant = dict(zip(pair, ("front", "hind"), strict=True))
                return [[meant.get(w, w) if i < 2 else w for i, w in enumerate(row)] for row in rows]
    return rows


def _atoms_of(row: Sequence[str]) -> set[str]:
    return {atom for word in row for atom in _words().get(word, ())}


def _joined(row: list[str]) -> list[str]:
    """A row of words with those put together that mean another part together."""
    joined: list[str] = []
    for word in row:
        if joined and not {joined[-1], word} & _sides().keys() and (both := joined[-1] + word) in _words():
            joined[-1] = both
        else:
            joined.append(word)
    return joined


def _weak_sides(rows: list[list[str]]) -> dict[str, str]:
    """Letters that say left and right on this rig only: it has them in equal numbers, and no other sides."""
    counts = Counter(w for row in rows for w in row)
    if min(sum(counts[w] for w, s in _sides().items() if s == side) for side in "LR") >= 3:
        return {}
    for left, right in vocabulary()["weak_sides"]:
        if counts[left] >= 4 and counts[left] == counts[right]:
            return {left: "L", right: "R"}
    return {}


def _side_at(row: list[str], extra: Mapping[str, str], present: Set[tuple[str, ...]]) -> int:
    """Which word of a row says the side, -1 for none: of several, the last with which a mirrored name is another's."""
    sides = {word: side for word in row if (side := extra.get(word) or _sides().get(word)) in ("L", "R")}
    places = [i for i, word in enumerate(row) if word in sides]
    if len(places) < 2:
        return places[0] if places else -1
    other = {side: {w for w, s in (*_sides().items(), *extra.items()) if s == side} for side in ("L", "R")}
    for i in reversed(places):
        mirrored = other["R" if sides[row[i]] == "L" else "L"]
        if any((*row[:i], word, *row[i + 1 :]) in present for word in mirrored):
            return i
    return places[0]


def _one(text: str, row: list[str], extra: dict[str, str], present: Set[tuple[str, ...]]) -> BoneName:
    side, stem, key, unknown, number = "", [], [], [], None
    atoms: set[Any] = set()
    at = _side_at(row, extra, present)
    for i, word in enumerate(row):
        of = extra.get(word) or _sides().get(word)
        if i == at:
            side = str(of)
            continue
        key.append(word)
        if word.isdigit():
            number = int(word)
            continue
        stem.append(word)
        if word in _words():
            atoms.update(_words()[word])
        elif of is None and word not in vocabulary()["junk"]:
            unknown.append(word)
    limb = atoms & {"leg", "foot", "paw", "toe", "ankle", "knee", "thigh", "calf", "hip", "shoulder", "upper", "lower"}
    if "back" in atoms and (side or "leg" in atoms) and limb:
        atoms = atoms - {"back"} | {"hind"}
    return BoneName(text, side, frozenset(atoms), number, tuple(stem), tuple(key), tuple(unknown))


def normal_forms(names: Sequence[str]) -> tuple[str, ...]:
    """Each name in the form in which names of maps are compared when they are not the same letter for letter."""
    rows = [list(_pieces(name)) for name in _stripped(names)]
    return tuple("".join(w.lstrip("0") or "0" if w.isdigit() else w for w in row) for row in _without_common(rows))
