"""Blender's window on a display of its own: mouse, keyboard, pictures, and questions to the Blender inside."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from drop import drop_files

__all__ = ["FOLDER", "Window"]

FOLDER = Path("/tmp/gui")
WIDTH, HEIGHT = 1280, 1080
PATIENCE = 300.0
"""Seconds; nothing waits that long but on a machine that is busy with other things."""
UNDER_MOUSE = """
win, area, region = window()
bpy.context.window_manager.clipboard = ""
with bpy.context.temp_override(window=win, area=area, region=region):
    if bpy.ops.ui.copy_python_command_button.poll():
        bpy.ops.ui.copy_python_command_button()
answer = bpy.context.window_manager.clipboard
"""


def _ahead() -> None:
    """Ask for what follows, the engine too, to run ahead of what else the machine does, which is not measured here."""
    try:
        os.nice(-10)
        group = Path("/proc/self/autogroup")
        if group.exists():  # between sessions, Linux may weigh those instead of processes
            group.write_text("-20")
    except OSError as error:
        print(f"timings are those of a shared machine: {error}", flush=True)


class Window:
    """Starts Xvfb and Blender."""

    def __init__(self) -> None:
        self._asked = 0
        os.environ.update(DISPLAY=":77", LIBGL_ALWAYS_SOFTWARE="1", XDG_RUNTIME_DIR="/tmp", DEBUGINFOD_URLS="")
        _ahead()
        quiet = (FOLDER / "xvfb.log").open("w")
        screen = f"{WIDTH}x{HEIGHT}x24"
        self._x = subprocess.Popen(
            ["Xvfb", ":77", "-screen", "0", screen, "+extension", "GLX", "-nolisten", "tcp", "-noreset"], stderr=quiet
        )
        self._until(lambda: subprocess.run(["xdpyinfo"], capture_output=True).returncode == 0, "a display")
        log = (FOLDER / "blender.log").open("w")
        command = ["blender", "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
        command += ["--python-exit-code", "1", "--python", str(FOLDER / "answer.py")]
        self._blender = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def _until(self, done: Any, what: str, seconds: float = PATIENCE, pause: float = 0.1) -> Any:
        end = time.monotonic() + seconds
        while not (value := done()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}")
            time.sleep(pause)
        return value

    def ask(self, code: str) -> Any:
        """Run code in Blender; gives what it sets ``answer`` to."""
        number, self._asked = self._asked, self._asked + 1
        part = FOLDER / "ask.part"
        part.write_text(code)
        part.rename(FOLDER / f"ask-{number}.py")
        reply = FOLDER / f"answer-{number}.json"

        def answered() -> bool:
            if self._blender.poll() is not None:
                raise RuntimeError(f"Blender ended with {self._blender.returncode}")
            return reply.exists()

        self._until(answered, code, pause=0.02)
        message = json.loads(reply.read_text())
        if "error" in message:
            raise RuntimeError(message["error"])
        return message["answer"]

    def wait(self, code: str, seconds: float = PATIENCE) -> Any:
        """Ask until the answer is true."""
        return self._until(lambda: self.ask(code), code, seconds)

    def move(self, x: float, y: float) -> None:
        """Mouse to a place, from the top left, and Blender has seen it move."""
        x, y = round(x), round(y)
        subprocess.run(["xdotool", "mousemove", str(x - 2), str(y), "mousemove", str(x), str(y)], check=True)
        for _ in range(2):  # two turns of Blender's loop
            self.ask("")

    def click(self) -> None:
        """The left button, where the mouse is."""
        subprocess.run(["xdotool", "click", "1"], check=True)
        self.ask("")

    def drag(self, places: Sequence[tuple[float, float]]) -> None:
        """Hold the left button where the mouse is, move along places, and let go."""
        subprocess.run(["xdotool", "mousedown", "1"], check=True)
        self.ask("")
        for x, y in places:
            self.move(x, y)
        subprocess.run(["xdotool", "mouseup", "1"], check=True)
        self.ask("")

    def key(self, name: str) -> None:
        """Press a key."""
        subprocess.run(["xdotool", "key", name], check=True)
        self.ask("")

    def resize(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        """Give the window another size, as large as the screen unless said, and have it drawn."""
        subprocess.run(["xdotool", "windowsize", "--sync", str(self._number()), str(width), str(height)], check=True)
        self.wait(f"win = window()[0]\nanswer = [win.width, win.height] == [{width}, {height}]")
        self.settle()

    def drop(self, x: int, y: int, paths: Sequence[Path]) -> None:
        """Let files go over a place of the window."""
        drop_files(self._number(), (x, y), paths)

    def _number(self) -> int:
        search = ["xdotool", "search", "--onlyvisible", "--class", "blender"]
        return int(subprocess.run(search, capture_output=True, text=True, check=True).stdout.split()[0])

    def before_all(self, wanted: bool) -> None:
        """Have Blender and its display run before every other program, the engine too, or as usual again.

        MVLIFT_GUI_REALTIME=0 leaves everything as usual, for a machine that does nothing else.
        """
        if os.environ.get("MVLIFT_GUI_REALTIME") == "0":
            return
        policy, priority = (os.SCHED_FIFO, os.sched_param(1)) if wanted else (os.SCHED_OTHER, os.sched_param(0))
        for process in (self._blender, self._x):
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                try:
                    os.sched_setscheduler(int(thread.name), policy, priority)
                except ProcessLookupError:  # it has ended meanwhile
                    continue
                except PermissionError as error:
                    print(f"timings are those of a shared machine: {error}", flush=True)
                    return

    def settle(self, region: str = "SpaceView3D UI") -> None:
        """Wait until what the window shows is what there is: a software renderer lags behind."""
        for _ in range(3):
            before = self.ask(f"answer = drawn[{region!r}]\nredraw()")
            self.wait(f"answer = drawn[{region!r}] > {before}")
        time.sleep(0.5)

    def move_mouse_away(self) -> None:
        """Mouse off the controls, and everything drawn anew."""
        self.move(400, 560)
        self.settle()

    def picture(self, name: str, space: str = "", region: str = "WINDOW", height: int = HEIGHT) -> None:
        """Keep what is on the screen, or in a region of an editor, of which the upper part may be enough."""
        command = ["import", "-window", "root", "-crop", f"{WIDTH}x{height}+0+0", "+repage"]
        if space:
            x, y, w, h = self.ask(f"answer = region_of({space!r}, {region!r})")
            command[4] = f"{w}x{min(h, height)}+{x}+{y}"
        subprocess.run([*command, str(FOLDER / f"{name}.png")], check=name != "failed")
        print(f"picture {name}", flush=True)

    def find(self, operator: str, shares: Sequence[float] = (0.4, 0.6)) -> None:
        """Move the mouse down the sidebar, at shares of its width, until it is over the button of an operator."""
        x, y, width, height = self.wait("answer = region_of('VIEW_3D', 'UI')")
        for pause, share in product((0.0, 0.1, 0.5), shares):
            self.settle()
            for offset in range(16, height, 9):
                self.move(x + share * width, y + offset)
                time.sleep(pause)
                if operator in self.ask(UNDER_MOUSE):
                    self.move(x + share * width, y + offset + 4)
                    return
        raise RuntimeError(f"no button of {operator} in the sidebar")

    def press(self, operator: str, until: str) -> None:
        """Click a button of the sidebar until what it does is seen to have begun."""
        for _ in range(4):
            self.find(operator)
            self.click()
            try:
                self.wait(until, 30)
                return
            except TimeoutError:
                print(f"{operator}: the click was missed; again", flush=True)
        raise RuntimeError(f"a click on {operator} does nothing")

    def close(self) -> int:
        """Quit Blender; its exit code."""
        try:
            self.ask("bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None, first_interval=0.2)")
            return self._blender.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self) -> None:
        """End what still runs."""
        for process in (self._blender, self._x):
            if process.poll() is None:
                process.kill()
            process.wait()
