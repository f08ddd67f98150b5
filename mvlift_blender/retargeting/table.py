"""The bone map's table: rows in the scene's settings to a map and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from mvlift.errors import MvliftError

from ..settings.preferences import PACKAGE
from .bone_map import load_map, map_data, parse_map, read_maps, save_map
from .detect import LEAST_CONFIDENCE, candidates, how_sure
from .rig import detect_rig, shape_of
from .rig_map import RigMap
from .roles import SIDES, key, mirrored, ordered_keys, roles

__all__ = [
    "fill",
    "fill_by_detection",
    "is_unsure",
    "load_rows",
    "map_of",
    "mirror_row",
    "options_of",
    "save_rows",
    "user_folder",
]


def user_folder() -> Path | None:
    """Where the user's own bone maps are kept; None where MVLift is not installed as an extension."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="bone_maps", create=True))
    except ValueError:
        return None


def fill_by_detection(settings: Any) -> None:
    """Recognise the target and fill the table."""
    settings.rows.clear()
    settings.map_data = settings.recognition = ""
    settings.confidence, settings.checked = 1.0, False
    if settings.target is None:
        return
    notes: list[str] = []
    try:
        rig = detect_rig(settings.target, read_maps(user_folder(), notes))
    except MvliftError as error:
        settings.recognition = "\n".join([str(error), *notes])
        settings.confidence = 0.0
        fill(settings, RigMap("human", {}))
        return
    fill(settings, rig)
    settings.confidence = rig.confidence
    settings.recognition = "\n".join([how_sure(rig), *rig.notes, *notes])


def is_unsure(settings: Any) -> bool:
    """Whether the user must look at the table before its map is used."""
    return bool(settings.confidence < LEAST_CONFIDENCE and not settings.checked)


def fill(settings: Any, rig: RigMap) -> None:
    """Show a map in the table, with empty rows for parts that it lacks."""
    settings.rows.clear()
    settings.map_data = json.dumps(map_data(rig, rig.name or "own", rig.title))
    wanted = set(rig.bones)
    for role in roles(rig.body).values():
        if role.chain and role.sided:
            continue
        if not role.chain:
            wanted |= {key(role.name, side) for side in (SIDES if role.sided else ("",))}
        elif not any(k.startswith(role.name + ".") for k in rig.bones):
            wanted.add(key(role.name, index=0))
    for name in ordered_keys(rig.body, wanted):
        row = settings.rows.add()
        row.key, row.body = name, rig.body
        row.geometry = rig.geometry.get(name, "")
        row.bone = rig.bones.get(name, "")


def map_of(settings: Any) -> RigMap | None:
    """The map that the table shows, or None when it is empty."""
    bones = {row.key: row.bone for row in settings.rows if row.bone}
    if not bones:
        return None
    geometry = {row.key: row.geometry for row in settings.rows if row.bone and row.geometry}
    base = RigMap(settings.rows[0].body, bones, geometry)
    if not settings.map_data:
        return base
    file = parse_map(json.loads(settings.map_data), "the table")
    return replace(base, ik=dict(file.ik), settings=file.settings, name=file.name, title=file.title)


def mirror_row(settings: Any, index: int) -> str:
    """Give the part on the other side the mirrored bone; returns a report.

    Raises:
        MvliftError: the row is of the middle, or the rig has no such bone.
    """
    row = settings.rows[index]
    other = next((r for r in settings.rows if r.key == mirrored(row.key)), None)
    if other is None or other == row:
        raise MvliftError(f"{row.label} has no other side.", "Choose a row of the left or right side.")
    name = bpy.utils.flip_name(row.bone)
    bones = settings.target.data.bones
    if name == row.bone or name not in bones:
        name = _opposite(settings.target, row.bone)
    if not name:
        raise MvliftError(f"No bone mirrors {row.bone!r}.", "Choose it by hand.")
    other.bone = name
    return f"{other.label} is {name}"


def _opposite(armature: Any, bone: str) -> str:
    """The bone whose head is the mirror image of another's in armature space, "" when there is none."""
    bones = armature.data.bones
    if bone not in bones:
        return ""
    head = bones[bone].head_local.copy()
    head.x = -head.x
    nearest = min(bones, key=lambda b: (b.head_local - head).length)
    tolerance = 0.02 * max(armature.dimensions.length / max(armature.scale.length, 1e-9), 1e-6)
    return nearest.name if (nearest.head_local - head).length < tolerance and nearest.name != bone else ""


def save_rows(settings: Any) -> Path:
    """Save the table among the user's maps.

    Raises:
        MvliftError: it is empty, has no name, or there is no folder.
    """
    rig, title = map_of(settings), settings.map_title.strip()
    folder = user_folder()
    if rig is None or not title:
        raise MvliftError("The map needs bones and a name.", "Fill in the table and type a name.")
    if folder is None:
        raise MvliftError("There is no folder for bone maps.", "Install MVLift as an extension.")
    path = folder / f"{bpy.path.clean_name(title).lower()}.json"
    save_map(rig, path, title)
    return path


def load_rows(settings: Any, path: Path) -> None:
    """Show the map of a file, on the target's bones.

    Raises:
        MvliftError: it is no map, or none of its bones are there.
    """
    if settings.target is None:
        raise MvliftError("There is no rig to map.", "Choose the rig first.")
    rig_map = candidates(shape_of(settings.target), [load_map(path)])[0].rig
    if not rig_map.bones:
        raise MvliftError(f"{settings.target.name} has none of the bones of {path.name}.", "Choose another map.")
    fill(settings, rig_map)
    settings.confidence = 1.0
    settings.recognition = f"{rig_map.title}, loaded from {path.name}"


def options_of(settings: Any) -> Any:
    """The panel's settings as ``RetargetOptions``."""
    from .retarget import RetargetOptions
    from .solve import SolveOptions

    scale = settings.scale if settings.use_scale else None
    return RetargetOptions(
        SolveOptions(settings.root, settings.feet, settings.directions, scale, settings.keep_place),
        settings.bake,
        settings.result,
    )
