"""The `mvlift-train` command: data sets, the four stages, export, baselines and evaluation."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from mvlift.errors import MvliftError
from mvlift.files import DISK_ERRORS
from mvlift.threads import wait_asleep

from mvlift_training.console import failed, stderr_console

__all__ = ["main"]

_DISK_REMEDY = "Make room or choose another folder; the run goes on from what is there."


@dataclass(frozen=True)
class Prepare:
    """Turn keypoint files of any supported format into a 2D data set."""

    inputs: tyro.conf.Positional[list[Path]]
    """Files or folders."""
    output: Path
    """The .npz to write."""
    subject: str = "human"
    """Whose keypoints are kept."""
    fps: float = 30.0
    """Frame rate of files that do not say theirs."""
    width: int = 0
    """Picture width of files that do not say theirs; 0 guesses from the keypoints."""
    height: int = 0
    """Picture height, likewise."""
    min_frames: int = 40
    """Shortest stretch that is kept."""
    min_seen: float = 0.6
    """Least share of keypoints seen."""
    smoothing: float = 1.0
    """Strength of the cleaning."""
    licence: str = ""
    """Of the footage; kept with every sequence."""


@dataclass(frozen=True)
class Combine:
    """Make one 2D data set from several, or from a part of them."""

    inputs: tyro.conf.Positional[list[str]]
    """FILE, FILE:SET,SET for some of its sets, FILE@3 for every third sequence."""
    output: Path
    """The .npz to write."""


@dataclass(frozen=True)
class Stage:
    """Run a stage; a run found in the config's folder is resumed."""

    config: Path
    """YAML file, such as training/mvlift_training/configs/human.yaml."""
    round: int = 1
    """Self-training round (stages 2 to 4)."""
    allow_changes: bool = False
    """Go on with stage 1 or 4 although the config has changed since it was begun."""


@dataclass(frozen=True)
class Run:
    """Run all four stages with the config's self-training rounds, and export the weights."""

    config: Path
    """YAML file."""
    allow_changes: bool = False
    """Go on with stages 1 and 4 although the config has changed since they were begun."""


@dataclass(frozen=True)
class Export:
    """Write a run's weights as safetensors."""

    config: Path
    """YAML file of the run."""
    folder: Path
    """Where to."""
    onnx: bool = False
    """Also as ONNX models with 16-bit weights, the form in which they are lifted with."""


STOPPED = 75
"""Exit code of a training that a signal stopped: sysexits.h's "temporary failure", on which a batch script requeues."""
OTHERS = """Build data sets, train, evaluate. Further commands, each with its own --help:
animals, objects (data sets of our own making), prior (the pose prior), fid (features of the FID column),
elepose (the ElePose baseline), evaluate (the validation table), convert-results (other systems' files for it)."""

Command = (
    Annotated[Prepare, tyro.conf.subcommand("prepare")]
    | Annotated[Combine, tyro.conf.subcommand("combine")]
    | Annotated[Stage, tyro.conf.subcommand("stage1")]
    | Annotated[Stage, tyro.conf.subcommand("stage2")]
    | Annotated[Stage, tyro.conf.subcommand("stage3")]
    | Annotated[Stage, tyro.conf.subcommand("stage4")]
    | Annotated[Run, tyro.conf.subcommand("all")]
    | Annotated[Export, tyro.conf.subcommand("export")]
)


def _prepare(options: Prepare) -> None:
    from mvlift.lifting.subjects import get_subject

    from mvlift_training.prepare import PrepareOptions, prepare

    size = (options.width, options.height) if options.width and options.height else None
    chosen = PrepareOptions(
        fps=options.fps,
        image_size=size,
        min_frames=options.min_frames,
        min_seen=options.min_seen,
        smoothing=options.smoothing,
        licence=options.licence,
    )
    console = stderr_console()
    count = prepare(options.inputs, options.output, get_subject(options.subject), chosen, console)
    console.print(f"{count} sequences in {options.output}")


def _stage(name: str, options: Stage) -> None:
    from mvlift_training import stages
    from mvlift_training.config import load_config

    config = load_config(options.config)
    match name:
        case "stage1":
            stages.stage1(config, options.allow_changes)
        case "stage2":
            stages.stage2(config, options.round)
        case "stage3":
            stages.stage3(config, options.round)
        case _:
            stages.stage4(config, options.round, options.allow_changes)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0 done, 1 failed with a message, 2 wrong usage, 75 stopped by a signal with a
    checkpoint written, so that running the same command again goes on."""
    wait_asleep()  # before torch is loaded
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["prior"]:
        from mvlift_training.prior import main as prior_main

        return int(prior_main(words[1:]) or 0)
    if words[:1] == ["animals"]:
        from mvlift_training.animals.build import main as animals_main

        return animals_main(words[1:])
    if words[:1] == ["objects"]:
        from mvlift_training.interaction.build import main as objects_main

        return objects_main(words[1:])
    if words[:1] == ["evaluate"]:
        from mvlift_training.evaluation.cli import main as evaluate_main

        return int(evaluate_main(words[1:]) or 0)
    if words[:1] == ["convert-results"]:
        from mvlift_training.evaluation.converters import main as convert_main

        return convert_main(words[1:])
    if words[:1] == ["fid"]:
        from mvlift_training.evaluation.fid import main as fid_main

        return int(fid_main(words[1:]) or 0)
    if words[:1] == ["elepose"]:
        from mvlift_training.elepose import main as elepose_main

        return int(elepose_main(words[1:]) or 0)
    command = tyro.cli(Command, args=words, prog="mvlift-train", description=OTHERS)  # type: ignore[arg-type, var-annotated]
    try:
        match command:
            case Prepare():
                _prepare(command)
            case Combine():
                from mvlift_training.combine import combine

                count = combine(command.inputs, command.output)
                stderr_console().print(f"{count} sequences in {command.output}")
            case Stage():
                _stage(words[0], command)
            case Run():
                from mvlift_training import stages
                from mvlift_training.config import load_config

                stages.run_all(load_config(command.config), command.allow_changes)
            case Export():
                from mvlift_training import stages
                from mvlift_training.config import load_config
                from mvlift_training.runtime import first_process

                if first_process():  # several, under srun, would write the same files
                    stages.export(load_config(command.config), command.folder, command.onnx)
    except MvliftError as error:
        code = failed(error)
        return STOPPED if type(error).__name__ == "TrainingStopped" else code
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        return failed(MvliftError(f"{error.filename} cannot be written ({error.strerror}).", _DISK_REMEDY))
    finally:
        if isinstance(command, (Stage, Run)) and "torch" in sys.modules:
            from mvlift_training.runtime import leave_group

            leave_group()
    return 0
