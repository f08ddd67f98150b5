"""Thread counts of small work.

The matrices of a lift are tiny. A second thread of BLAS, OpenMP or torch gains nothing on an idle machine; where other
programs keep the cores busy, threads wait for each other in loops that burn the processor. Lifting the bundled walk
with ``fast`` on two cores takes 1.3 s of processor time with one thread, 7.5 s with the libraries' defaults, and 27 s
(135 s on the clock) with their defaults beside two busy programs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from mvlift.errors import MvliftError

__all__ = ["SMALL_WORK", "VARIABLES", "limit_environment", "thread_limit", "torch_threads", "wait_asleep"]

SMALL_WORK: Final = 1
"""Threads that were measured to be best for a lift, with idle and with busy cores."""
VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What numerical libraries read when they are loaded."""


def wait_asleep() -> None:
    """Let OpenMP threads started from now on, here and in child processes, sleep while they wait.

    By default they spin for a while: two threads beside other programs train a small network 14 times slower so.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def limit_environment(count: int = SMALL_WORK) -> None:
    """Have numerical libraries that are loaded from now on, here and in child processes, start so many threads.

    ``thread_limit`` reaches libraries that are loaded already, except Apple's Accelerate, which only reads this.
    """
    wait_asleep()
    for name in VARIABLES:
        os.environ[name] = str(count)


_current: ContextVar[int] = ContextVar("threads", default=SMALL_WORK)


@contextmanager
def thread_limit(count: int | None = None) -> Iterator[int]:
    """Within: BLAS, OpenMP and torch compute with so many threads, whatever the environment says; afterwards as before.

    Args:
        count: threads; None for those of the ``thread_limit`` around this one, or else ``SMALL_WORK``.

    Yields:
        The number of threads.

    Raises:
        MvliftError: the count is less than 1.
    """
    from threadpoolctl import threadpool_limits

    threads = _current.get() if count is None else count
    if threads < 1:
        raise MvliftError(f"{threads} threads are too few.", "Give 1 or more, or nothing for the best number.")
    token = _current.set(threads)
    try:
        with threadpool_limits(threads), torch_threads(threads):
            yield threads
    finally:
        _current.reset(token)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within: torch computes with so many threads, if it has been imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
