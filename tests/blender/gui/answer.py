"""Runs inside Blender's window: carries out what click_through.py asks for, and times how long the window is blocked.

Each file ask-N.py sets ``answer``; it is written to answer-N.json.
"""

import json
import time
import traceback
from pathlib import Path

import bpy

FOLDER = Path("/tmp/gui")
TICK = 0.01

bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False
bpy.context.preferences.view.smooth_view = 0
bpy.context.preferences.view.filebrowser_display_type = "SCREEN"

gaps: list[tuple[bool, float]] = []  # (a lift runs, seconds beyond the tick)
own: list[float] = []  # seconds of each look at the engine
state = {"next": 0, "last": time.perf_counter()}


def window():
    """Window, 3D viewport, its sidebar."""
    win = bpy.context.window_manager.windows[0]
    area = next((a for a in win.screen.areas if a.type == "VIEW_3D"), None)
    region = next((r for r in area.regions if r.type == "UI"), None) if area else None
    return win, area, region


def time_the_job():
    """Have every look at the engine timed."""
    import bl_ext.user_default.mvlift.jobs as jobs

    step = jobs.EngineJob.step

    def timed(self, context):
        began = time.perf_counter()
        try:
            return step(self, context)
        finally:
            own.append(time.perf_counter() - began)

    jobs.EngineJob.step = timed


def poll():
    now = time.perf_counter()
    job = getattr(bpy.context.window_manager, "mvlift_job", None)
    gaps.append((bool(job and job.running), now - state["last"] - TICK))
    ask = FOLDER / f"ask-{state['next']}.py"
    if ask.exists():
        names = {**globals(), "answer": None}
        try:
            exec(ask.read_text(), names)
            found = {"answer": names["answer"]}
        except Exception:
            found = {"error": traceback.format_exc()}
        part = FOLDER / "answer.part"
        part.write_text(json.dumps(found))
        part.rename(FOLDER / f"answer-{state['next']}.json")
        state["next"] += 1
    state["last"] = time.perf_counter()
    return TICK


time_the_job()
bpy.app.timers.register(poll, first_interval=1.0, persistent=True)
