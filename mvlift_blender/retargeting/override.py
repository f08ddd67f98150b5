"""Rigs that are linked from other files: they are keyed through a library override."""

from __future__ import annotations

from typing import Any

from .solve import RetargetError

__all__ = ["editable"]


def editable(context: Any, armature: Any) -> Any:
    """The armature itself, or, when it is linked, a library override of it in its place.

    Raises:
        RetargetError: it cannot be overridden, such as one that only an instance of its collection shows.
    """
    if armature.library is None:
        return armature
    made = armature.override_hierarchy_create(context.scene, context.view_layer)
    made = made if made is not None and made.type == "ARMATURE" else _override_of(context, armature)
    if made is None:
        raise RetargetError(
            f"{armature.name} is linked and cannot be overridden.", "Make a library override of its collection first."
        )
    return made


def _override_of(context: Any, armature: Any) -> Any | None:
    for other in context.scene.objects:
        if other.override_library is not None and other.override_library.reference == armature:
            return other
    return None
