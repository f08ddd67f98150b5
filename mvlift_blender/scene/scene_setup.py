"""Whether a lift sets up the scene, and the values that it sets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import bpy

from .frame_rate import scene_fps, set_scene_fps

__all__ = [
    "PART",
    "SceneValues",
    "SetupMode",
    "apply_values",
    "is_new",
    "lets_set_up",
    "read_values",
    "remember_set_up",
]

SetupMode = Literal["AUTO", "KEEP", "MATCH"]

PART: Final = "mvlift_part"
"""Custom property of the objects that a lift made: which part of it they are."""
_FACTORY: Final = (24, 1.0, 1, 250, 1920, 1080)


@dataclass(frozen=True)
class SceneValues:
    """What a lift may set: exact frame rate, frame range, render size."""

    fps: Fraction
    frames: tuple[int, int]
    size: tuple[int, int]

    def __str__(self) -> str:
        return f"{float(self.fps):.5g} fps, frames {self.frames[0]}-{self.frames[1]}, {self.size[0]} x {self.size[1]}"


def read_values(scene: Any) -> SceneValues:
    """What a scene has now."""
    render = scene.render
    size = (int(render.resolution_x), int(render.resolution_y))
    return SceneValues(scene_fps(scene), (int(scene.frame_start), int(scene.frame_end)), size)


def apply_values(scene: Any, values: SceneValues) -> None:
    """Give a scene other values; render in square pixels."""
    set_scene_fps(scene, values.fps)
    scene.frame_start, scene.frame_end = values.frames
    scene.render.resolution_x, scene.render.resolution_y = values.size
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0


def is_new(scene: Any) -> bool:
    """True for a new scene: no saved file, no camera, no keys, the values of an empty file.

    Values that an earlier lift set and that were not changed since are ignored.
    """
    if bpy.data.filepath or _strips(scene) or len(scene.timeline_markers):
        return False
    others = [o for o in scene.objects if PART not in o]
    if any(o.type == "CAMERA" or _is_animated(o) for o in others) or _is_animated(scene):
        return False
    return _raw(scene) in (_FACTORY, _remembered(scene))


def _strips(scene: Any) -> int:
    """How many strips the scene's video editor has."""
    editor = scene.sequence_editor
    if editor is None:
        return 0
    return len(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def _is_animated(block: Any) -> bool:
    blocks = [block, getattr(block, "data", None)]
    keys = getattr(blocks[1], "shape_keys", None)
    for owner in (*blocks, keys):
        animation = getattr(owner, "animation_data", None)
        if animation is not None and (animation.action or len(animation.nla_tracks) or len(animation.drivers)):
            return True
    return False


def _raw(scene: Any) -> tuple[float, ...]:
    render = scene.render
    return (
        render.fps, round(render.fps_base, 6), scene.frame_start, scene.frame_end, render.resolution_x,
        render.resolution_y,
    )  # fmt: skip


def _remembered(scene: Any) -> tuple[float, ...] | None:
    text = scene.mvlift.set_up if hasattr(scene, "mvlift") else ""
    return tuple(json.loads(text)) if text else None


def remember_set_up(scene: Any) -> None:
    """Remember that the scene's values are a lift's, not the user's."""
    if hasattr(scene, "mvlift"):
        scene.mvlift.set_up = json.dumps(_raw(scene))


def lets_set_up(scene: Any, mode: SetupMode) -> bool:
    """Whether a lift may set the scene up."""
    return mode == "MATCH" or (mode == "AUTO" and is_new(scene))
