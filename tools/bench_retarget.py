"""Times retargeting and baking: 10,000 frames onto a rig of 60 moved bones.

Run it with a Python that has Blender as a module: `python tools/bench_retarget.py [FRAMES]`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "blender")]

import bpy  # noqa: E402  the paths come first

BONES = 60


def long_rig():
    """A person whose spine, neck and tail-like chains bring the mapped bones to 60."""
    from rigs import build

    from mvlift_blender.retargeting.rig import detect_rig
    from mvlift_blender.retargeting.rig_map import RigMap

    armature = build("mixamo")
    rig = detect_rig(armature)
    data, bones = armature.data, dict(rig.bones)
    chain = [k for k in rig.keys if k.startswith("spine")]
    extra = BONES - len([k for k in rig.keys if k != "root"])
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    last = data.edit_bones[bones[chain[-1]]]
    head, tail, below = last.head.copy(), last.tail.copy(), list(last.children)
    parent = last
    for i in range(extra):
        bone = data.edit_bones.new(f"more{i}")
        bone.head, bone.tail = head.lerp(tail, i / extra), head.lerp(tail, (i + 1) / extra)
        bone.parent = parent
        parent = bone
        bones[f"spine.{len(chain) + i}"] = bone.name
    for bone in below:
        bone.parent = parent
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature, RigMap("human", bones)


def main() -> None:
    """Print seconds for the solve and the bake together."""
    from synthetic_motion import walk

    from mvlift_blender.retargeting.retarget import RetargetOptions, retarget
    from mvlift_blender.scene.write import write_motion

    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    source = write_motion(bpy.context, walk(frames)).armature
    target, rig = long_rig()
    start, busy = time.perf_counter(), time.process_time()
    result = retarget(bpy.context, source, target, RetargetOptions(), rig)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    moved = int(result.solved.driven.sum())
    print(f"{frames} frames x {moved} bones: {seconds:.2f} s, {busy:.2f} s of processor time")
    sys.stdout.flush()
    os._exit(0)  # Blender before 5.0, as a module, may hang in its destructors


if __name__ == "__main__":
    main()
