"""What `mvlift lift` can write, and who writes it: this package, or Blender in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mvlift.errors import MvliftError
from mvlift.keypoints.clip import KeypointClip
from mvlift.motion import LiftedMotion

__all__ = ["BLENDER_FORMATS", "OWN_FORMATS", "People", "blender_command", "labelled", "write_motion"]

People = list[tuple[KeypointClip, LiftedMotion]]
OWN_FORMATS: Final = (".npz", ".bvh", ".png")
BLENDER_FORMATS: Final = (".blend", ".fbx", ".glb", ".usd")
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
    for i, (clip, motion) in enumerate(motions):
        target = output if i == 0 else output.with_stem(f"{output.stem}.{clip.track_id}")
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
    if blender is None:
        if find_spec("bpy") is None or find_spec("mvlift_blender") is None:
            raise MvliftError("Blender's formats need Blender.", _HOW)
        return [sys.executable, "-m", "mvlift_blender.headless"]
    if "python" in blender.name.lower():
        return [str(blender), "-m", "mvlift_blender.headless"]
    return [str(blender), "--background", "--command", "mvlift"]


def _write_by_blender(motions: People, output: Path, blender: Path | None, body: Path | None) -> None:
    command = blender_command(blender)
    with tempfile.TemporaryDirectory(prefix="mvlift-") as folder:
        files = [labelled(*pair).save(Path(folder) / f"{i}.npz") for i, pair in enumerate(motions)]
        arguments = ["write", *map(str, files), "--output", str(output.resolve())]
        arguments += ["--body", str(body.resolve())] if body is not None else []
        try:
            done = subprocess.run([*command, *arguments], capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise MvliftError(f"{command[0]} cannot be started ({error.strerror}).", _HOW) from error
    if done.returncode or not output.is_file():
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        mine = [line.removeprefix("mvlift: ") for line in said if line.startswith("mvlift: ")]
        raise MvliftError(f"Blender did not write {output.name}: {(mine or said or ['it said nothing'])[-1]}", _HOW)
