"""XML without a document type, hence without entities that could unfold or be fetched."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from mvlift.errors import DamagedFileError
from mvlift.safe_reading.limits import TEXT_FACTOR, MemoryBudget

__all__ = ["parse_xml"]

_REMEDY: Final = "Export the keypoints again, as json or csv if the program can."
_DEEPEST: Final = 500


def parse_xml(data: bytes, name: str) -> Element:
    """An XML document without a document type, hence without entities that could unfold or be fetched.

    Raises:
        DamagedFileError: it is not XML, or it declares a document type.
    """
    MemoryBudget(name, 4 * TEXT_FACTOR).spend(len(data))
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0

    def refuse(*_: object) -> None:
        raise DamagedFileError(f"{name} declares a document type or entities, which are refused.", _REMEDY)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise DamagedFileError(f"{name} has elements in elements, {depth} deep.", _REMEDY)
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise DamagedFileError(f"{name} is not valid XML ({error}).", _REMEDY) from error
