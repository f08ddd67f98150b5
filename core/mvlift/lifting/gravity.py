"""What a user knows of gravity: how far the camera looks down, the horizon, two verticals, or the direction itself.

Directions are in camera axes: x right, y down, z forward. A camera that looks down by an angle e without roll sees the
direction against gravity as (0, -cos e, -sin e).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mvlift.cameras.moving import MovingView
from mvlift.errors import LiftError
from mvlift.lifting.options import LiftOptions
from mvlift.lifting.prepared import PreparedClip
from mvlift.lifting.sampling.lift_points import tilt_of
from mvlift.typing import F64

__all__ = ["known_up", "up_of_horizon", "up_of_tilt", "up_of_verticals", "with_known_up"]


def up_of_tilt(degrees: float) -> F64:
    """(3,) against gravity, of a camera without roll that looks down by some degrees (negative: up)."""
    angle = np.radians(degrees)
    return np.array([0.0, -np.cos(angle), -np.sin(angle)])


def up_of_horizon(points: F64, K: F64) -> F64:
    """(3,) against gravity: the normal of the plane of the rays through two points (2, 2) of the horizon, in pixels.

    Args:
        points: in the order of any hand.
        K: (3, 3) intrinsics.

    Raises:
        LiftError: the two are one point.
    """
    left, right = _rays(points, K)
    return _direction(np.cross(left, right), "horizon")


def up_of_verticals(points: F64, K: F64) -> F64:
    """(3,) against gravity: where two lines that are vertical in the world vanish, each of two points in pixels.

    The planes of their rays meet in the vertical; lines that are parallel in the picture meet at infinity, which is no
    exception.

    Args:
        points: (4, 2), the first line's two ends and the second one's.
        K: (3, 3) intrinsics.

    Raises:
        LiftError: the lines are one, or their ends coincide.
    """
    a, b, c, d = _rays(points, K)
    normals = [np.cross(a, b), np.cross(c, d)]
    lengths = [float(np.linalg.norm(n)) for n in normals]
    if min(lengths) < 1e-6:
        raise LiftError("The two ends of a vertical are one point.", "Draw it along an edge of the picture's scene.")
    return _direction(np.cross(normals[0] / lengths[0], normals[1] / lengths[1]), "verticals")


def _rays(points: F64, K: F64) -> F64:
    """(N, 3) directions of pixels (N, 2)."""
    return np.concatenate([(points - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(points), 1))], -1)


def _direction(vector: F64, what: str) -> F64:
    """The unit vector, on the side that is up in the picture.

    Raises:
        LiftError: it has no length.
    """
    length = float(np.linalg.norm(vector))
    if length < 1e-6:
        raise LiftError(f"The points of the {what} lie on each other.", "Draw them further apart.")
    unit = vector / length
    return np.asarray(-unit if unit[1] > 0 else unit)


def known_up(options: LiftOptions, K: F64, view: MovingView | None = None) -> F64 | None:
    """(3,) against gravity as the options tell it, in the axes of a still camera or of a scene; None: not told.

    Args:
        options: of the lift; tilt, horizon and verticals of a moving camera are those of its first frame, ``up`` is in
            the world of its track.
        K: (3, 3) intrinsics of a still camera.
        view: of a camera that moves.

    Raises:
        LiftError: the direction cannot be told from what is given.
    """
    lens = K if view is None else view.K[0]
    if options.up is not None:
        up = np.array(options.up) / np.linalg.norm(options.up)
        return np.asarray(up if view is None else view.to_world.T @ up)
    if options.tilt is not None:
        up = up_of_tilt(options.tilt)
    elif options.horizon is not None:
        up = up_of_horizon(np.array(options.horizon).reshape(2, 2), lens)
    elif options.verticals is not None:
        up = up_of_verticals(np.array(options.verticals).reshape(4, 2), lens)
    else:
        return None
    return np.asarray(up if view is None else view.R[0].T @ up)


def with_known_up(prepared: PreparedClip, options: LiftOptions) -> PreparedClip:
    """The clip with the direction against gravity that the options tell, if they do.

    Raises:
        LiftError: see ``known_up``.
    """
    up = known_up(options, prepared.K, prepared.view)
    if up is None:
        return prepared
    down = up if prepared.view is None else prepared.view.R[0] @ up
    tilt, roll = (float(np.degrees(v)) for v in tilt_of(down))
    note = f"Gravity was taken as given: the camera looks down by {tilt:.1f} degrees and is rolled by {roll:.1f}."
    return replace(prepared, up=up, assumptions=(*prepared.assumptions, note))
