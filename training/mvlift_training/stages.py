"""The four stages as functions of a config; each goes on where a killed run stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from mvlift.backends.onnx_runtime import export_onnx
from mvlift.diffusion.network import MotionDenoiser
from mvlift.diffusion.schedule import CosineSchedule
from mvlift.files import whole_file
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.models import model_path, save_denoiser

from mvlift_training.checkpoints import all_finite, weights_digest
from mvlift_training.config import ConfigError, TrainConfig, plain
from mvlift_training.console import stderr_console
from mvlift_training.motion_data import MotionWindows, file_digest, load_sequences
from mvlift_training.motion_library import MotionLibrary
from mvlift_training.runtime import export_provenance, fabric_for, fresh_network, trained_network, uses_bfloat16
from mvlift_training.stage1 import LineTask
from mvlift_training.stage2 import lift_sequences
from mvlift_training.stage3 import build_library
from mvlift_training.stage4 import ViewTask
from mvlift_training.train_progress import TrainProgress
from mvlift_training.trainer import train
from mvlift_training.warm_start import start_from_base, start_from_line
from mvlift_training.whole_lifts import lift_whole

__all__ = ["export", "run_all", "stage1", "stage2", "stage3", "stage4"]

_console = stderr_console()


def stage1(config: TrainConfig, allow_changes: bool = False) -> None:
    """Train the line-conditioned model on the 2D data set.

    Args:
        config: of the run.
        allow_changes: go on with a run whose settings were others.
    """
    subject = get_subject(config.subject)
    fabric = fabric_for(config)
    sequences = load_sequences(config.data)
    windows = MotionWindows(sequences, subject, config.window, fabric.device, config.augmentation)
    o = config.stage1
    task = LineTask(windows, CosineSchedule(), o.line_weight, o.line_noise, o.unconditional, o.lineless, o.epipoles)
    network = fresh_network(config, subject, "line")
    origin = _begin_with_base(config, network, subject, "line")
    settings = {**_shared_settings(config), "stage1": plain(config.stage1), "origin": origin, "data": sequences.digest}
    with TrainProgress("stage 1", config.train1, fabric, _console) as progress:
        train(
            network,
            task,
            config.train1,
            config.folder / "stage1",
            fabric=fabric,
            seed=config.seed,
            provenance=export_provenance(config, sequences.digest),
            bfloat16=uses_bfloat16(config.train1.precision, fabric.device),
            settings=settings,
            allow_changes=allow_changes,
            on_log=progress.show,
        )


def _shared_settings(config: TrainConfig) -> dict[str, Any]:
    """What both trained stages depend on."""
    return {"subject": config.subject, "window": config.window, "network": plain(config.network),
            "augmentation": plain(config.augmentation)}  # fmt: skip


def _begin_with_base(config: TrainConfig, network: MotionDenoiser, subject: Subject, kind: str) -> str:
    """Give a fresh network the weights of the config's base subject; returns their digest, "" without a base."""
    if not config.base:
        return ""
    weights = f"{config.base}-stage1" if kind == "line" else config.stage4.weights or f"{config.base}-stage4"
    start_from_base(network, subject, weights, kind, get_subject(config.base), config.alike)
    return file_digest(model_path(weights))


def _round_folder(config: TrainConfig, stage: str, number: int) -> Path:
    return config.folder / (stage if number == 1 else f"{stage}-round{number}")


def _claim(folder: Path, source: dict[str, Any], fabric: Fabric) -> None:
    """Say what a folder's results are made from, so that a later run does not mix them with others.

    Raises:
        ConfigError: it holds results of another model, data set or method.
    """
    path = folder / "source.json"
    recorded = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else source
    fabric.barrier()
    if recorded != source:
        differ = [f"{k} {recorded.get(k)} instead of {source[k]}" for k in source if recorded.get(k) != source[k]]
        raise ConfigError(
            f"{folder} holds results of another run: {', '.join(differ)}.", "Delete it to make them anew."
        )
    if fabric.is_global_zero:
        with whole_file(path) as part:
            part.write_text(json.dumps(source, indent=1), encoding="utf-8")


def stage2(config: TrainConfig, number: int = 1) -> None:
    """Lift the data set: round 1 with stage 1's model, later rounds as ``stage2.later`` says."""
    subject = get_subject(config.subject)
    fabric = fabric_for(config)
    method = config.stage2.method if number == 1 else config.stage2.later
    folder = _round_folder(config, "stage2", number)
    made: dict[str, Any] = {"seed": config.seed, "window": config.window, **plain(config.stage2), "method": method}
    if method == "lift":
        weights = _lift_weights(config, subject, number, fabric)
        sequences = load_sequences(config.data)
        _claim(folder, {**made, "data": sequences.digest, "weights": file_digest(model_path(weights))}, fabric)
        lift_whole(config, subject, sequences, weights, folder, fabric)
        return
    kind, source = (
        ("multiview", _round_folder(config, "stage4", number - 1).name) if method == "stage4" else ("line", "stage1")
    )
    network, schedule, facts = trained_network(config, subject, kind, source, fabric.device)
    sequences = load_sequences(config.data)
    made |= {"data": sequences.digest, "model": source, "model_steps": facts["steps"],
             "weights": weights_digest(network.state_dict())}  # fmt: skip
    _claim(folder, made, fabric)
    lift_sequences(config, subject, sequences, network, schedule, folder, fabric, method)


def _lift_weights(config: TrainConfig, subject: Subject, number: int, fabric: Fabric) -> str:
    """Name or path of the multi-view weights that lift in a round: the base's, or the round's before.

    Raises:
        ConfigError: the first round has no base.
    """
    if number == 1:
        if not config.base:
            raise ConfigError("stage2.method is lift, but there is no base.", "Name a base whose stage 4 lifts.")
        return config.stage2.weights or f"{config.base}-stage4"
    source = _round_folder(config, "stage4", number - 1)
    network, schedule, facts = trained_network(config, subject, "multiview", source.name, torch.device("cpu"))
    path = source / "lifting.safetensors"
    if fabric.is_global_zero:
        save_denoiser(network, schedule, "multiview", path, facts)
    fabric.barrier()
    return str(path)


def stage3(config: TrainConfig, number: int = 1) -> None:
    """Fit bodies to the lifted sequences and keep the plausible ones."""
    fabric = fabric_for(config)
    sequences = load_sequences(config.data)
    lifted, folder = (_round_folder(config, stage, number) for stage in ("stage2", "stage3"))
    source = lifted / "source.json"
    made = json.loads(source.read_text(encoding="utf-8")) if source.is_file() else {"data": sequences.digest}
    _claim(folder, made, fabric)
    build_library(config, get_subject(config.subject), sequences, lifted, folder, fabric, _console)


def _view_task(config: TrainConfig, subject: Subject, library: MotionLibrary) -> ViewTask:
    names = {f.name for f in dataclasses.fields(ViewTask)}
    options = {name: value for name, value in vars(config.stage4).items() if name in names}
    return ViewTask(library, subject, CosineSchedule(), config.noise, **options)


def _motions_file(config: TrainConfig, number: int) -> Path:
    return config.library or _round_folder(config, "stage3", number) / "motions.npz"


def _begin_stage4(config: TrainConfig, subject: Subject, number: int) -> tuple[MotionDenoiser, str]:
    """The network that stage 4 begins with, and the digest of the weights that it comes from ("" fresh)."""
    network = fresh_network(config, subject, "multiview")
    if number > 1:
        before = _round_folder(config, "stage4", number - 1).name
        network, _, _ = trained_network(config, subject, "multiview", before, torch.device("cpu"))
        return network.requires_grad_(True), weights_digest(network.state_dict())
    if config.base:
        return network, _begin_with_base(config, network, subject, "multiview")
    if config.stage4.warm_start:
        line, _, _ = trained_network(config, subject, "line", "stage1", torch.device("cpu"))
        start_from_line(network, line)
        return network, weights_digest(line.state_dict())
    return network, ""


def stage4(config: TrainConfig, number: int = 1, allow_changes: bool = False) -> None:
    """Train the multi-view model on stage 3's motions; a later round starts from the earlier round's weights.

    Args:
        config: of the run.
        number: of the round.
        allow_changes: go on with a run whose settings were others.
    """
    subject = get_subject(config.subject)
    fabric = fabric_for(config)
    motions = _motions_file(config, number)
    library = MotionLibrary(motions, subject, config.window, fabric.device, config.augmentation.mirror)
    network, origin = _begin_stage4(config, subject, number)
    digest = file_digest(motions)
    settings = {**_shared_settings(config), "stage4": plain(config.stage4), "noise": plain(config.noise),
                "origin": origin, "motions": digest}  # fmt: skip
    with TrainProgress("stage 4", config.train4, fabric, _console) as progress:
        train(
            network,
            _view_task(config, subject, library),
            config.train4,
            _round_folder(config, "stage4", number),
            fabric=fabric,
            seed=config.seed + 100 * number,
            provenance=export_provenance(config, digest),
            bfloat16=uses_bfloat16(config.train4.precision, fabric.device),
            settings=settings,
            allow_changes=allow_changes,
            on_log=progress.show,
        )


def export(config: TrainConfig, folder: Path, onnx: bool = False) -> list[Path]:
    """Write the networks that are trained as safetensors into a folder, with their provenance in the header.

    A subject that begins with another's weights may have no stage 1 of its own.

    Args:
        config: of the run.
        folder: where to.
        onnx: beside each, the same network as an ONNX model with 16-bit weights.

    Raises:
        ConfigError: none is trained, or stage 4 learnt from other motions than those that are there now.
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
        if not all_finite(network.state_dict()):
            raise ConfigError(f"{config.folder / stages[-1]}: the weights are not finite.", "Train with a lower rate.")
        if kind == "multiview":
            _check_fresh(config, rounds, facts["digest"], stages[-1])
        path = folder / f"{config.name}-{name}.safetensors"
        save_denoiser(network, schedule, kind, path, facts)
        written.append(path)
        if onnx:
            export_onnx(path, path.with_suffix(".onnx"))
            written.append(path.with_suffix(".onnx"))
    return written


def _check_fresh(config: TrainConfig, number: int, digest: str, stage: str) -> None:
    """Refuse a stage 4 that learnt from other motions than those of stage 3 now."""
    motions = _motions_file(config, number)
    if motions.is_file() and file_digest(motions) != digest:
        raise ConfigError(
            f"{config.folder / stage} learnt from other motions than {motions} holds now.",
            f"Train it anew: delete {config.folder / stage} and run `mvlift-train stage4`.",
        )


def _mean_network(
    config: TrainConfig, subject: Subject, kind: str, stages: list[str]
) -> tuple[MotionDenoiser, CosineSchedule, dict[str, Any]]:
    """Mean weights of one or several stages' networks, with steps and seconds of all of them."""
    networks = [trained_network(config, subject, kind, stage, torch.device("cpu")) for stage in stages]
    network, schedule, facts = networks[-1]
    states = [n.state_dict() for n, _, _ in networks]
    network.load_state_dict({k: torch.stack([s[k] for s in states]).mean(0) for k in states[0]})
    sums = {key: sum(f[key] for _, _, f in networks) for key in ("steps", "seconds")}
    return network, schedule, {**facts, **sums}


def run_all(config: TrainConfig, allow_changes: bool = False) -> None:
    """All four stages, with self-training rounds, and the export into the run's folder by the first rank."""
    stage1(config, allow_changes)
    for number in range(1, max(1, config.stage3.rounds) + 1):
        stage2(config, number)
        stage3(config, number)
        stage4(config, number, allow_changes)
    fabric = fabric_for(config)
    if fabric.is_global_zero:
        for path in export(config, config.folder / "export"):
            _console.print(f"wrote {path}")
    fabric.barrier()
