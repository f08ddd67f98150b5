"""Mutates valid files of every kind that MVLift opens and reads them: a value or an error with a remedy, nothing else.

    python tests/fuzz_readers.py --inputs 1000000 [--seed 0] [--seconds 3600] [--state fuzz.json] [--keep FOLDER]
        [--only "body file"]

Input ``n`` of a seed is always the same while the files that are mutated stay the same, so a failure is repeated alone
with ``--first n --inputs 1``. Detections that a reader found before, to the last bit, are not told apart into people
again: many changes hit what no reader looks at. With ``--state`` a run that was stopped goes on where it was, and the
file holds the count of each family. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "core"))
os.environ.setdefault("MVLIFT_TEST_FRAMES", "6")

import keypoint_archives  # noqa: F401 (registers its families; the path is set above)
from fuzz_targets import TARGETS, Target
from mutations import mutate
from mvlift.errors import MvliftError
from mvlift.keypoints import reading
from mvlift.keypoints.assemble import Assembled
from mvlift.keypoints.detections import Detections

SECONDS: Final = 10
"""An input that takes more processor time hangs."""
MEMORY: Final = 6 << 30
REMEMBERED: Final = 4000
REPORT: Final = 2000
"""Inputs between two notes of how far the run is."""


class Hang(BaseException):
    """The time is over. No reader catches it."""


class Stopped(BaseException):
    """The process was asked to end."""


@dataclass
class Count:
    """How far a run is: the next input, and by family how many were read, refused with a remedy, or failed."""

    seed: int = 0
    next: int = 0
    read: dict[str, int] = field(default_factory=Counter)
    refused: dict[str, int] = field(default_factory=Counter)
    failed: dict[str, int] = field(default_factory=Counter)

    @classmethod
    def load(cls, path: Path | None, seed: int, first: int) -> Count:
        """What a state file holds, if it is of the same seed; else a new count."""
        if path is not None and path.is_file():
            held = json.loads(path.read_text())
            tables = {k: Counter(held[k]) for k in ("read", "refused", "failed")}
            if held["seed"] == seed:
                return cls(seed, held["next"], **tables)
        return cls(seed, first)

    def save(self, path: Path | None) -> None:
        """Writes the state file, whole or not at all."""
        if path is not None:
            part = path.with_suffix(".part")
            part.write_text(json.dumps(vars(self), indent=1))
            part.replace(path)

    @property
    def total(self) -> int:
        """Inputs so far."""
        return sum(map(sum, (self.read.values(), self.refused.values(), self.failed.values())))


def complaint(target: Target) -> tuple[str | None, bool]:
    """What is wrong with how a file is read (None when nothing is), and whether it was read."""
    try:
        result = target.read(target.path)
    except MvliftError as error:
        good = len(error.message) > 10 and error.remedy.endswith(".")
        return (None if good else f"no remedy: {error}"), False
    except (Exception, Hang):
        return traceback.format_exc(), False
    if not target.check(result):
        return "an empty clip, or one with numbers that are none", True
    return None, True


def remembered(assemble: Callable[..., Assembled]) -> Callable[..., Assembled]:
    """The function, which gives the same answer again to the same detections."""
    known: dict[bytes, Assembled] = {}

    def again(detections: Detections, *arguments: object) -> Assembled:
        key = hashlib.blake2b(pickle.dumps((vars(detections), arguments))).digest()
        if key not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[key] = assemble(detections, *arguments)
        return known[key]

    return again


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """An alarm for hangs, a bound of the memory, and a folder that is gone afterwards."""

    def hang(*_: object) -> None:
        raise Hang

    def stop(*_: object) -> None:
        raise Stopped

    signal.signal(signal.SIGPROF, hang)
    signal.signal(signal.SIGTERM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with np.errstate(all="ignore"):
        yield


def work(count: Count, stop: int, seconds: float, keep: Path, state: Path | None, only: str = "") -> None:
    """Reads inputs until number ``stop`` or until the time is over; counts them."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="mvlift-fuzz-", dir=memory if memory.is_dir() else None))
    written = {}
    for name, make in TARGETS.items():
        if only in name:
            target_folder = folder / str(len(written))
            target_folder.mkdir()
            written[name] = make(target_folder)
    files = {n: sorted(t.path.iterdir()) if t.path.is_dir() else [t.path] for n, t in written.items()}
    content = {file: file.read_bytes() for group in files.values() for file in group}
    names, seen, start, begun = list(files), set[str](), time.monotonic(), count.total
    watched = float("-inf")
    gc.freeze()  # libraries and intact files are no garbage: they need not be looked through again and again
    gc.set_threshold(20_000)
    try:
        while count.next < stop and time.monotonic() - start < seconds:
            random = np.random.default_rng([count.seed, count.next])
            name = names[int(random.integers(len(names)))]
            file = files[name][int(random.integers(len(files[name])))]
            data = mutate(file, content[file], random)
            file.write_bytes(data)
            if time.monotonic() - watched > SECONDS:  # seldom: a new watchdog is a new thread
                faulthandler.dump_traceback_later(6 * SECONDS, exit=True)  # a hang in C hears no alarm
                watched = time.monotonic()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            wrong, was_read = complaint(written[name])
            signal.setitimer(signal.ITIMER_PROF, 0)
            file.write_bytes(content[file])
            (count.failed if wrong else count.read if was_read else count.refused)[name] += 1
            if wrong is not None:
                report(wrong, f"input {count.next} of seed {count.seed}, {name}, {file.name}", seen, file, data, keep)
            count.next += 1
            if count.next % REPORT == 0:
                count.save(state)
                rate = (count.total - begun) / (time.monotonic() - start)
                failures = sum(count.failed.values())
                print(f"{count.total} inputs, {failures} failures, {rate:.0f} a second", flush=True)
    except (Stopped, KeyboardInterrupt):
        print("stopped", flush=True)
    finally:
        faulthandler.cancel_dump_traceback_later()
        count.save(state)
        shutil.rmtree(folder, ignore_errors=True)


def report(wrong: str, title: str, seen: set[str], file: Path, data: bytes, keep: Path) -> None:
    """Prints a failure and keeps its file, once for each place that fails."""
    traceback_lines = wrong.strip().splitlines()
    key = "".join(traceback_lines[-1:])[:60] + "".join(line for line in traceback_lines if "File" in line)[-90:]
    if key not in seen:
        seen.add(key)
        (keep / f"{title.split(',')[0].replace(' ', '-')}{file.suffix}").write_bytes(data)
        print(f"--- {title}\n{wrong}", flush=True)


def table(count: Count) -> str:
    """A line for each family."""
    width = max(map(len, TARGETS))
    lines = [f"{'family':{width}} {'inputs':>9} {'read':>9} {'refused':>9} {'failed':>7}"]
    for name in TARGETS:
        read, refused, failed = (getattr(count, k).get(name, 0) for k in ("read", "refused", "failed"))
        lines.append(f"{name:{width}} {read + refused + failed:9} {read:9} {refused:9} {failed:7}")
    return "\n".join(lines)


def main() -> None:
    """Runs; the exit code is 1 when an input failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--only", default="", help="targets whose name has this in it")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "mvlift-fuzz")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    count = Count.load(arguments.state, arguments.seed, arguments.first)
    reading.assemble = remembered(reading.assemble)
    with limits():
        work(
            count,
            arguments.first + arguments.inputs,
            arguments.seconds,
            arguments.keep,
            arguments.state,
            arguments.only,
        )
    print(table(count))
    failures = sum(count.failed.values())
    print(f"{count.total} inputs, {failures} failures; failing files are in {arguments.keep}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
