"""Bone maps in JSON files: read with every entry checked, and written.

The schema is described in ``docs/bone-maps.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from mvlift.files import whole_file

from .bone_map_file import SCHEMA, VERSION, BoneMapError, checked_map
from .rig_map import IkLimb, MapFile, Names, RigMap, Setting
from .roles import SIDES, key, limbs, ordered_keys, roles, split_key

__all__ = [
    "BoneMapError",
    "load_map",
    "map_data",
    "parse_map",
    "read_maps",
    "rig_of_data",
    "save_map",
    "shipped_maps",
]

_FOLDER: Final = Path(__file__).with_name("maps")
_LARGEST: Final = 4 << 20


def _names(value: Any) -> Names:
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def _filled(text: str, token: str) -> str:
    return text.replace("{side}", token)


def _expand(body: str, data: Mapping[str, Any], sides: Mapping[str, str], source: str) -> dict[str, Names]:
    """Role entries of a file to alternatives by key."""
    names_by_key: dict[str, Names] = {}
    known = roles(body)
    for name, value in data.items():
        if name not in known:
            raise BoneMapError(f"{source}: {name!r} is not a part of a {body}.", f"Use {', '.join(known)}.")
        if known[name].chain:
            names_by_key.update(_chain(name, value, sides if known[name].sided else {"": ""}))
        elif known[name].sided and isinstance(value, dict):
            names_by_key.update({key(name, side): _names(v) for side, v in value.items()})
        elif known[name].sided:
            names_by_key.update({key(name, s): tuple(_filled(v, sides[s]) for v in _names(value)) for s in SIDES})
        else:
            names_by_key[name] = _names(value)
    return names_by_key


def _chain(role: str, value: Any, sides: Mapping[str, str]) -> dict[str, Names]:
    """A chain's entries, from the body outwards: a list, or for pairs a list that is filled in or one for each side."""
    names_by_key = {}
    for side, token in sides.items():
        entries = value.get(side, []) if isinstance(value, dict) else value
        for i, entry in enumerate([entries] if isinstance(entries, str) else entries):
            names_by_key[key(role, side, i)] = tuple(_filled(n, token) for n in _names(entry))
    return names_by_key


def _settings(rows: Iterable[Mapping[str, Any]], tokens: Iterable[str]) -> tuple[Setting, ...]:
    made = [Setting(_filled(row["bone"], token), row["property"], row["value"]) for row in rows for token in tokens]
    return tuple(dict.fromkeys(made))


def _limbs(body: str, data: Mapping[str, Any], sides: Mapping[str, str], source: str) -> dict[tuple[str, str], IkLimb]:
    ik_limbs = {}
    for limb, both in data.items():
        if limb not in limbs(body):
            raise BoneMapError(f"{source}: {limb!r} is not a limb of a {body}.", f"Use {', '.join(limbs(body))}.")
        for side, token in sides.items():
            entry = both.get(side, both)
            switch = entry.get("switch")
            ik_limbs[(limb, side)] = IkLimb(
                control=_filled(entry["control"], token),
                pole=_filled(entry.get("pole", ""), token),
                switch=(_filled(switch["bone"], token), switch["property"], switch["ik"], switch["fk"])
                if switch
                else None,
                settings=_settings(entry.get("settings", ()), [token]),
                toe=_filled(entry.get("toe", ""), token),
                bend=_filled(entry.get("bend", ""), token),
                heel=_filled(entry.get("heel", ""), token),
            )
    return ik_limbs


def parse_map(data: Any, source: str) -> MapFile:
    """A map from JSON data.

    Raises:
        BoneMapError: it is none, is of a later version, or a field is wrong.
    """
    entries = checked_map(data, source)
    body = entries["body"]
    try:
        sides = {s: str(entries.get("sides", {}).get(s, s)) for s in SIDES}
        evidence = [_names(e) for e in entries.get("evidence", ())]
        return MapFile(
            name=entries["name"],
            title=entries.get("title", entries["name"]),
            body=body,
            prefixes=tuple(entries["prefixes"]),
            bones=_expand(body, entries["bones"], sides, source),
            optional=_names(entries.get("optional", ())),
            evidence=tuple(
                dict.fromkeys(tuple(_filled(n, token) for n in names) for names in evidence for token in sides.values())
            ),
            geometry=_expand(body, entries.get("geometry", {}), sides, source),
            ik=_limbs(body, entries.get("ik", {}), sides, source),
            settings=_settings(entries.get("settings", ()), sides.values()),
        )
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise BoneMapError(
            f"{source} is not a complete bone map ({error!r}).", "Compare it with docs/bone-maps.md."
        ) from error


def load_map(path: Path) -> MapFile:
    """Read a map file.

    Raises:
        BoneMapError: it cannot be read or is no map.
    """
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise BoneMapError(
                f"{path.name} is not a bone map: it is not a file, or it is too large.", "Choose a bone map."
            )
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BoneMapError(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise BoneMapError(f"{path.name} is not JSON ({error}).", "Choose a bone map.") from error
    return parse_map(data, path.name)


@cache
def shipped_maps() -> tuple[MapFile, ...]:
    """The maps that come with the extension."""
    return tuple(load_map(path) for path in sorted(_FOLDER.glob("*.json")))


def read_maps(folder: Path | None = None, notes: list[str] | None = None) -> tuple[MapFile, ...]:
    """The user's maps in a folder, first, and the shipped ones.

    Args:
        folder: of the user's maps, if there is one.
        notes: files that are no maps are left out, and a sentence about each is added here.
    """
    maps = []
    for path in sorted(folder.glob("*.json")) if folder is not None and folder.is_dir() else ():
        try:
            maps.append(load_map(path))
        except BoneMapError as error:
            if notes is not None:
                notes.append(f"A bone map of yours was left out: {error.message} {error.remedy}")
    return (*maps, *shipped_maps())


def rig_of_data(data: Mapping[str, Any], source: str) -> RigMap:
    """A rig's map from the JSON data of ``map_data``.

    Raises:
        BoneMapError: it is none.
    """
    file = parse_map(data, source)
    bones = {name: names[0] for name, names in file.bones.items()}
    geometry = {name: names[0] for name, names in file.geometry.items()}
    return RigMap(file.body, bones, geometry, dict(file.ik), file.settings, file.name, file.title)


def map_data(rig: RigMap, name: str, title: str) -> dict[str, Any]:
    """A rig's map as JSON data that ``parse_map`` reads."""
    data: dict[str, Any] = {"schema": SCHEMA, "version": VERSION, "name": name, "title": title, "body": rig.body}
    data["bones"] = _packed(rig.body, rig.bones)
    if rig.geometry:
        data["geometry"] = _packed(rig.body, rig.geometry)
    for (limb, side), ik in rig.ik.items():
        data.setdefault("ik", {}).setdefault(limb, {})[side] = _limb_data(ik)
    if rig.settings:
        data["settings"] = [_setting_data(s) for s in rig.settings]
    return data


def save_map(rig: RigMap, path: Path, title: str) -> None:
    """Write a rig's map as a file that ``load_map`` reads.

    Raises:
        BoneMapError: the folder cannot be written.
    """
    try:
        with whole_file(path) as part:
            part.write_text(json.dumps(map_data(rig, path.stem, title), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise BoneMapError(f"{path} cannot be written ({error.strerror}).", "Choose another folder.") from error


def _setting_data(setting: Setting) -> dict[str, Any]:
    return {"bone": setting.bone, "property": setting.property, "value": setting.value}


def _limb_data(ik: IkLimb) -> dict[str, Any]:
    data: dict[str, Any] = {n: getattr(ik, n) for n in ("control", "pole", "toe", "bend", "heel")}
    if ik.switch is not None:
        data["switch"] = dict(zip(("bone", "property", "ik", "fk"), ik.switch, strict=True))
    data["settings"] = [_setting_data(s) for s in ik.settings]
    return data


def _packed(body: str, bones: Mapping[str, str]) -> dict[str, Any]:
    """Bones by key to the entries of a file."""
    packed: dict[str, Any] = {}
    for name in ordered_keys(body, set(bones)):
        role, side, index = split_key(name)
        if index is not None and side:
            packed.setdefault(role, {}).setdefault(side, []).append(bones[name])
        elif index is not None:
            packed.setdefault(role, []).append(bones[name])
        elif side:
            packed.setdefault(role, {})[side] = bones[name]
        else:
            packed[role] = bones[name]
    return packed
