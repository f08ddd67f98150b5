"""What was recognised of a rig, for the command line: as data and as text."""

from __future__ import annotations

from typing import Any

from .detect import how_sure
from .rig_map import RigMap
from .roles import SIDES, key, roles

__all__ = ["refused_report", "report_text", "rig_report"]

_UNKNOWN = "unknown"


def rig_report(rig: RigMap) -> dict[str, Any]:
    """Program, confidence in [0, 1], bones by part, notes.

    A part is a bone, ``[left, right]``, a list of bones from the body outwards for a chain of several, or
    ``[[left, ...], [right, ...]]`` for a chain of both sides. A rig without a neck has its head's bone for it.
    """
    bones: dict[str, Any] = {}
    for role in roles(rig.body).values():
        if role.sided:
            both = [
                _chain(rig, role.name, side) if role.chain else rig.bones.get(key(role.name, side)) for side in SIDES
            ]
            if any(both):
                bones[role.name] = both
        else:
            chain = _chain(rig, role.name, "") if role.chain else [b for b in (rig.bones.get(role.name),) if b]
            if chain:
                bones[role.name] = chain if len(chain) > 1 else chain[0]
    if "neck" not in bones and "head" in bones:
        bones["neck"] = bones["head"]
    return {
        "program": rig.title or _UNKNOWN,
        "confidence": round(float(rig.confidence), 3),
        "body": rig.body,
        "bones": bones,
        "notes": list(rig.notes),
    }


def _chain(rig: RigMap, role: str, side: str) -> list[str]:
    bones: list[str] = []
    while (name := key(role, side, len(bones))) in rig.bones:
        bones.append(rig.bones[name])
    return bones


def refused_report(reason: str) -> dict[str, Any]:
    """The report of a rig that was refused."""
    return {"program": _UNKNOWN, "confidence": 0.0, "body": "", "bones": {}, "notes": [reason]}


def report_text(rig: RigMap) -> str:
    """The same as a table."""
    data = rig_report(rig)
    lines = [f"{how_sure(rig)} ({rig.body})"]
    labels = roles(rig.body)
    width = max(len(labels[part].label) for part in data["bones"])
    for part, entry in data["bones"].items():
        lines.append(f"  {labels[part].label:{width}}  {_words(entry)}")
    lines += [f"  {note}" for note in rig.notes]
    return "\n".join(lines)


def _words(entry: Any) -> str:
    if not isinstance(entry, list):
        return str(entry or "-")
    if any(isinstance(f, list) for f in entry):
        return " | ".join(", ".join(side) or "-" for side in entry)
    return ", ".join(str(f or "-") for f in entry)
