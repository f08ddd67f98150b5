"""Checkpoints of stages 1 and 4: written whole or not at all, the last three kept, and only of one run at a time."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from filelock import FileLock, Timeout
from mvlift.errors import MvliftError
from mvlift.files import whole_file
from torch import Tensor

__all__ = [
    "CheckpointError",
    "all_finite",
    "check_settings",
    "lasting",
    "load_checkpoint",
    "locked_folder",
    "save_checkpoint",
    "weights_digest",
]

KEPT: Final = 3
"""Checkpoints that are kept: last.pt, last-1.pt, last-2.pt."""
FREE: Final = frozenset({"checkpoint_every", "log_every", "minutes", "precision", "compile", "health_every"})
"""Training options that may change when a run goes on: they leave what is learnt as it is."""


class CheckpointError(MvliftError):
    """A checkpoint is damaged, cannot be written, or belongs to another network, data set or setting."""


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)


def all_finite(state: Mapping[str, Any]) -> bool:
    """Whether no number of a state dict is infinite or NaN."""
    return all(bool(torch.isfinite(t).all()) for t in _tensors(state) if t.is_floating_point())


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """First 16 hex digits of a SHA-256 of a network's weights."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + state[name].detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


CONTENT: Final = frozenset(
    {"network", "average", "optimisers", "step", "spent", "generators", "device", "options", "provenance"}
)


def load_checkpoint(path: Path, wanted: Collection[str] = CONTENT) -> dict[str, Any]:
    """A checkpoint's content (tensors and plain values only).

    Args:
        path: of the file.
        wanted: keys that it must have.

    Raises:
        CheckpointError: it is damaged, or a file of something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: not a checkpoint ({reason}).", f"Delete it to train anew, or put {path.stem}-1.pt in its place."
        ) from error
    missing = sorted(set(wanted) - set(content)) if isinstance(content, dict) else sorted(wanted)
    if missing:
        raise CheckpointError(
            f"{path}: not a checkpoint of this version ({', '.join(missing[:3])} missing).",
            "Delete it to train anew, or give the config another folder.",
        )
    return dict(content)


def save_checkpoint(path: Path, content: Mapping[str, Any], keep: int = KEPT) -> None:
    """Write a checkpoint; atomically. Those before it move on to -1, -2, ...

    Raises:
        CheckpointError: its weights are not finite, or the disk is full or read-only; the older ones are as they were.
    """
    for name in ("network", "average"):
        if not all_finite(content[name]):
            raise CheckpointError(
                f"{path}: the weights of step {content['step']} are not finite, so they were not written.",
                "Run again with a lower learning_rate and --allow-changes; it goes on from the last checkpoint.",
            )
    newest = path.with_name(f"{path.stem}-new.pt")
    try:
        with whole_file(newest) as part:
            torch.save(dict(content), part)
        for age in range(keep - 1, 0, -1):
            younger = path if age == 1 else path.with_name(f"{path.stem}-{age - 1}.pt")
            if younger.is_file():
                younger.replace(path.with_name(f"{path.stem}-{age}.pt"))
        newest.replace(path)
    except (OSError, RuntimeError) as error:
        newest.unlink(missing_ok=True)
        raise CheckpointError(
            f"{path} cannot be written ({str(error).splitlines()[0]}).",
            "Make room or choose another folder; the run goes on from the checkpoint before.",
        ) from error


def _differences(before: Any, now: Any, key_path: str = "") -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted(set(before) | set(now)):
            yield from _differences(before.get(key), now.get(key), f"{key_path}.{key}" if key_path else str(key))
    elif before != now:
        yield f"{key_path} {before} -> {now}"


def check_settings(path: Path, before: Mapping[str, Any], now: Mapping[str, Any], allow_changes: bool) -> None:
    """Refuse to go on with a run whose settings are others than those it was begun with.

    Args:
        path: of the checkpoint, for the message.
        before, now: settings and digests that decide what is learnt, as JSON can hold them.
        allow_changes: the user said so.

    Raises:
        CheckpointError: they differ.
    """
    differences = list(_differences(before, now))
    if differences and not allow_changes:
        raise CheckpointError(
            f"{path} was trained with other settings: {'; '.join(differences[:5])}.",
            "Give the config another folder, change the settings back, or add --allow-changes.",
        )


def lasting(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a training that decide what is learnt."""
    return {key: value for key, value in options.items() if key not in FREE}


@contextmanager
def locked_folder(folder: Path, enabled: bool = True) -> Iterator[None]:
    """A folder for this process alone; it is released when the process ends, however it ends.

    Raises:
        CheckpointError: another training runs there, or the folder cannot be written.
    """
    lock = FileLock(folder / "run.lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if enabled:
            lock.acquire()
    except Timeout as error:
        raise CheckpointError(
            f"Another training runs in {folder}.", "Wait for it, or give the config another folder."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written ({error.strerror}).", "Choose another folder.") from error
    try:
        yield
    finally:
        lock.release()
