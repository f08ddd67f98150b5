"""The rows of the table for a person with an object."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from mvlift.lifting.objects.fit import ObjectOptions
from mvlift.lifting.objects.keypoints import object_clip
from mvlift.lifting.objects.shape import ObjectShape, box_shape
from mvlift.lifting.objects.solve import body_part, solve_object, with_object
from mvlift.lifting.pipeline import lift
from mvlift.lifting.prepared import PreparedClip, prepare_clip
from mvlift.lifting.subjects import Subject

from mvlift_training.evaluation.data import Sequence
from mvlift_training.evaluation.methods import fit_pixels, flat_row, prediction
from mvlift_training.evaluation.metrics import Prediction
from mvlift_training.evaluation.table import Method

if TYPE_CHECKING:
    from mvlift_training.evaluation.methods import Setting

__all__ = ["object_rows"]


def true_shape(sequence: Sequence, subject: Subject) -> ObjectShape:
    """The subject's box with the edges of the true one: what a user who has the object knows."""
    shape = box_shape(subject)
    corners = sequence.truth[:, [sequence.names.index(n) for n in shape.names]]
    local = shape.points - shape.points.mean(0)
    linear = np.einsum("tpa,pb->tab", corners - corners.mean(1, keepdims=True), local) @ np.linalg.inv(local.T @ local)
    return replace(shape, size=np.median(np.linalg.norm(linear, axis=1), axis=0))


def _lifted(setting: Setting, known: bool, alone: bool = False) -> Method:
    models = {"multiview": "", "line": ""} if alone else setting.models

    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        began, subject = time.perf_counter(), setting.subject
        rigid_object = true_shape(sequence, subject) if known else None
        clip = sequence.clip(noisy, subject.layout)
        motion = lift(
            clip,
            subject=subject,
            seed=seed,
            models=models,
            device=setting.device,
            rigid_object=rigid_object,
        )
        return prediction(motion, began)

    return run


def _smplify(setting: Setting, known: bool) -> Method:
    """2D reprojection for both: the person with pose prior and contacts, the object beside it, smooth and rigid."""
    subject = setting.subject

    def run(sequence: Sequence, noisy: bool, seed: int) -> Prediction:
        began = time.perf_counter()
        prepared = prepare_clip(sequence.clip(noisy, subject.layout), subject, None, None, None, 1.0)
        body_clip: PreparedClip = body_part(prepared, subject)
        fitted, motion = fit_pixels(body_clip, subject.alone)
        shape = true_shape(sequence, subject) if known else box_shape(subject)
        seen = object_clip(prepared.raw, shape, 1.0)
        object_fit = solve_object(shape, seen, body_clip, fitted, None, subject, ObjectOptions(contacts=False))
        return prediction(with_object(motion, object_fit, shape, seen), began)

    return run


def object_rows(setting: Setting) -> dict[str, Callable[[], Method]]:
    """Rows by name; "size known" means that the object's true edges were given."""
    return {
        "flat": lambda: flat_row(setting),
        "full": lambda: _lifted(setting, known=False),
        "full, size known": lambda: _lifted(setting, known=True),
        "person's model": lambda: _lifted(setting, known=False, alone=True),
        "person's model, size known": lambda: _lifted(setting, known=True, alone=True),
        "SMPLify": lambda: _smplify(setting, known=False),
        "SMPLify, size known": lambda: _smplify(setting, known=True),
    }
