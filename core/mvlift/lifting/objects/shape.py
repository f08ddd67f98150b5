"""What is known of a rigid object before it is lifted: its named points, its kind of size, and the size itself."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mvlift.errors import DamagedFileError, LiftError
from mvlift.lifting.subjects import Subject
from mvlift.safe_reading import checked, decode_json, read_text
from mvlift.typing import F64

__all__ = ["ObjectShape", "box_shape", "load_shape", "shape_of"]


@dataclass(frozen=True, eq=False)
class ObjectShape:
    """A rigid object.

    Attributes:
        name: what it is called.
        names: (P,) its keypoints.
        points: (P, 3) in its own right-handed frame: metres, or units of ``size``.
        kind: "box": each axis has a size of its own; "points": one scale for all axes.
        size: (3,) metres in a unit of each axis, None where it is to be found.
    """

    name: str
    names: tuple[str, ...]
    points: F64
    kind: Literal["box", "points"]
    size: F64 | None

    def __post_init__(self) -> None:
        if len(self.names) < 4 or self.points.shape != (len(self.names), 3) or not np.isfinite(self.points).all():
            raise LiftError(
                f"The object {self.name} has {len(self.names)} keypoints.", "Give four or more, not all in one plane."
            )
        if self.size is not None and not ((self.size > 1e-3) & (self.size < 100)).all():
            raise LiftError(f"A size of {self.size.tolist()} metres is not that of an object.", "Give metres.")

    @property
    def flat(self) -> bool:
        """True where all points lie in one plane."""
        centred = self.points - self.points.mean(0)
        values = np.linalg.svd(centred, compute_uv=False)
        return bool(values[2] < 0.02 * values[0])

    def loosened(self) -> ObjectShape:
        """The same proportions at a size that is to be found: in units of the known one."""
        if self.size is None:
            return self
        return ObjectShape(self.name, self.names, self.points * self.size, "points", None)

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        points = {n: [float(v) for v in p] for n, p in zip(self.names, self.points, strict=True)}
        size = None if self.size is None else [float(v) for v in self.size]
        return {"name": self.name, "kind": self.kind, "points": points, "size": size}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ObjectShape:
        """Inverse of ``to_json``.

        Raises:
            LiftError: a value does not fit.
        """
        try:
            points = values["points"]
            size = values.get("size")
            return ObjectShape(
                name=str(values["name"]),
                names=tuple(points),
                points=np.array(list(points.values()), dtype=np.float64),
                kind="box" if values["kind"] == "box" else "points",
                size=None if size is None else np.broadcast_to(np.asarray(size, np.float64), 3).copy(),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LiftError(f"The object's shape cannot be read ({error!r}).", "Give named 3D points.") from error


def box_shape(subject: Subject, size: tuple[float, float, float] | None = None, name: str = "") -> ObjectShape:
    """The box of a subject, of a known size in metres along its axes or not."""
    rigid_object = subject.rigid_object
    if rigid_object is None or not rigid_object.points:
        raise LiftError(f"Subject {subject.name} has no object of its own.", "Give the object's points.")
    return ObjectShape(
        name=name or rigid_object.name,
        names=tuple(rigid_object.points),
        points=np.array(list(rigid_object.points.values())),
        kind=rigid_object.kind,
        size=None if size is None else np.array(size, dtype=np.float64),
    )


def shape_of(subject: Subject, shape: ObjectShape | None) -> ObjectShape | None:
    """The object of a lift: the user's, or else the subject's own; None for a subject without one.

    Raises:
        LiftError: the subject needs the object's points and has none, or a body alone was given an object.
    """
    if subject.rigid_object is None:
        if shape is not None:
            raise LiftError(f"Subject {subject.name} has no object.", "Choose human+box or human+object.")
        return None
    if shape is None:
        return box_shape(subject)
    if subject.rigid and set(subject.rigid) != set(shape.names):
        raise LiftError(
            f"The object's points {', '.join(shape.names[:6])} are not those of {subject.name}.",
            "Choose human+object, whose points are yours.",
        )
    return shape


def _from_obj(text: str) -> dict[str, tuple[float, float, float]]:
    """Corners of the bounding box of an OBJ mesh, as the keypoints of a box are called."""
    vertices = [[float(v) for v in line.split()[1:4]] for line in text.splitlines() if line.startswith("v ")]
    if not vertices:
        raise ValueError("no vertices")
    low, high = np.min(vertices, 0), np.max(vertices, 0)
    corners: dict[str, tuple[float, float, float]] = {}
    for i in range(8):
        pick = np.array([i >> 2 & 1, i >> 1 & 1, i & 1], dtype=bool)
        x, y, z = (float(v) for v in np.where(pick, high, low))
        corners[f"object_corner_{i}"] = (x, y, z)
    return corners


def load_shape(path: str | Path, name: str = "") -> ObjectShape:
    """An object's named points in metres from a file.

    Args:
        path: ``.json`` ({"name": [x, y, z], ...}), ``.csv`` (name,x,y,z) or ``.obj`` (the corners of its bounding box).
        name: of the object, the file's name by default.

    Raises:
        LiftError: it cannot be read so.
    """
    source = Path(path)
    try:
        text = read_text(source)
        if source.suffix.lower() == ".json":
            data = checked(decode_json(text, source.name), dict[str, Any], source.name)
            points = checked(data.get("points", data), dict[str, tuple[float, float, float]], source.name)
        elif source.suffix.lower() == ".obj":
            points = _from_obj(text)
        else:
            rows = [r for r in csv.reader(text.splitlines()) if len(r) == 4]
            points = {
                r[0].strip(): (float(r[1]), float(r[2]), float(r[3])) for r in rows if r[1].strip().lower() != "x"
            }
        from mvlift.keypoints.naming import keypoint_name

        named = {keypoint_name(k): v for k, v in points.items()}
        array = np.array(list(named.values()), dtype=np.float64)
        return ObjectShape(name or source.stem, tuple(named), array, "points", np.ones(3))
    except DamagedFileError as error:
        raise LiftError(error.message, 'Give {"name": [x, y, z], ...} as JSON, or name,x,y,z.') from error
    except (OSError, ValueError, AttributeError, TypeError, IndexError, csv.Error, OverflowError) as error:
        raise LiftError(
            f"{source}: no object with named points ({error}).", 'Give {"name": [x, y, z], ...} as JSON, or name,x,y,z.'
        ) from error
