"""Tests against Blender as a Python module; they also run inside a real Blender (see run_in_blender.py)."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# Set before the first import of bpy: preferences, extensions and their wheels stay in a folder of the test's own.
if "bpy" not in sys.modules and ("PYTEST_XDIST_WORKER" in os.environ or "BLENDER_USER_RESOURCES" not in os.environ):
    os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="mvlift-blender-")

# the same sums in this process and in the engine's, and no fight for cores with what else runs
os.environ.setdefault("OMP_NUM_THREADS", "1")

try:
    import bpy
except ImportError:
    bpy = None

# without Blender only test_blender_present.py is collected, which says so
collect_ignore_glob = [] if bpy is not None else ["test_[!b]*.py"]

PACKAGE = "mvlift_blender"
_status = 0


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    """Every test starts in an empty scene; extensions stay enabled."""
    if bpy is not None:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


@pytest.fixture(scope="module")
def extension() -> Iterator[Any]:
    """The extension, enabled from the source tree; gives its preferences.

    MVLIFT_ENGINE_PYTHON names the interpreter with torch, where the one that runs Blender has none.
    """
    import mvlift_blender

    mvlift_blender.register()
    addon = bpy.context.preferences.addons.new()
    addon.module = PACKAGE
    interpreter = os.environ.get("MVLIFT_ENGINE_PYTHON")
    if interpreter:
        addon.preferences.engine, addon.preferences.interpreter = "OTHER", interpreter
    yield addon.preferences
    bpy.context.preferences.addons.remove(addon)
    mvlift_blender.unregister()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    # Blender before 5.0, as a module, hangs or crashes in its destructors when Python classes stay registered; the
    # report is written by now, so leave without running them.
    if bpy is None or hasattr(config, "workerinput") or bpy.app.binary_path:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)


@pytest.fixture(scope="module")
def lifted_file(extension: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .blend in which the bundled clip's beginning was lifted once, for all tests of a module."""
    from lift_steps import ready

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ready()
    assert bpy.ops.mvlift.lift() == {"FINISHED"}
    file = tmp_path_factory.mktemp("lifted") / "lifted.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    return file
