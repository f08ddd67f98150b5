"""A lift by mouse in a real Blender window: import, preview, Lift to 3D, preferences; with pictures and timings.

Runs inside the chroot of tools/blender_chroot.sh, beside Xvfb and xdotool; exits with 0 when all of it worked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/tmp/gui")
ENGINE = "/opt/engine/bin/python"
WIDTH, HEIGHT = 1400, 900
WALK = "/tmp/mvlift-resources/extensions/user_default/mvlift/examples/walk.zip"
UNDER_MOUSE = """
win, area, region = window()
bpy.context.window_manager.clipboard = ""
with bpy.context.temp_override(window=win, area=area, region=region):
    if bpy.ops.ui.copy_python_command_button.poll():
        bpy.ops.ui.copy_python_command_button()
answer = bpy.context.window_manager.clipboard
"""
BLOCKS = "answer = [gap for running, gap in gaps if running]"
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


class Window:
    """Blender's window on a display of its own."""

    def __init__(self) -> None:
        self._asked = 0
        environment = {
            **os.environ, "DISPLAY": ":77", "LIBGL_ALWAYS_SOFTWARE": "1", "XDG_RUNTIME_DIR": "/tmp",
            "DEBUGINFOD_URLS": "",
        }  # fmt: skip
        os.environ.update(environment)
        screen = f"{WIDTH}x{HEIGHT}x24"
        self._x = subprocess.Popen(["Xvfb", ":77", "-screen", "0", screen, "+extension", "GLX", "-nolisten", "tcp"])
        time.sleep(2)
        log = (FOLDER / "blender.log").open("w")
        command = ["blender", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
        command += ["--python-exit-code", "1", "--python", str(FOLDER / "answer.py")]
        self._blender = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def ask(self, code: str, seconds: float = 120) -> Any:
        """Run code in Blender; gives what it sets ``answer`` to."""
        number, self._asked = self._asked, self._asked + 1
        part = FOLDER / "ask.part"
        part.write_text(code)
        part.rename(FOLDER / f"ask-{number}.py")
        reply, end = FOLDER / f"answer-{number}.json", time.monotonic() + seconds
        while not reply.exists():
            if self._blender.poll() is not None:
                raise RuntimeError(f"Blender ended with {self._blender.returncode}")
            if time.monotonic() > end:
                raise TimeoutError(f"no answer within {seconds} s to: {code}")
            time.sleep(0.02)
        found = json.loads(reply.read_text())
        if "error" in found:
            raise RuntimeError(found["error"])
        return found["answer"]

    def wait(self, code: str, seconds: float = 120) -> Any:
        """Ask until the answer is true."""
        end = time.monotonic() + seconds
        while not (found := self.ask(code)):
            if time.monotonic() > end:
                self.picture("failed")
                raise TimeoutError(f"not within {seconds} s: {code}")
            time.sleep(0.1)
        return found

    def move(self, x: int, y: int) -> None:
        """Mouse to a place, from the top left; Blender wants to see it move."""
        subprocess.run(["xdotool", "mousemove", str(x - 2), str(y), "mousemove", str(x), str(y)], check=True)

    def click(self) -> None:
        """The left button, where the mouse is."""
        subprocess.run(["xdotool", "click", "1"], check=True)

    def away(self) -> None:
        """Mouse off the controls, and everything drawn anew: a software renderer lags behind."""
        self.move(500, 560)
        for _ in range(3):
            self.ask("for a in bpy.context.window_manager.windows[0].screen.areas:\n    a.tag_redraw()")
            time.sleep(0.7)

    def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=name != "failed")
        print(f"picture {name}", flush=True)

    def find(self, operator: str, share: float = 0.4) -> None:
        """Move the mouse down the sidebar until it is over the button of an operator."""
        x, y, width, height, full = self.ask(
            "win, area, r = window()\nanswer = [r.x, r.y, r.width, r.height, win.height]"
        )
        top = full - (y + height)
        for offset in range(16, height, 9):
            self.move(int(x + share * width), top + offset)
            time.sleep(0.12)
            if operator in self.ask(UNDER_MOUSE):
                self.move(int(x + share * width), top + offset + 4)
                time.sleep(0.3)
                return
        self.picture("failed")
        raise RuntimeError(f"no button of {operator} in the sidebar")

    def close(self) -> int:
        """Quit Blender; its exit code."""
        try:
            self.ask("bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None, first_interval=0.2)")
            return self._blender.wait(150)
        finally:
            for process in (self._blender, self._x):
                if process.poll() is None:
                    process.kill()
                process.wait()


def open_sidebar(window: Window) -> None:
    """Show MVLift's tab in a tidy scene."""
    window.ask("window()[1].spaces.active.show_region_ui = True", 200)
    window.wait(
        "win, area, r = window()\ntry:\n    r.active_panel_category = 'MVLift'\n    answer = True\n"
        "except Exception:\n    answer = False\narea.tag_redraw()"
    )
    window.ask(
        "for o in list(bpy.data.objects):\n    bpy.data.objects.remove(o)\n"
        "p = bpy.context.preferences.addons['bl_ext.user_default.mvlift'].preferences\n"
        f"p.engine, p.interpreter = 'OTHER', {ENGINE!r}"
    )
    window.away()


def import_by_mouse(window: Window) -> None:
    """Click Import Keypoints, choose the file, confirm."""
    window.find("mvlift.import_keypoints")
    window.click()
    window.wait(
        "areas = bpy.context.window_manager.windows[0].screen.areas\n"
        "answer = bool([a for a in areas if a.type == 'FILE_BROWSER' and a.spaces.active.params])"
    )
    folder, name = os.path.split(WALK)
    window.ask(
        "a = [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'FILE_BROWSER'][0]\n"
        f"a.spaces.active.params.directory = {folder.encode()!r}\na.spaces.active.params.filename = {name!r}\n"
        "a.tag_redraw()"
    )
    time.sleep(2)
    window.ask(
        "a = [a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'FILE_BROWSER'][0]\n"
        f"a.spaces.active.params.filename = {name!r}\na.tag_redraw()"
    )
    time.sleep(1.5)
    window.picture("import-file-browser")
    x, y, width, height, full = window.ask(
        "win = bpy.context.window_manager.windows[0]\n"
        "a = [a for a in win.screen.areas if a.type == 'FILE_BROWSER'][0]\n"
        "r = [r for r in a.regions if r.type == 'EXECUTE'][0]\nanswer = [r.x, r.y, r.width, r.height, win.height]"
    )
    window.move(x + width - 60, full - (y + height // 2))
    time.sleep(0.5)
    window.click()
    window.wait("answer = len(bpy.context.scene.mvlift.people)", 60)
    window.wait("answer = window()[1] is not None")


def lift_by_mouse(window: Window) -> dict[str, float]:
    """Click Lift to 3D and wait; what the window felt meanwhile, in milliseconds."""
    window.find("mvlift.lift")
    window.ask("gaps.clear()")
    # how long this machine takes for the redraws alone, with the mouse at rest
    for _ in range(40):
        window.ask("window()[2].tag_redraw()")
        time.sleep(0.05)
    idle = window.ask("answer = max(g for _, g in gaps)\ngaps.clear()\nown.clear()")
    window.click()
    window.wait("answer = bpy.context.window_manager.mvlift_job.running", 30)
    window.move(500, 560)
    window.wait("j = bpy.context.window_manager.mvlift_job\nanswer = j.fraction > 0.25 or not j.running", 240)
    busy = window.ask(BLOCKS)
    window.picture("lift-progress")  # which stops every program that draws
    window.ask("gaps.clear()")
    window.wait("answer = not bpy.context.window_manager.mvlift_job.running", 400)
    later = window.ask(BLOCKS)
    over = sum(gap > 0.05 for gap in busy + later)
    longest, steps = max(busy + later), window.ask("answer = max(own)")
    print(f"{len(busy + later)} looks at the clock during the lift, {over} of them more than 50 ms late", flush=True)
    median = sorted(busy + later)[len(busy + later) // 2]
    window.wait("answer = bpy.context.scene.mvlift.result is not None", 10)
    found = {"longest block": longest, "median block": median, "longest in MVLift": steps, "redraws alone": idle}
    return {name: round(1000 * seconds, 1) for name, seconds in found.items()}


def show_result(window: Window) -> None:
    """Pictures of what was written: from aside, and through the camera with the keypoints over it."""
    window.ask(
        "scene = bpy.context.scene\nscene.frame_set((scene.frame_start + scene.frame_end) // 2)\n"
        "scene.mvlift.overlay = False\narm = scene.mvlift.result\nview = window()[1].spaces.active.region_3d\n"
        "view.view_perspective = 'PERSP'\nview.view_distance = 5.0\n"
        "view.view_location = arm.matrix_world @ arm.pose.bones['pelvis'].head"
    )
    window.away()
    window.picture("lift-result")
    window.ask(
        "bpy.context.scene.mvlift.overlay = True\nview = window()[1].spaces.active.region_3d\n"
        "view.view_perspective = 'CAMERA'\nview.view_camera_zoom = 10\nview.view_camera_offset = (0.13, 0)"
    )
    window.away()
    window.picture("lift-camera-view")


def show_preferences(window: Window) -> None:
    """The preferences page with what the test of the engine found."""
    window.ask("bpy.ops.mvlift.test_engine()", 120)
    window.ask("bpy.ops.mvlift.preferences()")
    time.sleep(4)
    window.picture("preferences")


def read(path: Path) -> bytes:
    """A file's content; nothing where it went away."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def main() -> int:
    """The whole way; 0 when it worked."""
    window = Window()
    try:
        version = window.ask("answer = bpy.app.version_string", 200)
        open_sidebar(window)
        window.picture("panel-before-import")
        import_by_mouse(window)
        window.away()
        window.picture("people-list")
        window.ask(
            "s = bpy.context.scene.mvlift\ns.fps, s.image_width, s.image_height = '30', 1280, 720\n"
            "s.preset, s.use_range, s.range_first, s.range_last = 'fast', True, 0, 89\n"
            "s.overlay = True\nbpy.context.scene.frame_set(40)"
        )
        window.away()
        window.picture("preview-over-frames")
        times = lift_by_mouse(window)
        keyed = window.ask(KEYED)
        show_result(window)
        show_preferences(window)
        code = window.close()
    except Exception:
        window.picture("failed")
        window.close()
        raise
    engines = [p.parent.name for p in Path("/proc").glob("[0-9]*/cmdline") if b"mvlift.worker" in read(p)]
    engines = [n for n in engines if ENGINE.encode() in read(Path("/proc") / n / "cmdline")]
    report = {"blender": version, "milliseconds": times, "keyed": keyed, "exit": code, "orphans": engines}
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1))
    print(json.dumps(report), flush=True)
    assert (keyed["bones"], keyed["keys"], keyed["frames"]) == (24, 90, 90)
    assert keyed["walked"] > 0.5
    assert times["longest in MVLift"] < 50
    assert (code, engines) == (0, [])
    return 0


if __name__ == "__main__":
    sys.exit(main())
