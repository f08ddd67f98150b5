"""Motion files as armatures in the scene: AMASS, and MVLift's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mvlift.amass import read_any_motion

from ..scene.body_files import body_mesh
from ..scene.write import WriteOptions, WrittenMotion, write_motion
from ..settings.preferences import body_file

__all__ = ["import_motion"]


def import_motion(context: Any, path: Path, body: bool = True, camera: bool = True) -> WrittenMotion:
    """Write a motion file into the scene as a lift would be.

    Args:
        context: of Blender.
        path: AMASS .npz (SMPL, SMPL-H, SMPL-X) or MVLift's own.
        body: with the body's mesh.
        camera: with the camera, where the file knows one.

    Raises:
        MvliftError: the file is neither, or holds values that are not numbers.
    """
    motion = read_any_motion(path)
    known = "imported" not in motion.metadata
    options = WriteOptions(name=path.stem, body=body, camera=camera and known)
    mesh = body_mesh(motion, body_file(context))  # its soles say where the floor is, written or not
    return write_motion(context, motion, options, mesh)
