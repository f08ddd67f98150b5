"""A dog that trots, by formula, with SMAL's joints."""

# ruff: noqa: E501  the tables read better with a row a line

from __future__ import annotations

from fractions import Fraction

import numpy as np
from mvlift.kinematics.quaternions import from_matrix, to_vector
from mvlift.motion import Camera, LiftedMotion

from mvlift_blender.motion.rig_data import rig_data

_ROWS = """
pelvis - 0 0 0 | pelvis0 pelvis .05 0 .01 | spine pelvis0 .08 0 .02 | spine0 spine .09 0 .01 | spine1 spine0 .09 0 0
spine2 spine1 .09 0 0 | spine3 spine2 .08 0 .01
LLeg1 spine3 .02 .06 -.06 | LLeg2 LLeg1 -.04 0 -.14 | LLeg3 LLeg2 .01 0 -.17 | LFoot LLeg3 .02 0 -.07
RLeg1 spine3 .02 -.06 -.06 | RLeg2 RLeg1 -.04 0 -.14 | RLeg3 RLeg2 .01 0 -.17 | RFoot RLeg3 .02 0 -.07
Neck spine3 .09 0 .07 | Head Neck .1 0 .09
LLegBack1 pelvis .01 .06 -.04 | LLegBack2 LLegBack1 .05 0 -.16 | LLegBack3 LLegBack2 -.07 0 -.13 | LFootBack LLegBack3 .03 0 -.1
RLegBack1 pelvis .01 -.06 -.04 | RLegBack2 RLegBack1 .05 0 -.16 | RLegBack3 RLegBack2 -.07 0 -.13 | RFootBack RLegBack3 .03 0 -.1
Tail1 pelvis -.06 0 .03 | Tail2 Tail1 -.05 0 0 | Tail3 Tail2 -.05 0 0 | Tail4 Tail3 -.05 0 0 | Tail5 Tail4 -.05 0 0
Tail6 Tail5 -.05 0 0 | Tail7 Tail6 -.05 0 0 | Mouth Head .08 0 -.02 | LEar Head 0 .04 .05 | REar Head 0 -.04 .05
"""
ROWS = [row.split() for line in _ROWS.strip().splitlines() for row in line.split("|")]
NAMES = tuple(row[0] for row in ROWS)
PARENTS = tuple(-1 if row[1] == "-" else NAMES.index(row[1]) for row in ROWS)


def trot(frames: int = 30, fps: Fraction = Fraction(30)) -> LiftedMotion:
    """A dog that trots along +X; x runs along the body, z is up."""
    rest = np.zeros((len(NAMES), 3))
    for j, row in enumerate(ROWS):
        rest[j] = np.array(row[2:], float) + (rest[PARENTS[j]] if PARENTS[j] >= 0 else 0)
    t = np.arange(frames) / float(fps)
    swing = 0.35 * np.sin(2 * np.pi * 1.5 * t)
    rotations = np.zeros((frames, len(NAMES), 3))
    for name, sign in (("LLeg1", 1), ("RLeg1", -1), ("LLegBack1", -1), ("RLegBack1", 1)):
        rotations[:, NAMES.index(name), 1] = sign * swing
        rotations[:, NAMES.index(name[:-1] + "2"), 1] = 0.3 * sign * swing
    for i in range(1, 8):
        rotations[:, NAMES.index(f"Tail{i}"), 2] = 0.1 * np.sin(6 * t + i)
    rotations[:, NAMES.index("spine1"), 2] = 0.2 * swing
    rotations[:, NAMES.index("Head"), 1] = 0.2 * np.sin(4 * t)
    translation = np.stack([0.8 * t, 0 * t, 0.46 + 0.01 * np.cos(6 * np.pi * t)], -1)
    # from the dog's own axes (x front, y left, z up) to those of the body's kind
    body = np.stack([rig_data("smal").to_armature.T @ axis for axis in ([0, -1, 0], [1, 0, 0], [0, 0, 1])], -1)
    rest, rotations = rest @ body.T, rotations @ body.T
    rotations[:, 0] = to_vector(from_matrix(body.T))
    none = np.zeros((frames, 0))
    return LiftedMotion(
        body="smal", joint_names=NAMES, parents=PARENTS, rest_joints=rest.astype(np.float32), betas=np.zeros(20, np.float32),
        translation=translation.astype(np.float32), rotations=rotations.astype(np.float32),
        keypoints=np.zeros((frames, 0, 3), np.float32), keypoint_names=(), keypoint_confidence=none.astype(np.float32),
        reprojection_error=none.astype(np.float32), contacts=none.astype(np.float32), contact_names=(),
        camera=Camera(np.diag([900.0, 900, 1]).astype(np.float32), np.eye(3, dtype=np.float32), np.array([0, 0, 4], np.float32), (640, 360)),
        fps=fps,
    )  # fmt: skip
