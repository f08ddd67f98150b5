"""OpenPose's old ``--write_keypoint``: OpenCV's file storage as yml, xml or json, one file for each frame.

A file holds one matrix of sizes [people, keypoints, 3]; frames without a person hold an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.numbering import last_number, number_files
from mvlift.keypoints.readers import reader
from mvlift.keypoints.readers.openpose import LAYOUTS
from mvlift.keypoints.sources import Source, decoded

__all__: list[str] = []

_MARKS: Final = (b"!!opencv-nd-matrix", b"!!opencv-matrix", b"<opencv_storage")
_SUFFIXES: Final = (".yml", ".yaml", ".xml")
_SIZES: Final = re.compile(r'\bsizes(?:>|"?:\s*\[)([^\]<]*)')
_DATA: Final = re.compile(r'\bdata(?:>|"?:\s*\[)([^\]<]*)')
_HEAD: Final = 4096


def _recognise(source: Source) -> str | None:
    if source.suffix == ".json":
        documents = source.first_documents or [source.document]
        is_filestorage = all(isinstance(d, dict) and any(map(_is_matrix, d.values())) for d in documents)
    elif source.suffix in _SUFFIXES:
        head = next((data[:_HEAD] for _, data in source.items(_pose_files(source)[:1])), b"")
        is_filestorage = any(mark in head for mark in _MARKS)
    else:
        is_filestorage = False
    return "matrix of OpenCV's file storage" if is_filestorage else None


def _is_matrix(value: object) -> bool:
    return isinstance(value, dict) and value.get("type_id") in ("opencv-nd-matrix", "opencv-matrix")


def _pose_files(source: Source) -> list[str]:
    """Without the files of hands and faces that lie beside the bodies' ones."""
    bodies = [n for n in source.names if "pose" in PurePath(n).name.lower()]
    return bodies or list(source.names)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array(text.replace(".N", "N").replace(".I", "I").replace(",", " ").split(), dtype=np.float64)


def _people(data: bytes, name: str) -> NDArray[np.float64]:
    """(P, J, 3) x, y, confidence; no people where the matrix is empty.

    Raises:
        DamagedFileError: it is no such matrix.
    """
    try:
        text = decoded(data)
        sizes, values = _SIZES.search(text), _DATA.search(text)
        if sizes is None:
            return np.zeros((0, 0, 3))
        shape = tuple(int(n) for n in _numbers(sizes[1]))
        flat = _numbers(values[1] if values else "")
        if len(shape) == 3 and shape[2] == 3 and min(shape) >= 0:
            return flat.reshape(shape)
    except (ValueError, OverflowError):
        pass
    raise DamagedFileError(f"{name} holds no matrix of people, keypoints and 3 numbers.", "Run OpenPose again.")


def _frames(source: Source, notes: list[str]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    numbered, more = number_files(_pose_files(source))
    notes += more
    if not source.is_series:
        numbered = [(source.names[0], last_number(source.names[0]) or 0)]
    frames = dict(numbered)
    yield from ((frames[name], people) for name, people in source.parsed([n for n, _ in numbered], _people))


@reader("openpose-matrix", "OpenPose, matrices of OpenCV", _recognise, rank=9)
def _read(source: Source) -> Detections:
    poses, numbers, notes = SplitDetections(), list[int](), list[str]()
    for number, people in _frames(source, notes):
        numbers.append(number)
        for one in people:
            poses.add(number, one[:, :2].tolist(), one[:, 2].tolist())
    detections = poses.build(source.path.name)
    detections.layouts = LAYOUTS.get(detections.points.shape[1], ())
    detections.span = (min(numbers), max(numbers))
    detections.notes += notes
    return detections
