"""MVLift for Blender: lift the 2D keypoints of a video to a keyed armature."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["classes", "register", "unregister"]

_Step = tuple[Callable[[], None], Callable[[], None]]


def classes() -> tuple[Any, ...]:
    """Every class, in registration order."""
    from . import operators, panels
    from .retargeting import properties as retarget
    from .settings import preferences, properties

    return (*properties.CLASSES, *retarget.CLASSES, *preferences.CLASSES, *operators.CLASSES, *panels.CLASSES)


def _steps() -> list[_Step]:
    """Registration steps in order, each with its function to add and to remove."""
    import bpy

    from . import handlers
    from .commands import cli
    from .interface import manual, translation
    from .panels import menus, tool
    from .retargeting import properties as retarget
    from .settings import properties
    from .viewport import preview, thumbnails

    return [
        *((partial(bpy.utils.register_class, cls), partial(bpy.utils.unregister_class, cls)) for cls in classes()),
        (properties.add_properties, properties.remove_properties),
        (retarget.add_properties, retarget.remove_properties),
        (thumbnails.add_thumbnails, thumbnails.remove_thumbnails),
        (preview.add_preview, preview.remove_preview),
        (handlers.add_handlers, handlers.remove_handlers),
        (cli.add_commands, cli.remove_commands),
        (tool.add_tools, tool.remove_tools),
        (menus.add_menus, menus.remove_menus),
        (manual.add_manual, manual.remove_manual),
        (translation.add_translations, translation.remove_translations),
    ]


def register() -> None:
    """Called when the extension is enabled; no process is started. When a step fails, the earlier ones are undone."""
    done: list[_Step] = []
    try:
        for step in _steps():
            step[0]()
            done.append(step)
    except BaseException:
        for _, remove in reversed(done):
            remove()
        raise


def unregister() -> None:
    """Called when the extension is disabled: the exact reverse of ``register``."""
    for _, remove in reversed(_steps()):
        remove()
