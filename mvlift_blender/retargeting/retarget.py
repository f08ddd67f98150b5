"""``retarget``: put the motion of one armature on another. Buttons, the command and scripts call it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from ..motion.timing import Timing
from ..scene.frame_rate import scene_fps
from ..scene.preserve import undone_on_failure
from .bake import ResultMode, bake
from .channels import Channel, fk_channels
from .checks import prepared, usable
from .heels import heel_channels, heel_turns
from .holds import Hold, hold_channels, release
from .ik import ik_channels, limbs_with_ik, setting_channels
from .motion import Solved, SourceMotion
from .override import editable
from .record import RigRecord, write_rig_record
from .response import RigResponse, all_settings, measure_response
from .rig import detect_rig
from .rig_map import RigMap
from .rig_state import as_it_was
from .roles import FINGERS, limb_keys, split_key, toe_key
from .solve import RetargetError, RootMode, SolveOptions, solve
from .source import sample_source

__all__ = ["RetargetOptions", "Retargeted", "motion_channels", "retarget", "retarget_motion"]

BakeMode = Literal["FK", "IK"]
_MISSED: Final = 0.02
"""Share of the leg by which a resting foot may miss its place before the user is told."""
_PLANTED: Final = 3.0
"""Degrees from which on the user is told what Plant Feet changed."""


@dataclass(frozen=True)
class RetargetOptions:
    """How to retarget.

    Attributes:
        solve: root motion, feet, directions, scale.
        bake: FK keys the bones; IK keys the rig's IK controls where the map knows them.
        result: a new active Action, or an NLA strip.
        name: of the Action; empty takes both names.
    """

    solve: SolveOptions = field(default_factory=SolveOptions)
    bake: BakeMode = "FK"
    result: ResultMode = "ACTION"
    name: str = ""


@dataclass(frozen=True, eq=False)
class Retargeted:
    """What ``retarget`` made.

    Attributes:
        armature: the target; an override of it when it was linked.
        action: the new Action.
        rig: the target's bone map.
        solved: the motion in the world.
        scale: of the path.
        root: which bone carries the path.
        notes: what the user should know.
    """

    armature: Any
    action: Any
    rig: RigMap
    solved: Solved
    scale: float
    root: RootMode
    notes: tuple[str, ...]


def retarget(
    context: Any,
    source: Any,
    target: Any,
    options: RetargetOptions | None = None,
    target_map: RigMap | None = None,
    source_map: RigMap | None = None,
) -> Retargeted:
    """Put the motion of a source armature on a target armature as a new Action.

    The target's rest pose, constraints, other Actions, mode and selection stay as they are; on any failure everything
    does.

    Args:
        context: of Blender.
        source: an armature object with an Action.
        target: another armature object.
        options: how.
        target_map: the target's bone map; None recognises it.
        source_map: the source's bone map; None recognises it.

    Raises:
        MvliftError: what is wrong and what to do.
    """
    if source is target:
        raise RetargetError("Source and target are the same armature.", "Choose another rig as target.")
    motion = sample_source(context, source, source_map or detect_rig(source))
    options = options or RetargetOptions()
    if not options.name:
        options = RetargetOptions(options.solve, options.bake, options.result, f"{target.name} {source.name}")
    result = retarget_motion(context, motion, target, options, target_map)
    on_ik = options.bake == "IK" and limbs_with_ik(result.rig)
    rate, frames = scene_fps(context.scene), motion.frames
    timing = Timing(len(frames), rate, rate, float(frames[0]))
    write_rig_record(result.action, RigRecord(result.rig, result.root, "IK" if on_ik else "FK"), source, timing)
    return result


def retarget_motion(
    context: Any, motion: SourceMotion, target: Any, options: RetargetOptions, target_map: RigMap | None = None
) -> Retargeted:
    """The same for a motion that has been sampled.

    Raises:
        MvliftError: what is wrong and what to do.
    """
    with undone_on_failure(context):
        target = editable(context, target)
        rig = usable(target, target_map or detect_rig(target), confirmed=target_map is not None)
        notes: list[str] = []
        limbs = limbs_with_ik(rig) if options.bake == "IK" else ()
        if options.bake == "IK" and not limbs:
            notes.append("The bone map has no IK controls for this rig: its FK bones are keyed")
        with prepared(context, target, rig) as (holds, said):
            rig, solve_options, response = _response_of(
                context, motion, target, rig, options.solve, limbs, holds, notes
            )
            notes += [*said, *(f"{a} follows {b} only partly" for a, b in response.soft[:3])]
            solved = solve(motion, response.parts, solve_options)
            if solved.planted > _PLANTED:
                notes.append(f"Plant Feet turned the legs by up to {solved.planted:.0f} degrees")
            if solved.missed > _MISSED * response.parts.leg_length():
                percent = 100 * solved.missed / max(response.parts.leg_length(), 1e-9)
                notes.append(f"The legs do not reach: resting feet are up to {percent:.0f} % of a leg away")
            channels = motion_channels(rig, response, solved, limbs)
            channels += heel_channels(
                rig, response, solved, heel_turns(context, target, rig, response, limbs, channels)
            )
            channels += [*setting_channels(rig, limbs), *hold_channels(holds)]
            action = bake(target, channels, motion.frames, options.name or target.name, options.result)
            context.view_layer.update()
    return Retargeted(target, action, rig, solved, solved.scale, solve_options.root, tuple(notes))


def _response_of(
    context: Any,
    motion: SourceMotion,
    target: Any,
    rig: RigMap,
    options: SolveOptions,
    limbs: Sequence[tuple[str, str]],
    holds: Sequence[Hold],
    notes: list[str],
) -> tuple[RigMap, SolveOptions, RigResponse]:
    """The rig's response, with the map and options that it needs: hips that cannot move give the path to a bone above.

    Raises:
        RetargetError: no bone above the hips can move either.
    """
    keys, said = _keys(rig, motion, options)
    with as_it_was(context, target, all_settings(rig)):
        release(target, holds)
        response = measure_response(context, target, rig, keys, limbs)
        if not response.parts.fixed_hips:
            notes += said
            return rig, options, response
        hips = rig.bones["hips"]
        carrier = _carrier(target, rig)
        if not carrier:
            raise RetargetError(
                f"{hips} of {target.name} cannot move: it and all its parents are connected bones.",
                "Disable Connected for the bone in Edit Mode.",
            )
        rig = replace(rig, bones={**rig.bones, "root": carrier})
        options = replace(options, root="IN_PLACE" if options.root == "IN_PLACE" else "ROOT")
        keys, said = _keys(rig, motion, options, with_root=True)
        notes += [f"{hips} is a connected bone and cannot move: {carrier} carries the path", *said]
        return rig, options, measure_response(context, target, rig, keys, limbs)


def _carrier(target: Any, rig: RigMap) -> str:
    """The first bone above the hips that its location moves; the map's root bone where that is one. "" for none."""
    above = [b.name for b in target.data.bones[rig.bones["hips"]].parent_recursive if not b.use_connect]
    return rig.bones["root"] if rig.bones.get("root") in above else next(iter(above), "")


def _keys(
    rig: RigMap, motion: SourceMotion, options: SolveOptions, with_root: bool = False
) -> tuple[tuple[str, ...], list[str]]:
    """The parts to key, and notes."""
    notes = []
    keys = tuple(k for k in rig.keys if k != "root" or options.root == "ROOT" or with_root)
    # a source without fingers leaves the rig's as they are
    keys = tuple(k for k in keys if split_key(k)[0] not in FINGERS or motion.rest.chain(*split_key(k)[:2]))
    if options.root == "ROOT" and "root" not in keys:
        notes.append("The bone map has no root bone: the path is on the hips")
    absent = [k for k in keys if k not in motion.rest.index and k != "root" and "." not in k]
    if absent:
        notes.append(f"The source has no {', '.join(absent)}: not keyed")
    return keys, notes


def motion_channels(
    rig: RigMap, response: RigResponse, solved: Solved, limbs: Sequence[tuple[str, str]]
) -> list[Channel]:
    """Channels of the parts' own controls, and of the IK controls of some limbs instead of theirs, without heels.

    Raises:
        RetargetError: a value is no number.
    """
    skip = {k for limb in limbs for k in limb_keys(rig.body, limb)}
    skip |= {toe_key(rig.body, limb) for limb in limbs if rig.ik[limb].heel or rig.ik[limb].toe in response.extra}
    channels = fk_channels(response.controls, response.parts, solved, frozenset(skip))
    for limb in limbs:
        channels += ik_channels(rig, limb, response.extra, response.parts, solved, response.bends[limb])
    bad = [c.path for c in channels if not np.isfinite(c.values).all()]
    if bad:
        raise RetargetError(
            f"{bad[0]} would be keyed with values that are not numbers.", "Check the rig's scale and the map."
        )
    return channels
