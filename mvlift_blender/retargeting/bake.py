"""Writing channels into a new Action, as the active one or as an NLA strip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..scene.animation import assign_action, new_curves
from .channels import Channel

__all__ = ["ResultMode", "bake"]

Array = NDArray[np.float64]
ResultMode = Literal["ACTION", "NLA"]


def bake(armature: Any, channels: Sequence[Channel], frames: Array, name: str, result: ResultMode) -> Any:
    """Key the channels; other Actions, tracks and strips stay as they are.

    Args:
        armature: the target.
        channels: (T, C) values each, or (1, C) for what stays.
        frames: (T,) scene frames.
        name: of the Action.
        result: ACTION makes it the active one; NLA puts it on a track of its own and leaves the active one.

    Returns:
        The Action.
    """
    animation = armature.animation_data_create()
    before = (animation.action, getattr(animation, "action_slot", None))
    curves = new_curves(armature, name)
    for channel in channels:
        if channel.bone not in armature.pose.bones:
            continue
        keyed = frames[:1] if len(channel.values) == 1 else frames
        curves.write(channel.path, keyed, channel.values, group=channel.bone)
    if before[0] is not None and before[0].users == 0:
        before[0].use_fake_user = True  # it was this armature's only: without a user it would not be saved
    if result == "NLA":
        _push(animation, curves.action, frames)
        assign_action(animation, *before)
    return curves.action


def _push(animation: Any, action: Any, frames: Array) -> None:
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, round(float(frames[0])), action)
    assign_action(strip, action)
    strip.action_frame_start, strip.action_frame_end = float(frames[0]), float(frames[-1])
    strip.frame_start, strip.frame_end = float(frames[0]), float(frames[-1])
