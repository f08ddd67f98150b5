"""Steps that the tests of lifting share."""

from __future__ import annotations

import time
from pathlib import Path

import bpy
from people_files import SIZE, WALK

COUNT = 48  # frames that are lifted


def ready():
    """The bundled clip, imported, its beginning ready to be lifted."""
    settings = bpy.context.scene.mvlift
    bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
    settings.image_width, settings.image_height = SIZE
    settings.fps, settings.preset, settings.device = "30", "fast", "cpu"
    settings.use_range, settings.range_first, settings.range_last = True, 0, COUNT - 1
    return settings


def engine_pid():
    from mvlift_blender.engine import process as engine

    return engine._client.hello["pid"]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def started_job():
    """The button's job, as its modal operator runs it."""
    from mvlift_blender.lifting.jobs import EngineJob
    from mvlift_blender.lifting.plan import plan_lift

    job = EngineJob(bpy.context, plan_lift(bpy.context).requests)
    job.begin(bpy.context)
    return job


def steps_until(job, done, seconds=120.0):
    """Step a job as the window's timer does, until ``done()`` or its end; the longest step in seconds."""
    longest, ends = 0.0, time.monotonic() + seconds
    while not done() and time.monotonic() < ends:
        began = time.perf_counter()
        more = job.step(bpy.context)
        longest = max(longest, time.perf_counter() - began)
        if not more:
            break
        time.sleep(0.01)
    return longest
