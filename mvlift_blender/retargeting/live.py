"""Live preview of a retargeting, in a temporary Action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import bpy
from mvlift.errors import MvliftError

from .response import all_settings
from .retarget import retarget
from .rig import detect_rig
from .rig_state import RigState, restore_state, take_state
from .table import map_of, options_of

__all__ = ["forget", "refresh", "start", "stop"]

_NAME: Final = ".MVLift preview"


@dataclass(frozen=True, eq=False)
class _Running:
    target: str
    state: RigState


_running: _Running | None = None


def start(context: Any) -> None:
    """Begin to preview the panel's settings.

    Raises:
        MvliftError: they cannot be retargeted.
    """
    global _running
    settings = context.scene.mvlift_retarget
    stop(context)
    target = settings.target
    if target is None or settings.source is None:
        raise MvliftError("Source or rig is missing.", "Choose both.")
    if target.library is not None:
        raise MvliftError(f"{target.name} is linked.", "Retarget makes an override of it; the preview needs one first.")
    state = take_state(target, all_settings(map_of(settings) or detect_rig(target)))
    _running = _Running(target.name, state)
    settings.previewing = True
    try:
        _show(context, settings)
    except BaseException:
        stop(context)
        raise


def _show(context: Any, settings: Any) -> None:
    options = replace(options_of(settings), result="ACTION", name=_NAME)
    result = retarget(context, settings.source, settings.target, options, map_of(settings))
    _discard(result.action)
    context.scene.frame_set(context.scene.frame_current, subframe=context.scene.frame_subframe)


def refresh(context: Any) -> None:
    """Show changed settings, while a preview runs."""
    settings = context.scene.mvlift_retarget
    if _running is None or not settings.previewing or settings.target is None:
        return
    if settings.target.name != _running.target:
        stop(context)
        return
    try:
        restore_state(context, settings.target, _running.state)
        _show(context, settings)
    except MvliftError as error:
        settings.recognition = str(error)


def stop(context: Any) -> None:
    """End the preview; the rig is as it was."""
    global _running
    context.scene.mvlift_retarget.previewing = False
    running, _running = _running, None
    target = bpy.data.objects.get(running.target) if running is not None else None
    if running is not None and target is not None:
        restore_state(context, target, running.state)
    _discard(None)


def _discard(kept: Any) -> None:
    """Remove preview Actions but the one that is shown."""
    for action in [a for a in bpy.data.actions if a.name.startswith(_NAME) and a != kept]:
        bpy.data.actions.remove(action)


def forget() -> None:
    """Discard a preview whose file was closed."""
    global _running
    _running = None
