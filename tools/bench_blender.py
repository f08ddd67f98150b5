"""How long the extension's own work takes, apart from the engine's. Run it on a quiet machine:

.venv-bpy/bin/python tools/bench_blender.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "blender")]
os.environ.setdefault("BLENDER_USER_RESOURCES", tempfile.mkdtemp(prefix="mvlift-bench-"))

import bpy  # noqa: E402  (its user folder is set first)


def best(work: Callable[[], object], times: int = 3) -> float:
    """Shortest of a few runs, seconds, each in an empty scene."""
    seconds = []
    for _ in range(times):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def write_long() -> float:
    """Writing 10,000 frames of 24 joints into the scene."""
    from synthetic_motion import walk

    from mvlift_blender.scene.write import write_motion

    motion = walk(10_000)
    return best(lambda: write_motion(bpy.context, motion))


def import_folder() -> tuple[float, float]:
    """Importing an OpenPose folder of 3,000 files: by the folder, and by choosing all of its files."""
    from mvlift.keypoints.writing import write_keypoints
    from people_files import walker

    from mvlift_blender.importing import sources

    clip = walker(150)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "clip"
        write_keypoints([clip], target)
        files = sorted(target.iterdir())
        for n in range(len(files), 3000):
            (target / f"walk_{n:012d}_keypoints.json").write_bytes(files[n % len(files)].read_bytes())

        chosen = [{"name": path.name} for path in target.iterdir()]

        def by_folder() -> None:
            sources.forget()
            bpy.ops.mvlift.import_keypoints(filepath=str(target))

        def by_files() -> None:
            sources.forget()
            bpy.ops.mvlift.import_keypoints(directory=str(target), files=chosen)

        return best(by_folder), best(by_files)


def click_to_armature() -> tuple[float, float]:
    """(whole click, the engine's own share) of the bundled clip, preset fast, engine warm."""
    from people_files import SIZE, WALK

    from mvlift_blender.lifting.jobs import EngineJob
    from mvlift_blender.lifting.plan import plan_lift
    from mvlift_blender.lifting.write import write_lifted

    totals = []
    for _ in range(3):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        settings = bpy.context.scene.mvlift
        bpy.ops.mvlift.import_keypoints(filepath=str(WALK))
        settings.image_width, settings.image_height = SIZE
        settings.fps, settings.preset, settings.device = str(Fraction(30)), "fast", "cpu"
        began = time.perf_counter()
        plan = plan_lift(bpy.context)
        lifted = EngineJob(bpy.context, plan.requests).run()
        write_lifted(bpy.context, plan.write, lifted)
        total = time.perf_counter() - began
        timings = dict(lifted[0][1].metadata["timings"])
        totals.append((total, sum(timings.values())))
    return min(totals)


def relift_of_corrections() -> float:
    """Processor seconds of the engine for 60 frames of the bundled clip with five corrected keypoints."""
    from mvlift import lift, read_keypoints
    from mvlift.keypoints.corrections import Corrections, corrected
    from people_files import SIZE, WALK

    clip, corrections = read_keypoints(WALK, fps=30)[0], Corrections()
    wrist = clip.layout.index("l_wrist")
    for frame in range(28, 33):
        x, y = clip.points[frame, wrist] + [5.0, -30.0]
        corrections = corrections.with_point(frame, "l_wrist", (float(x), float(y)))
    changed, seconds = corrected(clip, corrections), []
    for _ in range(3):
        began = time.process_time()
        lift(changed, preset="fast", image_size=SIZE, frames=(0, 59), device="cpu", threads=1)
        seconds.append(time.process_time() - began)
    return min(seconds)


def main() -> None:
    """Print every figure beside its bar."""
    import mvlift_blender

    mvlift_blender.register()
    print(f"write 10,000 frames x 24 joints: {write_long():.2f} s (bar 1 s)")
    folder, files = import_folder()
    print(f"import a folder of 3,000 files: {folder:.2f} s, by choosing all of them {files:.2f} s (bar 3 s)")
    total, engine = click_to_armature()
    print(f"click to armature: {total:.2f} s, of which the engine {engine:.2f} s: {total - engine:.2f} s (bar 1 s)")
    print(f"60 frames with five corrected keypoints again: {relift_of_corrections():.2f} s of one core (bar 3 s)")
    mvlift_blender.unregister()
    sys.stdout.flush()
    os._exit(0)  # Blender before 5.0 as a module may crash in its destructors


if __name__ == "__main__":
    main()
