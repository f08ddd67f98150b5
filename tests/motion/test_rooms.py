"""What may import what in the extension: rooms stand on each other without cycles, and the lowest knows no Blender."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "mvlift_blender"
BLENDER = {"bpy", "bmesh", "mathutils", "gpu", "blf", "aud", "bpy_extras", "addon_utils"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, inside functions too."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            module = (base + (node.module or "")).rstrip(".")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    """The room of a module of the extension; None for others and for the modules at the top, which join the rooms."""
    parts = module.split(".")
    known = len(parts) > 1 and parts[0] == PACKAGE.name and (PACKAGE / parts[1]).is_dir()
    return parts[1] if known else None


def rooms() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    graph: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = room_of(module_of(path))
        if room is not None:
            others = {room_of(name) for name in imported(path)} - {None, room}
            graph.setdefault(room, set()).update(other for other in others if other is not None)
    return graph


def test_no_room_imports_one_that_stands_on_it():
    graph = rooms()
    assert len(graph) > 10
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
    assert order
    assert graph["motion"] == set()


def test_the_top_holds_what_joins_the_rooms_and_no_more():
    assert {p.stem for p in PACKAGE.glob("*.py")} == {"__init__", "handlers", "headless"}


def test_motion_knows_no_blender_anywhere():
    for path in (PACKAGE / "motion").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & BLENDER, path


def test_motion_imports_without_blender():
    names = [module_of(path) for path in (PACKAGE / "motion").glob("*.py")]
    code = f"import sys, importlib; sys.modules['bpy'] = None\nfor n in {names!r}: importlib.import_module(n)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_files_stay_short():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
