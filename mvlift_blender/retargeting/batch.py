"""Many motions to one rig, one motion to many rigs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mvlift.errors import MvliftError

from ..scene.animation import assign_action, current_curves, curves_of
from .retarget import Retargeted, RetargetOptions, retarget
from .rig_map import RigMap
from .rig_state import restore_state, take_state

__all__ = ["actions_of", "retarget_many"]


def actions_of(armature: Any, actions: Iterable[Any]) -> list[Any]:
    """The Actions that were made for an armature: its present one and those with curves for its bones and its slot."""
    curves = current_curves(armature)
    present = curves.action if curves is not None else None
    names = {bone.name for bone in armature.data.bones}
    return [a for a in actions if a == present or (a.get("mvlift") is not None and _moves(a, names))]


def _moves(action: Any, names: set[str]) -> bool:
    groups = {group.name for curves in curves_of(action) for group in curves.container.groups}
    return len(groups & names) > len(names) // 2


def retarget_many(
    context: Any,
    source: Any,
    targets: Sequence[Any],
    actions: Sequence[Any] = (),
    options: RetargetOptions | None = None,
    maps: Mapping[str, RigMap] | None = None,
) -> tuple[list[Retargeted], list[str]]:
    """Every Action of the source to every target.

    Args:
        context: of Blender.
        source: the armature whose Actions are taken, one after the other; it ends as it was.
        targets: armature objects.
        actions: of the source; none takes its present one.
        options: how; with several Actions, each result but the last stays in the file under its own name.
        maps: bone maps by the names of targets; the others are recognised.

    Returns:
        What was made, and a sentence for each that failed.
    """
    options = options or RetargetOptions()
    state, known = take_state(source), maps or {}
    made, failed = [], []
    try:
        for action in actions or (None,):
            if action is not None:
                assign_action(source.animation_data_create(), action)
            for target in targets:
                name = f"{target.name} {action.name}" if action is not None else options.name
                try:
                    result = retarget(context, source, target, replace(options, name=name), known.get(target.name))
                except MvliftError as error:
                    failed.append(f"{target.name}: {error}")
                    continue
                result.action.use_fake_user = True
                made.append(result)
    finally:
        restore_state(context, source, state)
    return made, failed
