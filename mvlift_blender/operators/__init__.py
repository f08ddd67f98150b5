"""Operators: each reads its settings, calls one function and reports."""

from __future__ import annotations

from . import (
    cleanup,
    doubts,
    engine,
    exchange,
    gravity,
    keypoints,
    people,
    poses,
    presets,
    reports,
    result,
    retarget,
    start,
    tracks,
    video,
)

__all__ = ["CLASSES"]

CLASSES = (
    *reports.CLASSES,
    *people.CLASSES,
    *start.CLASSES,
    *tracks.CLASSES,
    *keypoints.CLASSES,
    *gravity.CLASSES,
    *engine.CLASSES,
    *video.CLASSES,
    *result.CLASSES,
    *doubts.CLASSES,
    *poses.CLASSES,
    *presets.CLASSES,
    *cleanup.CLASSES,
    *retarget.CLASSES,
    *exchange.CLASSES,
)
