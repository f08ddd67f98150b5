"""Quality of a lift over time: curves on the armature, markers and the list of doubtful parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from mvlift.motion import LiftedMotion

from ..motion.doubts import Doubt, frame_confidence, frame_error, merged_runs
from ..motion.timing import Timing, resample_values
from .animation import Curves

__all__ = ["CONFIDENCE", "ERROR", "keep_doubts", "key_quality", "mark_doubts", "replace_doubts"]

CONFIDENCE: Final = "mvlift_confidence"
ERROR: Final = "mvlift_reprojection_error"


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


def mark_doubts(curves: Curves, doubts: Sequence[Doubt], timing: Timing) -> int:
    """Put a pair of pose markers round every part with doubts; returns how many parts there are."""
    doubtful = np.zeros(timing.count, bool)
    for doubt in doubts:
        doubtful[doubt.first : doubt.last + 1] = True
    runs = merged_runs(doubtful)
    for number, (first, last) in enumerate(runs, 1):
        for label, sample in (("check", first), ("ok", last + 1)):
            marker = curves.action.pose_markers.new(f"{label} {number}")
            marker.frame = round(timing.frame_at(sample))
    return len(runs)


def keep_doubts(action: Any, doubts: Sequence[Doubt], timing: Timing) -> None:
    """Keep the doubtful parts with an Action, for the panel's list; nothing where the extension is not enabled."""
    rows = getattr(action, "mvlift_doubts", None)
    if rows is None:
        return
    for doubt in doubts:
        row = rows.add()
        row.kind, row.value, row.joint = doubt.kind, doubt.value, doubt.joint
        row.first, row.last, row.worst = (timing.frame_at(n) for n in (doubt.first, doubt.last, doubt.worst))


def replace_doubts(action: Any, doubts: Sequence[Doubt], timing: Timing, frames: tuple[float, float]) -> None:
    """Exchange the doubtful parts that lie within scene frames, because those were lifted again.

    Args:
        action: that has them.
        doubts: of the new motion.
        timing: where the new motion's samples lie in the scene.
        frames: first and last scene frame that was exchanged.
    """
    rows = getattr(action, "mvlift_doubts", None)
    if rows is None:
        return
    inside = [i for i, row in enumerate(rows) if frames[0] <= row.worst <= frames[1]]
    for index in reversed(inside):
        rows.remove(index)
    keep_doubts(action, [d for d in doubts if frames[0] <= timing.frame_at(d.worst) <= frames[1]], timing)
    order = sorted(range(len(rows)), key=lambda i: rows[i].first)
    for target, _ in enumerate(order):
        source = min(range(target, len(rows)), key=lambda i: rows[i].first)
        rows.move(source, target)
