"""A body as a smooth union of lofts and ellipsoids, all data: an implicit function that is negative inside.

A body is symmetric about x = 0, so only its left half (x >= 0) is described and |x| is looked up.
The union is the polynomial smooth minimum of Quilez (2013), min(a, b) - h^2 k / 4 with h = max(k - |a - b|, 0) / k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from mvlift.errors import BodyFileError
from mvlift.typing import F64
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

__all__ = ["Ellipsoid", "Field", "Fine", "Floor", "Loft", "Part", "field_of"]

_TINY: Final = 1e-9
_NEARBY: Final = 6e-3
_EDGE: Final = 0.022


class Shape(Protocol):
    """A solid: its implicit function and where it may be negative."""

    def __call__(self, points: F64) -> F64:
        """(N,) roughly signed distances in metres of points (N, 3), negative inside."""
        ...

    def box(self) -> tuple[F64, F64]:
        """Lowest and highest corner (3,) of what it encloses, metres."""
        ...


def _radial(offset: F64, gauge: F64) -> F64:
    """Distance to the surface along the ray from the centre, where ``gauge`` is 1 on the surface and grows linearly."""
    return np.linalg.norm(offset, axis=-1) * (1 - 1 / np.maximum(gauge, _TINY))


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """A turned ellipsoid: centre (3,) and radii (3,) in metres, axes (3, 3) in rows."""

    centre: F64
    radii: F64
    axes: F64

    def __call__(self, points: F64) -> F64:
        """Signed distance along the ray from the centre."""
        offset = (points - self.centre) @ self.axes.T
        return _radial(offset, np.linalg.norm(offset / self.radii, axis=-1))

    def box(self) -> tuple[F64, F64]:
        """Corners of the box that holds it."""
        reach = np.linalg.norm(self.axes * self.radii[:, None], axis=0)
        return self.centre - reach, self.centre + reach


@dataclass(frozen=True, eq=False)
class Floor:
    """Everything above a level: flat soles. ``level`` is a height in metres."""

    level: float

    def __call__(self, points: F64) -> F64:
        """Depth below the level, negative above."""
        return self.level - points[:, 1]

    def box(self) -> tuple[F64, F64]:
        """Corners of the half space below the level."""
        return np.full(3, -np.inf), np.array([np.inf, self.level, np.inf])


@dataclass(frozen=True, eq=False)
class Loft:
    """Superelliptic cross-sections strung along a gently curved centre line.

    Attributes:
        start: (3,) first centre.
        frame: (3, 3) rows: along the loft, to its side (front x along), to its front.
        length: metres from the first centre to the last.
        sections: of the place along (0..length): centre's side and front offset, radii side, other side, front, back.
        caps: how far the round ends reach beyond the first and the last centre, metres.
        power: of the superellipse; 2 is an ellipse, more is boxier.
        corners: of the box that holds it.
    """

    start: F64
    frame: F64
    length: float
    sections: PchipInterpolator
    caps: tuple[float, float]
    power: float
    corners: tuple[F64, F64]

    def __call__(self, points: F64) -> F64:
        """Signed distance along the ray from the nearest centre."""
        local = (points - self.start) @ self.frame.T
        along = np.clip(local[:, 0], 0, self.length)
        section = self.sections(along)
        local[:, 0] -= along
        local[:, 1:] -= section[:, :2]
        side = np.where(local[:, 1] > 0, section[:, 2], section[:, 3])
        front = np.where(local[:, 2] > 0, section[:, 4], section[:, 5])
        cap = np.where(local[:, 0] < 0, self.caps[0], self.caps[1])
        flat = np.abs(local[:, 1] / side) ** self.power + np.abs(local[:, 2] / front) ** self.power
        return _radial(local, np.sqrt(flat ** (2 / self.power) + (local[:, 0] / cap) ** 2))

    def box(self) -> tuple[F64, F64]:
        """Corners of the box that holds it."""
        return self.corners


@dataclass(frozen=True, eq=False)
class Part:
    """One step of building a body.

    Attributes:
        name: what it is in the anatomy.
        shape: the solid.
        blend: width k of the smooth union with what came before, metres.
        operation: "add", "cut" (take away) or "keep" (leave only what is inside).
        edge: how long a triangle's edge should be on it, metres.
    """

    name: str
    shape: Shape
    blend: float
    operation: str
    edge: float

    def join(self, before: F64, points: F64) -> F64:
        """The field (N,) once this part is joined to the field before."""
        values = self.shape(points)
        if self.operation == "add":
            return _smooth_min(before, values, self.blend)
        return -_smooth_min(-before, values if self.operation == "cut" else -values, self.blend)


def _smooth_min(a: F64, b: F64, k: float) -> F64:
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * k / 4


@dataclass(frozen=True, eq=False)
class Fine:
    """A box, corners (3,) in metres, in which a grid's neighbours are ``spacing`` metres apart along each axis."""

    low: F64
    high: F64
    spacing: float


@dataclass(frozen=True, eq=False)
class Field:
    """A body's implicit function, symmetric about x = 0. Parts are joined in their order."""

    parts: tuple[Part, ...]

    def __call__(self, points: F64) -> F64:
        """(N,) roughly signed distances in metres of points (N, 3)."""
        half = points.copy()
        half[:, 0] = np.abs(half[:, 0])
        value = np.full(len(half), 1.0)
        for part in self.parts:
            value = part.join(value, half)
        return value

    def edge(self, points: F64) -> F64:
        """How long an edge should be at points (N, 3) of the surface, metres (N,): the finest of the parts nearby."""
        half = np.column_stack([np.abs(points[:, 0]), points[:, 1:]])
        wanted = np.full(len(points), np.inf)
        for part in self.parts:
            within = np.abs(part.shape(half)) < _NEARBY
            wanted[within] = np.minimum(wanted[within], part.edge)
        return np.where(np.isfinite(wanted), wanted, max(part.edge for part in self.parts))

    def gradient(self, points: F64, step: float = 5e-4) -> F64:
        """(N, 3) by central differences."""
        ahead = [self(points + step * axis) - self(points - step * axis) for axis in np.eye(3)]
        return np.stack(ahead, axis=1) / (2 * step)

    def grid(self, spacing: float, fine: Sequence[Fine] = ()) -> tuple[F64, list[F64]]:
        """Values on a grid over the left half, right near the surface only, which is all that a polygoniser needs.

        Args:
            spacing: metres between neighbours; x starts at 0.
            fine: boxes in which the grid is finer along each axis.

        Returns:
            Values (X, Y, Z) and the places of the grid along each axis, metres.
        """
        boxes = [p.shape.box() for p in self.parts if p.operation == "add"]
        margin = 4 * spacing
        low = np.min([b[0] for b in boxes], 0) - margin
        high = np.max([b[1] for b in boxes], 0) + margin
        low[0] = 0.0
        axes = [_places(low[i], high[i], spacing, [(f.low[i], f.high[i], f.spacing) for f in fine]) for i in range(3)]
        value = np.full([len(a) for a in axes], 1.0)
        for part in self.parts:
            first, last = part.shape.box()
            reach = part.blend + margin
            window = tuple(
                slice(int(np.searchsorted(a, f - reach)), int(np.searchsorted(a, t + reach)))
                for a, f, t in zip(axes, first, last, strict=True)
            )
            places = np.meshgrid(*[a[w] for a, w in zip(axes, window, strict=True)], indexing="ij")
            points = np.stack([p.ravel() for p in places], 1)
            value[window] = part.join(value[window].ravel(), points).reshape(value[window].shape)
        return value, axes


def _places(low: float, high: float, spacing: float, fine: Sequence[tuple[float, float, float]]) -> F64:
    """From ``low`` to ``high`` in steps of ``spacing``, or finer ones within some intervals."""
    places = np.arange(low, high + spacing, spacing)
    for first, last, step in fine:
        outside = (places < first - step / 2) | (places > last + step / 2)
        places = np.sort(np.concatenate([places[outside], np.arange(first, last, step)]))
    return places


def _loft(data: Mapping[str, Any]) -> Loft:
    stations = np.asarray(data["stations"], np.float64)
    centres, radii = stations[:, :3], stations[:, 3:]
    chord = centres[-1] - centres[0]
    along = chord / np.linalg.norm(chord)
    front = np.asarray(data["front"], np.float64)
    front = front - (front @ along) * along
    front /= np.linalg.norm(front)
    frame = np.stack([along, np.cross(front, along), front])
    local = (centres - centres[0]) @ frame.T
    sections = PchipInterpolator(local[:, 0], np.column_stack([local[:, 1:], radii]))
    reach = max(float(radii.max()), *data["caps"])
    return Loft(
        start=centres[0],
        frame=frame,
        length=float(np.linalg.norm(chord)),
        sections=sections,
        caps=(float(data["caps"][0]), float(data["caps"][1])),
        power=float(data.get("power", 2.0)),
        corners=(centres.min(0) - reach, centres.max(0) + reach),
    )


def _shape(data: Mapping[str, Any]) -> Shape:
    if "stations" in data:
        return _loft(data)
    if "level" in data:
        return Floor(float(data["level"]))
    centre, radii = (np.asarray(data[k], np.float64) for k in ("centre", "radii"))
    if "axes" in data:
        return Ellipsoid(centre, radii, np.asarray(data["axes"], np.float64))
    turn = Rotation.from_euler("xyz", data.get("turn", [0, 0, 0]), degrees=True).as_matrix()
    return Ellipsoid(centre, radii, np.asarray(turn.T, np.float64))


def field_of(parts: Sequence[Mapping[str, Any]], name: str) -> Field:
    """The field of a list of parts as in ``human_parts.json``.

    Args:
        parts: each with a name, how it is joined, and the numbers of its shape.
        name: of the file, for messages.

    Raises:
        BodyFileError: a part lacks a number.
    """
    made = []
    for data in parts:
        try:
            made.append(
                Part(data["name"], _shape(data), float(data["blend"]), data.get("how", "add"), data.get("edge", _EDGE))
            )
        except (KeyError, ValueError, IndexError) as error:
            raise BodyFileError(
                f"{name}: part {data.get('name', '?')!r} cannot be built ({error!r}).",
                "Give it stations, front and caps; or centre and radii; or level; and a blend.",
            ) from error
    return Field(tuple(made))
