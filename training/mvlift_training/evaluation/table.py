"""Runs rows over sequences and prints the table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from mvlift.errors import LiftError
from mvlift.files import whole_file
from mvlift.lifting.subjects import Subject
from rich.progress import Progress
from scipy.stats import spearmanr

from mvlift_training.evaluation.data import Sequence
from mvlift_training.evaluation.metrics import LABELS, Prediction, collapsed, confidence_and_error, measure

__all__ = ["Method", "Scores", "confidence_scores", "markdown", "run_row", "write_scores"]

FIFTHS: Final = 5

Method = Callable[[Sequence, bool, int], Prediction]
"""(sequence, noisy, seed) -> prediction."""


@dataclass(frozen=True)
class Scores:
    """One row on one kind of input.

    Attributes:
        row: name of the method.
        noisy: detector-like input.
        clips: per sequence its name, category and errors.
        failed: names of sequences that the method gave up; each counts with the errors of a person shrunk to a point.
        extra: numbers of the whole set, such as FID.
    """

    row: str
    noisy: bool
    clips: list[dict[str, Any]]
    failed: list[str] = field(default_factory=list)
    extra: dict[str, float] = field(default_factory=dict)

    def value(
        self, key: str, statistic: str = "mean", category: str | None = None, sets: Collection[str] | None = None
    ) -> float:
        """Mean or median of an error over sequences; NaN where nothing was measured.

        Args:
            key: see ``LABELS``.
            statistic: "mean" or "median".
            category: of one category only.
            sets: of these sets only; what is known of all together (FID, confidence) is then unknown.
        """
        if key in self.extra:
            return self.extra[key] if category is None and sets is None else float("nan")
        chosen = [
            c for c in self.clips if category in (None, c["category"]) and (sets is None or c.get("set", "") in sets)
        ]
        known = np.array([v for v in (c.get(key, float("nan")) for c in chosen) if np.isfinite(v)])
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
        counted = collapsed(sequence) if prediction is None else prediction
        clips.append({"name": sequence.name, "category": sequence.category, "set": sequence.set,
                      "frames": len(sequence.clean), "seconds": counted.seconds, "failed": float(prediction is None),
                      **measure(counted, sequence, subject)})  # fmt: skip
        progress.advance(task)
    progress.remove_task(task)
    extra = confidence_scores(predictions, sequences, subject)
    return Scores(row, noisy, clips, failed, extra), predictions


def confidence_scores(
    predictions: list[Prediction | None], sequences: list[Sequence], subject: Subject
) -> dict[str, float]:
    """Spearman's rank correlation of the reported confidence with the true error (signed so that 1 is best), and the
    mean error of each fifth of the joints, surest first; empty where no method says how sure it is."""
    pairs = [confidence_and_error(p, s, subject) for p, s in zip(predictions, sequences, strict=True) if p is not None]
    said = [p for p in pairs if p is not None]
    if not said:
        return {}
    confidence, error = (np.concatenate(values) for values in zip(*said, strict=True))
    use = np.isfinite(confidence) & np.isfinite(error)
    confidence, error = confidence[use], error[use]
    if len(error) < FIFTHS or np.ptp(confidence) == 0:
        return {}
    order = np.argsort(-confidence, kind="stable")
    fifths = {f"error_fifth_{i + 1}": float(e.mean()) for i, e in enumerate(np.array_split(error[order], FIFTHS))}
    return {"confidence": float(-spearmanr(confidence, error).statistic), **fifths}


def markdown(
    scores: Iterable[Scores],
    keys: Iterable[str],
    statistic: str = "mean",
    category: str | None = None,
    sets: Collection[str] | None = None,
) -> str:
    """A table with a line for each row and input; the other arguments as ``Scores.value``."""
    keys = list(keys)
    head = ["method", "input", *(LABELS.get(k, k) for k in keys)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for s in scores:
        cells = [s.row, "noisy" if s.noisy else "clean"]
        for key in keys:
            value = s.value(key, statistic, category, sets)
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
