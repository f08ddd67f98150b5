"""Benchmarks of the engine, each figure from a process of its own, ratios from one run.

python tools/bench.py presets     fast and paper on one 120-frame clip, one CPU thread
python tools/bench.py rate        frames a second of fast
python tools/bench.py busy        processor time of a lift with a busy neighbour on every core
python tools/bench.py engine      start, memory, and ONNX Runtime against torch: seconds and millimetres
python tools/bench.py long        time and memory of a ten-minute clip against a one-minute clip
python tools/bench.py subjects    cost of a frame of an animal against one of a person
python tools/bench.py readers     3,000 OpenPose files; json of 300 MB in four formats
python tools/bench.py all
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from big_keypoints import KINDS, write_big
from mvlift.threads import VARIABLES

ROOT = Path(__file__).resolve().parents[1]
VALIDATION = ROOT / "data/human/validation.npz"
WALK = ROOT / "examples/walk.zip"
REPEATS = 3
"""Runs of what takes a second, the best of which counts: other work on the machine only ever slows it down."""
SUBJECTS = {"human": (VALIDATION, 9), "quadruped17": (ROOT / "data/animal/dog17_validation.npz", 1)}
"""Validation data of subjects, and which share of it is lifted."""


def apart(measurement: str, **arguments: object) -> dict[str, Any]:
    """Run a measurement of this file in a fresh process, whose libraries have their own thread counts; its result."""
    environment = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    command = [sys.executable, __file__, "--one", measurement, json.dumps(arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def busy_neighbours() -> Iterator[None]:
    """Within: a program on every core that never rests."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def the_walk(frames: int) -> Any:
    """The bundled walk, to and fro for as long as asked."""
    from mvlift.keypoints import read_keypoints

    clip = read_keypoints(WALK, fps=Fraction(30), image_size=(1280, 720))[0]
    period = 2 * len(clip) - 2
    order = np.arange(frames) % period
    order = np.where(order < len(clip), order, period - order)
    return replace(clip, points=clip.points[order], confidence=clip.confidence[order])


def one_preset(preset: str, frames: int) -> dict[str, Any]:
    """Seconds and errors of one preset on a validation clip with known 3D, or on the walk where there is none."""
    import mvlift

    sequence = None
    clip = the_walk(frames)
    if VALIDATION.is_file():
        from mvlift_training.evaluation.data import load_validation

        sequence = next(s for s in load_validation(VALIDATION, frames) if len(s.truth) == frames)
        clip = sequence.clip(noisy=False)
    mvlift.lift(the_walk(8), preset="fast")  # imports, weights, first calls
    result: dict[str, Any] = {}
    for _ in range(1 if preset == "paper" else REPEATS):
        began = time.perf_counter()
        motion = mvlift.lift(clip, preset=preset)
        seconds = time.perf_counter() - began
        if seconds < result.get("seconds", float("inf")):
            result = {"seconds": seconds, **motion.metadata["timings"]}
    if sequence is not None:
        from mvlift.lifting.subjects import get_subject
        from mvlift_training.evaluation.metrics import Prediction, measure

        pixels = motion.camera.project(motion.keypoints).astype(np.float64)
        errors = measure(Prediction(motion.keypoints.astype(np.float64), pixels), sequence, get_subject("human"))
        result |= {k: errors[k] for k in ("t_root", "mpjpe", "pa_mpjpe", "j2d")}
    return result


def one_length(preset: str, frames: int) -> dict[str, Any]:
    """Seconds and peak memory of a clip of some length, loading apart."""
    import mvlift

    mvlift.lift(the_walk(8), preset="fast")
    clip = the_walk(frames)
    began, worked = time.perf_counter(), time.process_time()
    mvlift.lift(clip, preset=preset)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    return {
        "seconds": seconds,
        "processor": processor,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def one_reading(path: str) -> dict[str, Any]:
    """Seconds and peak memory of reading a file or folder."""
    from mvlift.keypoints import read_keypoints

    began, worked = time.perf_counter(), time.process_time()
    clips = read_keypoints(path)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    return {
        "seconds": seconds,
        "processor": processor,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "people": len(clips),
    }


def one_subject(subject: str, preset: str) -> dict[str, Any]:
    """Processor milliseconds a frame over validation clips of a subject."""
    import mvlift
    from mvlift.lifting.subjects import get_subject
    from mvlift_training.evaluation.data import load_validation

    path, thinning = SUBJECTS[subject]
    layout = get_subject(subject).layout
    clips = [s.clip(noisy=False, layout=layout) for s in load_validation(path, 96, thinning)]
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        frames = sum(len(mvlift.lift(clip, subject=subject, preset=preset)) for clip in clips)
        best = min(best, (time.process_time() - began) / frames * 1000)
    return {"milliseconds": best, "clips": len(clips)}


def one_engine() -> dict[str, Any]:
    """Start of an engine process until it takes jobs, seconds, and its peak memory after a lift, MB."""
    from mvlift.lifting.options import LiftOptions
    from mvlift.worker.client import EngineClient, LiftResult

    client = EngineClient()
    began = time.perf_counter()
    client.start()
    started = time.perf_counter() - began
    client.submit_lift(the_walk(150), LiftOptions(preset="fast", device="cpu"))
    while not any(isinstance(message, LiftResult) for message in client.poll()):
        time.sleep(0.02)
    lifted = time.perf_counter() - began
    client.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds": started, "first lift": lifted, "megabytes": peak}


def one_backend(name: str, out: str) -> dict[str, Any]:
    """Seconds of fast on one thread of a backend; the keypoints go to a file."""
    import mvlift
    from mvlift.backends.choice import Backend
    from mvlift.lifting import pipeline

    if name == "torch":
        import torch

        pipeline.pick_backend = lambda *_: Backend("torch", torch.device("cpu"))
    clip = the_walk(150)
    best = float("inf")
    for _ in range(1 + REPEATS):
        began = time.process_time()
        motion = mvlift.lift(clip, preset="fast", device="cpu", threads=1)
        best = min(best, time.process_time() - began)
    np.save(out, motion.keypoints)
    return {"seconds": best}


def engine() -> None:
    """What the engine process costs, and whether both backends agree."""
    cost = apart("one_engine")
    print(
        f"ready after {cost['seconds']:.2f} s, the walk lifted after {cost['first lift']:.1f} s, "
        f"{cost['megabytes']:.0f} MB at most",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(Path(folder) / f"{name}.npy") for name in ("onnx", "torch")}
        costs = {name: apart("one_backend", name=name, out=out)["seconds"] for name, out in files.items()}
        apart_by = np.abs(np.load(files["onnx"]) - np.load(files["torch"])).max() * 1000
    print(
        f"fast, 150 frames, one thread: ONNX Runtime {costs['onnx']:.2f} s, torch {costs['torch']:.2f} s of processor "
        f"time; keypoints differ by at most {apart_by:.4f} mm"
    )


def presets() -> None:
    """How fast and how good the presets are."""
    costs = {}
    for preset in ("fast", "paper"):
        costs[preset] = apart("one_preset", preset=preset, frames=120)
        print(preset, json.dumps({k: round(v, 3) for k, v in costs[preset].items()}), flush=True)
    ratio = costs["paper"]["seconds"] / costs["fast"]["seconds"]
    print(f"fast is {ratio:.0f} times faster than paper (120 frames)")


def rate() -> None:
    """Whether fast keeps up with video."""
    cost = apart("one_length", preset="fast", frames=900)
    print(f"fast: {900 / cost['seconds']:.1f} frames a second (900 frames)")


def busy() -> None:
    """What a busy neighbour on every core does to a lift of the bundled walk."""
    quiet = apart("one_length", preset="fast", frames=150)
    with busy_neighbours():
        loud = apart("one_length", preset="fast", frames=150)
    print(
        f"quiet {quiet['seconds']:.1f} s, {quiet['processor']:.1f} s of processor time; with a busy neighbour on every "
        f"core {loud['seconds']:.1f} s, {loud['processor']:.1f} s of processor time: "
        f"{loud['processor'] / quiet['processor']:.2f} times"
    )


def long() -> None:
    """Whether cost is linear and memory bounded."""
    minute = apart("one_length", preset="fast", frames=1800)
    ten = apart("one_length", preset="fast", frames=18000)
    ratio = ten["seconds"] / minute["seconds"] / 10
    print(
        f"1 minute: {minute['seconds']:.1f} s, {minute['megabytes']:.0f} MB; 10 minutes: {ten['seconds']:.1f} s, "
        f"{ten['megabytes']:.0f} MB; {ratio:.2f} times linear"
    )


def subjects() -> None:
    """What a frame of an animal costs beside one of a person, over validation clips."""
    if not all(path.is_file() for path, _ in SUBJECTS.values()):
        print("skipped: there are no validation clips")
        return
    cost = {s: apart("one_subject", subject=s, preset="fast")["milliseconds"] for s in SUBJECTS}
    each = ", ".join(f"{s} {ms:.1f} ms" for s, ms in cost.items())
    print(f"fast: {each}; {cost['quadruped17'] / cost['human']:.2f} times", flush=True)


def readers() -> None:
    """Reading many files, and a big one."""
    clip = the_walk(3000)
    with tempfile.TemporaryDirectory() as folder:
        from mvlift.keypoints import write_keypoints

        write_keypoints([clip], Path(folder) / "openpose")
        cost = apart("one_reading", path=str(Path(folder) / "openpose"))
        print(
            f"3,000 OpenPose files: {cost['seconds']:.2f} s, {cost['processor']:.2f} s of processor time, "
            f"{cost['megabytes']:.0f} MB"
        )
        big = Path(folder) / "big.json"
        for kind in KINDS:
            write_big(kind, big, 300)
            cost = apart("one_reading", path=str(big))
            print(
                f"{kind}, {big.stat().st_size / 1e6:.0f} MB: {cost['seconds']:.1f} s, "
                f"{cost['processor']:.1f} s of processor time, {cost['megabytes']:.0f} MB",
                flush=True,
            )


PARTS: dict[str, Callable[[], None]] = {
    "presets": presets,
    "rate": rate,
    "busy": busy,
    "engine": engine,
    "long": long,
    "subjects": subjects,
    "readers": readers,
}


def main() -> None:
    """Run the parts that were asked for."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(globals()[sys.argv[2]](**json.loads(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["all"], choices=[*PARTS, "all"])
    chosen = parser.parse_args().parts
    for name, part in PARTS.items():
        if name in chosen or "all" in chosen:
            print(f"\n{name}: {part.__doc__}", flush=True)
            part()


if __name__ == "__main__":
    main()
