"""People of a 2D data set, lifted, with boxes of our own making, as training data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tyro
from mvlift.errors import MvliftError
from mvlift.files import whole_file
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.typing import F64
from rich.console import Console
from rich.progress import track

from mvlift_training.console import failed, stderr_console
from mvlift_training.interaction.boxes import Scene, make_scene
from mvlift_training.interaction.footage import filmed
from mvlift_training.interaction.people import lift_people
from mvlift_training.motion_library import bones_to_keypoints, write_motion_library

__all__ = ["InteractionOptions", "build", "main", "varied"]

TRIES: Final = 5


@dataclass(frozen=True)
class InteractionOptions:
    """How the data is made."""

    subject: str = "human+box"
    """Person with object, by name or file."""
    variants: int = 3
    """Scenes for each person sequence."""
    limb_spread: float = 0.06
    """Standard deviation of limb length factors."""
    preset: str = "fast"
    """Of the lift of the people."""
    seed: int = 1
    """Of everything random."""


@dataclass(frozen=True)
class _Command(InteractionOptions):
    """Make footage of people with boxes: free motion, lifted, with a box of our own making between the hands."""

    data: Path = Path("data/human/train_2d.npz")
    """2D data set of people."""
    folder: Path = Path("runs/human-box/data")
    """Where people.npz, motions.npz and train_2d.npz go."""


def varied(rng: np.random.Generator, points: F64, subject: Subject, spread: float) -> F64:
    """A person's keypoints (T, K, 3) with limbs of other lengths, feet as high as before."""
    names, matrix = subject.layout.names, bones_to_keypoints(subject)[:-1, :-1]
    root = points[:, [names.index(n) for n in subject.root]].mean(1, keepdims=True)
    factor = 1 + spread * rng.normal(size=len(names))
    factor = 0.5 * (factor + factor[subject.layout.mirrored()])
    bones = np.einsum("pq,tqc->tpc", np.linalg.inv(matrix), points - root) * factor[:, None]
    made = np.einsum("pq,tqc->tpc", matrix, bones) + root
    feet = [names.index(n) for n in subject.contacts]
    made[..., 2] += np.percentile(points[:, feet, 2], 5) - np.percentile(made[:, feet, 2], 5)
    return np.asarray(made)


def _scene(rng: np.random.Generator, points: F64, subject: Subject, spread: float) -> Scene | None:
    for _ in range(TRIES):
        scene = make_scene(rng, varied(rng, points, subject, spread), subject.layout.names)
        if scene is not None:
            return scene
    return None


def build(data: Path, folder: Path, options: InteractionOptions, console: Console) -> int:
    """Write ``people.npz`` (kept if it is there), ``motions.npz`` for stage 4 and ``train_2d.npz`` for stage 1.

    Args:
        data: 2D data set of people.
        folder: where to.
        options: see there.
        console: for the report.

    Returns:
        Number of scenes.
    """
    subject = get_subject(options.subject)
    folder.mkdir(parents=True, exist_ok=True)
    people = folder / "people.npz"
    if not people.is_file():
        lift_people(data, people, subject.alone, options.preset, options.seed, console)
    with np.load(people, allow_pickle=False) as file:
        points, fps = file["points3d"].astype(np.float64), float(file["fps"])
        rows = [slice(int(s), int(s) + int(n)) for s, n in zip(file["start"], file["length"], strict=True)]
    rng = np.random.default_rng(options.seed)
    scenes = []
    for row in track(rows * options.variants, "scenes", console=console):
        scene = _scene(rng, points[row], subject.alone, options.limb_spread)
        if scene is not None:
            scenes.append(np.concatenate([scene.points, scene.corners], 1))
    write_motion_library(folder / "motions.npz", scenes, subject.layout.names, fps)
    _write_2d(rng, folder / "train_2d.npz", scenes, subject, fps)
    console.print(f"{len(scenes)} scenes, {sum(map(len, scenes))} frames")
    return len(scenes)


def _write_2d(rng: np.random.Generator, path: Path, scenes: list[F64], subject: Subject, fps: float) -> None:
    views = [filmed(rng, scene) for scene in scenes]
    lengths = np.array([len(v.pixels) for v in views])
    with whole_file(path) as part:
        np.savez_compressed(
            part,
            names=np.array(subject.layout.names),
            fps=np.float32(fps),
            start=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
            length=lengths,
            image_size=np.array([v.image_size for v in views]),
            clip=np.array([f"scene{i}" for i in range(len(views))]),
            xy=np.concatenate([v.pixels for v in views]).astype(np.float32),
        )


def main(arguments: list[str]) -> int:
    """`mvlift-train objects`."""
    options = tyro.cli(_Command, args=arguments, prog="mvlift-train objects")
    console = stderr_console()
    try:
        build(options.data, options.folder, options, console)
    except MvliftError as error:
        return failed(error)
    return 0
