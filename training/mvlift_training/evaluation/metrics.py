"""Errors of one clip's prediction, all in millimetres or pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from mvlift.lifting.subjects import Subject
from mvlift.typing import F64

from mvlift_training.evaluation.alignment import align, procrustes
from mvlift_training.evaluation.data import Sequence

__all__ = ["LABELS", "Prediction", "collapsed", "confidence_and_error", "gravity_error", "joint_errors", "measure"]

LABELS: Final = {
    "t_root": "T_root (mm)",
    "t_root_axis": "T_root per axis (mm)",
    "mpjpe": "MPJPE (mm)",
    "pa_mpjpe": "PA-MPJPE (mm)",
    "pa_mpjpe_clip": "PA-MPJPE clip (mm)",
    "t_root_metric": "T_root unscaled (mm)",
    "mpjpe_metric": "MPJPE unscaled (mm)",
    "j2d": "J2D (px)",
    "j2d_c": "J2D^C (px)",
    "acceleration": "acceleration (mm/frame²)",
    "skating": "skating (mm/frame)",
    "mirrored": "mirrored (share)",
    "gravity": "gravity (degrees)",
    "confidence": "confidence against error (Spearman)",
    "failed": "given up",
    "t_root_object": "T_root^O (mm)",
    "o_mpjpe": "O-MPJPE (mm)",
    "hand": "hand on object (mm)",
    "fid": "FID",
}
CONTACT_HEIGHT: Final = 0.12
CONTACT_SPEED: Final = 0.012


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a method says of a clip.

    Attributes:
        points: (T, K, 3) keypoints, z up, metres, in the subject's order.
        pixels: (T, K, 2) the same through the method's own camera, or None when it has none.
        seconds: that it took.
        up: (3,) against gravity in the axes of the method's camera, or None when it does not say.
        confidence: (T, K) in [0, 1] what the method says of its own keypoints, or None.
    """

    points: F64
    pixels: F64 | None
    seconds: float = 0.0
    up: F64 | None = None
    confidence: F64 | None = None


def _skating(points: F64, truth: F64, feet: list[int]) -> float:
    """Mean distance a frame that feet move while the true feet rest on the floor; NaN where they never do."""
    true_feet = truth[:, feet]
    if len(truth) < 2:
        return float("nan")
    speed = np.linalg.norm(np.diff(true_feet, axis=0), axis=-1)
    low = true_feet[1:, :, 2] < np.nanpercentile(true_feet[..., 2], 5) + CONTACT_HEIGHT
    rest = (speed < CONTACT_SPEED) & low
    if not rest.any():
        return float("nan")
    moved = np.linalg.norm(np.diff(points[:, feet], axis=0), axis=-1)
    return float(1000 * moved[rest].mean())


MAX_WRIST_SLIP: Final = 0.02
"""Largest change, metres, of the true distance between wrist and object during a grip."""


def _hand_slip(points: F64, truth: F64, wrists: list[int], rigid_object: list[int], fps: float) -> float:
    """Spread in mm of a wrist's distance from the object's centre over the longest stretch of at least a second in
    which the true distance stays within ``MAX_WRIST_SLIP``; mean over wrists, NaN where nothing is carried."""
    least, out = round(fps), []

    def centre_distance(p: F64, wrist: int) -> F64:
        return np.asarray(np.linalg.norm(p[:, wrist] - p[:, rigid_object].mean(1), axis=-1))

    moving = np.linalg.norm(np.gradient(truth[:, rigid_object].mean(1), axis=0), axis=-1) * fps > 0.05
    for wrist in wrists:
        true, made = centre_distance(truth, wrist), centre_distance(points, wrist)
        first, best = 0, (0, 0)
        for last in range(len(true)):
            while np.ptp(true[first : last + 1]) > MAX_WRIST_SLIP or not moving[first : last + 1].all():
                first += 1
                if first > last:
                    break
            best = max(best, (last + 1 - first, first))
        if best[0] >= least:
            out.append(float(np.std(made[best[1] : sum(best)])))
    return 1000 * float(np.mean(out)) if out else float("nan")


def _object_errors(fitted: F64, truth: F64, sequence: Sequence, subject: Subject) -> dict[str, float]:
    """Errors of an object's keypoints after the person's alignment; its root is their mean."""
    rigid_object = [sequence.names.index(n) for n in subject.rigid]
    made, true = fitted[:, rigid_object], truth[:, rigid_object]
    root, true_root = made.mean(1, keepdims=True), true.mean(1, keepdims=True)
    wrists = [sequence.names.index(n) for n in ("l_wrist", "r_wrist") if n in sequence.names]
    return {
        "t_root_object": float(1000 * np.linalg.norm(root - true_root, axis=-1).mean()),
        "o_mpjpe": float(1000 * np.linalg.norm(made - root - (true - true_root), axis=-1).mean()),
        "hand": _hand_slip(fitted, truth, wrists, rigid_object, float(sequence.fps)),
    }


def _columns(sequence: Sequence, subject: Subject) -> tuple[list[int], list[int]]:
    """Columns that are scored, and those whose mean is the root."""
    index = {n: i for i, n in enumerate(sequence.names)}
    return [index[n] for n in subject.score_keypoints], [index[n] for n in subject.root]


def _picture_errors(pixels: F64, sequence: Sequence, subject: Subject) -> dict[str, float]:
    """J2D and J2D^C against the clean keypoints, whatever the input was."""
    scored, root = _columns(sequence, subject)
    seen = np.asarray(np.isfinite(sequence.clean).all(-1))[:, scored]
    distance = np.linalg.norm(pixels[:, scored] - sequence.clean[:, scored], axis=-1)
    predicted_root, centre = (p[:, root].mean(1, keepdims=True) for p in (pixels, sequence.clean))
    centred = np.linalg.norm((pixels[:, scored] - predicted_root) - (sequence.clean[:, scored] - centre), axis=-1)
    use = seen & np.isfinite(centred)
    nothing = float("nan")
    return {
        "j2d": float(distance[seen].mean()) if seen.any() else nothing,
        "j2d_c": float(centred[use].mean()) if use.any() else nothing,
    }


def gravity_error(prediction: Prediction, sequence: Sequence) -> float:
    """Degrees between the predicted and the true direction against gravity, in the camera's axes; NaN if not said."""
    if prediction.up is None or not sequence.has_truth:
        return float("nan")
    true = sequence.R[:, 2]
    cosine = prediction.up @ true / (np.linalg.norm(prediction.up) * np.linalg.norm(true))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def joint_errors(prediction: Prediction, sequence: Sequence, subject: Subject) -> F64:
    """(T, S) millimetres of the scored joints about the root, after the clip's alignment: what MPJPE is the mean of."""
    scored, root = _columns(sequence, subject)
    fitted = align(prediction.points, sequence.truth, root, scored).apply(prediction.points)
    predicted = fitted[:, scored] - fitted[:, root].mean(1, keepdims=True)
    true = sequence.truth[:, scored] - sequence.truth[:, root].mean(1, keepdims=True)
    return np.asarray(1000 * np.linalg.norm(predicted - true, axis=-1))


def confidence_and_error(prediction: Prediction, sequence: Sequence, subject: Subject) -> tuple[F64, F64] | None:
    """Reported confidence and true error in millimetres of every scored joint of every frame, or None if not said."""
    if prediction.confidence is None or not sequence.has_truth:
        return None
    scored, _ = _columns(sequence, subject)
    return prediction.confidence[:, scored].ravel(), joint_errors(prediction, sequence, subject).ravel()


def collapsed(sequence: Sequence) -> Prediction:
    """Prediction that stands for a clip on which a method failed: all keypoints at one point that does not move."""
    return Prediction(np.zeros((*sequence.clean.shape[:2], 3)), None)


def measure(prediction: Prediction, sequence: Sequence, subject: Subject) -> dict[str, float]:
    """All errors of a prediction; see ``LABELS`` (FID and confidence, of a whole set, are not among them).

    Of a sequence without 3D truth only J2D and J2D^C are measured.
    """
    picture_errors = {"j2d": float("nan"), "j2d_c": float("nan")}
    if prediction.pixels is not None:
        picture_errors = _picture_errors(prediction.pixels, sequence, subject)
    if not sequence.has_truth:
        return picture_errors
    return {
        **_space_errors(prediction, sequence, subject),
        **picture_errors,
        "gravity": gravity_error(prediction, sequence),
    }


def _space_errors(prediction: Prediction, sequence: Sequence, subject: Subject) -> dict[str, float]:
    """Errors in space."""
    index = {n: i for i, n in enumerate(sequence.names)}
    scored, root = _columns(sequence, subject)
    feet = sorted({index[subject.contact_fallback.get(n, n)] for n in subject.contacts})
    truth, points = sequence.truth, prediction.points
    fitted = align(points, truth, root, scored).apply(points)
    metric = align(points, truth, root, scored, scale=False).apply(points)

    def root_error(p: F64) -> F64:
        return np.asarray(p[:, root].mean(1) - truth[:, root].mean(1))

    def local(p: F64) -> F64:
        return np.asarray(p[:, scored] - p[:, root].mean(1, keepdims=True))

    def distance(a: F64, b: F64) -> float:
        return float(1000 * np.linalg.norm(a - b, axis=-1).mean())

    aligned = procrustes(points[:, scored], truth[:, scored])
    mirrored = procrustes(points[:, scored] * [1, -1, 1], truth[:, scored])
    clip_aligned = procrustes(points[:, scored].reshape(1, -1, 3), truth[:, scored].reshape(1, -1, 3))
    out = {
        "t_root": float(1000 * np.linalg.norm(root_error(fitted), axis=-1).mean()),
        "t_root_axis": float(1000 * np.abs(root_error(fitted)).mean()),
        "mpjpe": float(joint_errors(prediction, sequence, subject).mean()),
        "pa_mpjpe": distance(aligned, truth[:, scored]),
        "pa_mpjpe_clip": distance(clip_aligned.reshape(aligned.shape), truth[:, scored]),
        "t_root_metric": float(1000 * np.linalg.norm(root_error(metric), axis=-1).mean()),
        "mpjpe_metric": distance(local(metric), local(truth)),
        "acceleration": distance(np.diff(fitted[:, scored], 2, axis=0), np.diff(truth[:, scored], 2, axis=0)),
        "skating": _skating(fitted, truth, feet),
        "mirrored": float(distance(mirrored, truth[:, scored]) < distance(aligned, truth[:, scored])),
    }
    return out | (_object_errors(fitted, truth, sequence, subject) if subject.rigid else {})
