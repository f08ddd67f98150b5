"""The exact frame rate of a scene: Blender keeps it as a whole number over a base."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mvlift.keypoints.rates import exact_rate

__all__ = ["scene_fps", "set_scene_fps"]


def scene_fps(scene: Any) -> Fraction:
    """Exact frame rate of a scene."""
    rate = scene.render.fps / scene.render.fps_base
    return exact_rate(rate) or Fraction(rate)


def set_scene_fps(scene: Any, fps: Fraction) -> None:
    """Give a scene an exact rate: 30000/1001 as 30 over a base of 1.001."""
    rounded = max(1, round(fps))
    scene.render.fps = rounded
    scene.render.fps_base = float(rounded / fps)
