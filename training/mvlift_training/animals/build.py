"""`mvlift-train animals`: footage to train on, 3D motion for stage 4, and a validation set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tyro
from mvlift.errors import KeypointError, MvliftError
from mvlift.lifting.subjects import Subject, get_subject
from rich.console import Console

from mvlift_training.animals.footage import AnimalOptions, Footage, own_footage, real_footage, write_footage
from mvlift_training.animals.gaits import FPS
from mvlift_training.animals.species import kinds_of
from mvlift_training.animals.validation import write_validation
from mvlift_training.console import failed, stderr_console
from mvlift_training.motion_library import write_motion_library

__all__ = ["build", "main"]


def _write_library(path: Path, footage: list[Footage], motions: Path | None, names: tuple[str, ...]) -> int:
    """3D motions of our own animals, and those that stage 3 made of 2D; returns their number.

    Raises:
        KeypointError: stage 3's file is not there or has other keypoints.
    """
    library = [f.points3d for f in footage if f.points3d is not None]
    if motions is not None:
        if not motions.is_file():
            raise KeypointError(f"{motions} does not exist.", "Run `mvlift-train stage3` first.")
        with np.load(motions, allow_pickle=False) as data:
            if tuple(str(n) for n in data["names"]) != names:
                raise KeypointError(f"{motions} has other keypoints.", "Name the motions of the same subject.")
            for first, length in zip(data["start"], data["length"], strict=True):
                library.append(data["points3d"][int(first) : int(first) + int(length)].astype(np.float64))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_motion_library(path, library, names, FPS)
    return len(library)


def _report(console: Console, footage: list[Footage], path: Path) -> None:
    minutes = sum(len(f.xy) for f in footage) / FPS / 60
    console.print(f"{len(footage)} sequences, {minutes:.1f} minutes in {path}")


def _write_training(
    path: Path, made: list[Footage], subject: Subject, options: AnimalOptions, console: Console
) -> None:
    footage = list(made)
    for real in options.real:
        sequences = real_footage(real, subject, options.licences)
        console.print(f"{real.name}: {len(sequences)} sequences")
        footage += sequences * options.repeat
    if not footage:
        raise KeypointError("There is nothing to write.", "Give --sequences or --real.")
    write_footage(path, footage, subject.layout.names)
    _report(console, footage, path)


def build(options: AnimalOptions, console: Console) -> None:
    """Make the animals and write every file that is asked for.

    Raises:
        MvliftError: no file or no animal is asked for, or real footage or motions are missing or of other keypoints.
    """
    if options.output is None and options.validation is None and options.library is None:
        raise KeypointError("No file is asked for.", "Give --output, --validation or --library.")
    if options.real and options.output is None:
        raise KeypointError("Real footage goes into the set to train on, which is not asked for.", "Give --output.")
    subject = get_subject(options.subject)
    made = [own_footage(subject, options, i) for i in range(options.sequences)]
    if options.output is not None:
        _write_training(options.output, made, subject, options, console)
    if options.validation is not None:
        write_validation(options.validation, made, subject, options.seed, kinds_of(options.species).kinds)
        _report(console, made, options.validation)
    if options.library is not None:
        count = _write_library(options.library, made, options.motions, subject.layout.names)
        console.print(f"{count} motions in {options.library}")


def main(arguments: list[str]) -> int:
    """`mvlift-train animals`."""
    options = tyro.cli(AnimalOptions, args=arguments, prog="mvlift-train animals")
    console = stderr_console()
    try:
        build(options, console)
    except MvliftError as error:
        return failed(error)
    return 0
