"""Results of other systems, in the files that their public demos write, as rows of the table (``evaluate --external``).

MotionBERT (``infer_wild.py``): ``X3D.npy`` (T, 17, 3), Human3.6M's joints in camera axes, y down.
WHAM (``demo.py --save_pkl``): ``wham_output.pkl``, which joblib writes: a ``defaultdict`` with, per person,
``pose_world`` (T, 72), ``trans_world`` (T, 3), ``betas`` and ``frame_ids``, y up.
GVHMR (``demo.py``): ``hmr4d_results.pt``, ``smpl_params_global`` with ``global_orient``, ``body_pose``, ``transl`` and
``betas``, y up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import tyro
from mvlift.errors import KeypointError, MvliftError
from mvlift.files import whole_file
from mvlift.keypoints.layouts import get_layout
from mvlift.keypoints.sources import Source
from mvlift.kinematics.rotations import exp_map
from mvlift.lifting.body_of import body_of
from mvlift.lifting.subjects import Subject, get_subject
from mvlift.typing import F64

from mvlift_training.console import failed, stderr_console
from mvlift_training.evaluation.data import Sequence, load_validation

__all__ = ["ConvertOptions", "SystemName", "convert_results", "main", "read_result"]

SystemName = Literal["motionbert", "wham", "gvhmr"]
FILES: Final[dict[str, str]] = {"motionbert": "X3D.npy", "wham": "wham_output.pkl", "gvhmr": "hmr4d_results.pt"}
CAMERA_TO_WORLD: Final = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""x right, y down, z forward -> x right, y forward, z up."""
UPRIGHT: Final = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""y up -> z up."""
BODY_JOINTS: Final = 22
HEAD_POINTS: Final = dict.fromkeys(("nose", "r_eye", "l_eye", "r_ear", "l_ear"), "upper_neck")
"""Human3.6M's point between neck and top of the head, where MotionBERT's demo puts the detected nose."""
FOOT_POINTS: Final = ("big_toe", "small_toe", "heel")


def _motionbert(path: Path, subject: Subject, body: str | None) -> tuple[F64, F64]:
    """Keypoints (T, K, 3), z up, and the frames that they are of; what Human3.6M has not is taken from the nearest."""
    try:
        joints = np.load(path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError) as error:
        raise KeypointError(f"{path}: not an array ({error}).", "Give infer_wild.py's X3D.npy.") from error
    names = get_layout("h36m17").names
    if joints.ndim != 3 or joints.shape[1:] != (len(names), 3):
        raise KeypointError(f"{path}: {joints.shape}, not (T, 17, 3).", "Give infer_wild.py's X3D.npy.")
    columns = []
    for name in subject.layout.names:
        side, _, part = name.partition("_")
        ankle = f"{side}_ankle" if part in FOOT_POINTS else name
        columns.append(names.index(HEAD_POINTS.get(name, ankle)))
    return joints[:, columns] @ CAMERA_TO_WORLD.T, np.arange(len(joints), dtype=np.float64)


def _posed(turns: F64, translation: F64, betas: F64, subject: Subject, body: str | None) -> F64:
    """Keypoints of a body with the joints' axis-angles (T, J, 3), y up, turned to z up."""
    skeleton = body_of(subject, body)[0]
    rotations = np.tile(np.eye(3), (len(turns), len(skeleton.joint_names), 1, 1))
    count = min(BODY_JOINTS, turns.shape[1])
    rotations[:, :count] = exp_map(turns[:, :count].reshape(-1, 3)).reshape(len(turns), count, 3, 3)
    shape = np.zeros(skeleton.shape_joints.shape[2])
    if body is not None:
        shape[: min(len(betas), len(shape))] = betas[: len(shape)]
    return np.asarray(skeleton.posed(shape, rotations, translation)[1] @ UPRIGHT.T)


def _wham(path: Path, subject: Subject, body: str | None) -> tuple[F64, F64]:
    """The person who is there longest."""
    content = Source(path, path.suffix, [str(path)]).unpickled
    needed = {"pose_world", "trans_world", "betas", "frame_ids"}
    people = [p for p in content.values() if isinstance(p, dict)] if isinstance(content, dict) else []
    people = [p for p in people if needed <= p.keys()]
    if not people:
        raise KeypointError(f"{path}: no person with {', '.join(sorted(needed))}.", "Give WHAM's wham_output.pkl.")
    person = max(people, key=lambda p: len(np.asarray(p["frame_ids"]).reshape(-1)))
    turns = np.asarray(person["pose_world"], np.float64).reshape(-1, 24, 3)
    betas = np.asarray(person["betas"], np.float64).reshape(len(turns), -1).mean(0)
    points = _posed(turns, np.asarray(person["trans_world"], np.float64).reshape(-1, 3), betas, subject, body)
    return points, np.asarray(person["frame_ids"], np.float64).reshape(-1)


def _gvhmr(path: Path, subject: Subject, body: str | None) -> tuple[F64, F64]:
    content = Source(path, path.suffix, [str(path)]).unpickled
    world = content.get("smpl_params_global") if isinstance(content, dict) else None
    needed = {"global_orient", "body_pose", "transl", "betas"}
    if not isinstance(world, dict) or not needed <= world.keys():
        raise KeypointError(f"{path}: no smpl_params_global.", "Give GVHMR's hmr4d_results.pt.")
    arrays = {key: np.asarray(world[key], np.float64) for key in needed}
    frames = len(arrays["transl"])
    turns = np.concatenate(
        [arrays["global_orient"].reshape(frames, 1, 3), arrays["body_pose"].reshape(frames, -1, 3)], 1
    )
    betas = arrays["betas"].reshape(-1, arrays["betas"].shape[-1]).mean(0)
    return _posed(turns, arrays["transl"], betas, subject, body), np.arange(frames, dtype=np.float64)


_READERS: Final[dict[str, Callable[[Path, Subject, str | None], tuple[F64, F64]]]] = {
    "motionbert": _motionbert, "wham": _wham, "gvhmr": _gvhmr,
}  # fmt: skip


def read_result(system: SystemName, path: Path, frames: int, subject: Subject, body: str | None = None) -> F64:
    """Keypoints (T, K, 3) of a system's file, z up; frames that it lacks are held from their neighbours.

    Args:
        system: whose file.
        path: of the file.
        frames: T of the sequence.
        subject: whose keypoints.
        body: the user's SMPL file; None poses the default body, whose proportions the table's one scale takes out.

    Raises:
        KeypointError: the file is missing, damaged, or of something else.
    """
    if not path.is_file():
        raise KeypointError(f"{path}: there is no such result.", f"Name a folder with SEQUENCE/{FILES[system]}.")
    points, numbers = _READERS[system](path, subject, body)
    if len(points) != len(numbers) or not len(points):
        raise KeypointError(f"{path}: {len(points)} poses of {len(numbers)} frames.", "Run the system again.")
    order = np.argsort(numbers, kind="stable")
    nearest = np.abs(np.arange(frames)[:, None] - numbers[order][None]).argmin(1)
    return np.asarray(points[order][nearest])


@dataclass(frozen=True)
class ConvertOptions:
    """Turn the results of another system into files for `evaluate --external`."""

    system: SystemName
    """Who made them."""
    results: Path
    """Folder with the system's file in SEQUENCE/ for each clip: the validation's names with "/" as "_"."""
    output: Path
    """Folder to write."""
    data: Path = Path("data/human/validation_realistic.npz")
    """Validation npz that was evaluated."""
    noisy: bool = True
    """Whether the system saw the noisy input."""
    body: str | None = None
    """The user's SMPL file, which WHAM and GVHMR pose; None: the default body."""
    subject: str = "human"
    """What was lifted."""


def _stem(sequence: Sequence) -> str:
    return sequence.name.replace("/", "_")


def convert_results(options: ConvertOptions) -> int:
    """Write one file for each sequence; returns their number.

    Raises:
        MvliftError: data or a result is missing or damaged.
    """
    subject = get_subject(options.subject)
    sequences = load_validation(options.data)
    for sequence in sequences:
        path = options.results / _stem(sequence) / FILES[options.system]
        points = read_result(options.system, path, len(sequence.clean), subject, options.body)
        suffix = ".noisy.npz" if options.noisy else ".npz"
        with whole_file(options.output / f"{_stem(sequence)}{suffix}") as part:
            np.savez(part, points3d=points)
    return len(sequences)


def main(arguments: list[str]) -> int:
    """`mvlift-train convert-results`."""
    options: Any = tyro.cli(ConvertOptions, args=arguments, prog="mvlift-train convert-results")
    console = stderr_console()
    try:
        console.print(f"{convert_results(options)} results in {options.output}")
    except MvliftError as error:
        return failed(error)
    return 0
