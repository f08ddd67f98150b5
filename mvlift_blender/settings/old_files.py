"""Reading settings of earlier versions in saved files."""

from __future__ import annotations

from typing import Any, Final

from ..importing.subjects import likely_subject
from .options import generated_options

__all__ = ["bring_up_to_date", "forget_retired"]

_RENAMED: Final = {
    "thing": "rigid_object",
    "thing_source": "rigid_object_source",
    "thing_known": "rigid_object_known",
    "thing_size": "rigid_object_metres",
    "rigid_object_size": "rigid_object_metres",
    "stature": "height_metres",
}
_OF_A_FILE: Final = ("video", "fps", "image_width", "image_height")
_SUBJECTS: Final = ("human", "human+box", "human+object", "quadruped17", "ungulate16")
"""In the order of the old list, in which a subject was kept by its number."""


def bring_up_to_date(settings: Any) -> None:
    """Convert a scene's settings of earlier versions; later values are kept.

    Args:
        settings: of a scene of the file that was opened.
    """
    forget_retired(settings)
    old = _stored(settings)
    if not old:
        return
    for name, new in _RENAMED.items():
        if name in old and not settings.is_property_set(new):
            value = old[name]
            setattr(settings, new, value.to_list() if hasattr(value, "to_list") else value)
    if not len(settings.people) or len(settings.sources):
        return
    for path in dict.fromkeys(person.source for person in settings.people):
        source = settings.sources.add()
        source.path = path
        for name in _OF_A_FILE:
            if old.get(name):
                setattr(source, name, old[name])
    _name_subjects(settings, old.get("subject"))


def forget_retired(settings: Any) -> None:
    """Unset the choices of a scene or of the preferences whose value is no longer there, such as a preset."""
    for name in generated_options():
        listed = settings.bl_rna.properties.get(name)
        if listed is not None and listed.type == "ENUM" and getattr(settings, name) == "":
            settings.property_unset(name)


def _stored(group: Any) -> Any:
    """The values that a file holds of a property group, by name, known or not."""
    get = getattr(group, "bl_system_properties_get", None)  # since Blender 5.0 kept apart from custom properties
    try:
        return get() if get is not None else {key: group[key] for key in group.keys()}  # noqa: SIM118
    except TypeError:
        return {}


def _name_subjects(settings: Any, number: Any) -> None:
    from mvlift.errors import KeypointError

    from ..importing.sources import person_of

    for person in settings.people:
        try:
            clip = person_of(person.source, person.track)
        except KeypointError:
            person.subject = _SUBJECTS[number] if isinstance(number, int) and number < len(_SUBJECTS) else "human"
            continue
        person.family, person.keypoint_names = clip.layout.family, "\n".join(clip.layout.names)
        wanted = _SUBJECTS[number] if isinstance(number, int) and number < len(_SUBJECTS) else likely_subject(clip)
        person.subject = wanted
