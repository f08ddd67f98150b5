"""Epipolar lines of parallel-projection views about the root, which is what the networks are conditioned on.

A view is a rotation M from the world's axes to the view's (x right, y down, z forward); a world point X is seen at
(M X)_{xy}. For two views M_0 (input) and M_k, a point x in view 0 is X = M_0^T (x, λ) for an unknown depth λ, so in
view k it lies on the line p + λ d with [p; ·] = R (x, 0), d = R_{:2,2}, R = M_k M_0^T.
"""

from __future__ import annotations

from mvlift.arrays import Array, array_namespace

__all__ = ["line_through", "lines_from_view", "point_line_distance"]


def _canonical(normal: Array) -> Array:
    """Unit normals with b > 0 (a > 0 where b = 0), so that one line has one description."""
    xp = array_namespace(normal)
    length = xp.sqrt((normal * normal).sum(-1))[..., None]
    normal = normal / xp.clip(length, 1e-9, None)
    sign = xp.sign(xp.where(xp.abs(normal[..., 1:]) > 1e-6, normal[..., 1:], normal[..., :1]))
    return normal * xp.where(sign == 0, xp.ones_like(sign), sign)


def line_through(points: Array, direction: Array) -> Array:
    """Lines a x + b y + c = 0 with a² + b² = 1.

    Args:
        points: (..., 2) a point of each line.
        direction: (..., 2) along each line, any length, broadcastable to ``points``.

    Returns:
        (..., 3) coefficients (a, b, c).
    """
    xp = array_namespace(points)
    normal = _canonical(xp.stack([-direction[..., 1], direction[..., 0]], axis=-1))
    normal = xp.broadcast_to(normal, points.shape)
    return xp.concat([normal, -(normal * points).sum(-1)[..., None]], axis=-1)


def lines_from_view(points: Array, input_rotation: Array, view: Array) -> Array:
    """Epipolar lines in a view of points seen in the input view.

    Args:
        points: (..., T, P, 2) in the input view.
        input_rotation: (..., T, 3, 3) rotation M_0 of the input view in each frame.
        view: (..., T, 3, 3) rotation M_k of the view.

    Returns:
        (..., T, P, 3) lines in the view.
    """
    xp = array_namespace(points)
    relative = view @ xp.matrix_transpose(input_rotation)
    seen = points @ xp.matrix_transpose(relative[..., :2, :2])
    return line_through(seen, xp.broadcast_to(relative[..., None, :2, 2], seen.shape))


def point_line_distance(points: Array, lines: Array) -> Array:
    """(...,) perpendicular distance |a x + b y + c| (the paper's eq. 3)."""
    return abs((lines[..., :2] * points).sum(-1) + lines[..., 2])
