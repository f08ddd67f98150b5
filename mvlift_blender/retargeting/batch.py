"""Many motions to one rig, one motion to many rigs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mvlift.errors import MvliftError

from ..scene.animation import current_curves
from .bone_map import RigMap
from .probe import restore_state, take_state
from .retarget import Retargeted, RetargetOptions, retarget

__all__ = ["actions_of", "retarget_many"]


def actions_of(armature: Any, actions: Iterable[Any]) -> list[Any]:
    """The Actions that were made for an armature: its present one and those with curves for its bones and its slot."""
    curves = current_curves(armature)
    present = curves.action if curves is not None else None
    names = {bone.name for bone in armature.data.bones}
    return [a for a in actions if a == present or (a.get("mvlift") is not None and _moves(a, names))]


def _moves(action: Any, names: set[str]) -> bool:
    if hasattr(action, "layers"):
        bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
        groups = [group for bag in bags for group in bag.groups]
    else:
        groups = list(action.groups)
    return sum(group.name in names for group in groups) > len(names) // 2


def retarget_many(
    context: Any,
    source: Any,
    targets: Sequence[Any],
    actions: Sequence[Any] = (),
    options: RetargetOptions | None = None,
    target_map: RigMap | None = None,
) -> tuple[list[Retargeted], list[str]]:
    """Every Action of the source to every target.

    Args:
        context: of Blender.
        source: the armature whose Actions are taken, one after the other; it ends as it was.
        targets: armature objects.
        actions: of the source; none takes its present one.
        options: how; with several Actions, each result but the last stays in the file under its own name.
        target_map: for all targets; None recognises each.

    Returns:
        What was made, and a sentence for each that failed.
    """
    options = options or RetargetOptions()
    state = take_state(source)
    made, failed = [], []
    try:
        for action in actions or (None,):
            if action is not None:
                _assign(source, action)
            for target in targets:
                name = f"{target.name} {action.name}" if action is not None else options.name
                try:
                    result = retarget(context, source, target, replace(options, name=name), target_map)
                except MvliftError as error:
                    failed.append(f"{target.name}: {error}")
                    continue
                result.action.use_fake_user = True
                made.append(result)
    finally:
        restore_state(context, source, state)
    return made, failed


def _assign(armature: Any, action: Any) -> None:
    animation = armature.animation_data_create()
    animation.action = action
    if hasattr(action, "slots") and animation.action_slot is None and len(action.slots):
        animation.action_slot = action.slots[0]
