"""`mvlift lift | detect | inspect | convert | models`."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, make_dataclass
from fractions import Fraction
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_origin

import tyro
from rich.console import Console

from mvlift.errors import MvliftError, UsageError
from mvlift.files import DISK_ERRORS
from mvlift.lifting.options import RETIRED_PRESETS, option_fields, option_help, option_type
from mvlift.threads import limit_environment

__all__ = ["main"]


@dataclass(frozen=True)
class Reading:
    """How a keypoint file is read, where recognition is wrong."""

    layout: str = ""
    """Keypoint layout, where the guess is wrong."""
    format: str = ""
    """Reader, where the guess is wrong."""
    mirrored: bool = False
    """The picture was mirrored, before or after detection, as selfie cameras do: it is turned back."""
    pixel_aspect: float | None = None
    """Width of the video's pixels by their height, where they are not square: 1.4222 for PAL in 16:9."""


@dataclass(frozen=True)
class DetectorChoice:
    """How people are detected in a video."""

    detector: str = "blazepose"
    """blazepose, blazepose-heavy (slower, steadier), rtmpose or rtmw (both with rtmlib installed)."""
    detect_hands: bool = False
    """Detect 21 points of each hand too."""
    max_people: int = 0
    """At most so many people a frame, the largest; 0 for no limit."""
    detector_threads: int = 0
    """Processor threads of the detector; 0 takes up to four."""


@dataclass(frozen=True)
class VideoFacts(Reading):
    """What a keypoint file rarely says."""

    fps: str = ""
    """Frames per second of the video: 25, 29.97 or 30000/1001."""
    image_size: str = ""
    """Width and height of the video in pixels: 1920x1080."""


_SPELT_OTHERWISE: Final = ("models", "rigid_object")
"""Options of a lift that the command line makes from several arguments."""
_METAVAR = {"fps": "RATE", "image_size": "WxH", "frames": "FIRST-LAST", "body": "FILE"}
_METAVAR |= {"tilt": "DEGREES", "up": "X,Y,Z", "horizon": "X1,Y1,X2,Y2", "verticals": "X1,Y1,...,X4,Y4"}
_METAVAR |= {"constraints": "FILE", "start_from": "FILE"}


def _argument(name: str, default: Any) -> tuple[str, Any, Any]:
    """One option of a lift as a field whose type tyro reads; rates, sizes and ranges are typed as text."""
    kind, optional = option_type(name)
    if kind is Fraction or get_origin(kind) is tuple:
        kind = str
    described = tyro.conf.arg(help=option_help()[name], metavar=_METAVAR.get(name))
    return name, Annotated[kind | None if optional else kind, described], field(default=default)


_LiftArguments = make_dataclass(
    "_LiftArguments",
    [_argument(f.name, f.default) for f in option_fields() if f.name not in _SPELT_OTHERWISE],
    frozen=True,
    kw_only=True,
)


@dataclass(frozen=True, kw_only=True)
class Lift(_LiftArguments):  # type: ignore[misc, valid-type]
    """Lift videos or 2D keypoints to 3D motion."""

    inputs: tyro.conf.Positional[list[Path]]
    """Videos, folders of pictures, keypoint files, folders or zips; a folder of such clips with --batch."""
    output: Annotated[list[Path], tyro.conf.arg(aliases=["-o"])]
    """Files to write (.npz .bvh .png .blend .fbx .glb .usd). For several inputs: a folder, with --extensions."""
    batch: bool = False
    """Every file and folder inside the inputs is a clip."""
    person: str = "best"
    """Which person: best, all, or a track's name."""
    weights: Path | None = None
    """Weights of your own training (.safetensors or .onnx of stage 4 or 1) instead of those that come with MVLift."""
    object_points: Path | None = None
    """2D keypoints of the object, where they are in a file of their own (point tracks, another detector)."""
    object_shape: Path | None = None
    """The object's named points in metres: .json, .csv (name,x,y,z), or .obj for the corners of its bounding box."""
    object_size: tuple[float, float, float] | None = None
    """Edges of the box in metres along its x, y and z, where they are known."""
    object_name: str = ""
    """What to call the object."""
    extensions: list[str] = field(default_factory=lambda: ["npz"])
    """What to write for each clip when the output is a folder."""
    jobs: int = 1
    """Clips lifted at once."""
    shard: str = ""
    """This machine's part of the clips, such as 3/16 for the third of sixteen: for job arrays."""
    executor: Literal["", "local", "slurm"] = ""
    """Hand the clips out: slurm to a cluster's jobs, local to processes of this machine (with submitit installed)."""
    workers: int = 4
    """Jobs that --executor starts, each with its part of the clips."""
    executor_parameters: list[str] = field(default_factory=list)
    """Of the jobs, as submitit names them: timeout_min=600 slurm_partition=gpu gpus_per_node=1."""
    report: Path | None = None
    """A .json or .csv about every clip of the batch, written at its end."""
    overwrite: bool = False
    """Lift clips again whose output files exist."""
    timings: bool = False
    """Print one JSON object per clip to standard output: seconds of each stage, loading the model apart."""
    blender: Path | None = None
    """Writes .blend .fbx .glb .usd: a Python with Blender as a module, or a Blender with this extension."""
    reading: tyro.conf.OmitArgPrefixes[Reading] = Reading()
    detector: tyro.conf.OmitArgPrefixes[DetectorChoice] = DetectorChoice()

    @property
    def video(self) -> VideoFacts:
        """What was typed about the video."""
        return VideoFacts(**asdict(self.reading), fps=self.fps or "", image_size=self.image_size or "")


@dataclass(frozen=True)
class Detect:
    """Detect the people of videos: their 2D keypoints, and a video with the skeletons over the frames."""

    inputs: tyro.conf.Positional[list[Path]]
    """Videos, or folders of pictures."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """A .npz, .csv, .json (COCO) or .zip (OpenPose); a folder for several videos."""
    preview: Path | None = None
    """A video to write with the skeletons over the frames (.mp4)."""
    frames: str = ""
    """Frame range, such as 120-480."""
    fps: str = ""
    """Frames per second of a folder of pictures, or instead of the video's own."""
    extension: str = "npz"
    """What to write for each video when the output is a folder."""
    overwrite: bool = False
    """Detect anew in videos whose output is there."""
    detector: tyro.conf.OmitArgPrefixes[DetectorChoice] = DetectorChoice()


@dataclass(frozen=True)
class Inspect:
    """Say what keypoint files were recognised as."""

    inputs: tyro.conf.Positional[list[Path]]
    """Files, folders or zips."""
    json: bool = False
    """One JSON object per input instead of text."""
    video: tyro.conf.OmitArgPrefixes[VideoFacts] = VideoFacts()


@dataclass(frozen=True)
class Convert:
    """Write a clip in another keypoint format."""

    input: tyro.conf.Positional[Path]
    """File, folder or zip."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """A folder or .zip (OpenPose), a .json (COCO), a .csv (plain table) or a .npz."""
    person: str = "all"
    """Which person: best, all, or a track's name."""
    video: tyro.conf.OmitArgPrefixes[VideoFacts] = VideoFacts()


@dataclass(frozen=True)
class Models:
    """List the weights that come with MVLift."""


@dataclass(frozen=True)
class Retarget:
    """Put motions on rigs, or say what a rig is recognised as: done by Blender, see `mvlift retarget --help`."""

    blender: Path | None = None
    """A Python with Blender as a module, or a Blender with this extension."""


Command = (
    Annotated[Lift, tyro.conf.subcommand("lift")]
    | Annotated[Detect, tyro.conf.subcommand("detect")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Models, tyro.conf.subcommand("models")]
    | Annotated[Retarget, tyro.conf.subcommand("retarget")]
)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; the exit code is 0 when everything worked, 1 when something failed, 2 for wrong arguments."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["retarget"]:
        sys.exit(_in_blender(words))
    limit_environment()  # before numpy is loaded
    words, notes = _with_current_preset(words)
    command: Command = tyro.cli(Command, prog="mvlift", args=words)  # type: ignore[call-overload,arg-type]
    for stream in (sys.stdout, sys.stderr):  # a terminal of cp1252 or ASCII shows what it can of a file's name
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    console = Console(stderr=True, highlight=False, markup=False)  # names of files keep their brackets
    for note in notes:
        console.print(f"mvlift: {note}", soft_wrap=True)
    try:
        failed = _run(command, console)
    except MvliftError as error:
        console.print(f"mvlift: {error}", style="red", soft_wrap=True)
        failed = 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        console.print(f"mvlift: {error.filename or 'A file'} cannot be written ({error.strerror}).", style="red")
        failed = 1
    except KeyboardInterrupt as error:
        console.print("mvlift: interrupted; no partial file was left")
        failed = 143 if type(error) is not KeyboardInterrupt else 130
    sys.exit(failed)


def _with_current_preset(words: list[str]) -> tuple[list[str], list[str]]:
    """A command's words with the preset that is used now in place of an earlier version's, and what to say of it."""
    current, notes = list(words), []
    for row, word in enumerate(words):
        name = word.removeprefix("--preset=") if word.startswith("--preset=") else word
        if name in RETIRED_PRESETS and (name != word or words[row - 1 : row] == ["--preset"]):
            current[row] = word.removesuffix(name) + RETIRED_PRESETS[name]
            notes.append(f"the preset {name!r} is no longer there: {RETIRED_PRESETS[name]!r} is used")
    return current, notes


def _in_blender(arguments: list[str]) -> int:
    from mvlift.commands.in_blender import run_in_blender

    try:
        return run_in_blender(arguments)
    except MvliftError as error:
        Console(stderr=True, highlight=False, markup=False).print(f"mvlift: {error}", style="red", soft_wrap=True)
        return 1


def _run(command: Command, console: Console) -> int:
    if isinstance(command, Lift):
        from mvlift.commands.lift import run_lift

        return run_lift(command, console)
    if isinstance(command, Detect):
        from mvlift.commands.detect import run_detect

        return run_detect(command, console)
    if isinstance(command, Inspect):
        from mvlift.commands.inspect import run_inspect

        return run_inspect(command, console)
    if isinstance(command, Convert):
        from mvlift.commands.inspect import run_convert

        return run_convert(command, console)
    from mvlift.commands.inspect import run_models

    return run_models(console)
