"""Jumps that no body makes are found, bridged, marked and listed; fast movement is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from actions import make_action, project
from mvlift.bodies.pops import find_pops
from mvlift.lifting.pipeline import lift
from mvlift.lifting.world import bridged_stretches


def path(fps: float, seconds: float = 2.0) -> np.ndarray:
    """(T, 2, 3): one keypoint swings with 60 m/s^2 at its fastest, the other one moves slowly."""
    time = np.arange(round(seconds * fps)) / fps
    points = np.zeros((len(time), 2, 3))
    points[:, 0, 0] = 60 / (2 * np.pi * 3) ** 2 * np.sin(2 * np.pi * 3 * time)
    points[:, 1, 1] = 0.2 * time
    return points


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
def test_a_jump_is_found_where_it_is_and_a_fast_swing_is_none(fps: float) -> None:
    points = path(fps)
    assert not find_pops(points, fps).any()
    at = round(fps)
    points[at : at + round(0.1 * fps), 1, 2] += 0.4  # away for a tenth of a second
    pops = find_pops(points, fps)
    assert not pops[:, 0].any()
    assert pops[at, 1]
    assert pops[:, 1].mean() < 0.25
    assert np.flatnonzero(pops[:, 1]).min() > at - 0.2 * fps


def test_stretches_are_listed_by_keypoint_and_frame_of_the_video() -> None:
    flags = np.zeros((20, 2), dtype=bool)
    flags[3:5, 1] = flags[10:12, 0] = True
    assert bridged_stretches(flags, ("nose", "l_wrist"), 100) == [
        {"keypoint": "l_wrist", "first": 103, "last": 104},
        {"keypoint": "nose", "first": 110, "last": 111},
    ]
    assert bridged_stretches(None, ("nose",), 0) == []


def test_a_wrist_that_is_detected_elsewhere_for_some_frames_does_not_jump() -> None:
    clip, _, _ = project(make_action("seated", 90))
    wrist = clip.layout.names.index("l_wrist")
    points = clip.points.copy()
    points[40:44, wrist] += [220.0, -160.0]
    motion = lift(replace(clip, points=points), preset="fast", seed=0)
    column = motion.keypoints[:, motion.keypoint_names.index("l_wrist")]
    assert np.linalg.norm(np.diff(column, 2, axis=0), axis=-1).max() * 900 < 120


def test_without_pins_what_rests_is_still_said_to_rest() -> None:
    clip, _, _ = project(make_action("seated", 60))
    free = lift(clip, preset="fast", seed=0, pin_contacts=False)
    held = lift(clip, preset="fast", seed=0)
    heel = held.keypoint_names.index("l_heel")

    def slip(points: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(points[:, heel], axis=0), axis=-1).mean())

    assert (free.contacts[:, free.contact_names.index("l_heel")] > 0.5).mean() > 0.8
    assert slip(held.keypoints) < 0.5 * slip(free.keypoints)
