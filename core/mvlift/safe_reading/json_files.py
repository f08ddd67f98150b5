"""JSON files of settings and models: bounded in size and depth, and checked against a schema before they are used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, TypeVar

from mvlift.errors import DamagedFileError

try:
    import msgspec
except ImportError:  # Blender's own Python without the extension's wheels
    msgspec = None  # type: ignore[assignment]

__all__ = ["checked", "decode_json", "read_json", "read_text"]

_LARGEST: Final = 64 << 20
_REMEDY: Final = "Compare it with one that comes with MVLift."
T = TypeVar("T")


def read_text(path: Path) -> str:
    """A text file of a few megabytes at most.

    Raises:
        DamagedFileError: it is not a file, is too large, cannot be read, or is no text.
    """
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise DamagedFileError(f"{path} {what}.", "Check the path.")
        if path.stat().st_size > _LARGEST:
            raise DamagedFileError(f"{path.name} has {path.stat().st_size >> 20} MB, which is too much.", _REMEDY)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DamagedFileError(f"{path} cannot be read ({error.strerror}).", "Check that it may be read.") from error
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path.name} is not text ({error}).", "Save it as UTF-8.") from error


def decode_json(text: str, name: str) -> Any:
    """A JSON document.

    Raises:
        DamagedFileError: it is none, or nests without end.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DamagedFileError(f"{name} is nested too deeply.", _REMEDY) from error
    except ValueError as error:
        raise DamagedFileError(f"{name} is not valid JSON ({error}).", _REMEDY) from error


def checked(value: Any, schema: type[T], name: str) -> T:
    """A decoded document as a schema says; keys that the schema has not are passed over.

    Args:
        value: as `decode_json` gives it.
        schema: a type that msgspec converts to: a dataclass, a TypedDict, dict[str, float], ...
        name: of the file, for messages.

    Raises:
        DamagedFileError: a key is missing or of another type; the message names it.
    """
    if msgspec is None:
        return value  # type: ignore[no-any-return]
    try:
        return msgspec.convert(value, schema, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DamagedFileError(f"{name}: {error}.", _REMEDY) from error


def read_json(path: Path, schema: type[T]) -> T:
    """A JSON file as a schema says.

    Raises:
        DamagedFileError: it cannot be read, is none, or does not fit the schema.
    """
    return checked(decode_json(read_text(path), path.name), schema, path.name)
