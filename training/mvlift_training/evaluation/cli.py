"""`mvlift-train evaluate`: the validation table."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import tyro
from mvlift.errors import ModelError, MvliftError
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.models import describe_model
from mvlift.threads import thread_limit
from rich.console import Console
from rich.progress import Progress

from mvlift_training.config import ConfigError
from mvlift_training.console import failed, stderr_console
from mvlift_training.evaluation.data import Sequence, in_layout, load_validation
from mvlift_training.evaluation.fid import (
    WINDOW,
    FeatureNetwork,
    features,
    frechet_distance,
    load_features,
    picture_features,
)
from mvlift_training.evaluation.methods import Setting, external, method, method_names
from mvlift_training.evaluation.metrics import Prediction
from mvlift_training.evaluation.table import Method, Scores, markdown, run_row, write_scores
from mvlift_training.motion_data import file_digest

__all__ = ["EvaluateOptions", "evaluate", "main"]

DEFAULT_ROWS = ("flat", "full", "stage 1 only", "stage 2 only", "SMPLify")
SUMMARY = ("t_root", "t_root_axis", "mpjpe", "pa_mpjpe", "pa_mpjpe_clip", "j2d", "j2d_c", "fid", "acceleration",
           "skating", "gravity", "confidence", "mirrored", "failed")  # fmt: skip
SHORT = ("t_root", "mpjpe", "pa_mpjpe", "gravity")
PICTURE = ("j2d", "j2d_c", "fid", "failed")
OBJECT_SUMMARY = ("t_root", "mpjpe", "pa_mpjpe", "t_root_object", "o_mpjpe", "hand", "t_root_axis", "j2d", "mirrored")


@dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated."""

    data: Path = Path("data/human/validation_realistic.npz")
    """Validation npz; without 3D truth only J2D, J2D^C and FID are measured."""
    subject: str = "human"
    """What is lifted."""
    rows: tuple[str, ...] = DEFAULT_ROWS
    """Rows by name; "all" for every one."""
    external: dict[str, Path] = field(default_factory=dict)
    """Name and folder of other systems' results."""
    models: dict[str, str] = field(default_factory=dict)
    """Role (line, multiview) and weights, instead of the shipped ones."""
    inputs: tuple[Literal["clean", "noisy"], ...] = ("clean", "noisy")
    """Which inputs."""
    frames: int | None = None
    """Only the first so many frames of each sequence."""
    stride: Annotated[int, tyro.conf.arg(aliases=["--every"])] = 1
    """Only each n-th sequence."""
    seed: int = 0
    """Of sampling."""
    device: str = "cpu"
    """Of the networks."""
    threads: int = 0
    """CPU threads, 0 for the number that was measured to be best."""
    sds_iterations: int = 5000
    """Of the rows that distil."""
    elepose: Path = Path("runs/elepose/elepose.safetensors")
    """Weights of the ElePose row."""
    categories: bool = False
    """Print MPJPE by category too."""
    sets: bool = False
    """Print a table for each set of motions too."""
    neighbours: tuple[str, ...] = ("skillmimic",)
    """Sets whose other takes were trained on: the table is printed again without them."""
    fid_features: Path | None = None
    """Feature extractor of the FID column (`mvlift-train fid`); None: the one for people that comes along."""
    output: Path | None = None
    """JSON of every number."""


def _fid(
    network: FeatureNetwork, predictions: list[Prediction | None], sequences: list[Sequence], subject: Subject
) -> float:
    """FID of the motions' other views: against those of the truth, or where there is none, against the pictures."""
    made = [p.points for p in predictions if p is not None and len(p.points) >= WINDOW]
    true = [s.truth for s in sequences if len(s.truth) >= WINDOW and s.has_truth]
    if not made:
        return float("nan")
    real = features(network, true, subject) if true else picture_features(network, sequences, subject)
    if len(real) < 2:
        return float("nan")
    return frechet_distance(features(network, made, subject), real)


def _needed(subject: Subject) -> tuple[str, ...] | None:
    """Data of people with objects may lack their toes."""
    return (*subject.score_keypoints, *subject.rigid) if subject.rigid else None


def noise_distance(sequences: list[Sequence], subject: Subject) -> float:
    """Median distance in pixels between noisy and clean keypoints of the scored joints that were found: what
    J2D is compared with."""
    columns = [sequences[0].names.index(n) for n in subject.score_keypoints]
    distances = [
        np.where(s.noisy_confidence > 0, np.linalg.norm(s.noisy - s.clean, axis=-1), np.nan) for s in sequences
    ]
    distance = np.concatenate(distances)[:, columns]
    return float(np.nanmedian(distance)) if np.isfinite(distance).any() else float("nan")


def _extractor(options: EvaluateOptions, subject: Subject, console: Console) -> FeatureNetwork | None:
    """Feature extractor of the FID column; None, with a printed note, where there is none."""
    try:
        if options.fid_features is not None:
            return load_features(options.fid_features, len(subject.layout.names))
        if subject.name == "human":
            return load_features()
        raise ModelError(f"there are no features of {subject.name}.", "Train them with `mvlift-train fid`.")
    except ModelError as error:
        console.print(f"FID left out: {error}", style="yellow")
        return None


def _check(options: EvaluateOptions) -> None:
    counts = {
        "--stride": options.stride,
        "--frames": 1 if options.frames is None else options.frames,
        "--sds-iterations": options.sds_iterations,
    }
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"{name} is {value}.", "Give at least 1.")


def _methods(rows: tuple[str, ...], setting: Setting, console: Console) -> dict[str, Method]:
    """The rows by name; those whose weights are missing are left out with a printed note.

    Raises:
        ModelError: a name is not known, or no row is left.
    """
    methods: dict[str, Method] = {}
    missing: ModelError | None = None
    for name in method_names(setting) if rows == ("all",) else rows:
        try:
            methods[name] = method(name, setting)
        except ModelError as error:
            if name not in method_names(setting):
                raise
            console.print(f"Row {name} left out: {error}", style="yellow", markup=False)
            missing = error
    if missing is not None and not methods:
        raise missing
    return methods


def evaluate(options: EvaluateOptions, console: Console) -> list[Scores]:
    """Run every row on every input.

    Raises:
        MvliftError: data or weights are missing, or an option is out of range.
    """
    _check(options)
    subject = get_subject(options.subject)
    loaded = load_validation(options.data, options.frames, options.stride)
    sequences = in_layout(loaded, subject.layout, _needed(subject))
    setting = Setting(subject, options.models, options.device, options.sds_iterations, options.elepose)
    methods = _methods(options.rows, setting, console)
    methods |= {name: external(folder, setting) for name, folder in options.external.items()}
    extractor = _extractor(options, subject, console)
    if "noisy" in options.inputs and not any(np.isfinite(s.noisy).any() for s in sequences):
        raise ConfigError(f"{options.data} has no noisy input.", "Evaluate with --inputs clean.")
    scores = []
    with Progress(console=console, transient=True) as progress:
        for name, run in methods.items():
            for kind in options.inputs:
                row, predictions = run_row(name, run, sequences, subject, kind == "noisy", options.seed, progress)
                if extractor is not None:
                    row.extra["fid"] = _fid(extractor, predictions, sequences, subject)
                scores.append(row)
                console.print(f"{name} {kind}: MPJPE {row.value('mpjpe'):.1f} PA {row.value('pa_mpjpe'):.1f} "
                              f"T_root {row.value('t_root'):.1f} failed {len(row.failed)}")  # fmt: skip
    return scores


def _facts(options: EvaluateOptions, subject: Subject) -> dict[str, Any]:
    models: dict[str, Any] = {}
    for role in ("line", "multiview", "prior"):
        name = options.models.get(role, subject.models.get(role, ""))
        try:
            models[role] = {"name": name, **describe_model(name).get("provenance", {})}
        except ModelError:
            models[role] = None
    return {
        "data": options.data.name,
        "digest": file_digest(options.data),
        "seed": options.seed,
        "frames": options.frames,
        "stride": options.stride,
        "mvlift": version("mvlift"),
        "torch": torch.__version__,
        "models": models,
    }


def main(arguments: list[str]) -> int:
    """`mvlift-train evaluate`."""
    options = tyro.cli(EvaluateOptions, args=arguments, prog="mvlift-train evaluate")
    console = stderr_console()
    try:
        with thread_limit(options.threads or None):
            scores = evaluate(options, console)
        subject = get_subject(options.subject)
        loaded = load_validation(options.data, options.frames, options.stride)
        noise = noise_distance(in_layout(loaded, subject.layout, _needed(subject)), subject)
    except MvliftError as error:
        return failed(error)
    print(f"seed {options.seed}; {options.data.name}; means over sequences; noise of the noisy input {noise:.2f} px\n")
    print(_tables(options, scores, subject))
    if options.output is not None:
        write_scores(options.output, scores, {**_facts(options, subject), "noise_px": noise})
    return 0


def _tables(options: EvaluateOptions, scores: list[Scores], subject: Subject) -> str:
    """The printed tables: all sequences, without neighbours, medians, by set and by category."""
    sets = {str(c.get("set", "")) for s in scores for c in s.clips}
    in_space = any(np.isfinite(s.value("mpjpe")) for s in scores)
    summary = (OBJECT_SUMMARY if subject.rigid else SUMMARY) if in_space else PICTURE
    parts = [markdown(scores, summary)]
    others = sets - set(options.neighbours)
    if others and others != sets:
        parts += [f"\nwithout {', '.join(sorted(sets - others))}, other takes of which were trained on\n",
                  markdown(scores, summary, sets=others)]  # fmt: skip
    lasting = [k for k in summary if k not in ("fid", "mirrored", "confidence", "failed")]
    parts += ["\nmedians over sequences\n", markdown(scores, lasting, "median")]
    short = SHORT if in_space else PICTURE[:2]
    if options.sets:
        for name in sorted(sets):
            parts += [f"\n{name}\n", markdown(scores, short, sets={name})]
    if options.categories:
        for category in sorted({c["category"] for s in scores for c in s.clips}):
            parts += [f"\n{category}\n", markdown(scores, short, category=category)]
    return "\n".join(parts)
