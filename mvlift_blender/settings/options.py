"""Properties of the options of a lift, made from the engine's `LiftOptions`; a new one needs a label here at most."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_origin

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from mvlift.lifting.options import option_fields, option_help, option_type

__all__ = ["BY_HAND", "LABELS", "generated_options", "option_properties", "option_values"]

BY_HAND: Final = (
    "subject",
    "device",
    "height",
    "focal",
    "fps",
    "image_size",
    "body",
    "models",
    "rigid_object",
    "camera",
    "tilt",
    "up",
    "horizon",
    "verticals",
    "frames",
    "constraints",
    "start_from",
)
"""Options that the panel asks for in its own way."""
LABELS: Final = {"preset": "Method", "smoothing": "Smoothing", "seed": "Seed", "threads": "Threads", "hands": "Hands"}
CHOICES: Final = {
    "fast": ("Fast", "One sampling step and the body fit"),
    "auto": ("Where Seen", "Wrists turn and fingers bend where the keypoints show hands"),
    "off": ("Off", "Wrists in line with the forearm, no fingers"),
    "relaxed": ("Relaxed", "Finger bones at rest, to animate by hand"),
    "paper": ("As Published", "The sampler and fit of the published method; about a thousand times slower"),
}
"""Labels and descriptions of the values of options that are a choice."""
NUMBERS: Final = {"paper": 2}
"""Numbers by which saved files know values; the others count from 0 in their order."""
SOFT_MAX: Final = {"smoothing": 3.0, "threads": 16}


def generated_options() -> list[str]:
    """Names of the options that have a property of the same name."""
    return [f.name for f in option_fields() if f.name not in BY_HAND]


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " ").title())


def _property(name: str, default: Any) -> Any:
    kind, _ = option_type(name)
    stated: dict[str, Any] = {"name": _label(name), "description": option_help()[name].rstrip(".") or _label(name)}
    if get_origin(kind) is Literal:
        items = [
            (key, *CHOICES.get(key, (key.title(), "")), "NONE", NUMBERS.get(key, row))
            for row, key in enumerate(get_args(kind))
        ]
        return EnumProperty(items=items, default=default, **stated)
    if kind is bool:
        return BoolProperty(default=bool(default), **stated)
    numbers: dict[str, Any] = {"default": default or 0, "min": 0} | (
        {"soft_max": SOFT_MAX[name]} if name in SOFT_MAX else {}
    )
    if kind is int:
        return IntProperty(**numbers, **stated)
    if kind is float:
        return FloatProperty(**numbers, **stated)
    return StringProperty(default=default or "", **stated)


def option_properties() -> dict[str, Any]:
    """Name -> Blender property of every generated option, as annotations of a property group."""
    return {f.name: _property(f.name, f.default) for f in option_fields() if f.name not in BY_HAND}


def option_values(settings: Any) -> dict[str, Any]:
    """What the generated properties hold; 0 and "" stand for None where an option may be None."""
    values = {name: getattr(settings, name) for name in generated_options()}
    return {name: None if option_type(name)[1] and not value else value for name, value in values.items()}
