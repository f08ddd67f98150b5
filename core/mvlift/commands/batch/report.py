"""What became of each clip of a batch, on the terminal and as a file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from mvlift.errors import MvliftError
from mvlift.files import whole_file

__all__ = ["Outcome", "check_report", "say_all", "say_one", "write_report"]

_COLUMNS: Final = ("source", "status", "people", "frames", "seconds", "outputs", "error")
_NAMED: Final = 20
"""Clips that failed are named in the summary up to this number."""


@dataclass
class Outcome:
    """A clip and what became of it.

    Attributes:
        source: file or folder.
        people: lifted.
        frames: of all of them.
        seconds: that it took.
        error: the sentence for the user, "" when all went well.
        trace: where an error of the program came from.
        skipped: every output was there already.
        outputs: files that are there now.
        timings: seconds of each stage.
        notes: what had to be assumed, for the user.
    """

    source: Path
    people: int = 0
    frames: int = 0
    seconds: float = 0.0
    error: str = ""
    trace: str = ""
    skipped: bool = False
    outputs: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """ "failed", "already there" or "lifted"."""
        return "failed" if self.error else "already there" if self.skipped else "lifted"

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        values = {**asdict(self), "source": str(self.source), "status": self.status, "seconds": round(self.seconds, 3)}
        return {k: v for k, v in values.items() if k != "skipped"}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Outcome:
        """What `to_json` gave."""
        fields = {k: v for k, v in values.items() if k != "status"}
        return cls(**{**fields, "source": Path(fields["source"]), "skipped": values["status"] == "already there"})


def check_report(path: Path | None) -> None:
    """Refuses a report's name before anything is lifted.

    Raises:
        MvliftError: it is neither json nor csv.
    """
    if path is not None and path.suffix.lower() not in (".json", ".csv"):
        raise MvliftError(f"{path.name} is not a report format.", "Give --report FILE.json or FILE.csv.")


def write_report(outcomes: Sequence[Outcome], waiting: Sequence[Path], path: Path) -> None:
    """Write the outcomes, and the clips that nothing became of because the batch was stopped, as json or csv.

    Raises:
        MvliftError: it cannot be written.
    """
    rows = [o.to_json() for o in outcomes] + [{"source": str(p), "status": "not started"} for p in waiting]
    if path.suffix.lower() == ".json":
        counts = {s: sum(r["status"] == s for r in rows) for s in ("lifted", "already there", "failed", "not started")}
        text = json.dumps({"counts": counts, "clips": rows}, indent=1)
    else:
        stream = io.StringIO()
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(_COLUMNS)
        for row in rows:
            cells = {**row, "outputs": " ".join(row.get("outputs", []))}
            table.writerow([cells.get(c, "") for c in _COLUMNS])
        text = stream.getvalue()
    try:
        with whole_file(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MvliftError(
            f"The report {path} cannot be written ({error.strerror}).", "Choose another place."
        ) from error


def say_one(outcome: Outcome, console: Console, timings: bool) -> None:
    """One line about a clip."""
    name = outcome.source.name
    if timings and not outcome.error:
        print(json.dumps({"clip": str(outcome.source), "frames": outcome.frames, **outcome.timings}), flush=True)
    if outcome.error:
        console.print(f"{name}: {outcome.error}", style="red", markup=False, soft_wrap=True)
    elif outcome.skipped:
        console.print(f"{name}: already there", markup=False, soft_wrap=True)
    else:
        rate = outcome.frames / max(outcome.seconds, 1e-9)
        console.print(
            f"{name}: {outcome.people} x {outcome.frames // max(outcome.people, 1)} frames in {outcome.seconds:.1f} s "
            f"({rate:.0f} frames/s) -> {' '.join(outcome.outputs)}",
            markup=False,
            soft_wrap=True,
        )
        for note in outcome.notes:
            console.print(f"  {note}", markup=False, soft_wrap=True)


def say_all(outcomes: Sequence[Outcome], total: int, console: Console) -> int:
    """The summary of several clips; 1 when one of them failed, else 0."""
    bad = [o for o in outcomes if o.error]
    if total > 1:
        skipped = sum(o.skipped for o in outcomes)
        names = ", ".join(o.source.name for o in bad[:_NAMED]) + (" ..." if len(bad) > _NAMED else "")
        left = f", {total - len(outcomes)} not started" if total > len(outcomes) else ""
        console.print(
            f"{len(outcomes) - len(bad) - skipped} lifted, {skipped} already there, {len(bad)} failed{left}"
            + (f": {names}" if bad else ""),
            markup=False,
            soft_wrap=True,
        )
    sys.stdout.flush()
    return 1 if bad else 0
