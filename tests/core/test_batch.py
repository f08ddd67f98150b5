"""Batches: names planned before the lift, failures that stay with their clip, stopping, resuming, shards, reports."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from mvlift.cli import Lift, Reading
from mvlift.commands import lift as lift_command
from mvlift.commands.batch.planning import (
    Task,
    check_outputs,
    clips_in,
    person_paths,
    plan_tasks,
    shard_of,
)
from mvlift.commands.lift import lift_batch, run_lift
from mvlift.commands.outputs import FORMATS
from mvlift.errors import MvliftError
from mvlift.keypoints import read_keypoints, write_keypoints
from mvlift.motion import LiftedMotion
from rich.console import Console
from scenes import ROOT, WALK, small_motion


def names(folder: Path, *clips: str) -> list[str]:
    """Names that clips of these names become, without their extension."""
    sources = []
    for clip in clips:
        path = folder / clip.rstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if clip.endswith("/"):
            path.mkdir()
        else:
            path.write_text("x")
        sources.append(path)
    return [t.outputs[0].stem for t in plan_tasks(sources, [folder / "out"], ["npz"], True, FORMATS)]


def test_names_of_clips(tmp_path: Path) -> None:
    assert names(tmp_path, "a.csv", "b.json.gz", "walk.v2/", "c d.zip") == ["a", "b", "walk.v2", "c d"]


@pytest.mark.parametrize(
    "clips",
    [
        ("a.csv", "a.tsv", "a.2.csv"),
        ("a.csv", "a.B.csv"),
        ("A.csv", "a.csv", "a_csv.csv"),
        ("x/a.csv", "y/a.csv", "a.csv"),
        ("a/", "a.csv", "a.csv.gz"),
        ("a.csv", "a.keypoints.npz", "a.B.C.csv"),
        ("x/y/a.csv", "z/y/a.csv"),
    ],
)
def test_no_two_clips_share_a_name_nor_do_their_people(tmp_path: Path, clips: tuple[str, ...]) -> None:
    stems = names(tmp_path, *clips)
    people = [person_paths(tmp_path / f"{s}.npz", ["0", "B", "b", "2", "B/C", "keypoints", "csv"]) for s in stems]
    files = [str(p).casefold() for group in people for p in group]
    assert len(files) == len(set(files)) == 7 * len(clips)


def test_people_with_names_that_no_file_can_have(tmp_path: Path) -> None:
    tracks = ["0", "team/b", "team_b", "..", "nul", "x" * 400, "x" * 300, "a:b*c?"]
    paths = person_paths(tmp_path / "clip.npz", tracks)
    assert len(set(paths)) == len(tracks)
    for path in paths:
        assert path.parent == tmp_path
        path.write_text("x")
    assert person_paths(tmp_path / "clip.npz", ["0", "b"], [tmp_path / "clip.b.npz"])[1].name != "clip.b.npz"


def planned(tmp_path: Path, output: str, clip: str = "a.csv") -> list[Task]:
    source = tmp_path / clip
    source.write_text("x")
    return plan_tasks([source], [tmp_path / output], ["npz"], False, FORMATS)


@pytest.mark.parametrize(
    ("output", "said"),
    [("a.xyz", "cannot be written"), ("a.mp4", "cannot be written"), (f"{'n' * 260}.npz", "too long")],
)
def test_outputs_that_cannot_be_written_are_refused_before_the_lift(tmp_path: Path, output: str, said: str) -> None:
    with pytest.raises(MvliftError, match=said):
        check_outputs(planned(tmp_path, output), [], FORMATS)


def test_an_output_is_never_an_input(tmp_path: Path) -> None:
    with pytest.raises(MvliftError, match="one of the inputs"):
        check_outputs(planned(tmp_path, "a.npz", "a.npz"), [], FORMATS)
    with pytest.raises(MvliftError, match="one of the inputs"):
        check_outputs(planned(tmp_path, "weights.npz"), [tmp_path / "weights.npz"], FORMATS)
    (tmp_path / "link.npz").symlink_to(tmp_path / "a.npz")
    with pytest.raises(MvliftError, match="one of the inputs"):
        check_outputs(planned(tmp_path, "link.npz", "a.npz"), [], FORMATS)


def test_folders_of_clips(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    clips, skipped = clips_in(tmp_path)
    assert [c.name for c in clips] == ["a.csv", "b"]
    assert [s.split()[0] for s in skipped] == ["gone.csv", "pipe.csv"]


def test_a_folder_with_a_dot_is_a_folder_for_many(tmp_path: Path) -> None:
    sources = [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert plan_tasks(sources, [tmp_path / "out.v2"], ["npz"], True, FORMATS)[0].outputs == (tmp_path / "out.v2/a.npz",)
    with pytest.raises(MvliftError, match="one folder"):
        plan_tasks(sources, [tmp_path / "out.npz"], ["npz"], True, FORMATS)


def test_shards_are_all_of_it_and_nothing_twice(tmp_path: Path) -> None:
    tasks = [Task(tmp_path / str(i), ()) for i in range(23)]
    parts = [shard_of(tasks, f"{i}/5") for i in range(1, 6)]
    assert sorted((t for p in parts for t in p), key=tasks.index) == tasks
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for text in ("0/5", "6/5", "x", "1/0", "1/-2"):
        with pytest.raises(MvliftError, match="shard"):
            shard_of(tasks, text)


@dataclass
class FakeEngine:
    """An engine that lifts at once, and whose clips of certain lengths fail."""

    failing: dict[int, Callable[[], Exception]] = field(default_factory=dict)

    def run(self, clip: Any, options: Any, progress: Any = None) -> LiftedMotion:
        if len(clip) in self.failing:
            raise self.failing[len(clip)]()
        return small_motion(len(clip))

    def close(self, wait: bool = True) -> None:
        """Nothing to end."""


def folder_of_clips(tmp_path: Path, lengths: list[int]) -> Path:
    walk = read_keypoints(WALK, fps=30)[0]
    folder = tmp_path / "in"
    folder.mkdir()
    for length in lengths:
        write_keypoints([walk.restricted(0, length - 1)], folder / f"clip{length}.csv")
    return folder


def quiet() -> Console:
    return Console(file=open(os.devnull, "w"))  # noqa: PTH123


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_clip_that_fails_stops_no_other(tmp_path: Path, jobs: int) -> None:
    folder = folder_of_clips(tmp_path, [5, 6, 7, 8, 9])
    failing: dict[int, Callable[[], Exception]] = {
        6: lambda: MemoryError(),
        7: lambda: ZeroDivisionError("of the program"),
        8: lambda: OSError(28, "No space left on device"),
    }
    report = tmp_path / "report.json"
    command = Lift(inputs=[folder], output=[tmp_path / "out"], batch=True, jobs=jobs, report=report)
    outcomes = lift_batch(command, quiet(), lambda: FakeEngine(failing))  # type: ignore[arg-type, return-value]
    by_name = {o.source.stem: o for o in outcomes}
    assert {n for n, o in by_name.items() if not o.error} == {"clip5", "clip9"}
    assert "memory" in by_name["clip6"].error
    assert "MVLift itself failed" in by_name["clip7"].error
    assert "ZeroDivisionError" in by_name["clip7"].trace
    assert "No space left" in by_name["clip8"].error
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["clip5.npz", "clip9.npz"]
    rows = json.loads(report.read_text())
    assert rows["counts"] == {"lifted": 2, "already there": 0, "failed": 3, "not started": 0}
    assert len(rows["clips"]) == 5


def test_resuming_knows_every_person(tmp_path: Path) -> None:
    walk = read_keypoints(WALK, fps=30)[0].restricted(0, 9)
    folder = tmp_path / "in"
    folder.mkdir()
    moved = replace(walk, points=walk.points + 300, track_id="team/b")
    write_keypoints([replace(walk, track_id="A"), moved], folder / "two.csv")
    out = tmp_path / "out"
    command = Lift(inputs=[folder], output=[out], batch=True, person="all", report=tmp_path / "r.csv")

    def once() -> tuple[str, list[str]]:
        (outcome,) = lift_batch(command, quiet(), FakeEngine)  # type: ignore[arg-type]
        return outcome.status, sorted(Path(p).name for p in outcome.outputs)

    files = ["two.npz", "two.team_b.npz"]
    assert once() == ("lifted", files)
    assert sorted(p.name for p in out.iterdir()) == files
    assert once() == ("already there", files)
    (out / files[1]).unlink()
    assert once() == ("lifted", files)
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert [r["status"] for r in rows] == ["lifted"]


def test_reports_are_checked_before_the_lift(tmp_path: Path) -> None:
    command = Lift(inputs=[WALK], output=[tmp_path / "a.npz"], report=tmp_path / "r.xlsx")
    with pytest.raises(MvliftError, match="report"):
        run_lift(command, quiet(), FakeEngine)  # type: ignore[arg-type]


def test_what_was_typed_about_the_video_reaches_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def stop(path: Path, facts: Any) -> Any:
        seen.append(facts)
        raise MvliftError("enough")

    monkeypatch.setattr(lift_command, "read_inputs", stop)
    reading = Reading(layout="body25", mirrored=True, pixel_aspect=1.5)
    command = Lift(inputs=[WALK], output=[tmp_path / "a.npz"], fps="25", image_size="640x480", reading=reading)
    lift_batch(command, quiet(), FakeEngine)  # type: ignore[arg-type]
    assert vars(seen[0]) == {**vars(reading), "fps": "25", "image_size": "640x480"}


def test_signal_handlers_that_a_host_program_set_in_c_are_no_obstacle() -> None:
    """Inside Blender, Python knows no handler of SIGINT: what it calls the one before is None."""
    code = (
        "import signal\n"
        "real = signal.signal\n"
        "def of_a_host(number, handler):\n"
        "    real(number, handler)\n"  # which refuses None
        "    return None\n"
        "signal.signal = of_a_host\n"
        "from mvlift.commands.batch.running import stops_at_once\n"
        "with stops_at_once(): pass\n"
        "print('left')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.strip() == "left", done.stderr


CODE = "import sys; from mvlift.cli import main; sys.argv[0] = 'mvlift'; main()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_batch_stops_at_once_and_goes_on_later(tmp_path: Path, number: int) -> None:
    """Twenty-four clips in two engines; the signal comes when the first is written."""
    clip = read_keypoints(WALK, fps=30)[0].restricted(0, 24)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(24):
        write_keypoints([clip], folder / f"clip{i:02d}.csv")
    arguments = ["lift", str(folder), "--batch", "-o", str(out), "--preset", "fast", "--jobs", "2"]
    arguments += ["--report", str(tmp_path / "report.json")]
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    ends = time.monotonic() + 240
    while not list(out.glob("clip*.npz")) and time.monotonic() < ends:
        time.sleep(0.1)
    began = time.monotonic()
    process.send_signal(number)
    code = process.wait(timeout=60)
    assert time.monotonic() - began < 10  # 3 s where nothing else runs
    assert code == (130 if number == signal.SIGINT else 143)
    kept = sorted(out.iterdir())
    assert 0 < len(kept) < 24
    assert all(len(LiftedMotion.load(path)) == 25 for path in kept)
    counts = json.loads((tmp_path / "report.json").read_text())["counts"]
    assert counts["lifted"] == len(kept)
    assert counts["lifted"] + counts["not started"] == 24


def test_jobs_of_this_machine_lift_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    clip = read_keypoints(WALK, fps=30)[0].restricted(0, 9)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(3):
        write_keypoints([clip], folder / f"clip{i}.csv")
    (folder / "bad.json").write_text("{")
    command = Lift(
        inputs=[Path("in")],
        output=[Path("out")],
        batch=True,
        preset="fast",
        executor="local",
        workers=2,
        report=tmp_path / "report.json",
    )
    assert run_lift(command, quiet()) == 1
    assert sorted(p.name for p in out.iterdir() if p.suffix == ".npz") == ["clip0.npz", "clip1.npz", "clip2.npz"]
    rows = json.loads((tmp_path / "report.json").read_text())
    assert rows["counts"] == {"lifted": 3, "already there": 0, "failed": 1, "not started": 0}
