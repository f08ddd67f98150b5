"""Runs inside Blender's window: carries out what driver.py asks for, and times how long the window is blocked.

Each file ask-N.py sets ``answer``; it is written to answer-N.json.
"""

import json
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path

import bpy

FOLDER = Path("/tmp/gui")
TICK = 0.005
PACKAGE = "bl_ext.user_default.mvlift"

view = bpy.context.preferences.view
view.show_splash = view.show_tooltips = False
view.smooth_view = 0
view.filebrowser_display_type = "SCREEN"
bpy.context.preferences.system.viewport_aa = "OFF"

ticks: list[dict] = []  # of the phases that are measured
mvlift_calls: list[tuple[str, float]] = []  # (what of MVLift's, seconds that it took)
drawn: Counter[str] = Counter()  # regions that were drawn, by space and kind
state = {"next": 0, "phase": "", "redraw": 0.0, "last": time.perf_counter(), "cpu": 0.0, "calls": 0, "drawn": Counter()}


def window():
    """Window, 3D viewport, its sidebar."""
    win = bpy.context.window_manager.windows[0]
    area = next((a for a in win.screen.areas if a.type == "VIEW_3D"), None)
    region = next((r for r in area.regions if r.type == "UI"), None) if area else None
    return win, area, region


def region_of(space, kind):
    """[x, y from the top, width, height] on the screen of the first such region of an editor; None without it."""
    main = bpy.context.window_manager.windows[0]  # its upper left corner is the screen's, and it is as high
    for win in bpy.context.window_manager.windows:
        for area in win.screen.areas:
            for r in area.regions:
                if area.type == space and r.type == kind and r.width > 1 and r.height > 1:
                    top = 0 if win == main else main.height - win.y - win.height
                    return [win.x + r.x, top + win.height - r.y - r.height, r.width, r.height]
    return None


def redraw():
    """Have everything drawn."""
    for win in bpy.context.window_manager.windows:
        for area in win.screen.areas:
            area.tag_redraw()


def count_draws():
    """Count what is drawn, so that a picture is taken of what is there."""
    regions = (
        ("SpaceView3D", "WINDOW"),
        ("SpaceView3D", "UI"),
        ("SpaceView3D", "HEADER"),
        ("SpaceOutliner", "WINDOW"),
        ("SpaceProperties", "WINDOW"),
        ("SpaceDopeSheetEditor", "WINDOW"),
        ("SpaceFileBrowser", "WINDOW"),
        ("SpacePreferences", "WINDOW"),
    )
    for space, kind in regions:
        count = partial(drawn.update, [f"{space} {kind}"])
        getattr(bpy.types, space).draw_handler_add(count, (), kind, "POST_PIXEL")


def timed(owner, name):
    """Have a method of MVLift's timed, which takes a context or nothing."""
    work = getattr(owner, name)

    def spent(*arguments):
        began = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            mvlift_calls.append((f"{owner.__name__}.{name}", time.perf_counter() - began))

    # Blender gives a panel's function as many arguments as it is written with
    wants_context = work.__code__.co_argcount == 2
    setattr(owner, name, (lambda self, context: spent(self, context)) if wants_context else (lambda self: spent(self)))


def time_mvlift():
    """All that MVLift does in the window while its engine works: looks at the engine, panels, keypoints."""
    from importlib import import_module

    timed(import_module(f"{PACKAGE}.lifting.jobs").EngineJob, "step")
    timed(import_module(f"{PACKAGE}.viewport.overlay").Overlay, "_draw")
    for panel in import_module(f"{PACKAGE}.panels").CLASSES:
        if "draw" in vars(panel):
            timed(panel, "draw")


def measure():
    """Note how late this tick is, and what happened since the one before."""
    lifts = state["phase"] == "lift"
    if lifts and not bpy.context.window_manager.mvlift_job.running:  # not yet, or since the one before it was written
        return
    if state["phase"]:
        ticks.append({
            "phase": state["phase"],
            "late": time.perf_counter() - state["last"] - TICK,
            "main thread": time.thread_time() - state["cpu"],
            "MVLift": sum(seconds for _, seconds in mvlift_calls[state["calls"] :]),
            "drawn": sorted(drawn - state["drawn"]),
        })  # fmt: skip


def begin_tick():
    """What ``measure`` compares with."""
    state.update(last=time.perf_counter(), cpu=time.thread_time(), calls=len(mvlift_calls), drawn=drawn.copy())


def poll():
    """A tick."""
    measure()
    if state["redraw"] and time.perf_counter() > state["redraw"]:  # as a progress bar is drawn anew, without one
        state["redraw"] = time.perf_counter() + 0.25
        window()[2].tag_redraw()
    ask = FOLDER / f"ask-{state['next']}.py"
    if ask.exists():
        names = {**globals(), "answer": None}
        try:
            exec(ask.read_text(), names)
            reply = {"answer": names["answer"]}
        except Exception:
            reply = {"error": traceback.format_exc()}
        part = FOLDER / "answer.part"
        part.write_text(json.dumps(reply))
        part.rename(FOLDER / f"answer-{state['next']}.json")
        state["next"] += 1
    begin_tick()
    return TICK


count_draws()
bpy.app.timers.register(poll, first_interval=1.0, persistent=True)
