"""Run by test_package.py in an interpreter of its own: install an extension zip, use it, uninstall it; prints JSON."""

import json
import os
import sys
from pathlib import Path

import bpy

zip_file = sys.argv[1]


class _NoTorch:
    """As in a Blender whose Python has none."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return


sys.meta_path.insert(0, _NoTorch())

home = Path(os.environ["BLENDER_USER_RESOURCES"])
assert bpy.ops.extensions.package_install_files(filepath=zip_file, repo="user_default", enable_on_install=True) == {
    "FINISHED"
}
import mvlift  # noqa: E402  (the wheel came with the zip)

module = "bl_ext.user_default.mvlift"
assert module in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())
assert "torch" not in sys.modules
results = {"mvlift": mvlift.__file__, "version": mvlift.version()}
folder = home / "extensions" / "user_default" / "mvlift"
settings = bpy.context.scene.mvlift
assert bpy.ops.mvlift.import_keypoints(filepath=str(folder / "examples" / "walk.zip")) == {"FINISHED"}
results["people"] = [(person.format, person.frames) for person in settings.people]
settings.fps, settings.image_width, settings.image_height = "30", 1280, 720
settings.scene_setup = "MATCH"
settings.preset, settings.use_range, settings.range_first, settings.range_last = "fast", True, 0, 39
assert bpy.ops.mvlift.lift() == {"FINISHED"}
armature = settings.result
scene = bpy.context.scene
ways = []
for frame in (scene.frame_start, scene.frame_end):
    scene.frame_set(frame)
    ways.append(armature.matrix_world @ armature.pose.bones["pelvis"].head)
results["frames"] = scene.frame_end - scene.frame_start + 1
results["walked"] = (ways[1] - ways[0]).length
results["bones"] = len(armature.data.bones)
results["vertices"] = max(len(o.data.vertices) for o in bpy.data.objects if o.type == "MESH")
repositories = [repo.module for repo in bpy.context.preferences.extensions.repos]
bpy.ops.extensions.package_uninstall(repo_index=repositories.index("user_default"), pkg_id="mvlift")
local = home / "extensions" / ".local"
left = [str(p) for p in (folder, *local.rglob("mvlift-*.dist-info")) if p.exists()]
print("FOUND " + json.dumps({**results, "left": left, "registered": hasattr(bpy.types.Scene, "mvlift")}), flush=True)
os._exit(0)
