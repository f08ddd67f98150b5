"""Frame numbers from the names of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

__all__ = ["last_number", "natural_key", "number_files"]

_EXTENSION: Final = re.compile(r"\.(?=\w*[A-Za-z])\w{1,5}$")
_ROBOFLOW: Final = re.compile(r"(_[a-z]{3,4})?\.rf\.\w{8,40}$")
_DIGITS: Final = re.compile(r"\d{1,15}")


def _stem(name: str) -> str:
    """A file name without extension and without the ``_jpg.rf.<hash>`` that Roboflow appends."""
    return _ROBOFLOW.sub("", _EXTENSION.sub("", name)) if "." in name else name


@lru_cache(maxsize=1 << 16)
def last_number(name: str) -> int | None:
    """The last group of digits in a file name without folder and extension, as detectors number frames."""
    groups = _DIGITS.findall(_stem(name[max(name.rfind("/"), name.rfind("\\")) + 1 :]))
    return int(groups[-1]) if groups else None


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Key that sorts names by the numbers in them: frame_2 before frame_10."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d{1,15})", name) if p]


def number_files(names: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """Frame numbers of the files of a folder, from the last digits of their names.

    Files outside the numbered series (``del_000001_0.json`` among ``cam01.0000.json``) are left out; where the names
    are no series at all, the files are counted in natural order.

    Returns:
        (file name, frame number) in order of frames, and sentences that say what was decided.
    """
    series: dict[str, dict[int, str]] = {}
    for name in sorted(names, key=natural_key):
        number = last_number(name)
        prefix = re.sub(r"\d{1,15}(?!.*\d)", "#", _stem(name), count=1)
        if number is not None:
            series.setdefault(prefix, {}).setdefault(number, name)
    best = max(series.values(), key=len, default={})
    if len(names) > 1 and (len(best) < 2 or len(series) > max(4, len(names) // 4)):
        note = "The file names are not a numbered series; frames are counted in the order of the names."
        return [(n, i) for i, n in enumerate(sorted(names, key=natural_key))], [note]
    if not best:
        return [(n, 0) for n in names], []
    left_out = len(names) - len(best)
    notes = []
    if left_out:
        example = next(n for n in sorted(names, key=natural_key) if n not in set(best.values()))
        notes.append(f"{left_out} files do not belong to the numbered series and were left out, such as {example}.")
    return sorted(((n, i) for i, n in best.items()), key=lambda pair: pair[1]), notes
