"""Parts of a body that may rest on something: points of its skin, or spheres about its joints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.filters import maximum_filter1d
from mvlift.typing import F64

__all__ = ["SEEN_SECONDS", "Support", "seen_supports", "supports_on", "with_supports"]

SEEN_SECONDS = 0.3
"""A part counts as seen for this many seconds before and after a detection."""


@dataclass(frozen=True)
class Support:
    """One part that may rest on the ground.

    Attributes:
        name: of the contact, a keypoint's where there is one.
        joint: whose bone it is fixed to.
        at: (x, y, z) metres from the joint at rest, to the skin or to the middle of a sphere.
        radius: metres of the sphere; 0 for a point of the skin.
        height: metres above the ground at which it is as likely to rest as not.
        seen: keypoints of which one has to be seen, or else no contact is claimed.
        raised: what may rest above the floor: "step" (feet), "seat", "bar" (hands) or "" for nothing.
    """

    name: str
    joint: str
    at: tuple[float, float, float]
    radius: float = 0.0
    height: float = 0.15
    seen: tuple[str, ...] = ()
    raised: str = ""


def supports_on(skeleton: BodySkeleton, contacts: tuple[str, ...]) -> tuple[Support, ...]:
    """Supports at the contact keypoints that a body has, where its kinematic model knows nothing of its skin."""
    supports = []
    for name in contacts:
        if name in skeleton.keypoint_names:
            row = skeleton.keypoint_names.index(name)
            joint = int(skeleton.point_weights[row].argmax())
            x, y, z = (float(v) for v in skeleton.rest_points[row] - skeleton.rest_joints[joint])
            supports.append(Support(name, skeleton.joint_names[joint], (x, y, z), seen=(name,)))
    return tuple(supports)


def with_supports(skeleton: BodySkeleton, supports: tuple[Support, ...]) -> BodySkeleton:
    """The same body with its supports as further keypoints, after its own; supports of joints that it lacks are not."""
    joints = [skeleton.joint_names.index(s.joint) for s in supports]
    at = np.array([s.at for s in supports], dtype=np.float64).reshape(-1, 3)
    places = skeleton.rest_joints[joints] + at
    moves = skeleton.shape_joints[joints]
    stature = skeleton.stature_direction()
    if stature is not None:  # the skin is further from the bone of a taller body
        moves[..., stature[0]] += stature[1] * at
    weights = np.eye(len(skeleton.joint_names))[joints]
    offsets, frames = skeleton.shape_offsets, skeleton.offset_joints
    if offsets is not None and frames is not None:
        offsets = np.concatenate([offsets, np.zeros((len(joints), *offsets.shape[1:]))])
        frames = np.concatenate([frames, np.array(joints, dtype=frames.dtype)])
    return replace(
        skeleton,
        keypoint_names=(*skeleton.keypoint_names, *(f"support:{s.name}" for s in supports)),
        rest_points=np.concatenate([skeleton.rest_points, places]),
        shape_points=np.concatenate([skeleton.shape_points, moves]),
        point_weights=np.concatenate([skeleton.point_weights, weights]),
        offset_joints=frames,
        shape_offsets=offsets,
    )


def seen_supports(
    supports: tuple[Support, ...], names: tuple[str, ...], confidence: F64 | None, frames: int, fps: float
) -> F64:
    """(T, C) 1 where a support's part of the body is seen within ``SEEN_SECONDS``, 0 elsewhere.

    Args:
        supports: C of them.
        names: (K,) of the keypoints.
        confidence: (T, K), 0 = missing; None: everything is seen.
        frames: T.
        fps: frames a second.
    """
    out = np.ones((frames, len(supports)))
    if confidence is None:
        return out
    for c, support in enumerate(supports):
        columns = [names.index(n) for n in support.seen if n in names]
        if support.seen:
            out[:, c] = (confidence[:, columns] > 0).any(1) if columns else 0.0
    return maximum_filter1d(out, 2 * round(SEEN_SECONDS * fps) + 1)
