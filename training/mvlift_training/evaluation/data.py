"""Validation sequences: 2D input, clean and noisy, with 3D truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from mvlift.errors import KeypointError
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import Layout, get_layout
from mvlift.keypoints.naming import layout_of_names
from mvlift.typing import F64

from mvlift_training.arrays import read_arrays

__all__ = ["Sequence", "in_layout", "load_validation"]

_KEYS = {
    "names",
    "fps",
    "start",
    "length",
    "image_size",
    "xy",
    "noisy_xy",
    "noisy_confidence",
    "points3d",
    "K",
    "R",
    "t",
}


@dataclass(frozen=True, eq=False)
class Sequence:
    """One camera's view of one motion.

    Attributes:
        name: clip and camera.
        category: kind of motion.
        clean: keypoints without noise, (T, K, 2), NaN where outside the picture.
        noisy: as a detector gives them.
        noisy_confidence: (T, K).
        truth: (T, K, 3) world, metres, z up.
        K, R, t: true camera; no method is told K.
        image_size: (width, height).
        names: (K,) keypoint names.
        fps: frames a second.
    """

    name: str
    category: str
    clean: F64
    noisy: F64
    noisy_confidence: F64
    truth: F64
    K: F64
    R: F64
    t: F64
    image_size: tuple[int, int]
    names: tuple[str, ...]
    fps: Fraction

    def clip(self, noisy: bool, layout: Layout | str = "openpose24") -> KeypointClip:
        """The input of a method; the layout is the subject's, whose names the file has."""
        points = self.noisy if noisy else self.clean
        confidence = self.noisy_confidence if noisy else np.isfinite(self.clean).all(-1).astype(np.float64)
        return KeypointClip(
            points=np.nan_to_num(points).astype(np.float32),
            confidence=np.where(np.isfinite(points).all(-1), confidence, 0).astype(np.float32),
            layout=get_layout(layout) if isinstance(layout, str) else layout,
            fps=self.fps,
            image_size=self.image_size,
            source_format="validation",
        )


def _columns(values: F64, columns: list[int | None], missing: float) -> F64:
    """(T, K, ...) values of other columns; those without one are missing."""
    out = np.full((len(values), len(columns), *values.shape[2:]), missing)
    have = [i for i, c in enumerate(columns) if c is not None]
    out[:, have] = values[:, [c for c in columns if c is not None]]
    return out


def in_layout(sequences: list[Sequence], layout: Layout, needed: tuple[str, ...] | None = None) -> list[Sequence]:
    """The same sequences with their keypoints named and ordered as in a layout ("left_front_paw" is "l_front_paw").

    Args:
        sequences: of one file.
        layout: wanted.
        needed: keypoints that must be there, None for all; the others are NaN where the file lacks them.

    Raises:
        KeypointError: they lack some of the needed keypoints.
    """
    names = sequences[0].names
    if names == layout.names:
        return sequences
    known = layout_of_names(names).names
    missing = [n for n in (layout.names if needed is None else needed) if n not in known]
    if missing:
        raise KeypointError(
            f"The data's keypoints {names} lack {missing} of {layout.name}.",
            "Choose the subject of the data with --subject.",
        )
    columns = [known.index(n) if n in known else None for n in layout.names]
    return [
        replace(
            s,
            names=layout.names,
            clean=_columns(s.clean, columns, np.nan),
            noisy=_columns(s.noisy, columns, np.nan),
            noisy_confidence=_columns(s.noisy_confidence, columns, 0.0),
            truth=_columns(s.truth, columns, np.nan),
        )
        for s in sequences
    ]


def load_validation(path: Path, frames: int | None = None, every: int = 1) -> list[Sequence]:
    """Sequences of a validation file.

    Args:
        path: npz, see docs/training.md for its keys.
        frames: only the first so many frames of each.
        every: only every n-th sequence.

    Raises:
        KeypointError: there is no such file, it is damaged, a key is missing, or it holds no sequence.
    """
    remedy = "Give a validation set with 3D truth."
    data = read_arrays(path, _KEYS, "validation set", remedy)
    if not len(data["start"]):
        raise KeypointError(f"{path} holds no sequence.", remedy)
    names = tuple(str(n) for n in data["names"])
    fps = Fraction(float(data["fps"])).limit_denominator(1001)
    out = []
    for i in range(0, len(data["start"]), every):
        first, length = int(data["start"][i]), int(data["length"][i])
        rows = slice(first, first + min(length, frames or length))
        out.append(
            Sequence(
                name=f"{data['clip'][i]}#{i}" if "clip" in data else str(i),
                category=str(data["category"][i]) if "category" in data else "",
                clean=data["xy"][rows].astype(np.float64),
                noisy=data["noisy_xy"][rows].astype(np.float64),
                noisy_confidence=data["noisy_confidence"][rows].astype(np.float64),
                truth=data["points3d"][rows].astype(np.float64),
                K=data["K"][i].astype(np.float64),
                R=data["R"][i].astype(np.float64),
                t=data["t"][i].astype(np.float64),
                image_size=(int(data["image_size"][i][0]), int(data["image_size"][i][1])),
                names=names,
                fps=fps,
            )
        )
    return out
