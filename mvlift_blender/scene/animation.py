"""All differences between versions of Blender's animation API.

Blender 4.2 and 4.3 keep F-curves in the Action; 4.4 adds slots, layers and channelbags and keeps the old way as a
shortcut; 5.0 removes the shortcut, and moves the selection of bones from the armature to its pose. Keys are written
with ``foreach_set``: one call a curve, whatever its length.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, Final

import bpy
import numpy as np
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = [
    "BEZIER",
    "CONSTANT",
    "LINEAR",
    "Curves",
    "assign_action",
    "clear_action",
    "current_curves",
    "curves_of",
    "duplicate_action",
    "new_curves",
    "select_bones",
    "selected_bones",
    "slot_name",
]

CONSTANT: Final = 0
LINEAR: Final = 1
BEZIER: Final = 2
_ALIGNED: Final = 3  # of a key's handles


@dataclass(frozen=True)
class Curves:
    """The F-curves of one Action for one data-block.

    Attributes:
        action: the Action.
        container: what holds ``fcurves`` and ``groups``: the Action itself before 4.4, a channelbag since.
    """

    action: Any
    container: Any

    def __iter__(self) -> Iterator[Any]:
        return iter(self.container.fcurves)

    def find(self, data_path: str, index: int = 0) -> Any | None:
        """The curve of one channel, or None."""
        return self.container.fcurves.find(data_path, index=index)

    def group(self, name: str) -> Any:
        """The channel group of that name, made when there is none."""
        return self.container.groups.get(name) or self.container.groups.new(name)

    def write(
        self, data_path: str, frames: F64, values: F64, *, group: str = "", slopes: F64 | None = None,
        steps: bool = False,
    ) -> None:  # fmt: skip
        """Replace the keys of a property.

        Args:
            data_path: as in ``keyframe_insert``.
            frames: (N,) scene frames, ascending, fractions allowed.
            values: (N, C) one column for each array index of the property; C = 1 for a plain number.
            group: name of the channel group, none when empty.
            slopes: (N, C) a frame, for smooth curves with handles at a third of the way to the next key; without
                them the keys are joined by straight lines.
            steps: each value holds until the next key.
        """
        coordinates = np.empty((len(frames), 2), dtype=np.float32)
        coordinates[:, 0] = frames
        for index, column in enumerate(np.asarray(values).T):
            curve = self.find(data_path, index)
            if curve is None:
                curve = self.container.fcurves.new(data_path, index=index)
                if group:
                    curve.group = self.group(group)
            else:
                curve.keyframe_points.clear()
            coordinates[:, 1] = column
            _set_keys(curve, coordinates, CONSTANT if steps else LINEAR if slopes is None else BEZIER)
            if slopes is not None:
                _set_handles(curve, coordinates, np.asarray(slopes, dtype=np.float32)[:, index])

    def read(self, data_path: str, channels: int, frames: F64) -> F64 | None:
        """(N, C) values of a property at scene frames (N,), or None when no channel of it has a curve."""
        curves = [self.find(data_path, index) for index in range(channels)]
        if all(curve is None for curve in curves):
            return None
        values = np.zeros((len(frames), channels))
        for index, curve in enumerate(curves):
            if curve is not None:
                values[:, index] = _evaluate(curve, frames)
        return values

    def key_frames(self, data_path: str, index: int = 0) -> F64:
        """(N,) scene frames of a channel's keys, empty when it has none."""
        curve = self.find(data_path, index)
        return np.empty(0) if curve is None else _coordinates(curve)[:, 0].astype(np.float64)


def _set_keys(curve: Any, coordinates: NDArray[np.float32], interpolation: int) -> None:
    points = curve.keyframe_points
    count = len(coordinates)
    points.add(count)
    points.foreach_set("co", coordinates.ravel())
    points.foreach_set("interpolation", np.full(count, interpolation, dtype=np.uint8))
    points.foreach_set("select_control_point", np.zeros(count, dtype=bool))
    curve.update()


def _set_handles(curve: Any, coordinates: NDArray[np.float32], slopes: NDArray[np.float32]) -> None:
    points, frames = curve.keyframe_points, coordinates[:, 0]
    gaps = np.diff(frames) / 3 if len(frames) > 1 else np.ones(0, dtype=np.float32)
    sides = {
        "handle_left": -np.concatenate([gaps[:1], gaps]),
        "handle_right": np.concatenate([gaps, gaps[-1:]]),
    }
    for name, reach in sides.items():
        reach = reach if len(reach) == len(frames) else np.ones_like(frames)
        handles = coordinates + reach[:, None] * np.stack([np.ones_like(slopes), slopes], -1)
        points.foreach_set(f"{name}_type", np.full(len(frames), _ALIGNED, dtype=np.uint8))
        points.foreach_set(name, np.ascontiguousarray(handles, dtype=np.float32).ravel())
    curve.update()


def _coordinates(curve: Any) -> NDArray[np.float32]:
    coordinates = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
    curve.keyframe_points.foreach_get("co", coordinates)
    return coordinates.reshape(-1, 2)


def _evaluate(curve: Any, frames: F64) -> F64:
    keys = _coordinates(curve)
    modes = np.empty(len(keys), dtype=np.uint8)
    curve.keyframe_points.foreach_get("interpolation", modes)
    if len(keys) and (modes == LINEAR).all() and not curve.modifiers:
        return np.interp(frames, keys[:, 0], keys[:, 1])
    return np.array([curve.evaluate(float(frame)) for frame in frames])


def new_curves(target: Any, name: str) -> Curves:
    """A new Action of that name on a data-block, in place of the one it has (which stays in the file)."""
    action = bpy.data.actions.new(name)
    animation = target.animation_data_create()
    if not hasattr(action, "slots"):
        action.id_root = target.id_type
        animation.action = action
        return Curves(action, action)
    slot = action.slots.new(id_type=target.id_type, name=target.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    animation.action = action
    animation.action_slot = slot
    return Curves(action, strip.channelbag(slot, ensure=True))


def current_curves(target: Any) -> Curves | None:
    """The curves that animate a data-block through its Action, or None."""
    animation = target.animation_data
    if animation is None or animation.action is None:
        return None
    action = animation.action
    if not hasattr(action, "slots"):
        return Curves(action, action)
    slot = animation.action_slot
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot) if slot is not None else None
            if bag is not None:
                return Curves(action, bag)
    return None


def curves_of(action: Any) -> list[Curves]:
    """All curves of an Action, whatever they animate: one entry for each slot that has any."""
    if not hasattr(action, "layers"):
        return [Curves(action, action)]
    strips = [strip for layer in action.layers for strip in layer.strips]
    return [Curves(action, bag) for strip in strips for bag in strip.channelbags]


def assign_action(animated: Any, action: Any, slot: Any = None) -> None:
    """Let an Action, or None, animate a data-block or an NLA strip.

    Args:
        animated: a data-block's animation data, or an NLA strip.
        action: the Action.
        slot: of it; None leaves the choice to Blender, and takes the first one where Blender makes none.
    """
    if animated.action != action:
        animated.action = action
    if action is None or not hasattr(action, "slots"):
        return
    if slot is not None:
        animated.action_slot = slot
    elif animated.action_slot is None and len(action.slots):
        animated.action_slot = action.slots[0]


def slot_name(animation: Any) -> str:
    """Identifier of the slot that animates a data-block; "" for none and before 4.4."""
    slot = getattr(animation, "action_slot", None) if animation.action is not None else None
    return slot.identifier if slot is not None else ""


def duplicate_action(target: Any, name: str) -> Curves:
    """Give a data-block a copy of its Action under another name; the old one stays in the file."""
    animation = target.animation_data
    copy = animation.action.copy()
    copy.name = name
    if not hasattr(copy, "slots"):
        animation.action = copy
        return Curves(copy, copy)
    identifier = animation.action_slot.identifier
    animation.action = copy
    animation.action_slot = copy.slots[identifier]
    curves = current_curves(target)
    assert curves is not None  # the copy holds what the original did
    return curves


def selected_bones(armature: Any) -> list[str]:
    """Names of the bones that are selected in Pose Mode."""
    return [bone.name for bone in _selectable(armature) if bone.select]


def select_bones(armature: Any, names: Container[str]) -> None:
    """Select these bones in Pose Mode, and no others."""
    for bone in _selectable(armature):
        bone.select = bone.name in names


def _selectable(armature: Any) -> Any:
    return armature.pose.bones if "select" in bpy.types.PoseBone.bl_rna.properties else armature.data.bones


def clear_action(target: Any) -> None:
    """Take the Action off a data-block; the Action stays in the file."""
    if target.animation_data is not None:
        target.animation_data.action = None
