"""Mutation tests by hand: one-line changes, each of which a test has to notice.

    python tools/mutants.py                      # every change of tools/mutants.toml
    python tools/mutants.py --only gravity       # those whose name has this word
    python tools/mutants.py --jobs 2 --list other.toml

A change is ``old`` -> ``new`` in the one source file that holds ``old`` exactly once; ``tests`` are the test files that
should notice. The tree is copied to a scratch folder, so the working tree stays as it is, and nothing else runs there.
The exit code is 1 when fewer than 90 % are caught, or when a change no longer applies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Queue
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = ("core/mvlift", "training/mvlift_training", "mvlift_blender")
COPIED: Final = ("core", "training", "mvlift_blender", "tests", "examples", "tools", "docs", "wheels", "pyproject.toml",
                 "README.md", "CONTRIBUTING.md", "Makefile", "blender_manifest.toml")  # fmt: skip
LIMIT: Final = 600
"""Seconds after which a change counts as caught: it made the code run for ever."""
ENOUGH: Final = 0.9


@dataclass(frozen=True)
class Mutant:
    """A one-line change.

    Attributes:
        name: what the change does.
        old, new: text of the source before and after.
        tests: test files that should notice, and pytest's options.
        within: part of the path of the source file, where ``old`` stands in several.
    """

    name: str
    old: str
    new: str
    tests: tuple[str, ...]
    within: str = ""


class StaleMutantError(Exception):
    """A change does not apply to the code of today."""


def read_mutants(path: Path) -> list[Mutant]:
    """The list of a TOML file: tables ``[[mutant]]`` with ``name``, ``old``, ``new``, ``tests``, and ``within``."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(row["name"], row["old"], row["new"], tuple(row["tests"]), row.get("within", "")) for row in rows]


def find_source(mutant: Mutant, root: Path) -> Path:
    """The one file that the change applies to.

    Raises:
        StaleMutantError: no file holds the text, or it stands in several places.
    """
    files = [p for folder in SOURCES for p in (root / folder).rglob("*.py") if mutant.within in p.as_posix()]
    counts = {p: p.read_text(encoding="utf-8").count(mutant.old) for p in files}
    places = [p for p, count in counts.items() if count]
    if len(places) != 1 or counts[places[0]] != 1:
        locations = ", ".join(f"{p.relative_to(root)} ({counts[p]})" for p in places) or "nowhere"
        raise StaleMutantError(f"{mutant.name}: {mutant.old!r} stands {locations}, not once in one file")
    return places[0]


def run_tests(tests: tuple[str, ...], tree: Path) -> int:
    """Exit code of pytest."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(str(tree / part) for part in ("core", "training", "."))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=LIMIT, check=False)
    return done.returncode


def is_caught(mutant: Mutant, tree: Path) -> bool:
    """Whether a test fails with the change; the tree is put back afterwards.

    Raises:
        StaleMutantError: the change does not apply, or the tests fail without it.
    """
    source = find_source(mutant, tree)
    text = source.read_text(encoding="utf-8")
    if code := passing(mutant.tests, tree):
        raise StaleMutantError(f"{mutant.name}: {' '.join(mutant.tests)}: fails without the change (exit code {code})")
    source.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return run_tests(mutant.tests, tree) != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        source.write_text(text, encoding="utf-8")


@cache
def passing(tests: tuple[str, ...], tree: Path) -> int:
    """0 when the tests pass without any change, else pytest's exit code (4 and 5: there are no such tests)."""
    return run_tests(tests, tree)


def copy_tree(folder: Path) -> Path:
    """A copy of the working tree's code and tests."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "cache", "*.whl"))
        elif (ROOT / name).is_file():
            shutil.copy(ROOT / name, folder / name)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=Path, default=Path(__file__).with_suffix(".toml"), help="the changes")
    parser.add_argument("--only", default="", help="changes whose name has this word")
    parser.add_argument("--jobs", type=int, default=1, help="changes at once")
    chosen = parser.parse_args()
    mutants = [m for m in read_mutants(chosen.list) if chosen.only in m.name]
    with tempfile.TemporaryDirectory(prefix="mvlift-mutants-") as scratch:
        trees: Queue[Path] = Queue()
        for job in range(chosen.jobs):
            (Path(scratch) / str(job)).mkdir()
            trees.put(copy_tree(Path(scratch) / str(job)))

        def run(mutant: Mutant) -> bool | None:
            tree = trees.get()
            try:
                caught: bool | None = is_caught(mutant, tree)
            except StaleMutantError as error:
                print(error, flush=True)
                caught = None
            finally:
                trees.put(tree)
            print(f"{ {True: 'caught', False: 'SURVIVED', None: 'STALE'}[caught]:9} {mutant.name}", flush=True)
            return caught

        with ThreadPoolExecutor(chosen.jobs) as pool:
            results = list(pool.map(run, mutants))
    stale = results.count(None)
    caught = results.count(True)
    print(f"{caught} of {len(mutants)} caught" + (f", {stale} do not apply" if stale else ""))
    return 0 if mutants and not stale and caught >= ENOUGH * len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
