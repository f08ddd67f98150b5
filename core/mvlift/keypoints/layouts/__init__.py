"""Keypoint layouts: which detector joint is which, as data.

Each ``*.json`` in this folder is one layout::

    {"name": "coco17", "title": "COCO-17", "family": "human",
     "keypoints": ["nose", "l_eye", ...],
     "bones": [["nose", "l_eye"], ...],
     "derived": {"neck": ["l_shoulder", "r_shoulder"]}}

``keypoints`` use one vocabulary in all layouts of a family (``nose neck l_shoulder r_shoulder l_elbow ... l_big_toe
l_small_toe l_heel``), so that mapping between layouts is by name. ``derived`` lists keypoints that the layout lacks but
that are the mean of others it has. ``mirror`` lists pairs that change places in a mirrored picture, beside those whose
names begin with ``l_`` and ``r_``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvlift.errors import KeypointError

__all__ = ["Layout", "get_layout", "layout_names", "layout_of"]

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Layout:
    """Names of a detector's keypoints, in the order in which it writes them.

    Attributes:
        name: short name, such as ``body25``.
        names: keypoint names in file order.
        bones: pairs of names to draw.
        derived: keypoints that are the mean of others, by name.
        title: name for people.
        family: "human", "quadruped", ... ; only layouts of one family map onto each other.
        mirror: pairs that change places in a mirrored picture and are not called left and right.
    """

    name: str
    names: tuple[str, ...]
    bones: tuple[tuple[str, str], ...] = ()
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    title: str = ""
    family: str = "human"
    mirror: tuple[tuple[str, str], ...] = ()

    def index(self, name: str) -> int:
        """Column of a keypoint.

        Raises:
            KeypointError: the layout has no such keypoint.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise KeypointError(
                f"Layout {self.name} has no keypoint {name!r}; it has {', '.join(self.names)}."
            ) from None

    def mirrored(self) -> NDArray[np.int64]:
        """(J,) column of each keypoint's left/right partner (itself where it has none)."""
        swap = {"l": "r", "r": "l"}
        pairs = {**dict(self.mirror), **{b: a for a, b in self.mirror}}
        other = {n: f"{swap[n[0]]}{n[1:]}" for n in self.names if n[:2] in ("l_", "r_")}
        partners = [other[n] if other.get(n) in self.names else pairs.get(n, n) for n in self.names]
        return np.array([self.names.index(p) for p in partners], dtype=np.int64)


@cache
def layout_names() -> tuple[str, ...]:
    """Names of the layouts that come with MVLift."""
    return tuple(sorted(p.stem for p in _FOLDER.glob("*.json")))


@cache
def get_layout(name: str) -> Layout:
    """A layout by name.

    Raises:
        KeypointError: there is none of that name.
    """
    path = _FOLDER / f"{name}.json"
    if not path.is_file():
        raise KeypointError(f"There is no keypoint layout {name!r}.", f"Known layouts: {', '.join(layout_names())}.")
    return layout_of(json.loads(path.read_text(encoding="utf-8")))


def layout_of(data: Mapping[str, Any]) -> Layout:
    """A layout from the content of its file.

    Raises:
        KeyError: it has no name or keypoints.
    """
    return Layout(
        name=data["name"],
        names=tuple(data["keypoints"]),
        bones=tuple((a, b) for a, b in data.get("bones", [])),
        derived={k: tuple(v) for k, v in data.get("derived", {}).items()},
        title=data.get("title", data["name"]),
        family=data.get("family", "human"),
        mirror=tuple((a, b) for a, b in data.get("mirror", [])),
    )
