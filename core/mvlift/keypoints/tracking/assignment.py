"""Pair rows with columns at the least total cost; numpy only, so that Blender's own Python can do it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvlift.typing import F64

__all__ = ["linear_sum_assignment"]

IntArray = NDArray[np.int64]


def linear_sum_assignment(cost: F64) -> tuple[IntArray, IntArray]:
    """The linear assignment problem, by shortest augmenting paths (Jonker and Volgenant).

    Args:
        cost: (M, N) finite.

    Returns:
        (min(M, N),) rows in increasing order, and the column of each.
    """
    if len(cost) > cost.shape[1]:
        columns, rows = linear_sum_assignment(cost.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    best = cost.argmin(1)
    if len(np.unique(best)) == len(best):  # the usual case: each row's cheapest column is a different one
        return np.arange(len(cost)), best
    count, width = cost.shape
    u, v = np.zeros(count), np.zeros(width)  # prices of rows and columns
    row_of = np.full(width, -1)
    for start in range(count):
        _augment(start, cost, u, v, row_of)
    columns = np.empty(count, dtype=np.int64)
    taken = np.flatnonzero(row_of >= 0)
    columns[row_of[taken]] = taken
    return np.arange(count), columns


def _augment(start: int, cost: F64, u: F64, v: F64, row_of: IntArray) -> None:
    """Give one more row a column; prices and ``row_of`` (the row of each column, or -1) change in place."""
    width = len(v)
    shortest, came_from = np.full(width, np.inf), np.full(width, start)
    done = np.zeros(width, dtype=np.bool_)
    row, length = start, 0.0
    while True:
        reach = length + cost[row] - u[row] - v
        nearer = ~done & (reach < shortest)
        shortest[nearer], came_from[nearer] = reach[nearer], row
        column = int(np.argmin(np.where(done, np.inf, shortest)))
        length = float(shortest[column])
        done[column] = True
        if row_of[column] < 0:
            break
        row = int(row_of[column])
    scanned = done & (row_of >= 0)
    u[row_of[scanned]] += length - shortest[scanned]
    u[start] += length
    v[scanned] -= length - shortest[scanned]
    while True:
        previous = int(came_from[column])
        others = np.flatnonzero(row_of == previous)
        row_of[column] = previous
        if previous == start:
            return
        column = int(others[0])
