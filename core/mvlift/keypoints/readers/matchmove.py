"""Point tracks of compositing programs: Nuke's Tracker nodes, After Effects' keyframe text, 3DEqualizer's ascii.

Nuke and 3DEqualizer count y upward from the picture's lower edge; After Effects counts down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Final

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.rates import exact_rate
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import KeypointTable
from mvlift.keypoints.sources import Source

__all__: list[str] = []

_TRACKER: Final = re.compile(r"^\s*Tracker[34]\s*\{", re.MULTILINE)
_TRACK: Final = re.compile(r"\{\s*\{curve[^{}]*\}([^{}]*)\{curve([^{}]*)\}\s*\{curve([^{}]*)\}")
_AE: Final = "Adobe After Effects"
_MOST_FRAMES: Final = 1_000_000


@dataclass
class _Tracks:
    """name -> frame -> (x, y)."""

    points: dict[str, dict[int, tuple[float, float]]] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    fps: Fraction | None = None

    def count(self) -> int:
        return sum(map(len, self.points.values()))


def _recognise_nuke(source: Source) -> str | None:
    if source.is_series or source.suffix not in (".nk", ".txt"):
        return None
    return "Nuke script with Tracker nodes" if _TRACKER.search(source.text) else None


def _curve(text: str) -> dict[int, float]:
    """Frame -> value of Nuke's curve: values follow each other frame by frame from ``x<frame>`` on."""
    frame, values = 0, {}
    for token in text.split():
        if token[0] == "x" and re.fullmatch(r"x-?\d+", token):
            frame = int(token[1:])
        elif re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?", token):
            values[frame] = float(token)
            frame += 1
    return values


@reader("nuke", "Nuke tracker", _recognise_nuke, rank=20)
def _read_nuke(source: Source) -> Detections:
    text = source.text
    starts = [m.start() for m in _TRACKER.finditer(text)] + [len(text)]
    nodes = []
    for start, stop in pairwise(starts):
        node = _Tracks()
        for number, (name, xs, ys) in enumerate(_TRACK.findall(text[start:stop])):
            x, y = _curve(xs), _curve(ys)
            label = name.strip().strip('"').strip()
            label = label if label and label not in node.points else f"{label or 'track'}_{number + 1}"
            node.points[label] = {f: (x[f], y[f]) for f in x.keys() & y.keys()}
        nodes.append(node)
    best = max(nodes, key=_Tracks.count)
    if not best.count():
        raise KeypointError(f"{source.path.name}: its Tracker nodes hold no tracks.", "Track, and save the script.")
    root = text[: starts[0]]
    size = re.search(r'^\s*format\s+"(\d{1,6}) (\d{1,6})\b', root[max(root.find("Root {"), 0) :], re.MULTILINE)
    rate = re.search(r"^\s*fps\s+([\d.]+)", root, re.MULTILINE)
    first = re.search(r"^\s*first_frame\s+(\d{1,9})", root, re.MULTILINE)
    best.size = (int(size[1]), int(size[2])) if size else None
    best.fps = exact_rate(float(rate[1])) if rate and rate[1].count(".") < 2 else None
    detections = _object(best, source.path.name, up=True, first=int(first[1]) if first else 1)
    if len(nodes) > 1:
        detections.notes.append(f"The script has {len(nodes)} Tracker nodes; the one with most tracks was taken.")
    return detections


def _object(tracks: _Tracks, name: str, up: bool, first: int) -> Detections:
    """The tracks as keypoints of one object.

    Args:
        tracks: as written.
        name: of the file.
        up: y counts upward.
        first: number of the video's first frame, where the tracks do not begin before it.
    """
    frames = [f for points in tracks.points.values() for f in points]
    if max(frames) - min(frames) > _MOST_FRAMES:
        raise KeypointError(f"{name}: its frames reach from {min(frames)} to {max(frames)}.", "Export it again.")
    start = first if min(frames) >= first else 0
    height = tracks.size[1] if tracks.size else max(y for points in tracks.points.values() for _, y in points.values())
    table = KeypointTable()
    for label, points in tracks.points.items():
        for frame, (x, y) in points.items():
            table.add(frame - start, "0", label, x, height - y if up else y)
    detections = table.build(name)
    detections.names = detections.names or tuple(f"point_{i + 1}" for i in range(detections.points.shape[1]))
    detections.image_size, detections.fps, detections.units, detections.ids_certain = (
        tracks.size,
        tracks.fps,
        "pixels",
        True,
    )
    if up and tracks.size is None:
        detections.notes.append("The picture's height is unknown: the highest point was put on its upper edge.")
    return detections


def _recognise_ae(source: Source) -> str | None:
    single = source.suffix == ".txt" and not source.is_series
    return "After Effects keyframe text" if single and source.text.lstrip().startswith(_AE) else None


@reader("after-effects", "After Effects keyframes", _recognise_ae, rank=18)
def _read_ae(source: Source) -> Detections:
    tracks, section, facts = _Tracks(), "", dict[str, float]()
    seen: dict[str, int] = {}
    for line in source.text.splitlines():
        cells = [c.strip() for c in line.split("\t")]
        if cells[0] and len(cells) > 1:
            place = "Feature Center" in line or cells[-1] == "Position" or "Position" in cells
            section = "_".join(c for c in cells[1:] if c and c not in ("Feature Center", "Position")) or "point"
            seen[section] = seen.get(section, 0) + 1
            section = f"{section}_{seen[section]}" if place else ""
        elif not line.strip():
            section = ""
        elif section and len(cells) > 3 and _is_number(cells[1]) and _is_number(cells[2]) and _is_number(cells[3]):
            tracks.points.setdefault(section, {})[int(float(cells[1]))] = float(cells[2]), float(cells[3])
        elif len(cells) > 2 and _is_number(cells[2]):
            facts[cells[1]] = float(cells[2])
    if not tracks.points:
        raise KeypointError(
            f"{source.path.name}: no track point or position in it.", "Copy the track points' Feature Center again."
        )
    width, height = facts.get("Source Width", 0), facts.get("Source Height", 0)
    tracks.size = (int(width), int(height)) if 1 <= width < 1e6 and 1 <= height < 1e6 else None
    tracks.fps = exact_rate(facts.get("Units Per Second", 0))
    return _object(tracks, source.path.name, up=False, first=0)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,12}(\.\d*)?(e[-+]?\d{1,2})?", text))


def _equalizer(text: str) -> _Tracks | None:
    """3DEqualizer's list: number of points; then for each its name, a colour, the number of frames, and frame x y."""
    lines = text.split("\n")
    if not lines or not re.fullmatch(r"\s*\d{1,6}\s*", lines[0]):
        return None
    tracks, at = _Tracks(), 1
    for number in range(int(lines[0])):
        head = lines[at : at + 3]
        if (
            len(head) < 3
            or not re.fullmatch(r"\s*\d{1,7}\s*", head[2])
            or not re.fullmatch(r"\s*-?\d{1,3}\s*", head[1])
        ):
            return None
        count, at = int(head[2]), at + 3
        rows = [line.split() for line in lines[at : at + count]]
        if len(rows) < count or not all(len(r) == 3 and all(map(_is_number, r)) for r in rows):
            return None
        label = head[0].strip() or f"point_{number + 1}"
        label = label if label not in tracks.points else f"{label}_{number + 1}"
        tracks.points[label] = {int(float(f)): (float(x), float(y)) for f, x, y in rows}
        at += count
    return tracks if tracks.count() else None


def _recognise_equalizer(source: Source) -> str | None:
    if source.suffix != ".txt" or source.is_series:
        return None
    return "ascii list of 2D tracks" if _equalizer(source.text) else None


@reader("3dequalizer", "3DEqualizer 2D tracks", _recognise_equalizer, rank=19)
def _read_equalizer(source: Source) -> Detections:
    tracks = _equalizer(source.text)
    if tracks is None:
        raise KeypointError(f"{source.path.name} holds no tracks.", "Export the 2D tracks again.")
    return _object(tracks, source.path.name, up=True, first=1)
