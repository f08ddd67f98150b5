"""The four stages as functions of a config; each goes on where a killed run stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.files import whole_file
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.models import save_denoiser

from mvlift_training.config import ConfigError, TrainConfig, plain
from mvlift_training.console import stderr_console
from mvlift_training.motion_data import MotionWindows, load_sequences
from mvlift_training.runtime import export_provenance, fabric_for, fresh_network, trained_network
from mvlift_training.stage1 import LineTask
from mvlift_training.stage2 import lift_sequences
from mvlift_training.stage3 import build_library
from mvlift_training.stage4 import MotionLibrary, ViewTask
from mvlift_training.trainer import train
from mvlift_training.warm_start import start_from_base, start_from_line

__all__ = ["export", "run_all", "stage1", "stage2", "stage3", "stage4"]

_console = stderr_console()


def _report(stage: str, step: int, means: dict[str, float]) -> None:
    if step % 500 == 0:
        _console.print(f"{stage} step {step}: " + ", ".join(f"{k} {v:.4f}" for k, v in means.items()))


def stage1(config: TrainConfig) -> None:
    """Train the line-conditioned model on the 2D data set."""
    subject = get_subject(config.subject)
    fabric = fabric_for(config, config.train1.precision)
    sequences = load_sequences(config.data)
    windows = MotionWindows(sequences, subject, config.window, fabric.device)
    task = LineTask(
        windows, CosineSchedule(), config.stage1.line_weight, config.stage1.line_noise, config.stage1.unconditional
    )
    network = fresh_network(config, subject, "line")
    if config.base:
        start_from_base(network, subject, f"{config.base}-stage1", "line", get_subject(config.base), config.alike)
    train(
        network,
        task,
        config.train1,
        config.folder / "stage1",
        fabric=fabric,
        seed=config.seed,
        provenance=export_provenance(config, sequences.digest),
        on_log=lambda step, means: _report("stage 1", step, means),
    )


def _round_folder(config: TrainConfig, stage: str, number: int) -> Path:
    return config.folder / (stage if number == 1 else f"{stage}-round{number}")


def _claim(folder: Path, source: dict[str, Any], fabric: Fabric) -> None:
    """Say what a folder's results are made from, so that a later run does not mix them with others.

    Raises:
        ConfigError: it holds results of another model, data set or method.
    """
    path = folder / "source.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else source
    fabric.barrier()
    if found != source:
        differ = [f"{k} {found.get(k)} instead of {source[k]}" for k in source if found.get(k) != source[k]]
        raise ConfigError(
            f"{folder} holds results of another run: {', '.join(differ)}.", "Delete it to make them anew."
        )
    if fabric.is_global_zero:
        with whole_file(path) as part:
            part.write_text(json.dumps(source, indent=1), encoding="utf-8")


def stage2(config: TrainConfig, number: int = 1) -> None:
    """Lift the data set: round 1 with stage 1's model, later rounds as ``stage2.later`` says."""
    subject = get_subject(config.subject)
    fabric = fabric_for(config, "32-true")
    method = config.stage2.method if number == 1 else config.stage2.later
    kind, source = (
        ("multiview", _round_folder(config, "stage4", number - 1).name) if method == "stage4" else ("line", "stage1")
    )
    network, schedule, facts = trained_network(config, subject, kind, source, fabric.device)
    sequences = load_sequences(config.data)
    folder = _round_folder(config, "stage2", number)
    made = {"model": source, "model_steps": facts["steps"], "data": sequences.digest, **plain(config.stage2)}
    _claim(folder, {**made, "method": method}, fabric)
    lift_sequences(config, subject, sequences, network, schedule, folder, fabric, method)


def stage3(config: TrainConfig, number: int = 1) -> None:
    """Fit bodies to the lifted sequences and keep the plausible ones."""
    fabric = fabric_for(config, "32-true")
    sequences = load_sequences(config.data)
    lifted, folder = (_round_folder(config, stage, number) for stage in ("stage2", "stage3"))
    source = lifted / "source.json"
    made = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {"data": sequences.digest}
    _claim(folder, made, fabric)
    build_library(config, get_subject(config.subject), sequences, lifted, folder, fabric, _console)


def stage4(config: TrainConfig, number: int = 1) -> None:
    """Train the multi-view model on stage 3's motions; a later round starts from the earlier round's weights."""
    subject = get_subject(config.subject)
    fabric = fabric_for(config, config.train4.precision)
    motions = config.library or _round_folder(config, "stage3", number) / "motions.npz"
    library = MotionLibrary(motions, subject, config.window, fabric.device)
    task = ViewTask(
        library,
        subject,
        CosineSchedule(),
        config.noise,
        config.stage4.limb_spread,
        config.stage4.elevation,
        config.stage4.roll,
    )
    network = fresh_network(config, subject, "multiview")
    if number == 1 and config.base:
        start_from_base(network, subject, f"{config.base}-stage4", "multiview", get_subject(config.base), config.alike)
    elif number == 1 and config.stage4.warm_start:
        start_from_line(network, trained_network(config, subject, "line", "stage1", torch.device("cpu"))[0])
    if number > 1:
        before = _round_folder(config, "stage4", number - 1).name
        network, _, _ = trained_network(config, subject, "multiview", before, fabric.device)
        network.requires_grad_(True)
    train(
        network,
        task,
        config.train4,
        _round_folder(config, "stage4", number),
        fabric=fabric,
        seed=config.seed + 100 * number,
        provenance=export_provenance(config, load_sequences(config.data).digest),
        on_log=lambda step, means: _report("stage 4", step, means),
    )


def export(config: TrainConfig, folder: Path) -> list[Path]:
    """Write the networks that are trained as safetensors into a folder, with their provenance in the header.

    A subject that begins with another's weights may have no stage 1 of its own.

    Raises:
        ConfigError: none is trained.
    """
    subject = get_subject(config.subject)
    rounds = max(1, config.stage3.rounds)
    averaged = range(1 if config.stage4.average_rounds else rounds, rounds + 1)
    sources = {"line": ["stage1"], "multiview": [_round_folder(config, "stage4", n).name for n in averaged]}
    trained = [
        (kind, stages, name)
        for (kind, stages), name in zip(sources.items(), ("stage1", "stage4"), strict=True)
        if (config.folder / stages[-1] / "last.pt").is_file()
    ]
    if not trained:
        raise ConfigError(f"{config.folder} holds no trained network.", "Run `mvlift-train stage1` first, or `stage4`.")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, stages, name in trained:
        network, schedule, facts = _mean_network(config, subject, kind, stages)
        path = folder / f"{config.name}-{name}.safetensors"
        save_denoiser(network, schedule, kind, path, {**facts, "config": plain(config)})
        written.append(path)
    return written


def _mean_network(
    config: TrainConfig, subject: Subject, kind: str, stages: list[str]
) -> tuple[MotionDenoiser, CosineSchedule, dict[str, Any]]:
    """Mean weights of one or several stages' networks, with steps and seconds of all of them."""
    found = [trained_network(config, subject, kind, stage, torch.device("cpu")) for stage in stages]
    network, schedule, facts = found[-1]
    states = [n.state_dict() for n, _, _ in found]
    network.load_state_dict({k: torch.stack([s[k] for s in states]).mean(0) for k in states[0]})
    sums = {key: sum(f[key] for _, _, f in found) for key in ("steps", "seconds")}
    return network, schedule, {**facts, **sums}


def run_all(config: TrainConfig) -> None:
    """All four stages, with self-training rounds, and the export into the run's folder."""
    stage1(config)
    for number in range(1, max(1, config.stage3.rounds) + 1):
        stage2(config, number)
        stage3(config, number)
        stage4(config, number)
    for path in export(config, config.folder / "export"):
        _console.print(f"wrote {path}")
