"""What `mvlift lift` can write, and who writes it: this package, or Blender in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mvlift.commands.batch.planning import person_paths
from mvlift.errors import MvliftError
from mvlift.files import temporary_folder, whole_file
from mvlift.keypoints.clip import KeypointClip
from mvlift.motion import LiftedMotion

__all__ = ["BLENDER_FORMATS", "FORMATS", "OWN_FORMATS", "People", "blender_command", "labelled", "write_motion"]

People = list[tuple[KeypointClip, LiftedMotion]]
OWN_FORMATS: Final = (".npz", ".bvh", ".png")
BLENDER_FORMATS: Final = (".blend", ".fbx", ".glb", ".usd")
FORMATS: Final = (*OWN_FORMATS, *BLENDER_FORMATS)
_BESIDE: Final = ".venv-bpy"
_HOW: Final = (
    "pip install 'mvlift[blender]' (Python 3.11), or give --blender: a Python with bpy and MVLift, or a Blender with "
    "the extension."
)


def write_motion(motions: People, output: Path, blender: Path | None = None, body: Path | None = None) -> None:
    """Write the lifted people of one clip to a file.

    Args:
        motions: the people.
        output: its extension says how.
        blender: writes Blender's formats: a Python with Blender as a module, or a Blender with the extension. None
            takes the running Python.
        body: the user's body model, for Blender's formats.

    Raises:
        MvliftError: the format is none of ours, needs what is not installed, or cannot be written.
    """
    suffix = output.suffix.lower()
    if suffix in BLENDER_FORMATS:
        _write_by_blender(motions, output, blender, body)
        return
    if suffix not in OWN_FORMATS:
        known = ", ".join([*OWN_FORMATS, *BLENDER_FORMATS])
        raise MvliftError(f"{output.name}: {suffix or 'no extension'} cannot be written.", f"Use one of {known}.")
    targets = person_paths(output, [clip.track_id for clip, _ in motions])
    for target, (clip, motion) in zip(targets, motions, strict=True):
        if suffix == ".png":
            _draw(motion, clip, target)
        else:
            motion.save(target)


def _draw(motion: LiftedMotion, clip: KeypointClip, target: Path) -> None:
    from mvlift.preview import draw_preview

    try:
        draw_preview(motion, clip, target)
    except OSError as error:
        raise MvliftError(f"{target} cannot be written ({error.strerror}).", "Choose another folder.") from error


def labelled(clip: KeypointClip, motion: LiftedMotion) -> LiftedMotion:
    """The motion with what is needed to find its keypoints again: file, person, a name for people."""
    stem = clip.source.stem if clip.source is not None else "Person"
    name = stem if clip.track_id in ("", "0") else f"{stem} {clip.track_id}"
    facts = {"name": name, "source": str(clip.source.resolve()) if clip.source else "", "track": clip.track_id}
    return replace(motion, metadata={**motion.metadata, **facts})


def blender_command(blender: Path | None) -> list[str]:
    """The command that MVLift's Blender side is reached by.

    Raises:
        MvliftError: there is no Blender.
    """
    if blender is None and find_spec("bpy") is not None and find_spec("mvlift_blender") is not None:
        return [sys.executable, "-m", "mvlift_blender.headless"]
    blender = blender or _installed_blender()
    if blender is None:
        raise MvliftError("Blender's formats need Blender.", _HOW)
    if "python" in blender.name.lower():
        return [str(blender), "-m", "mvlift_blender.headless"]
    return [str(blender), "--background", "--command", "mvlift"]


def _installed_blender() -> Path | None:
    """The environment with Blender that `make` sets up beside this one, else None."""
    beside = Path(sys.prefix).with_name(_BESIDE) / "bin" / "python"
    return beside if beside.is_file() else None


def _write_by_blender(motions: People, output: Path, blender: Path | None, body: Path | None) -> None:
    command = blender_command(blender)
    folder = temporary_folder()
    try:
        files = [labelled(*pair).save(folder / f"{i}.npz") for i, pair in enumerate(motions)]
        with whole_file(output.resolve()) as part:
            arguments = ["write", *map(str, files), "--output", str(part)]
            _run_blender(
                command, arguments + (["--body", str(body.resolve())] if body is not None else []), output, part
            )
    except OSError as error:
        raise MvliftError(f"{output} cannot be written ({error.strerror}).", "Choose another folder.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_blender(command: list[str], arguments: list[str], output: Path, part: Path) -> None:
    try:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise MvliftError(f"{command[0]} cannot be started ({error.strerror}).", _HOW) from error
    if done.returncode or not part.is_file():
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        mine = [line.removeprefix("mvlift: ") for line in said if line.startswith("mvlift: ")]
        why = (mine or said or ["it said nothing"])[-1].replace(part.name, output.name)
        raise MvliftError(f"Blender did not write {output.name}: {why}", _HOW)
