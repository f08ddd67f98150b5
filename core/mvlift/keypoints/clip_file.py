"""A clip in one npz file, for handing it to another process. Nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
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

__all__ = ["load_clip", "save_clip"]


def save_clip(clip: KeypointClip, path: Path) -> None:
    """Write a clip."""
    facts = {
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
    arrays = {"points": clip.points, "confidence": clip.confidence, "clip": np.array(json.dumps(facts))}
    if clip.hands is not None:
        arrays |= {"hand_points": clip.hands.points, "hand_confidence": clip.hands.confidence}
        arrays |= {"hand_depth": clip.hands.depth} if clip.hands.depth is not None else {}
    with whole_file(path) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _hands(arrays: Mapping[str, NDArray[Any]]) -> HandKeypoints | None:
    if "hand_points" not in arrays:
        return None
    points, confidence, depth = (
        np.asarray(arrays[key], np.float32) if key in arrays else None
        for key in ("hand_points", "hand_confidence", "hand_depth")
    )
    if points is None or confidence is None:
        raise KeyError("hand_confidence")
    return HandKeypoints(points, confidence, depth)


def load_clip(path: Path) -> KeypointClip:
    """Read what ``save_clip`` wrote.

    Raises:
        KeypointError: it is not such a file.
    """
    try:
        arrays = load_npz(path.read_bytes(), path.name)
        facts = json.loads(str(arrays["clip"]))
        layout = facts["layout"]
        return KeypointClip(
            points=np.asarray(arrays["points"], np.float32),
            confidence=np.asarray(arrays["confidence"], np.float32),
            layout=Layout(
                name=layout["name"],
                names=tuple(layout["names"]),
                bones=tuple((a, b) for a, b in layout["bones"]),
                derived={k: tuple(v) for k, v in layout["derived"].items()},
                title=layout["title"],
                family=layout["family"],
            ),
            fps=parse_fraction(facts["fps"]) if facts["fps"] else None,
            image_size=tuple(facts["image_size"]) if facts["image_size"] else None,  # type: ignore[arg-type]
            first_frame=int(facts["first_frame"]),
            track_id=facts["track_id"],
            source=Path(facts["source"]) if facts["source"] else None,
            source_format=facts["source_format"],
            assumptions=tuple(facts["assumptions"]),
            metadata=facts["metadata"],
            hands=_hands(arrays),
        )
    except (DamagedFileError, OSError, KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise KeypointError(f"{path} holds no clip of MVLift ({error!r}).", "Import the keypoints again.") from error
