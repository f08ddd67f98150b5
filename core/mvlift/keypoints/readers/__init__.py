"""Keypoint file formats: one module for each family of programs, found by what the file holds.

A reader is a function from a `Source` to `Detections`, registered with a test that says why a source is its own::

    def _recognise(source: Source) -> str | None:  # the reason, or None
        ...

    @reader("openpose", "OpenPose", _recognise)
    def read_openpose(source: Source) -> Detections: ...

Readers are asked in the order of their ``rank``, low first: those with the surest signature come first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from mvlift.errors import KeypointError, MvliftError
from mvlift.keypoints.detections import Detections
from mvlift.keypoints.sources import Source

__all__ = ["Reader", "find_reader", "get_reader", "reader", "readers"]

Recognise = Callable[[Source], str | None]
Read = Callable[[Source], Detections]


@dataclass(frozen=True)
class Reader:
    """A file format.

    Attributes:
        name: short name, such as ``openpose``.
        title: name for people.
        recognise: the reason why a source is in this format, or None.
        read: the source's detections.
        rank: readers with a low rank are asked first.
    """

    name: str
    title: str
    recognise: Recognise
    read: Read
    rank: int = 50


_registry: dict[str, Reader] = {}


def reader(name: str, title: str, recognise: Recognise, rank: int = 50) -> Callable[[Read], Read]:
    """Register the decorated function as the reader of a format."""

    def register(read: Read) -> Read:
        _registry[name] = Reader(name, title, recognise, read, rank)
        return read

    return register


@cache
def _load() -> None:
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


def readers() -> tuple[Reader, ...]:
    """Every reader, in the order in which they are asked."""
    _load()
    return tuple(sorted(_registry.values(), key=lambda r: (r.rank, r.name)))


def get_reader(name: str) -> Reader:
    """A reader by name.

    Raises:
        KeypointError: there is none of that name.
    """
    _load()
    if name not in _registry:
        raise KeypointError(f"There is no keypoint format {name!r}.", f"Known: {', '.join(sorted(_registry))}.")
    return _registry[name]


def find_reader(source: Source) -> tuple[Reader, str]:
    """The reader of a source and the reason for it.

    Raises:
        KeypointError: no reader knows the source, or one knows it as a kind that holds no 2D keypoints.
    """
    for one in readers():
        why = one.recognise(source)
        if why:
            return one, why
    if source.is_series and source.path.is_dir() and _is_clip(Path(source.names[0])):
        names = ", ".join(Path(n).name for n in source.names[:4])
        raise KeypointError(
            f"{source.path.name} holds {len(source.names)} clips: {names}{', ...' if len(source.names) > 4 else '.'}",
            "Choose one of them; the command line lifts all of them with --batch.",
        )
    raise KeypointError(
        f"{source.path.name} is in no format that MVLift knows ({_glimpse(source)}).",
        "Export it as OpenPose json, COCO json or the plain csv (frame,person,keypoint,x,y,confidence).",
    )


def _is_clip(path: Path) -> bool:
    """Whether a file of a folder that is no series of frames is a clip of its own."""
    from mvlift.keypoints.opening import open_source  # which names the readers' extensions

    try:
        find_reader(open_source(path))
    except MvliftError:
        return False
    return True


def _glimpse(source: Source) -> str:
    document = source.document if not source.is_series else next(iter(source.first_documents), None)
    if isinstance(document, dict):
        return "a json object with the keys " + ", ".join(map(str, list(document)[:6]))
    if isinstance(document, list):
        return f"a json list of {len(document)} {type(document[0]).__name__ if document else 'things'}"
    return f"{len(source.names)} {source.suffix} file{'s' if source.is_series else ''}"
