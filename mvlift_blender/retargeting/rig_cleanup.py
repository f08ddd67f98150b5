"""Clean-up on retargeted rigs: their parts as the plain skeleton that clean-up works on, and back to their keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import bpy
import numpy as np
from mvlift.kinematics.quaternions import conjugate, continuous, multiply
from numpy.typing import NDArray

from ..motion.curves import MotionCurves
from ..motion.rig_data import Leg
from ..motion.skeleton import RestSkeleton
from ..scene.animation import Curves, current_curves
from ..scene.motion_curves import editable_curves
from .bone_map import shipped_maps
from .channels import Channel
from .evaluate_keys import Reader, evaluate_keys
from .heels import heel_channels, heel_turns
from .ik import carried, limbs_with_ik
from .motion import Solved
from .record import RigRecord, read_rig_record
from .response import RigResponse, all_settings, measure_response
from .retarget import motion_channels
from .rig_map import RigMap
from .rig_state import as_it_was
from .solve import with_root
from .thin_keys import thin_rig

__all__ = [
    "ik_ends",
    "joint_named",
    "read_rig_motion",
    "rig_joints",
    "rig_legs",
    "rig_record",
    "thin_rig_keys",
    "write_rig_motion",
]

Array = NDArray[np.float64]
_MOTION: Final = re.compile(r'pose\.bones\["(.+)"\]\.(location|rotation_\w+)')
_COUNTS: Final = {"location": 3, "rotation_euler": 3, "rotation_quaternion": 4, "rotation_axis_angle": 4}


def rig_record(armature: Any) -> RigRecord | None:
    """What the armature's Action remembers of a retargeting, or None."""
    curves = current_curves(armature)
    return read_rig_record(curves.action) if curves is not None else None


@dataclass(frozen=True, eq=False)
class _Rig:
    """A retargeted rig that can be cleaned."""

    armature: Any
    map: RigMap
    response: RigResponse
    limbs: tuple[tuple[str, str], ...]
    curves: Curves

    def reader(self, frames: Array) -> Reader:
        return lambda path, channels: self.curves.read(path, channels, frames)

    def frames(self) -> Array:
        """(T,) the keys' frames, and the whole ones between them."""
        # what holds throughout is keyed once, on the first frame
        points = [self.curves.key_frames(curve.data_path, curve.array_index) for curve in self.curves]
        keyed = np.unique(np.concatenate(points).round(4))
        return np.unique(np.concatenate([keyed, np.arange(np.ceil(keyed[0]), np.floor(keyed[-1]) + 1)]))

    def heels(self, channels: Sequence[Channel]) -> dict[tuple[str, str], Array]:
        """What the heels of paws hang on under some channels."""
        return heel_turns(bpy.context, self.armature, self.map, self.response, self.limbs, channels)

    def channels(self, frames: Array) -> list[Channel]:
        """The keyed locations and rotations, read at frames (T,)."""
        channels = []
        for path in dict.fromkeys(curve.data_path for curve in self.curves):
            match = _MOTION.fullmatch(path)
            values = self.curves.read(path, _COUNTS[match[2]], frames) if match is not None else None
            if match is not None and values is not None:
                channels.append(Channel(match[1], path, values))
        return channels

    def motion(self, frames: Array, channels: Sequence[Channel]) -> tuple[Solved, dict[tuple[str, str], Array]]:
        """What the keys make of the parts at frames (T,), and what the heels of paws hang on."""
        heels = self.heels(channels)
        return evaluate_keys(self.map, self.response, self.limbs, self.reader(frames), len(frames), heels), heels


def _rig(armature: Any) -> _Rig:
    record, curves = rig_record(armature), current_curves(armature)
    assert record is not None
    assert curves is not None
    rig = record.rig
    keys = tuple(k for k in rig.keys if k != "root" or record.root == "ROOT")
    limbs = limbs_with_ik(rig) if record.bake == "IK" else ()
    with as_it_was(bpy.context, armature, all_settings(rig)):
        response = measure_response(bpy.context, armature, rig, keys, limbs)
    return _Rig(armature, rig, response, limbs, curves)


def _skeleton(response: RigResponse, rig: RigMap) -> RestSkeleton:
    """The parts without the root bone, upright in the world, named as their bones."""
    keys = [k for k in response.parts.keys if k != "root"]
    skip = len(response.parts.keys) - len(keys)
    parents = tuple(max(p - skip, -1) for p in response.parts.parents[skip:])
    axes = np.repeat(np.eye(3)[None], len(keys), axis=0)
    return RestSkeleton(tuple(rig.bones[k] for k in keys), parents, axes, response.parts.heads[skip:])


def read_rig_motion(armature: Any) -> MotionCurves | None:
    """The motion of a retargeted rig's parts as it is keyed, in the world, metres; None when no curve is left."""
    rig = _rig(armature)
    if not list(rig.curves):
        return None
    skeleton, frames = _skeleton(rig.response, rig.map), rig.frames()
    motion, _ = rig.motion(frames, rig.channels(frames))
    skip = len(rig.response.parts.keys) - len(skeleton.names)
    turns, heads = motion.turns[:, skip:], motion.heads[:, skip:]
    rotations = turns.copy()
    for j, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rotations[:, j] = multiply(conjugate(turns[:, parent]), turns[:, j])
    return MotionCurves(skeleton, frames, continuous(rotations), heads[:, 0] - skeleton.heads[0])


def write_rig_motion(armature: Any, motion: MotionCurves, what: str) -> Any:
    """Key a changed motion on the bones that the retargeting keyed; returns the Action."""
    rig = _rig(armature)
    places, turns = motion.skeleton.forward(motion.rotations, motion.locations)
    extra = len(rig.response.parts.keys) - turns.shape[1]
    turns = np.concatenate([np.tile([1.0, 0, 0, 0], (len(turns), extra, 1)), turns], axis=1)
    heads = np.concatenate([np.zeros((len(turns), extra, 3)), places], axis=1)
    solved = Solved(turns, heads, 1.0, np.ones(turns.shape[1], bool))
    solved = with_root(rig.response.parts, solved, "ROOT" if extra else "HIPS")
    channels = motion_channels(rig.map, rig.response, solved, rig.limbs)
    channels += heel_channels(rig.map, rig.response, solved, rig.heels(channels))
    curves = editable_curves(armature, what)
    for channel in channels:
        if curves.find(channel.path) is not None:
            curves.write(channel.path, motion.frames, channel.values, group=channel.bone)
    return curves.action


def thin_rig_keys(armature: Any, bound: float, what: str) -> tuple[float, float]:
    """Thin the keys of a retargeted rig out; the share of keys that is left, and the largest error in metres.

    Args:
        armature: retargeted.
        bound: metres that a part may be off.
        what: was done, for the name of a new Action.
    """
    rig = _rig(armature)
    frames = rig.frames()
    keyed = rig.channels(frames)
    motion, heels = rig.motion(frames, keyed)
    paths = {c.path for c in motion_channels(rig.map, rig.response, motion, rig.limbs)}
    bones = {rig.map.ik[limb].heel for limb in heels}
    channels = [c for c in keyed if c.path in paths or c.bone in bones]
    thinned = thin_rig(rig.map, rig.response, rig.limbs, channels, frames, bound, heels)
    if heels:  # what they hang on is turned otherwise by fewer keys
        shown = [replace(k.channel, values=k.shown(frames)) for k in thinned.kept]
        again = {c.path: c for c in heel_channels(rig.map, rig.response, motion, rig.heels(shown))}
        thinned = replace(thinned, kept=tuple(k.with_values(again.get(k.channel.path), frames) for k in thinned.kept))
    curves = editable_curves(armature, what)
    for kept in thinned.kept:
        values = kept.channel.values[kept.rows]
        curves.write(kept.channel.path, frames[kept.rows], values, group=kept.channel.bone, slopes=kept.slopes)
    return thinned.keys / max(1, len(frames) * len(channels)), thinned.error


def rig_joints(armature: Any) -> tuple[str, ...] | None:
    """The bones of a retargeted rig that clean-up can hold: those that are keyed for its parts. None of another rig."""
    record = rig_record(armature)
    if record is None:
        return None
    controls = {joint: control for control, joint in ik_ends(armature).items()}
    return tuple(controls.get(record.rig.bones[k], record.rig.bones[k]) for k in record.rig.keys if k != "root")


def ik_ends(armature: Any) -> dict[str, str]:
    """The IK controls of hands, feet and paws that are keyed, and the joint that each carries, as clean-up names it."""
    record = rig_record(armature)
    if record is None or record.bake != "IK":
        return {}
    rig = record.rig
    return {rig.ik[limb].control: rig.bones[carried(rig, limb)] for limb in limbs_with_ik(rig)}


def joint_named(armature: Any, bone: str) -> str:
    """The joint that a bone moves or shows, as clean-up names it: of a rig, for IK controls and deform bones too."""
    record = rig_record(armature)
    if record is None:
        return bone
    shown = {record.rig.geometry_bone(k): name for k, name in record.rig.bones.items()}
    return ik_ends(armature).get(bone, shown.get(bone, bone))


def rig_legs(armature: Any, body: str, legs: tuple[Leg, ...], front: Array) -> tuple[tuple[Leg, ...], Array]:
    """The legs and the front of an armature: of a retargeted rig, with its own bones' names.

    Args:
        armature: lifted or retargeted.
        body: kind of body of the lift ("smpl", "smal").
        legs: of that body.
        front: (3,) of that body.
    """
    record = rig_record(armature)
    if record is None:
        return legs, front
    source = next(file for file in shipped_maps() if file.name == body)
    bones = {names[0]: record.rig.bones.get(key, "") for key, names in source.bones.items()}
    renamed = [
        replace(leg, hip=bones.get(leg.hip, ""), knee=bones.get(leg.knee, ""), ankle=bones.get(leg.ankle, ""),
                toe=bones.get(leg.toe, ""))
        for leg in legs
    ]  # fmt: skip
    parts = _rig(armature).response.parts
    return tuple(renamed), np.cross(parts.left, parts.up)
