"""MVLift for Blender: lift the 2D keypoints of a video to a keyed armature."""

from __future__ import annotations

from typing import Any

__all__ = ["register", "unregister"]


def _classes() -> tuple[Any, ...]:
    """Every class, in the order in which Blender must learn of them."""
    from . import operators, panels, preferences, properties
    from .retargeting import properties as retarget

    return (*properties.CLASSES, *retarget.CLASSES, *preferences.CLASSES, *operators.CLASSES, *panels.CLASSES)


def register() -> None:
    """Called when the extension is enabled. torch is not loaded, and no process started."""
    import bpy

    from . import cli, handlers, preview, properties, thumbnails
    from .retargeting import properties as retarget

    for cls in _classes():
        bpy.utils.register_class(cls)
    properties.add_properties()
    retarget.add_properties()
    thumbnails.add_thumbnails()
    preview.add_preview()
    handlers.add_handlers()
    cli.add_commands()


def unregister() -> None:
    """Called when the extension is disabled: the exact reverse of ``register``."""
    import bpy

    from . import cli, handlers, preview, properties, thumbnails
    from .retargeting import properties as retarget

    cli.remove_commands()
    handlers.remove_handlers()
    preview.remove_preview()
    thumbnails.remove_thumbnails()
    retarget.remove_properties()
    properties.remove_properties()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)
