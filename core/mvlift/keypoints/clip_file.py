"""Clips in one npz file. Nothing is lost.

``clips`` holds a list of facts as JSON, one entry for each clip; ``points_0`` and ``confidence_0`` (and, with hands,
``hand_points_0``, ``hand_confidence_0`` and ``hand_depth_0``) belong to the first, and so on. A file of a single clip,
``clip`` and the same names without numbers, is read too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import DamagedFileError, KeypointError
from mvlift.files import whole_file
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.hand_keypoints import HandKeypoints
from mvlift.keypoints.layouts import Layout
from mvlift.safe_reading import load_npz, parse_fraction

__all__ = ["is_clip_file", "load_clip", "load_clips", "save_clip", "save_clips"]


def _facts(clip: KeypointClip) -> dict[str, Any]:
    return {
        "layout": {
            "name": clip.layout.name,
            "names": clip.layout.names,
            "bones": clip.layout.bones,
            "derived": dict(clip.layout.derived),
            "title": clip.layout.title,
            "family": clip.layout.family,
        },
        "fps": str(clip.fps) if clip.fps is not None else None,
        "image_size": clip.image_size,
        "first_frame": clip.first_frame,
        "track_id": clip.track_id,
        "source": str(clip.source) if clip.source is not None else None,
        "source_format": clip.source_format,
        "assumptions": clip.assumptions,
        "metadata": dict(clip.metadata),
    }


def _arrays(clip: KeypointClip, end: str = "") -> dict[str, Any]:
    arrays: dict[str, Any] = {f"points{end}": clip.points, f"confidence{end}": clip.confidence}
    if clip.hands is not None:
        arrays |= {f"hand_points{end}": clip.hands.points, f"hand_confidence{end}": clip.hands.confidence}
        arrays |= {f"hand_depth{end}": clip.hands.depth} if clip.hands.depth is not None else {}
    return arrays


def save_clip(clip: KeypointClip, path: Path) -> None:
    """Write a clip.

    Raises:
        KeypointError: the disk is full or may not be written.
    """
    _write(path, np.savez, {**_arrays(clip), "clip": np.array(json.dumps(_facts(clip)))})


def save_clips(clips: Sequence[KeypointClip], path: Path) -> None:
    """Write several clips, compressed; as ``save_clip``."""
    arrays: dict[str, Any] = {"clips": np.array(json.dumps([_facts(c) for c in clips]))}
    for i, clip in enumerate(clips):
        arrays |= _arrays(clip, f"_{i}")
    _write(path, np.savez_compressed, arrays)


def _write(path: Path, save: Callable[..., None], arrays: Mapping[str, Any]) -> None:
    try:
        with whole_file(path) as part, part.open("wb") as stream:
            save(stream, **arrays)
    except OSError as error:
        raise KeypointError(f"{path} cannot be written ({error.strerror}).", "Make room there.") from error


def is_clip_file(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether arrays are those of such a file."""
    return "clips" in arrays or {"points", "confidence", "clip"} <= set(arrays)


def _hands(arrays: Mapping[str, NDArray[Any]], end: str) -> HandKeypoints | None:
    if f"hand_points{end}" not in arrays:
        return None
    points, confidence, depth = (
        np.asarray(arrays[key + end], np.float32) if key + end in arrays else None
        for key in ("hand_points", "hand_confidence", "hand_depth")
    )
    if points is None or confidence is None:
        raise KeyError("hand_confidence")
    return HandKeypoints(points, confidence, depth)


def _clip(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], end: str = "") -> KeypointClip:
    layout = facts["layout"]
    return KeypointClip(
        points=np.asarray(arrays[f"points{end}"], np.float32),
        confidence=np.asarray(arrays[f"confidence{end}"], np.float32),
        layout=Layout(
            name=layout["name"],
            names=tuple(layout["names"]),
            bones=tuple((a, b) for a, b in layout["bones"]),
            derived={k: tuple(v) for k, v in layout["derived"].items()},
            title=layout["title"],
            family=layout["family"],
        ),
        fps=parse_fraction(facts["fps"]) if facts["fps"] else None,
        image_size=tuple(facts["image_size"]) if facts["image_size"] else None,
        first_frame=int(facts["first_frame"]),
        track_id=facts["track_id"],
        source=Path(facts["source"]) if facts["source"] else None,
        source_format=facts["source_format"],
        assumptions=tuple(facts["assumptions"]),
        metadata=facts["metadata"],
        hands=_hands(arrays, end),
    )


def load_clips(path: Path) -> list[KeypointClip]:
    """Read what ``save_clip`` or ``save_clips`` wrote.

    Raises:
        KeypointError: it is not such a file.
    """
    try:
        arrays = load_npz(path.read_bytes(), path.name)
        if "clip" in arrays:
            return [_clip(arrays, json.loads(str(arrays["clip"])))]
        return [_clip(arrays, facts, f"_{i}") for i, facts in enumerate(json.loads(str(arrays["clips"])))]
    except (DamagedFileError, OSError, KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise KeypointError(f"{path} holds no clip of MVLift ({error!r}).", "Import the keypoints again.") from error


def load_clip(path: Path) -> KeypointClip:
    """The first clip of a file.

    Raises:
        KeypointError: it is not such a file, or holds none.
    """
    clips = load_clips(path)
    if not clips:
        raise KeypointError(f"{path} holds no clip.", "Import the keypoints again.")
    return clips[0]
