"""A batch on several machines: parts of it as jobs of a cluster (SLURM) or as processes of this machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mvlift.commands.batch.report import Outcome
from mvlift.errors import MvliftError

if TYPE_CHECKING:
    from mvlift.cli import Lift

__all__ = ["parse_parameters", "run_on_cluster"]

_LOOK: Final = 0.5
"""Seconds between two checks of the jobs."""
_MINUTES: Final = 24 * 60


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Parameters of the cluster's jobs as typed: ``timeout_min=600 slurm_partition=gpu``.

    Raises:
        MvliftError: one of them is not NAME=VALUE.
    """
    parameters: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise MvliftError(f"{text} is not a parameter.", "Give NAME=VALUE, such as slurm_partition=gpu.")
        parameters[name] = int(value) if value.isdigit() and len(value) < 10 else value
    return parameters


def _executor(kind: str, folder: Path, parameters: dict[str, Any]) -> Any:
    try:
        import submitit
    except ImportError as error:
        raise MvliftError(
            "--executor needs the package submitit.", "pip install 'mvlift[cluster]', or start shards with --shard."
        ) from error
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=kind)
        executor.update_parameters(**{"timeout_min": _MINUTES, "cpus_per_task": 4, **parameters})
    except (RuntimeError, ValueError, NameError, TypeError, AssertionError) as error:
        raise MvliftError(
            f"The jobs cannot be set up for {kind} ({error}).", "Check --executor-parameters, and that sbatch is there."
        ) from error
    return executor


def run_shard(command: Lift) -> list[dict[str, Any]]:
    """One part of a batch, in a job of its own; its outcomes as values that JSON can hold."""
    from rich.console import Console

    from mvlift.commands.lift import lift_batch

    return [outcome.to_json() for outcome in lift_batch(command, Console(stderr=True, highlight=False, markup=False))]


def run_on_cluster(command: Lift, parts: int, folder: Path, done: Callable[[Outcome], None]) -> None:
    """Hand the batch out in parts and wait for them.

    Args:
        command: of the whole batch.
        parts: jobs.
        folder: for the jobs' logs, on a disk that all machines see.
        done: called with each outcome.

    Raises:
        MvliftError: jobs cannot be started, or one of them was lost.
    """
    executor = _executor(command.executor, folder, parse_parameters(command.executor_parameters))
    shards = [
        replace(command, executor="", report=None, shard=f"{i + 1}/{parts}", **_absolute(command)) for i in range(parts)
    ]
    jobs = executor.map_array(run_shard, shards)
    waiting, lost = dict(enumerate(jobs)), []
    try:
        while waiting:
            for number, job in list(waiting.items()):
                if not job.done():
                    continue
                del waiting[number]
                try:
                    for values in job.result():
                        done(Outcome.from_json(values))
                except Exception as error:  # whatever ended the job: killed, out of memory, a lost machine
                    lost.append(f"part {number + 1} ({str(error).strip().splitlines()[-1][:200]})")
            time.sleep(_LOOK if waiting else 0)
    finally:
        for job in waiting.values():
            with contextlib.suppress(Exception):  # the cluster may be gone; this is the way out
                job.cancel(check=False)
    if lost:
        raise MvliftError(
            f"{len(lost)} of {parts} jobs were lost: {'; '.join(lost)}. Their logs are in {folder}.",
            "Run the same command again: what is there is kept.",
        )


def _absolute(command: Lift) -> dict[str, Any]:
    """Paths that mean the same in a job that runs in another folder."""
    single = {k: getattr(command, k) for k in ("weights", "object_points", "object_shape", "blender")}
    return {
        "inputs": [p.resolve() for p in command.inputs],
        "output": [p.resolve() for p in command.output],
        **{k: p.resolve() for k, p in single.items() if isinstance(p, Path)},
    }
