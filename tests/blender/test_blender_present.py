"""Says why the other tests of this folder did not run."""

import pytest


def test_blender_is_there():
    """Blender as a Python module, 4.2 or newer."""
    bpy = pytest.importorskip("bpy", reason="Blender as a module (pip install bpy==4.5.15) is not installed")
    assert bpy.app.version >= (4, 2, 0)
