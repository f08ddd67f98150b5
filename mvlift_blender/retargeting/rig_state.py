"""An armature's pose, properties and animation, removed temporarily and restored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import bpy
import numpy as np
from numpy.typing import NDArray

from ..scene.animation import assign_action, slot_name
from .rig_map import Setting

__all__ = ["RigState", "as_it_was", "restore_state", "take_state"]

Array = NDArray[np.float64]
_CHANNELS: Final = {"location": 3, "rotation_quaternion": 4, "rotation_euler": 3, "rotation_axis_angle": 4, "scale": 3}


@dataclass(frozen=True, eq=False)
class RigState:
    """An armature's pose, properties and animation, by names, so that it outlives an undo step."""

    channels: dict[str, Array]
    values: tuple[tuple[str, str, Any], ...]
    action: str
    slot: str
    use_nla: bool
    influences: tuple[tuple[str, str, float], ...] = ()


def take_state(armature: Any, settings: Iterable[Setting] = ()) -> RigState:
    """The state for ``restore_state``; ``settings`` name the properties that will be changed."""
    bones, animation = armature.pose.bones, armature.animation_data
    channels = {n: _read(bones, n, c) for n, c in _CHANNELS.items()}
    values = tuple((s.bone, s.property, bones[s.bone].get(s.property)) for s in settings if s.bone in bones)
    action = animation.action if animation is not None else None
    return RigState(
        channels,
        values,
        action.name if action is not None else "",
        slot_name(animation) if animation is not None else "",
        animation.use_nla if animation is not None else True,
        tuple((b.name, c.name, c.influence) for b in bones for c in b.constraints),
    )


def restore_state(context: Any, armature: Any, state: RigState) -> None:
    """Put an armature back as it was."""
    bones = armature.pose.bones
    for name, flat in state.channels.items():
        if len(flat) == len(bones) * _CHANNELS[name]:
            bones.foreach_set(name, flat)
    for bone, name, value in state.influences:
        if bone in bones and name in bones[bone].constraints:
            bones[bone].constraints[name].influence = value
    for bone, name, value in state.values:
        if value is not None and bone in bones:
            bones[bone][name] = value
    animation = armature.animation_data
    if animation is not None:
        action = bpy.data.actions.get(state.action)
        slot = action.slots.get(state.slot) if action is not None and state.slot else None
        assign_action(animation, action, slot)
        animation.use_nla = state.use_nla
    armature.update_tag()
    context.view_layer.update()


@contextmanager
def as_it_was(context: Any, armature: Any, settings: Iterable[Setting] = ()) -> Iterator[None]:
    """Take the animation off an armature for a while; afterwards its pose, properties and animation are as before."""
    state = take_state(armature, settings)
    if armature.animation_data is not None:
        armature.animation_data.action, armature.animation_data.use_nla = None, False
    try:
        yield
    finally:
        restore_state(context, armature, state)


def _read(bones: Any, name: str, channels: int) -> Any:
    flat = np.empty(len(bones) * channels, dtype=np.float32)
    bones.foreach_get(name, flat)
    return flat
