"""A lift by mouse in a real Blender window: import, preview, Lift to 3D, clean-up, Esc, preferences, and the end.

Takes pictures and timings. Runs inside the chroot of tools/blender_chroot.sh; exits with 0 when all of it worked.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import blocked
from driver import FOLDER, Window

WALK = "/tmp/mvlift-resources/extensions/user_default/mvlift/examples/walk.zip"
FILES = "a = [a for a in window()[0].screen.areas if a.type == 'FILE_BROWSER' and a.spaces.active.params]\n"
RUNNING = "answer = bpy.context.window_manager.mvlift_job.running"
ENDED = "answer = not bpy.context.window_manager.mvlift_job.running"
SCENE = "answer = [sorted(o.name for o in bpy.data.objects), len(bpy.data.actions), len(bpy.data.meshes)]"
# pictures of a shadow that walks before a wall, as the video
VIDEO = """
import numpy as np
from pathlib import Path
from bl_ext.user_default.mvlift.importing.sources import clip_of
from bl_ext.user_default.mvlift.viewport.thumbnails import _distance
s = bpy.context.scene.mvlift
clip, folder = clip_of(s, s.person()), Path("/tmp/gui/video")
folder.mkdir()
index = {n: j for j, n in enumerate(clip.layout.names)}
height, width = 270, 480
grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
floor = np.clip((grid[..., 1] - 0.62 * height) / height, 0, None)
light = np.where(floor > 0, 0.33 + 0.5 * floor, 0.62 - 0.1 * np.abs(grid[..., 0] / width - 0.5))
room = light[..., None] * [1, 0.97, 0.9]
image = bpy.data.images.new("video", width, height)
for row in range(20):
    points, seen = clip.points[row].astype(float) * width / 1280, clip.seen[row]
    near = np.full((height, width), 1e3)
    for a, b in clip.layout.bones:
        if seen[index[a]] and seen[index[b]]:
            near = np.minimum(near, _distance(grid, points[index[a]], points[index[b]]))
    picture = np.ones((height, width, 4), np.float32)
    cover = np.clip(5.5 - near, 0, 1)[..., None]
    picture[..., :3] = (1 - cover) * room + cover * [0.18, 0.2, 0.24]
    image.pixels.foreach_set(picture[::-1].ravel())
    image.filepath_raw, image.file_format = str(folder / f"video_{row:04d}.png"), "PNG"
    image.save()
bpy.data.images.remove(image)
"""
# the same walker as three people: beside itself, smaller and later
SEVERAL = """
from dataclasses import replace
from mvlift.keypoints.writing import write_keypoints
from bl_ext.user_default.mvlift.importing.sources import clip_of
s = bpy.context.scene.mvlift
clip, people = clip_of(s, s.person()), []
for number, (size, aside, frames) in enumerate([(1.0, 0, 150), (0.8, 300, 90), (0.7, -260, 60)]):
    part = clip.restricted(0, frames - 1)
    points = (part.points * size + [aside, 110 * number]) * part.seen[..., None]
    people.append(replace(part, points=points.astype("float32"), track_id=str(number + 1)))
write_keypoints(people, "/tmp/gui/three.csv")
bpy.ops.mvlift.import_keypoints(filepath="/tmp/gui/three.csv", replace=True)
s.people[1].chosen = True
"""
KEYED = """
scene = bpy.context.scene
arm = scene.mvlift.result
from bl_ext.user_default.mvlift.scene.animation import current_curves
curves = list(current_curves(arm))
places = []
for frame in (scene.frame_start, scene.frame_end):
    scene.frame_set(frame)
    places.append(arm.matrix_world @ arm.pose.bones["pelvis"].head)
bones = {c.data_path.split('"')[1] for c in curves if c.data_path.startswith("pose.bones")}
answer = dict(curves=len(curves), bones=len(bones), keys=min(len(c.keyframe_points) for c in curves
    if c.data_path.endswith("rotation_quaternion")), walked=(places[1] - places[0]).length,
    camera=scene.camera.name, frames=scene.frame_end - scene.frame_start + 1)
"""


def open_sidebar(window: Window, tab: str) -> None:
    """Show a tab of the sidebar."""
    window.wait("answer = window()[1] is not None")
    window.ask("window()[1].spaces.active.show_region_ui = True")
    window.wait(
        f"win, area, r = window()\ntry:\n    r.active_panel_category = {tab!r}\n    answer = True\n"
        "except Exception:\n    answer = False\narea.tag_redraw()"
    )
    window.move_mouse_away()


def tidy(window: Window) -> None:
    """A scene with nothing in it."""
    window.ask("for o in list(bpy.data.objects):\n    bpy.data.objects.remove(o)")
    window.move_mouse_away()


def import_by_mouse(window: Window) -> None:
    """Click Import Keypoints, choose the file, confirm."""
    window.press("mvlift.import_keypoints", FILES + "answer = bool(a)")
    folder, name = os.path.split(WALK)
    window.ask(
        FILES + f"p = a[0].spaces.active.params\np.directory, p.filename = {folder.encode()!r}, {name!r}\nredraw()"
    )
    window.settle("SpaceFileBrowser WINDOW")
    window.wait(
        FILES + f"p = a[0].spaces.active.params\np.filename = {name!r}\nanswer = p.directory.endswith(b'examples/')"
    )
    window.settle("SpaceFileBrowser WINDOW")
    window.picture("import-file-browser", height=420)
    for _ in range(4):
        x, y, width, height = window.ask("answer = region_of('FILE_BROWSER', 'EXECUTE')")
        window.move(x + width - 60, y + height / 2)
        window.click()
        try:
            window.wait("answer = len(bpy.context.scene.mvlift.people) and window()[1] is not None", 40)
            return
        except TimeoutError:
            print("the click on Import was missed; again", flush=True)
    raise RuntimeError("a click on Import does nothing")


def lift_by_mouse(window: Window) -> None:
    """Click Lift to 3D and wait; everything that would disturb the lift is grey meanwhile."""
    window.press("mvlift.lift", RUNNING)
    window.move(400, 560)
    window.wait("j = bpy.context.window_manager.mvlift_job\nanswer = j.fraction > 0.25 or not j.running")
    assert not window.ask("answer = bpy.ops.mvlift.lift.poll() or bpy.ops.mvlift.import_keypoints.poll()")
    window.picture("lift-progress", "VIEW_3D")
    window.wait("answer = bpy.context.scene.mvlift.result is not None")


def lift_counted(window: Window) -> dict[str, Any]:
    """Lift the whole clip in more steps and count ticks until the engine is done; undo it by key."""
    before = window.ask(SCENE)
    window.ask("s = bpy.context.scene.mvlift\ns.use_range = False")
    with blocked.counted(window, "lift"):
        window.ask(
            "win, area, region = window()\nwith bpy.context.temp_override(window=win, area=area, region=region):\n"
            "    bpy.ops.mvlift.lift('INVOKE_DEFAULT')"
        )
        window.wait(ENDED)
    assert window.ask(SCENE) != before
    window.move(400, 560)
    window.key("ctrl+z")
    window.wait(SCENE + f"\nanswer = answer == {before!r}")
    return blocked.report(window, "lift")


def show_result(window: Window) -> None:
    """Pictures of what was written: from aside, and through the camera with the keypoints over it."""
    window.ask(
        "scene = bpy.context.scene\nscene.frame_set((scene.frame_start + scene.frame_end) // 2)\n"
        "scene.mvlift.overlay = False\narm = scene.mvlift.result\nview = window()[1].spaces.active.region_3d\n"
        "view.view_perspective = 'PERSP'\nview.view_distance = 5.0\n"
        "view.view_location = arm.matrix_world @ arm.pose.bones['pelvis'].head"
    )
    window.move_mouse_away()
    window.picture("lift-result", "VIEW_3D")
    window.press(
        "mvlift.clean_feet", "answer = bpy.context.scene.mvlift.result.animation_data.action.name != 'walk lifted'"
    )
    window.wait("answer = region_of('VIEW_3D', 'HUD')")
    x, y, _, height = window.ask("answer = region_of('VIEW_3D', 'HUD')")
    if height < 60:  # closed
        window.move(x + 30, y + height / 2)
        window.click()
    window.move_mouse_away()
    window.picture("clean-up", "VIEW_3D")
    window.ask(
        "s = bpy.context.scene\ns.mvlift.overlay = True\ns.frame_set(11)\n"
        "view = window()[1].spaces.active.region_3d\n"
        "view.view_perspective = 'CAMERA'\nview.view_camera_zoom = 8\nview.view_camera_offset = (0.13, 0)"
    )
    window.move_mouse_away()
    window.picture("lift-camera-view", "VIEW_3D")


# where a keypoint of the active person is on the screen, from the top left
WRIST = """
from bl_ext.user_default.mvlift.viewport.preview import shown_at
from bl_ext.user_default.mvlift.viewport.overlay import screen_frame
win, area, _ = window()
region = next(r for r in area.regions if r.type == "WINDOW")
with bpy.context.temp_override(window=win, area=area, region=region):
    shown = shown_at(bpy.context)
    frame = screen_frame(bpy.context, shown.size, shown.inset)
x, y = shown.clip.points[shown.row, shown.clip.layout.index("l_wrist")].astype(float) @ frame[:, :2].T + frame[:, 2]
answer = [float(region.x + x), float(win.height - region.y - y)]
"""
CORRECTED = "answer = bpy.context.scene.mvlift.person().corrections"


def correct_by_mouse(window: Window) -> None:
    """Drag a wrist over the video with the tool, hide it by key, and take both back by key."""
    window.ask(
        "win, area, _ = window()\nregion = next(r for r in area.regions if r.type == 'WINDOW')\n"
        "with bpy.context.temp_override(window=win, area=area, region=region):\n"
        "    bpy.ops.wm.tool_set_by_id(name='mvlift.keypoint_tool')"
    )
    window.move_mouse_away()
    x, y = window.ask(WRIST)
    window.move(x, y)
    window.drag([(x + 4 * i, y - 5 * i) for i in range(1, 9)])
    window.wait(CORRECTED + "\nanswer = 'l_wrist' in answer")
    window.move_mouse_away()
    window.picture("correct-keypoints", "VIEW_3D")
    window.move(x + 32, y - 40)
    window.key("x")
    window.wait(CORRECTED + "\nanswer = 'null' in answer")
    window.move(400, 560)
    for _ in range(2):
        window.key("ctrl+z")
    window.wait(CORRECTED + "\nanswer = not answer")
    window.ask(
        "win, area, _ = window()\nregion = next(r for r in area.regions if r.type == 'WINDOW')\n"
        "with bpy.context.temp_override(window=win, area=area, region=region):\n"
        "    bpy.ops.wm.tool_set_by_id(name='builtin.select_box')"
    )


def show_doubts(window: Window) -> None:
    """The list of doubtful parts, with two made-up ones where the clip has none."""
    window.ask(
        "rows = bpy.context.scene.mvlift.result.animation_data.action.mvlift_doubts\n"
        "for kind, first, joint in (('JUMP', 20, 'left_wrist'), ('FLOOR', 40, 'right_foot')):\n"
        "    row = rows.add()\n    row.kind, row.first, row.last, row.worst = kind, first, first + 4, first + 2\n"
        "    row.joint, row.value = joint, 0.08"
    )
    window.move_mouse_away()
    window.picture("doubtful-parts", "VIEW_3D", "UI")


def cancel_by_key(window: Window) -> float:
    """Lift again, press Esc, and time until the lift is over; the scene is as it was."""
    before = window.ask(SCENE)
    window.ask("bpy.context.scene.mvlift.use_range = False")
    window.press("mvlift.lift", RUNNING)
    window.move(400, 560)
    window.wait("answer = bpy.context.window_manager.mvlift_job.fraction > 0.05")
    began = time.monotonic()
    window.key("Escape")
    window.wait(ENDED)
    seconds = time.monotonic() - began
    assert window.ask(SCENE) == before
    return seconds


def show_preferences(window: Window) -> None:
    """The preferences page with what the test of the engine found."""
    window.ask("bpy.ops.mvlift.test_engine()")
    window.ask("bpy.ops.mvlift.preferences()")
    window.settle("SpacePreferences WINDOW")
    time.sleep(2)
    window.picture("preferences", "PREFERENCES")


def drop_from_file_manager(window: Window) -> None:
    """Let a keypoint file, and one that has none, go over the viewport."""
    notes = Path(WALK).with_name("notes.md")  # Blender takes all that is dropped to lie in one folder
    notes.write_text("no keypoints")
    window.ask("bpy.context.scene.mvlift.people.clear()")
    window.drop(400, 560, [notes, Path(WALK)])
    window.wait("answer = [p.name for p in bpy.context.scene.mvlift.people] == ['walk']", 60)


def show_several(window: Window) -> None:
    """The list with more than one person."""
    window.ask(SEVERAL)
    window.move_mouse_away()
    window.picture("several-people", "VIEW_3D", "UI", height=500)


def read(path: Path) -> bytes:
    """A file's content; nothing where it went away."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def engines() -> list[str]:
    """Process numbers of the engines that run in this file system (a machine's other ones are not of this test)."""
    here = Path("/").stat().st_ino
    workers = [p.parent for p in Path("/proc").glob("[0-9]*/cmdline") if b"mvlift.worker" in read(p)]
    return [p.name for p in workers if _inode(p / "root") == here]


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def carried_out(window: Window) -> dict[str, Any]:
    """The whole way up to Blender's end in the middle of a lift."""
    report: dict[str, Any] = {"blender": window.ask("answer = bpy.app.version_string")}
    late = report["ticks late, ms"] = {}
    blocked.disable_mvlift(window)
    open_sidebar(window, "Item")
    late["without MVLift"] = blocked.at_rest(window, "without MVLift")
    blocked.enable_mvlift(window)
    open_sidebar(window, "MVLift")
    tidy(window)
    window.picture("panel-before-import")
    import_by_mouse(window)
    window.move_mouse_away()
    window.picture("people-list", "VIEW_3D", "UI", height=780)
    window.ask(
        "s = bpy.context.scene.mvlift\ns.fps, s.image_width, s.image_height = '30', 1280, 720\n"
        "s.preset, s.use_range, s.range_first, s.range_last = 'fast', True, 0, 89\n"
    )
    window.ask(VIDEO)
    window.ask(
        "s = bpy.context.scene.mvlift\ns.video = '/tmp/gui/video/video_0000.png'\n"
        "s.image_width, s.image_height, s.fps = 1280, 720, '30'\n"
        "s.overlay = True\nbpy.context.scene.frame_set(11)"
    )
    window.move_mouse_away()
    window.picture("preview-over-frames", "VIEW_3D")
    lift_by_mouse(window)
    report["keyed"] = window.ask(KEYED)
    show_result(window)
    correct_by_mouse(window)
    show_doubts(window)
    late["at rest"] = blocked.at_rest(window, "at rest")
    late["lift"] = lift_counted(window)
    report["seconds until Esc is heard"] = round(cancel_by_key(window), 2)
    show_preferences(window)
    window.ask(
        "for win in list(bpy.context.window_manager.windows)[1:]:\n"
        "    with bpy.context.temp_override(window=win):\n        bpy.ops.wm.window_close()"
    )
    drop_from_file_manager(window)
    show_several(window)
    window.press("mvlift.lift", RUNNING)
    window.wait("answer = bpy.context.window_manager.mvlift_job.fraction > 0.02")
    assert engines()
    report["exit"] = window.close()
    ends = time.monotonic() + 10
    while engines() and time.monotonic() < ends:
        time.sleep(0.1)
    report["orphans"] = engines()
    return report


def main() -> int:
    """Carry it out, and judge."""
    window = Window()
    try:
        report = carried_out(window)
    except BaseException:
        window.picture("failed")
        window.kill()
        raise
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1))
    print(json.dumps(report, indent=1), flush=True)
    keyed = report["keyed"]
    assert (keyed["bones"], keyed["keys"], keyed["frames"]) == (24, 90, 90)
    assert keyed["walked"] > 0.5
    assert report["ticks late, ms"]["lift"]["longest of MVLift"] < 50
    assert report["seconds until Esc is heard"] < 1.5  # a second, and what asking takes
    assert (report["exit"], report["orphans"]) == (0, [])
    return 0


if __name__ == "__main__":
    sys.exit(main())
