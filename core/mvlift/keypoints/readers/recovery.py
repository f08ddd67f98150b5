"""2D keypoints that programs for human mesh recovery keep: SAM 3D Body, WHAM, GVHMR. Their 3D results are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError
from mvlift.keypoints.detections import Detections, SplitDetections
from mvlift.keypoints.hand_keypoints import HAND_KEYPOINTS
from mvlift.keypoints.numbering import last_number
from mvlift.keypoints.readers import reader
from mvlift.keypoints.sources import PICKLES, Source

__all__: list[str] = []

_SAM: Final = "pred_keypoints_2d"
_LAYOUTS: Final = {70: ("mhr70",), 308: ("goliath308",), 17: ("coco17",), 133: ("coco133",)}
_FRAME: Final = ("frame_idx", "frame", "frame_id", "frame_index", "frame_number")
_MESHES: Final = (
    {"smpl_params_global", "smpl_params_incam"},
    {"pose_world", "trans_world"},
    {"pose", "betas", "verts"},
    {"global_orient", "body_pose", "transl"},
)


def _array(value: object) -> NDArray[np.float64] | None:
    """(J, 2 or more) numbers of an array or lists, None for anything else."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    return array if array.ndim == 2 and array.shape[1] >= 2 and len(array) else None


def _sam_people(value: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every object with 2D keypoints in the output of a frame."""
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        value = value.reshape(-1).tolist()
    if isinstance(value, dict):
        if _SAM in value and len(_array(value[_SAM]) if _array(value[_SAM]) is not None else ()) != HAND_KEYPOINTS:  # type: ignore[arg-type]
            yield value
        elif depth < 4:
            prefixed = {k[: -len(_SAM) - 1]: v for k, v in value.items() if str(k).endswith(f"_{_SAM}")}
            yield from ({"id": object_id, _SAM: v} for object_id, v in prefixed.items())
            if not prefixed:
                for part in value.values():
                    yield from _sam_people(part, depth + 1)
    elif isinstance(value, list | tuple) and depth < 4:
        for part in value:
            if isinstance(part, dict | list | tuple | np.ndarray):  # of other files these may be a million numbers
                yield from _sam_people(part, depth + 1)


def _document(source: Source) -> object:
    if source.suffix in PICKLES:
        return source.unpickled
    return source.document if source.suffix in (".json", ".jsonl") else source.arrays


def _sam_frames(source: Source) -> Iterator[tuple[int | None, object]]:
    """(frame number, content): one file for each frame, or a list or object of frames in one."""
    if source.is_series:
        if source.suffix == ".json":
            yield from source.documents()
        else:
            yield from ((frame, dict(arrays)) for frame, _, arrays in source.frames_of_arrays())
        return
    document = _document(source)
    if isinstance(document, dict) and isinstance(document.get("frames"), list):
        document = document["frames"]
    if isinstance(document, list):
        yield from ((_number(frame), frame) for frame in document)
    elif isinstance(document, dict) and document and all(last_number(str(k)) is not None for k in document):
        named = any(word in str(next(iter(document))).lower() for word in ("person", _SAM))
        yield from [(0, document)] if named else ((last_number(str(k)), v) for k, v in document.items())
    elif document is not None:
        yield last_number(source.names[0]) or 0, document


def _number(frame: object) -> int | None:
    numbers = (frame.get(k) for k in _FRAME) if isinstance(frame, dict) else ()
    return next((int(n) for n in numbers if isinstance(n, int | np.integer) and not isinstance(n, bool)), None)


def _recognise_sam(source: Source) -> str | None:
    if source.is_series:
        parts: list[object] = [*source.first_documents, dict(source.first_arrays)]
    elif source.suffix in (".json", ".jsonl", ".npz", *PICKLES):
        document = _document(source)
        parts = list(document[:20]) if isinstance(document, list) else [document]
    else:
        return None
    return f"{_SAM} of people" if any(True for part in parts for _ in _sam_people(part)) else None


@reader("sam3d-body", "SAM 3D Body, 2D keypoints", _recognise_sam, rank=7)
def _read_sam(source: Source) -> Detections:
    frames = list(_sam_frames(source))
    numbers = [n for n, _ in frames]
    counted = ""
    if any(n is None for n in numbers) or len(set(numbers)) < len(numbers):
        numbers, counted = list(range(len(frames))), "The frames have no numbers: they were counted in order."
    poses = SplitDetections()
    for number, (_, frame) in zip(numbers, frames, strict=True):
        for person in _sam_people(frame):
            points = _array(person[_SAM])
            if points is not None:
                poses.add(number or 0, points[:, :2].tolist(), None, person.get("track_id", person.get("id", "")))
    detections = poses.build(source.path.name)
    detections.layouts = _LAYOUTS.get(detections.points.shape[1], ())
    detections.units, detections.counted = "pixels", counted
    known = [n for n in numbers if n is not None]
    detections.span = (min(known), max(known))
    return detections


def _tracks(source: Source) -> dict[str, dict[str, Any]] | None:
    """WHAM's tracks by number: ``frame_id`` (N,), ``keypoints`` (N, J, 3)."""
    content = source.unpickled
    if not isinstance(content, dict) or not content:
        return None
    tracks = {str(k): v for k, v in content.items() if isinstance(v, dict) and {"frame_id", "keypoints"} <= v.keys()}
    return tracks if 2 * len(tracks) > len(content) else None


def _recognise_wham(source: Source) -> str | None:
    return "tracks with frame_id and keypoints" if _tracks(source) else None


@reader("wham", "WHAM, tracking results", _recognise_wham, rank=7)
def _read_wham(source: Source) -> Detections:
    frames, points, people = list[NDArray[Any]](), list[NDArray[Any]](), list[str]()
    for track_id, track in (_tracks(source) or {}).items():
        number = np.asarray(track["frame_id"]).reshape(-1).astype(np.int64)
        table = np.asarray(track["keypoints"], dtype=np.float64)
        if table.ndim != 3 or table.shape[-1] != 3 or len(table) != len(number):
            raise KeypointError(
                f"{source.path.name}: track {track_id} has keypoints of shape {table.shape} for {len(number)} frames.",
                "Run WHAM's detection again.",
            )
        frames.append(number)
        points.append(table)
        people += [track_id] * len(number)
    if len({p.shape[1] for p in points}) != 1:
        raise KeypointError(f"{source.path.name}: its tracks have different keypoints.", "Run WHAM's detection again.")
    table = np.concatenate(points)
    return Detections(
        frame=np.concatenate(frames),
        points=table[..., :2],
        confidence=table[..., 2],
        person=np.array(people),
        layouts=_LAYOUTS.get(table.shape[1], ()),
        units="pixels",
    )


def _is_mesh(value: object, depth: int = 0) -> bool:
    if not isinstance(value, dict) or depth > 2:
        return False
    keys = {str(k) for k in value}
    return any(mesh <= keys for mesh in _MESHES) or any(_is_mesh(v, depth + 1) for v in list(value.values())[:20])


def _recognise_mesh(source: Source) -> str | None:
    return "SMPL parameters" if source.suffix in PICKLES and _is_mesh(source.unpickled) else None


@reader("mesh-recovery", "SMPL motion (WHAM, GVHMR)", _recognise_mesh, rank=8)
def _read_mesh(source: Source) -> Detections:
    raise KeypointError(
        f"{source.path.name} holds a recovered 3D body, not the 2D keypoints that MVLift lifts.",
        "Import the 2D keypoints that were kept beside it: GVHMR's preprocess/vitpose.pt, WHAM's tracking_results.pth.",
    )
