"""Runs rows over sequences and prints the table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.files import whole_file
from mvlift.lifting.subjects import Subject
from rich.progress import Progress

from mvlift_training.evaluation.data import Sequence
from mvlift_training.evaluation.metrics import LABELS, Prediction, measure

__all__ = ["Method", "Scores", "markdown", "run_row", "write_scores"]

Method = Callable[[Sequence, bool, int], Prediction]
"""(sequence, noisy, seed) -> prediction."""


@dataclass(frozen=True)
class Scores:
    """One row on one kind of input.

    Attributes:
        row: name of the method.
        noisy: detector-like input.
        clips: per sequence its name, category and errors.
        failed: names of sequences that the method gave up; each counts as a lift that failed.
        extra: numbers of the whole set, such as FID.
    """

    row: str
    noisy: bool
    clips: list[dict[str, Any]]
    failed: list[str] = field(default_factory=list)
    extra: dict[str, float] = field(default_factory=dict)

    def value(self, key: str, statistic: str = "mean", category: str | None = None) -> float:
        """Mean or median of an error over sequences, of one category or all; NaN where nothing was measured."""
        if key in self.extra:
            return self.extra[key]
        values = [c.get(key, float("nan")) for c in self.clips if category is None or c["category"] == category]
        known = np.array([v for v in values if np.isfinite(v)])
        if not len(known):
            return float("nan")
        return float(np.median(known) if statistic == "median" else np.mean(known))


def run_row(
    row: str, method: Method, sequences: list[Sequence], subject: Subject, noisy: bool, seed: int, progress: Progress
) -> tuple[Scores, list[Prediction | None]]:
    """Every sequence through one method."""
    task = progress.add_task(f"{row}, {'noisy' if noisy else 'clean'}", total=len(sequences))
    clips, failed, predictions = [], [], []
    for sequence in sequences:
        try:
            prediction: Prediction | None = method(sequence, noisy, seed)
        except LiftError:
            prediction = None
        predictions.append(prediction)
        if prediction is None:
            failed.append(sequence.name)
        else:
            errors = measure(prediction, sequence, subject)
            clips.append({"name": sequence.name, "category": sequence.category, "frames": len(sequence.truth),
                          "seconds": prediction.seconds, **errors})  # fmt: skip
        progress.advance(task)
    progress.remove_task(task)
    return Scores(row, noisy, clips, failed), predictions


def markdown(
    scores: Iterable[Scores], keys: Iterable[str], statistic: str = "mean", category: str | None = None
) -> str:
    """A table with a line for each row and input."""
    keys = list(keys)
    head = ["method", "input", *(LABELS.get(k, k) for k in keys)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for s in scores:
        cells = [s.row, "noisy" if s.noisy else "clean"]
        for key in keys:
            value = s.value(key, statistic, category)
            cells.append("–" if np.isnan(value) else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _without_nan(value: Any) -> Any:
    """JSON has no number for what was not measured."""
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_scores(path: Path, scores: list[Scores], facts: dict[str, Any]) -> None:
    """All numbers as JSON, null where nothing was measured; atomically."""
    content = _without_nan({"facts": facts, "rows": [asdict(s) for s in scores]})
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
