"""How far each part of a lift can be trusted: property curves on the armature and markers in its Action."""

from __future__ import annotations

from typing import Any

import numpy as np
from mvlift.motion import LiftedMotion
from mvlift.typing import F64

from ..motion.timing import Timing, resample_values
from .animation import Curves

__all__ = ["CONFIDENCE", "ERROR", "doubtful_runs", "frame_confidence", "frame_error", "key_quality", "mark_doubtful"]

CONFIDENCE = "mvlift_confidence"
ERROR = "mvlift_reprojection_error"


def frame_confidence(motion: LiftedMotion) -> F64:
    """(T,) mean confidence of a frame's keypoints, in [0, 1]."""
    if motion.keypoint_confidence.shape[1] == 0:
        return np.ones(len(motion))
    return np.asarray(motion.keypoint_confidence, dtype=np.float64).mean(1)


def frame_error(motion: LiftedMotion) -> F64:
    """(T,) median reprojection error of a frame's keypoints in pixels, 0 where nothing was given."""
    error = np.asarray(motion.reprojection_error, dtype=np.float64)
    given = np.isfinite(error).any(1) if error.shape[1] else np.zeros(len(motion), bool)
    median = np.zeros(len(motion))
    median[given] = np.nanmedian(error[given], axis=1)
    return median


def doubtful_runs(confidence: F64, error: F64, least_confidence: float, most_error: float) -> list[tuple[int, int]]:
    """Runs of frames (first, last) with low confidence or a high error, bridged over gaps of up to three frames."""
    doubtful = (confidence < least_confidence) | (error > most_error)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], doubtful, [False]]).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for first, stop in edges.reshape(-1, 2):
        if runs and first - runs[-1][1] <= 4:
            runs[-1] = (runs[-1][0], int(stop) - 1)
        else:
            runs.append((int(first), int(stop) - 1))
    return runs


def key_quality(armature: Any, motion: LiftedMotion, timing: Timing, curves: Curves) -> None:
    """Key confidence and reprojection error as custom properties of the armature object."""
    facts = {
        CONFIDENCE: (frame_confidence(motion), "Mean confidence of the keypoints behind this frame", 1.0),
        ERROR: (frame_error(motion), "Median distance in pixels between the body's and the given keypoints", 1e4),
    }
    for name, (values, description, highest) in facts.items():
        armature[name] = float(values[0])
        armature.id_properties_ui(name).update(description=description, min=0.0, max=highest)
        column = resample_values(values, timing.samples)[:, None]
        curves.write(f'["{name}"]', timing.frames, column, group="MVLift")


def mark_doubtful(
    curves: Curves, motion: LiftedMotion, timing: Timing, least_confidence: float, most_error: float
) -> int:
    """Put a pair of pose markers round every run of doubtful frames; returns how many runs there are."""
    runs = doubtful_runs(frame_confidence(motion), frame_error(motion), least_confidence, most_error)
    scale = float(timing.fps / timing.clip_fps)
    for number, (first, last) in enumerate(runs, 1):
        for label, sample in (("check", first), ("ok", last + 1)):
            marker = curves.action.pose_markers.new(f"{label} {number}")
            marker.frame = round(timing.start + sample * scale)
    return len(runs)
