"""Body rotations from mocap joint positions: the pose prior's training data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.fit import FitOptions, FitTargets, fit_body
from mvlift.bodies.kinematic_model import get_kinematic_model
from mvlift.errors import KeypointError
from mvlift.files import whole_file
from numpy.typing import NDArray
from rich.progress import track

from mvlift_training.arrays import read_arrays
from mvlift_training.motion_data import file_digest

__all__ = ["MocapPoses", "solve_mocap"]

CONSTRUCTED = ("eye", "ear", "toe", "heel")
"""Keypoints that most mocap skeletons lack and data sets make up: trusted less."""
SHORTEST: Final = 4
"""Poses in a clip that can be fitted."""
_KEYS: Final = ("points3d", "names", "start", "length", "fps")


@dataclass(frozen=True, eq=False)
class MocapPoses:
    """Poses of many clips.

    Attributes:
        rotations: (N, 21, 3, 3) body joints relative to their parents.
        clip: (N,) number of the clip.
        error: (N,) metres, mean distance of the limb keypoints to the mocap.
    """

    rotations: NDArray[np.float32]
    clip: NDArray[np.int64]
    error: NDArray[np.float32]


def solve_mocap(path: Path, cache: Path, stride: int = 3) -> MocapPoses:
    """Fit the default skeleton to 3D keypoints (``points3d`` z up, metres); kept in a cache file.

    Args:
        path: npz with ``points3d names start length fps``.
        cache: .npz to write, and to read when it is of the same data and frames.
        stride: use every n-th frame.

    Raises:
        KeypointError: no such file, it is damaged, a key is missing, or no clip is long enough.
    """
    data = read_arrays(path, _KEYS, "mocap file", "See docs/training.md.")
    made_from = np.array([file_digest(path), str(stride)])
    if cache.is_file():
        saved = read_arrays(cache, (), "file of solved poses", "Delete it.")
        if np.array_equal(saved.get("made_from", ""), made_from):
            return MocapPoses(saved["rotations"], saved["clip"], saved["error"])
    poses = _solved(data, path, stride)
    with whole_file(cache) as part:
        np.savez(part, rotations=poses.rotations, clip=poses.clip, error=poses.error, made_from=made_from)
    return poses


def _solved(data: dict[str, NDArray[Any]], path: Path, stride: int) -> MocapPoses:
    names = tuple(str(n) for n in data["names"])
    points, rate = data["points3d"].astype(np.float64), float(data["fps"]) / stride
    rows = [slice(int(s), int(s) + int(n), stride) for s, n in zip(data["start"], data["length"], strict=True)]
    skeleton, kinematic_model = default_human_skeleton().with_keypoints(names), get_kinematic_model("human")
    sigma = np.array([0.06 if any(p in n for p in CONSTRUCTED) else 0.02 for n in names])
    limbs = [i for i, n in enumerate(names) if sigma[i] < 0.05 and n != "nose"]
    rotations, clips, errors = [], [], []
    for number, r in enumerate(track(rows, description="mocap to rotations")):
        target = points[r]
        if len(target) < SHORTEST:
            continue
        known = np.isfinite(target).all(-1)
        spread = np.where(known, sigma, np.inf)
        wanted = FitTargets(np.nan_to_num(target), spread, np.array([0.0, 0.0, 1.0]), rate)
        fitted = fit_body(skeleton, kinematic_model, wanted, FitOptions(iterations=14, contacts=False))
        rotations.append(fitted.rotations[:, 1:22].astype(np.float32))
        clips.append(np.full(len(target), number))
        errors.append(np.linalg.norm(fitted.points - target, axis=-1)[:, limbs].mean(1).astype(np.float32))
    if not rotations:
        raise KeypointError(
            f"{path}: no clip has {SHORTEST * stride} frames.", "Give longer ones or a smaller --stride."
        )
    return MocapPoses(np.concatenate(rotations), np.concatenate(clips), np.concatenate(errors))
