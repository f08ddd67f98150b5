"""Skeletons of other programs as text: names, hierarchy and where each bone begins; ``rigs.txt`` says how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["TABLES", "Row", "Table", "read_tables", "rows_of"]

Table = tuple[tuple[str, str], str]
"""The sides' tokens, and the lines."""


@dataclass(frozen=True)
class Row:
    """A bone: its name and its parent's, where it begins, its side (-1 right, else 1), and its part."""

    bone: str
    parent: str
    landmark: str
    side: int
    part: str = ""


def read_tables(path: Path) -> dict[str, Table]:
    """The skeletons of a text file by name."""
    tables: dict[str, Table] = {}
    for section in path.read_text(encoding="utf-8").split("\n== ")[1:]:
        head, _, text = section.partition("\n")
        name, _, sides = head.rpartition(": ")
        left, _, right = sides.partition(", ")
        tables[name] = ((left, right), text)
    return tables


def rows_of(table: Table) -> list[Row]:
    """A table's bones, parents first; those of both sides come twice."""
    sides, text = table
    rows: list[Row] = []
    stack: list[tuple[int, str]] = []
    for line in filter(str.strip, text.splitlines()):
        depth = len(line) - len(line.lstrip())
        words, _, part = line.strip().partition(" =")
        bone, landmark = words.rsplit(" ", 1)
        while stack and stack[-1][0] >= depth:
            stack.pop()
        parent = stack[-1][1] if stack else ""
        stack.append((depth, bone))
        sided = any(mark in bone for mark in "$#")
        for token, side in zip(sides, (1, -1), strict=True) if sided else (("", 1),):
            rows.append(Row(_named(bone, token), _named(parent, token), landmark, side, part))
    return rows


def _named(name: str, token: str) -> str:
    return name.replace("$", token).replace("#", token[:1])


TABLES = read_tables(Path(__file__).with_name("rigs.txt"))
