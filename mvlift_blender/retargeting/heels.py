"""Heels of paws: IK controls that turn a foot about its toes and hang on what the rig's own solvers turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mvlift.kinematics.quaternions import conjugate, continuous, multiply
from numpy.typing import NDArray

from .channels import Channel, rotation, rotation_channel
from .motion import Solved
from .pose_sampler import PoseSampler
from .response import RigResponse, all_settings, on_ik
from .rig_map import RigMap
from .rig_state import as_it_was
from .roles import limb_keys

__all__ = ["heel_channels", "heel_turns"]

Array = NDArray[np.float64]
Limb = tuple[str, str]


def heel_turns(
    context: Any, armature: Any, rig: RigMap, response: RigResponse, limbs: Sequence[Limb], channels: Sequence[Channel]
) -> dict[Limb, Array]:
    """What the heels of some limbs hang on: for each limb that has one, (T, 4) its turn from rest in the world.

    Blender evaluates the rig once a frame: what its solvers do cannot be told otherwise.

    Args:
        context: its view layer evaluates the rig, which is left as it was.
        armature: the rig.
        rig: its bone map.
        response: the rig, looked at.
        limbs: whose IK controls are keyed.
        channels: (T, C) each, of locations and rotations; those of heels are passed over.
    """
    limbs = [limb for limb in limbs if rig.ik[limb].heel in response.extra]
    if not limbs or not channels:
        return {}
    heels = [rig.ik[limb].heel for limb in limbs]
    orientations = []
    with as_it_was(context, armature, all_settings(rig)):
        on_ik(armature, rig, limbs)
        bones = armature.pose.bones
        sampler = PoseSampler(context, armature, heels)
        still = [rotation_channel(heel, bones[heel].rotation_mode, np.array([[1.0, 0, 0, 0]])) for heel in heels]
        moving = [c for c in channels if c.bone in bones and c.bone not in heels]
        targets = [(bones[c.bone], c.path.rpartition(".")[2], c.values) for c in (*still, *moving)]
        for t in range(len(channels[0].values)):
            for bone, name, values in targets:
                setattr(bone, name, values[min(t, len(values) - 1)])
            orientations.append(sampler.sample()[0])
    axes = np.array(orientations)
    return {
        limb: continuous(multiply(axes[:, i], conjugate(response.extra[heel].axes)))
        for i, (limb, heel) in enumerate(zip(limbs, heels, strict=True))
    }


def heel_channels(rig: RigMap, response: RigResponse, solved: Solved, turns: Mapping[Limb, Array]) -> list[Channel]:
    """Channels of the heels that turn the feet as they are solved, on what ``heel_turns`` says they hang on."""
    channels = []
    for limb, above in turns.items():
        heel = response.extra[rig.ik[limb].heel]
        turn = solved.turns[:, response.parts.index[limb_keys(rig.body, limb)[2]]]
        channels.append(rotation_channel(heel.bone, heel.mode, rotation(heel, turn, above)))
    return channels
