"""How long the window is blocked: by how much the ticks of a timer in Blender come late."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from driver import Window

__all__ = ["SIZE", "at_rest", "counted", "disable_mvlift", "enable_mvlift", "report"]

SIZE = (1280, 720)
"""Of the window while its ticks are counted."""
PACKAGE = "bl_ext.user_default.mvlift"
SECONDS = 10.0


def disable_mvlift(window: Window) -> None:
    """A Blender without MVLift."""
    window.ask(f"import addon_utils\naddon_utils.disable({PACKAGE!r})")


def enable_mvlift(window: Window) -> None:
    """Bring it back, with a watch on everything that it does in the window while its engine works."""
    window.ask(f"import addon_utils\naddon_utils.enable({PACKAGE!r})\ntime_mvlift()")


@contextmanager
def counted(window: Window, phase: str) -> Iterator[None]:
    """Count the ticks of a phase, in a window of ``SIZE`` that no other program keeps waiting."""
    window.resize(*SIZE)
    window.move(400, 300)
    window.before_all(True)
    window.ask(f"state['phase'] = {phase!r}")
    try:
        yield
    finally:
        window.ask("state['phase'] = ''")
        window.before_all(False)
        window.resize()


def at_rest(window: Window, phase: str) -> dict[str, Any]:
    """The window at rest, but for its sidebar, which is drawn anew as often as a progress bar is."""
    with counted(window, phase):
        window.ask("state['redraw'] = 1.0")
        time.sleep(SECONDS)
        window.ask("state['redraw'] = 0.0")
    return report(window, phase)


def report(window: Window, phase: str) -> dict[str, Any]:
    """A phase in numbers: milliseconds by which ticks came late, and what happened in the one that came last."""
    ticks = window.ask(f"answer = [t for t in ticks if t['phase'] == {phase!r}]")
    late = sorted(1000 * tick["late"] for tick in ticks)
    drawing = sorted(1000 * tick["late"] for tick in ticks if tick["drawn"])
    worst = max(ticks, key=lambda tick: tick["late"])
    return {
        "ticks": len(ticks),
        "over 50 ms": sum(ms > 50 for ms in late),
        "median": round(late[len(late) // 2], 1),
        "median where something was drawn": round(drawing[len(drawing) // 2], 1),
        "longest": round(late[-1], 1),
        "of that MVLift": round(1000 * worst["MVLift"], 1),
        "of that the main thread": round(1000 * worst["main thread"], 1),
        "drawn in it": worst["drawn"],
        "longest of MVLift": round(max(1000 * tick["MVLift"] for tick in ticks), 1),
    }
