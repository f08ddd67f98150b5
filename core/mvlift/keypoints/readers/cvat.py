"""CVAT's xml, for video (tracks with key frames) and for images, with skeletons or single points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.numbering import number_files
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.keypoint_table import HIDDEN, KeypointTable, interpolated
from mvlift.keypoints.sources import Source
from mvlift.safe_reading import parse_xml

__all__: list[str] = []

Point = tuple[float, float, float]
_HEAD: Final = 4096


def _recognise(source: Source) -> str | None:
    if source.suffix != ".xml" or source.is_series:
        return None
    return "xml of CVAT" if b"<annotations>" in source.data[:_HEAD] else None


def _number(element: Element, key: str, name: str) -> int:
    try:
        return int(element.get(key, ""))
    except ValueError:
        raise KeypointError(
            f"{name}: a {element.tag} has {key}={element.get(key)!r}.", "Export it from CVAT again."
        ) from None


def _places(element: Element, name: str) -> list[Point]:
    """x, y, confidence of each point of ``points="x,y;x,y"``; 0 outside, less where something hides it."""
    if element.get("outside") == "1":
        sure = 0.0
    else:
        sure = HIDDEN if element.get("occluded") == "1" else 1.0
    try:
        pairs = [tuple(map(float, pair.split(","))) for pair in element.get("points", "").split(";") if pair]
        return [(x, y, sure) for x, y in pairs]
    except ValueError:
        raise KeypointError(
            f"{name}: points={element.get('points')!r} are not points.", "Export it from CVAT again."
        ) from None


def _shape(shape: Element, label: str, name: str) -> dict[str, Point]:
    """Keypoints of a skeleton, or of a list of points (numbered where there are several)."""
    if shape.tag == "skeleton":
        gone = shape.get("outside") == "1"
        return {
            p.get("label", ""): (x, y, 0.0 if gone else sure)
            for p in shape.iter("points")
            for x, y, sure in _places(p, name)[:1]
        }
    places = _places(shape, name)
    return {label: places[0]} if len(places) == 1 else {str(i + 1): place for i, place in enumerate(places)}


def _shapes(parent: Element) -> Iterator[Element]:
    return (child for child in parent if child.tag in ("skeleton", "points"))


def _people(root: Element, name: str, notes: list[str]) -> Iterator[tuple[str, str, dict[int, Point]]]:
    """(person, keypoint, key frame -> place) of each keypoint of a video.

    A skeleton is one track whose frames list all keypoints, or a track with a track for each keypoint inside. Tracks of
    single points are keypoints of people who are counted by label and group. Of several kinds of skeletons, the
    commonest is taken.
    """
    tracks = root.findall("track")
    kinds = Counter(t.get("label", "") for t in tracks if t.find("skeleton") is not None)
    if kinds:
        wanted = kinds.most_common(1)[0][0]
        kept = [t for t in tracks if t.find("skeleton") is not None and t.get("label", "") == wanted]
        if len(kept) < len(tracks):
            notes.append(f"{len(tracks) - len(kept)} tracks are not skeletons called {wanted} and were left out.")
        tracks = kept
    seen: Counter[str] = Counter()
    for number, track in enumerate(tracks):
        inner = track.findall("track")
        for part in inner or [track]:
            label = part.get("label", "")
            places: dict[str, dict[int, Point]] = {}
            for shape in _shapes(part):
                frame = _number(shape, "frame", name)
                for keypoint, place in _shape(shape, label, name).items():
                    places.setdefault(keypoint, {})[frame] = place
            person = track.get("id", str(number))
            if list(places) == [label] and not inner:
                person = track.get("group_id", str(seen[label]))
                seen[label] += 1
            for keypoint, keys in places.items():
                yield person, keypoint, keys


def _add_keypoint(table: KeypointTable, person: str, keypoint: str, keys: dict[int, Point]) -> None:
    arrays: dict[int, NDArray[np.float64]] = {frame: np.array([place]) for frame, place in keys.items()}
    for frame, values in interpolated(arrays).items():
        x, y, sure = values[0].tolist()
        table.add(frame, person, keypoint, x, y, sure)


def _add_images(table: KeypointTable, root: Element, name: str, notes: list[str]) -> None:
    images = list(root.iter("image"))
    names = [i.get("name", str(n))[-200:] for n, i in enumerate(images)]
    if len(set(names)) < len(names):
        names = [str(n) for n in range(len(images))]
        notes.append("Several images have one name; frames are counted in the order of the images.")
    numbered, more = number_files(names)
    frames = dict(numbered)
    notes += more
    for n, image in enumerate(images):
        frame = frames.get(names[n])
        seen: dict[str, int] = {}
        for number, shape in enumerate(_shapes(image) if frame is not None else ()):
            label = shape.get("label", "")
            seen[label] = seen.get(label, 0) + 1
            person = f"skeleton {number}" if shape.tag == "skeleton" else shape.get("group_id", str(seen[label]))
            for keypoint, (x, y, sure) in _shape(shape, label, name).items():
                table.add(frame or 0, person, keypoint, x, y, sure)


def _size(root: Element) -> tuple[int, int] | None:
    """The task's picture size, else the images', where they agree."""
    size = root.find(".//original_size")
    if size is not None:
        both = {(size.findtext("width", ""), size.findtext("height", ""))}
    else:
        both = {(i.get("width", ""), i.get("height", "")) for i in root.iter("image")}
    width, height = both.pop() if len(both) == 1 else ("", "")
    good = width.isdecimal() and height.isdecimal() and 0 < int(width) < 10**6 and 0 < int(height) < 10**6
    return (int(width), int(height)) if good else None


@reader("cvat", "CVAT", _recognise, rank=10)
def _read(source: Source) -> Detections:
    name = source.path.name
    root = parse_xml(source.data, name)
    table, notes = KeypointTable(), list[str]()
    tracked = False
    for person, keypoint, keys in _people(root, name, notes):
        tracked = True
        _add_keypoint(table, person, keypoint, keys)
    if not tracked:
        _add_images(table, root, name, notes)
    if not len(table):
        raise KeypointError(
            f"{name} holds no skeletons or points.", "Annotate with CVAT's skeletons, and export again."
        )
    detections = table.build(name)
    detections.ids_certain = tracked
    detections.person = detections.person if tracked else None
    detections.image_size, detections.units = _size(root), "pixels"
    detections.notes += notes
    return detections
