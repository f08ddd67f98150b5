"""Body rotations from mocap joint positions: the pose prior's training data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mvlift.bodies import default_human_skeleton
from mvlift.bodies.fit import FitOptions, FitTargets, fit_body
from mvlift.bodies.rig import get_rig
from mvlift.errors import KeypointError
from numpy.typing import NDArray
from rich.progress import track

__all__ = ["MocapPoses", "solve_mocap"]

CONSTRUCTED = ("eye", "ear", "toe", "heel")
"""Keypoints that most mocap skeletons lack and data sets make up: trusted less."""


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


def solve_mocap(path: Path, cache: Path, every: int = 3) -> MocapPoses:
    """Fit the default skeleton to 3D keypoints (``points3d`` z up, metres); kept in a cache file.

    Args:
        path: npz with ``points3d names start length fps``.
        cache: .npz to write, and to read when it exists.
        every: use every n-th frame.

    Raises:
        KeypointError: a key is missing.
    """
    if not cache.is_file():
        with np.load(path, allow_pickle=False) as data:
            missing = {"points3d", "names", "start", "length", "fps"} - set(data.files)
            if missing:
                raise KeypointError(f"{path}: keys {sorted(missing)} are missing.", "See docs/training.md.")
            names = tuple(str(n) for n in data["names"])
            points, rate = data["points3d"].astype(np.float64), float(data["fps"]) / every
            rows = [slice(int(s), int(s) + int(n), every) for s, n in zip(data["start"], data["length"], strict=True)]
        skeleton, rig = default_human_skeleton().with_keypoints(names), get_rig("human")
        sigma = np.array([0.06 if any(p in n for p in CONSTRUCTED) else 0.02 for n in names])
        limbs = [i for i, n in enumerate(names) if sigma[i] < 0.05 and n != "nose"]
        rotations, clips, errors = [], [], []
        for number, r in enumerate(track(rows, description="mocap to rotations")):
            target = points[r]
            if len(target) < 4:
                continue
            known = np.isfinite(target).all(-1)
            spread = np.where(known, sigma, np.inf)
            wanted = FitTargets(np.nan_to_num(target), spread, np.array([0.0, 0.0, 1.0]), rate)
            fitted = fit_body(skeleton, rig, wanted, FitOptions(iterations=14, contacts=False))
            rotations.append(fitted.rotations[:, 1:22].astype(np.float32))
            clips.append(np.full(len(target), number))
            errors.append(np.linalg.norm(fitted.points - target, axis=-1)[:, limbs].mean(1).astype(np.float32))
        temporary = cache.with_suffix(".tmp.npz")
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            temporary,
            rotations=np.concatenate(rotations),
            clip=np.concatenate(clips),
            error=np.concatenate(errors),
        )
        temporary.replace(cache)
    with np.load(cache) as data:
        return MocapPoses(data["rotations"], data["clip"], data["error"])
