"""Draws a lifted person with an object from several sides, for the guide.

Run it with a Python that has Blender as a module: `python tools/object_pictures.py MOTION.npz [FOLDER]`.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import bpy  # noqa: E402  the path comes first
import numpy as np  # noqa: E402

SIDES = {"side": 0.0, "front": 0.5 * math.pi, "other-side": math.pi}


def draw(motion_file: Path, folder: Path) -> Path:
    """One picture with a row for each side."""
    from mvlift.motion import LiftedMotion

    from mvlift_blender.commands import headless
    from mvlift_blender.exchange.picture import render_picture

    motion = LiftedMotion.load(motion_file)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, turn in SIDES.items():
        part = folder / f"object-{name}.png"
        headless.new_scene()
        headless.place([motion])
        render_picture(part, turn)
        image = bpy.data.images.load(str(part))
        width, height = image.size
        rows.append(np.array(image.pixels[:], np.float32).reshape(height, width, 4))
        part.unlink()
    picture = np.concatenate(rows[::-1])  # Blender's rows go upwards
    target = bpy.data.images.new("whole", picture.shape[1], picture.shape[0])
    target.pixels.foreach_set(picture.ravel())
    target.filepath_raw, target.file_format = str(folder / "object.png"), "PNG"
    target.save()
    return folder / "object.png"


if __name__ == "__main__":
    import mvlift_blender

    mvlift_blender.register()
    print(draw(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs/images")))
    sys.stdout.flush()
    import os

    os._exit(0)  # before 5.0 Blender as a module hangs when it ends
