"""What the two denoisers read: noisy motion with lines (stage 1), or noisy views beside the input view (stage 4).

Features of a point, stage 1 (6): noisy x, y; line a, b, c; 1 where the point has a line.
Features of a point, stage 4 (6): noisy x, y; input x, y; confidence of the input point; 1 in the input view's stream.
"""

from __future__ import annotations

from typing import Final

from mvlift.arrays import Array, array_namespace

__all__ = ["LINE_FEATURES", "VIEW_FEATURES", "line_features", "view_code", "view_features"]

LINE_FEATURES: Final = 6
VIEW_FEATURES: Final = 6


def line_features(noisy: Array, lines: Array, has_line: Array) -> Array:
    """(..., P, 6) from noisy points (..., P, 2), lines (..., P, 3) and has_line (..., P) bool or 0/1."""
    xp = array_namespace(noisy)
    flag = xp.astype(has_line, noisy.dtype)[..., None]
    return xp.concat([noisy, lines * flag, flag], axis=-1)


def view_features(noisy: Array, input_points: Array, confidence: Array) -> Array:
    """Features of the input view's stream and the noisy views' streams.

    Args:
        noisy: (B, V, T, P, 2) noisy points of the views to generate.
        input_points: (B, T, P, 2) points of the input view, 0 where missing.
        confidence: (B, T, P) in [0, 1].

    Returns:
        (B, 1 + V, T, P, 6): stream 0 is the input view.
    """
    xp = array_namespace(noisy)
    streams = noisy.shape[1] + 1
    weight = xp.astype(confidence[:, None, :, :, None], noisy.dtype)
    seen = xp.concat([input_points[:, None, ...] * xp.astype(weight > 0, noisy.dtype), weight], axis=-1)
    seen = xp.broadcast_to(seen, (seen.shape[0], streams, *seen.shape[2:]))
    first = xp.zeros_like(noisy[:, :1, ...])
    flag = xp.concat([xp.ones_like(first[..., :1]), xp.zeros_like(noisy[..., :1])], axis=1)
    return xp.concat([xp.concat([first, noisy], axis=1), seen, flag], axis=-1)


def view_code(azimuth: Array, elevation: Array, is_input: Array) -> Array:
    """(..., 8) direction of a view relative to the input one: harmonics of azimuth, elevation, and the input flag.

    Args:
        azimuth: (...) radians about the vertical from the input view.
        elevation: (...) radians above the horizontal.
        is_input: (...) 1 for the input view's stream (whose elevation the network is not given).
    """
    xp = array_namespace(azimuth)
    flag = xp.astype(is_input, azimuth.dtype)
    rest = 1 - flag
    return xp.stack(
        [
            flag,
            rest * xp.sin(azimuth),
            rest * xp.cos(azimuth),
            rest * xp.sin(2 * azimuth),
            rest * xp.cos(2 * azimuth),
            rest * xp.sin(elevation),
            rest,
            xp.zeros_like(rest),
        ],
        axis=-1,
    )
