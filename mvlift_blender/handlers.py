"""Handlers of file loading and exit: they end running jobs and the engine process."""

from __future__ import annotations

import atexit
from typing import Any

import bpy

from .engine.process import close_engine
from .importing.sources import forget
from .lifting.jobs import stop_running_job
from .settings.old_files import bring_up_to_date, forget_retired
from .settings.preferences import preferences_of
from .viewport.preview import forget_refusals

__all__ = ["add_handlers", "remove_handlers"]


@bpy.app.handlers.persistent
def _before_load(_file: Any, *_rest: Any) -> None:
    stop_running_job()


@bpy.app.handlers.persistent
def _after_load(_file: Any, *_rest: Any) -> None:
    forget()
    forget_refusals()
    for scene in bpy.data.scenes:
        bring_up_to_date(scene.mvlift)
    _take_defaults()


def _take_defaults() -> None:
    """New scenes begin with the preferences' device and method."""
    preferences = preferences_of(bpy.context)
    if preferences is None:
        return
    forget_retired(preferences)
    for scene in bpy.data.scenes:
        settings = scene.mvlift
        for name in ("device", "preset"):
            if not settings.is_property_set(name) and preferences.is_property_set(name):
                setattr(settings, name, getattr(preferences, name))


def add_handlers() -> None:
    """Add the handlers."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)
    atexit.register(close_engine)


def remove_handlers() -> None:
    """Remove the handlers, and end the engine."""
    stop_running_job()
    close_engine()
    atexit.unregister(close_engine)
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.load_pre.remove(_before_load)
