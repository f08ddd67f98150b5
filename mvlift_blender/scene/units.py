"""Conversion between metres and a scene's units."""

from __future__ import annotations

from typing import Any

__all__ = ["metres_per_unit"]


def metres_per_unit(scene: Any) -> float:
    """How many metres one unit of a scene is; 1 where the scene has no system of units, as Blender itself takes it."""
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else float(settings.scale_length)
