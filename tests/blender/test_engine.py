"""The engine beside Blender: progress, cancel, kill, closing, and which Python it runs in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import bpy
import mvlift
import pytest
from lift_steps import COUNT, alive, engine_pid, ready, started_job, steps_until
from test_scene import snapshot

pytestmark = pytest.mark.usefixtures("extension")


@pytest.fixture
def settings():
    return ready()


def test_cancel_ends_within_a_second_and_the_next_lift_works(settings):
    settings.use_range = False
    panel = bpy.context.window_manager.mvlift_job
    job, before = started_job(), snapshot()
    assert panel.running
    assert not bpy.ops.mvlift.lift.poll()
    assert not bpy.ops.mvlift.import_keypoints.poll()
    parts = (bpy.types.MVLIFT_PT_video, bpy.types.MVLIFT_PT_camera, bpy.types.MVLIFT_PT_engine)
    assert not any(part.poll(bpy.context) for part in parts)
    steps_until(job, lambda: panel.fraction > 0.03)
    assert panel.stage
    bpy.ops.mvlift.cancel()
    began = time.monotonic()
    steps_until(job, lambda: False)
    assert time.monotonic() - began < 1.0
    assert job.cancelled
    job.end(bpy.context)
    assert not panel.running
    assert all(part.poll(bpy.context) for part in parts)
    assert not bpy.ops.mvlift.cancel.poll()
    assert snapshot() == before
    settings.use_range = True
    assert bpy.ops.mvlift.lift() == {"FINISHED"}


def test_a_killed_engine_is_one_clear_error_and_the_next_lift_works(settings):
    settings.use_range = False
    panel = bpy.context.window_manager.mvlift_job
    job, before = started_job(), snapshot()
    steps_until(job, lambda: panel.fraction > 0.03)
    pid = engine_pid()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(mvlift.MvliftError, match="killed; memory may have run out"):
        steps_until(job, lambda: False)
    job.end(bpy.context)
    assert snapshot() == before
    assert not alive(pid)
    settings.use_range = True
    assert bpy.ops.mvlift.lift() == {"FINISHED"}


def test_deleting_the_engines_files_does_no_harm(settings):
    from mvlift_blender.engine import process as engine

    panel, job = bpy.context.window_manager.mvlift_job, started_job()
    steps_until(job, lambda: panel.fraction > 0.03)
    folder = engine._client._process.folder
    shutil.rmtree(folder)
    steps_until(job, lambda: False)
    job.end(bpy.context)
    assert [len(motion) for _, motion in job.lifted] == [COUNT]
    engine.close_engine()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process as only Linux can")
def test_running_out_of_memory_is_one_clear_error_and_the_next_lift_works(settings):
    import resource

    assert bpy.ops.mvlift.test_engine() == {"FINISHED"}
    pid, before = engine_pid(), snapshot()
    taken = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.prlimit(pid, resource.RLIMIT_AS)
    settings.use_range = False
    try:
        resource.prlimit(pid, resource.RLIMIT_AS, (taken + 2**20, limits[1]))
        with pytest.raises(RuntimeError, match="ran out of memory") as caught:
            bpy.ops.mvlift.lift()
        assert "shorter frame range" in str(caught.value)
        assert snapshot() == before
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, limits)
    ready()
    assert bpy.ops.mvlift.lift() == {"FINISHED"}


def test_a_script_that_lifts_while_busy_is_refused(settings):
    job = started_job()
    with pytest.raises(RuntimeError, match="The engine is busy"):
        bpy.ops.mvlift.lift()
    job.abandon()


CLOSES = """
import os, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import bpy, mvlift_blender
mvlift_blender.register()
import lift_steps
lift_steps.ready().use_range = False
job = lift_steps.started_job()
lift_steps.steps_until(job, lambda: bpy.context.window_manager.mvlift_job.fraction > 0.0)
print("engine", lift_steps.engine_pid(), flush=True)
os.kill(os.getpid(), 9) if {killed} else os._exit(mvlift_blender.handlers.close_engine() or 0)
"""


@pytest.mark.skipif(bool(bpy.app.binary_path), reason="needs Blender as a module, to close it in the middle")
@pytest.mark.parametrize("killed", [True, False])
def test_closing_blender_while_busy_leaves_no_engine(killed):
    tests = Path(__file__).parent
    script = CLOSES.format(root=str(tests.parents[1]), tests=str(tests), killed=killed)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    line = next(line for line in done.stdout.splitlines() if line.startswith("engine"))
    pid, ends = int(line.split()[1]), time.monotonic() + 10
    while alive(pid) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not alive(pid)


def test_progress_is_real_and_looking_at_the_engine_takes_no_time(settings):
    settings.range_last = 149  # progress is shown four times a second
    panel, seen, job = bpy.context.window_manager.mvlift_job, [], started_job()
    longest = steps_until(job, lambda: seen.append((panel.stage, panel.fraction)) or False)
    job.end(bpy.context)
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert len({stage for stage, _ in seen}) >= 3
    assert len(set(fractions)) >= 5
    assert len(job.lifted) == 1
    assert longest < 0.5  # the bar of 50 ms is measured in a real window; here other programs may run


def test_undo_while_the_engine_works_does_no_harm(settings):
    from mvlift_blender.lifting.relift import plan_relift, write_relifted
    from mvlift_blender.scene.animation import current_curves

    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.mvlift.lift("EXEC_DEFAULT", True) == {"FINISHED"}
    bpy.ops.object.empty_add()
    bpy.ops.ed.undo_push(message="empty")
    plan = plan_relift(bpy.context, bpy.context.scene.mvlift.result, (10, 20), 2, 1, 1.0)
    bpy.ops.ed.undo()
    armature = bpy.context.scene.mvlift.result
    before = current_curves(armature).action
    again = engine_motion(plan)
    write_relifted(plan, again)
    assert current_curves(armature).action != before
    bpy.data.objects.remove(armature)
    with pytest.raises(mvlift.MvliftError, match="removed while the engine worked"):
        write_relifted(plan, again)


def engine_motion(plan):
    """What the engine makes of a plan."""
    from mvlift_blender.engine.process import shared_client
    from mvlift_blender.engine.queue import EngineQueue
    from mvlift_blender.settings.preferences import engine_source

    ((_, motion),) = EngineQueue(shared_client(engine_source(bpy.context)), [plan.request]).run()
    return motion


def test_opening_a_file_while_busy_stops_the_job(settings, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    from mvlift_blender.lifting.jobs import running_job

    settings.use_range = False
    started_job()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "empty.blend"))
    assert running_job() is None
    assert not bpy.context.window_manager.mvlift_job.running


def test_closing_leaves_no_engine_behind(extension):
    from mvlift_blender.engine.process import close_engine

    bpy.ops.mvlift.test_engine()
    pid = engine_pid()
    assert alive(pid)
    close_engine()
    assert not alive(pid)


def test_the_test_button_says_what_the_engine_has(extension):
    assert bpy.ops.mvlift.test_engine() == {"FINISHED"}
    assert "torch" in extension.engine_report
    assert "processor" in extension.engine_report or "GB" in extension.engine_report


def test_another_python_serves_as_engine(extension, settings, tmp_path):
    if subprocess.run([sys.executable, "-c", "import onnxruntime"], capture_output=True, check=False).returncode:
        pytest.skip("the Python of this Blender has no packages of its own to serve with")
    before = (extension.engine, extension.interpreter)
    try:
        extension.engine, extension.interpreter = "OTHER", str(tmp_path / "no-python")
        with pytest.raises(RuntimeError, match="cannot be started"):
            bpy.ops.mvlift.test_engine()
        assert "cannot be started" in extension.engine_report
        extension.cache = str(tmp_path / "cache")
        extension.interpreter = before[1] or sys.executable
        assert bpy.ops.mvlift.test_engine() == {"FINISHED"}
        assert bpy.ops.mvlift.lift() == {"FINISHED"}
        handed = [p.name for p in (tmp_path / "cache" / "engine").glob("*/*")]
        assert [name for name in handed if not name.endswith(".dist-info")] == ["mvlift"]
    finally:
        extension.engine, extension.interpreter = before
        extension.cache = ""
