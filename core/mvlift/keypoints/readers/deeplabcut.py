"""DeepLabCut: csv and h5 of predictions and of labels, one animal or several, also from SuperAnimal models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.damage import reports_damage
from mvlift.keypoints.readers.keypoint_table import MAX_CELLS
from mvlift.keypoints.readers.pandas_hdf5 import Frame, frame_keys, read_frame
from mvlift.keypoints.readers.tables import first_rows, numbers, rows_of
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_LEVELS: Final = ("scorer", "individuals", "bodyparts", "coords")
_COORDS: Final = ("x", "y", "likelihood")
_BODIES: Final = frozenset(["x", "y"])


@dataclass(frozen=True)
class _Column:
    individual: str
    bodypart: str
    coord: str


def _recognise_csv(source: Source) -> str | None:
    rows = first_rows(source, 4)
    if len(rows) < 3 or not rows[0] or rows[0][0].lower() != "scorer":
        return None
    return "csv that begins with scorer" if any(r and r[0].lower() == "bodyparts" for r in rows) else None


@reader("deeplabcut", "DeepLabCut csv", _recognise_csv, rank=5)
def _read_csv(source: Source) -> Detections:
    rows = rows_of(source)
    header = {r[0].lower(): r for r in rows[:4] if r and r[0].lower() in _LEVELS}
    body = rows[len(header) :]
    parts, coords = header.get("bodyparts", []), header.get("coords", [])
    first = next((i for i, c in enumerate(coords) if c.lower() in _COORDS), 0)
    if first == 0 or len(parts) < len(coords) or not body:
        raise KeypointError(
            f"{source.path.name}: the header of DeepLabCut has no coords or no rows.", "Export it again."
        )
    individuals = header.get("individuals", [""] * len(coords))
    columns = [
        _Column(individuals[i] if i < len(individuals) else "", parts[i], coords[i].lower())
        for i in range(first, len(coords))
    ]
    try:
        values = numbers(body, range(first, len(coords)))
    except ValueError as error:
        raise KeypointError(f"{source.path.name}: {error}.", "Write numbers or nothing under x and y.") from error
    return _detections(columns, values, [r[:first] for r in body], source.path.name)


@reports_damage
def _recognise_h5(source: Source) -> str | None:
    file = source.hdf5
    keys = frame_keys(file) if file else []
    return f"h5 with the table {keys[0]} of pandas" if keys else None


@reader("deeplabcut-h5", "DeepLabCut h5", _recognise_h5, rank=20)
@reports_damage
def _read_h5(source: Source) -> Detections:
    file, name = source.hdf5, source.path.name
    keys = frame_keys(file) if file else []
    if file is None or not keys:
        raise KeypointError(f"{name} holds no table of DeepLabCut.", "Export csv from DeepLabCut.")
    key = "df_with_missing" if "df_with_missing" in keys else keys[0]
    table: Frame = read_frame(file, key)
    columns = []
    for labels in table.columns:
        tail = labels[1:] if len(labels) > 2 else labels  # without the scorer
        individual = tail[0] if len(tail) > 2 else ""
        columns.append(_Column(individual, tail[-2] if len(tail) > 1 else "", tail[-1].lower()))
    detections = _detections(columns, table.values, table.index, name)
    detections.format = "deeplabcut"
    return detections


def _frames(index: Sequence[Sequence[object]], notes: list[str]) -> NDArray[np.int64]:
    """Frame numbers from the index: numbers, or names of pictures whose last digits count."""
    last = [str(row[-1]) if row else "" for row in index]
    try:
        values = np.array(last, dtype=np.float64)
        if np.isfinite(values).all() and (np.abs(values) < 1e15).all():
            return values.astype(np.int64)
    except ValueError:
        pass
    numbered = [last_number(name) for name in last]
    if all(n is not None for n in numbered) and len(set(numbered)) == len(set(map(tuple, index))):
        return np.array(numbered, dtype=np.int64)
    notes.append("The rows are not numbered by frame; frames are counted in their order.")
    return np.arange(len(index))


def _detections(
    columns: Sequence[_Column], values: NDArray[np.float64], index: Sequence[Sequence[object]], name: str
) -> Detections:
    """One row for each animal and frame.

    Args:
        columns: what each column holds.
        values: (T, columns).
        index: of the T rows.
        name: of the file.
    """
    by_animal: dict[str, dict[str, dict[str, int]]] = {}
    for i, column in enumerate(columns):
        by_animal.setdefault(column.individual, {}).setdefault(column.bodypart, {})[column.coord] = i
    parts_of_animal = {
        animal: [p for p, coords in parts.items() if set(coords) >= _BODIES] for animal, parts in by_animal.items()
    }
    names = max(parts_of_animal.values(), key=len, default=[])
    kept = [a for a, parts in parts_of_animal.items() if parts == names]
    if not names or not len(values) or len(values) * len(kept) * len(names) > MAX_CELLS:
        raise KeypointError(f"{name} has no x and y of body parts.", "Export the analysed video from DeepLabCut.")
    notes = [
        f"{a or 'Another animal'} has other body parts and was left out." for a in parts_of_animal if a not in kept
    ]
    frame = _frames(index, notes)
    padded = np.concatenate([values, np.full((len(values), 1), np.nan)], 1)
    at = np.array([[[by_animal[a][p].get(c, -1) for c in _COORDS] for p in names] for a in kept])
    table = padded[:, at].transpose(1, 0, 2, 3).reshape(-1, len(names), 3)  # animals first
    scored = bool((at[..., 2] >= 0).any())
    return Detections(
        frame=np.tile(frame, len(kept)),
        points=table[..., :2],
        confidence=np.nan_to_num(table[..., 2]) if scored else None,
        names=tuple(names),
        person=np.repeat(np.array([a or "0" for a in kept]), len(values)),
        ids_certain=len(kept) == 1 or not scored,
        span=(int(frame.min()), int(frame.max())),
        units="pixels",
        notes=notes,
    )
