"""Which objects of the scene belong to a lift, and how a lift is taken out of it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import bpy
import numpy as np

from .record import read_record
from .scene_setup import PART, SceneValues, apply_values, read_values
from .selected import record_of

__all__ = ["LIFT", "adopt", "earlier_lifts", "mark", "parts_of", "put_aside", "remove_lift"]

LIFT: Final = "mvlift_lift"
"""Custom property of what a lift made: the lift's identifier."""
_ASIDE: Final = ".previous"


def mark(part: Any, kind: str, lift: str) -> None:
    """Mark an object as part of a lift, or another data-block as made by a lift."""
    part[LIFT] = lift
    if isinstance(part, bpy.types.Object):
        part[PART] = kind


def parts_of(armature: Any) -> list[Any]:
    """The objects that came with a lifted armature, itself included."""
    lift = armature.get(LIFT)
    if lift is not None:
        return [o for o in bpy.data.objects if o.get(LIFT) == lift]
    # lifts of version 0.1 say nothing: what hangs on the armature under its name, and the camera of its name
    name = armature.name
    bodies = [o for o in armature.children if o.name.startswith(f"{name} Body")]
    cameras = [o for o in bpy.data.objects if o.type == "CAMERA" and o.name == f"{name} Camera"]
    return [armature, *bodies, *cameras]


def earlier_lifts(scene: Any, source: str, track: str) -> list[Any]:
    """The armatures of a scene that were lifted from the same person of the same file."""
    lifts = []
    for target in scene.objects:
        record = record_of(target) if target.type == "ARMATURE" and target.get(PART, "armature") == "armature" else None
        if record is not None and source and (record.source, record.track) == (source, track):
            lifts.append(target)
    return lifts


def put_aside(armature: Any) -> dict[Any, str]:
    """Rename a lift's parts so that a new one may have their names; the old names, to put back."""
    parts = parts_of(armature)
    data = [part.data for part in parts if part.data is not None]
    blocks = [*parts, *data, *_collections(parts), *_actions(parts, armature.get(LIFT))]
    names = {block: str(block.name) for block in blocks}
    for block, name in names.items():
        block.name = name + _ASIDE
    return names


def _collections(parts: Iterable[Any]) -> list[Any]:
    """The collections that lifts made for these parts."""
    held = {collection for part in parts for collection in part.users_collection}
    return [c for c in held if c.get(LIFT) is not None or (len(c.objects) and all(PART in o for o in c.objects))]


def remove_lift(armature: Any, heir: Any | None = None) -> str:
    """Take a lift out of the file: armature, body, camera, objects, Actions, collection; returns a report.

    What the user put into the lift's collection stays, in the scene's own. A camera that other people of the same lift
    are seen by goes with the last of them.

    Args:
        armature: of the lift.
        heir: the armature that takes its place: what is parented to or constrained by the old one goes to the new.
    """
    name, lift = armature.name, armature.get(LIFT)
    parts = parts_of(armature)
    actions = _actions(parts, lift)
    collections = _collections(parts)
    if heir is not None:
        _hand_over(parts, parts_of(heir))
    kept = [o for c in collections for o in c.objects if o not in parts]
    for target in kept:
        for scene in target.users_scene:
            if target.name not in scene.collection.objects:
                scene.collection.objects.link(target)
    data = [part.data for part in parts if part.data is not None]
    images = [b.image for d in data if isinstance(d, bpy.types.Camera) for b in d.background_images if b.image]
    bpy.data.batch_remove([*parts, *collections, *actions])
    for blocks in (data, [*images, *_materials()]):  # what the first used may be free now
        bpy.data.batch_remove([block for block in set(blocks) if block.users == 0])
    return f"{name}: {len(parts)} objects and {len(actions)} Actions removed"


def _hand_over(old: list[Any], new: list[Any]) -> None:
    """Remap users of the old lift's parts to the same parts of the new lift."""
    for part in old:
        other = next((o for o in new if o.get(PART) == part.get(PART) and o.type == part.type), None)
        if other is not None:
            part.user_remap(other)


def _actions(parts: list[Any], lift: Any) -> list[Any]:
    """The Actions of a lift: those that remember it, and those that move its parts."""
    actions = {a for a in bpy.data.actions if lift is not None and (r := read_record(a)) is not None and r.lift == lift}
    for part in parts:
        animation = part.animation_data
        if animation is not None and animation.action is not None:
            actions.add(animation.action)
    kept = {a for o in bpy.data.objects if o not in parts and o.animation_data and (a := o.animation_data.action)}
    return [action for action in actions if action not in kept]


def adopt(scene: Any, armature: Any, camera: bool, size: bool, frames: bool) -> str:
    """Set a scene's camera, size and range from a lift, as chosen; returns a report.

    Args:
        scene: to be changed.
        armature: lifted.
        camera: make the lift's camera the active one, where there is one.
        size: render at the video's size.
        frames: make the frame range that of the motion.
    """
    record, values = record_of(armature), read_values(scene)
    assert record is not None  # the caller has looked
    keyed_frames = record.timing.frames
    wanted = SceneValues(
        values.fps,
        (int(np.ceil(keyed_frames[0])), int(np.floor(keyed_frames[-1]))) if frames else values.frames,
        record.camera.image_size if size else values.size,
    )
    apply_values(scene, wanted)
    lift_camera = next((p for p in parts_of(armature) if p.type == "CAMERA"), None) if camera else None
    if lift_camera is not None:
        scene.camera = lift_camera
    return f"Scene set to {wanted}" + (f", camera {lift_camera.name}" if lift_camera is not None else "")


def _materials() -> list[Any]:
    return [m for m in bpy.data.materials if m.name.startswith("MVLift Body")]
