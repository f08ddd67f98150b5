"""Scores of who is who: identity F1 (Ristani et al. 2016) and identity switches (Bernardin and Stiefelhagen 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

__all__ = ["IdentityScore", "score_identities"]


@dataclass(frozen=True)
class IdentityScore:
    """Counts over some footage.

    Attributes:
        name: of the footage.
        hits: detections whose person is the one that goes with their identity, at the best pairing of both.
        true: detections of somebody.
        assigned: detections that were assigned to a person.
        switches: how often somebody's detections pass from one person to another.
        seconds: of footage.
        people: identities.
    """

    name: str
    hits: int
    true: int
    assigned: int
    switches: int
    seconds: float
    people: int

    @property
    def f1(self) -> float:
        """Identity F1, 1 is perfect."""
        return 2 * self.hits / max(self.true + self.assigned, 1)

    @property
    def per_minute(self) -> float:
        """Identity switches a minute of footage."""
        return 60 * self.switches / max(self.seconds, 1e-9)

    @staticmethod
    def together(name: str, parts: Sequence[IdentityScore]) -> IdentityScore:
        """The sum of several."""
        counts = [
            sum(getattr(p, k) for p in parts) for k in ("hits", "true", "assigned", "switches", "seconds", "people")
        ]
        return IdentityScore(name, *counts)

    @staticmethod
    def table(scores: Sequence[IdentityScore]) -> str:
        """Markdown."""
        lines = ["| Footage | minutes | identities | ID F1 | switches a minute |", "|---|---|---|---|---|"]
        for s in scores:
            f1 = f"{100 * s.f1:.1f} %"
            lines.append(f"| {s.name} | {s.seconds / 60:.2f} | {s.people} | {f1} | {s.per_minute:.2f} |")
        return "\n".join(lines)


def score_identities(
    people: Sequence[tuple[str, list[int]]],
    truth: NDArray[np.int64],
    frame: NDArray[np.int64],
    fps: float = 30,
    name: str = "",
) -> IdentityScore:
    """Compare people with known identities.

    Args:
        people: (name, rows) of each.
        truth: (N,) whose each row is, -1 for nobody's (doubles, inventions: they count neither way).
        frame: (N,) frame numbers.
        fps: frames per second.
        name: of the footage.
    """
    known = np.unique(truth[truth >= 0])
    person_number = np.full(len(truth), -1)
    for number, (_, rows) in enumerate(people):
        person_number[rows] = number
    table = np.zeros((len(known), max(len(people), 1)), dtype=np.int64)
    switches = 0
    for i, true_person in enumerate(known):
        rows = np.flatnonzero((truth == true_person) & (person_number >= 0))
        rows = rows[np.argsort(frame[rows], kind="stable")]
        np.add.at(table[i], person_number[rows], 1)
        switches += int((np.diff(person_number[rows]) != 0).sum())
    a, b = linear_sum_assignment(-table)
    assigned = int(((person_number >= 0) & (truth >= 0)).sum())
    seconds = (int(frame.max()) - int(frame.min()) + 1) / fps
    return IdentityScore(name, int(table[a, b].sum()), int((truth >= 0).sum()), assigned, switches, seconds, len(known))
