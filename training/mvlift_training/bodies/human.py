"""Makes the default human, a mannequin with SMPL-H's 52 joints: ``python -m mvlift_training.bodies.human``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import mvlift
import numpy as np
from mvlift.bodies.hands.tables import BODY_JOINTS, flat_to_rest
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.skeletons import default_human_skeleton_with_fingers
from mvlift.typing import F64
from numpy.typing import NDArray

from mvlift_training.bodies.body_file import body_arrays, body_command
from mvlift_training.bodies.field import Field, Fine, field_of
from mvlift_training.bodies.hand import finger_hinges, hand_box, hand_parts
from mvlift_training.bodies.skin import Hinge, joint_regressor, shape_directions, skin_weights
from mvlift_training.bodies.surface import Surface, polygonised
from mvlift_training.bodies.unwrap import part_numbers, unwrapped

__all__ = ["human_body", "human_field", "main"]

_HERE: Final = Path(__file__).parent
_PARTS: Final = _HERE / "human_parts.json"
_OUT: Final = Path(mvlift.__file__).parent / "bodies" / "data" / "mannequin.npz"
_PARTS_OF_SKIN: Final[dict[str, tuple[str, ...]]] = {
    "head": ("head", "neck"),
    "trunk": ("pelvis", "spine", "left_collar", "right_collar"),
    **{
        f"{side} {part}": tuple(f"{side}_{joint}" for joint in joints)
        for part, joints in (("leg", ("hip", "knee")), ("foot", ("ankle", "foot")), ("arm", ("shoulder", "elbow")))
        for side in ("left", "right")
    },
    **{
        f"{side} hand": tuple(f"{side}_{joint}" for joint in ("wrist", "index", "middle", "pinky", "ring", "thumb"))
        for side in ("left", "right")
    },
}
"""Part of the skin with a chart of its front and of its back -> beginnings of the names of its joints."""
_LEVEL: Final = ("left foot", "right foot", "left hand", "right hand")
"""Their charts show them from above and from below."""
_FINE: Final = 0.38
"""Share of the grid's spacing that resolves the gaps between fingers,"""
_COARSEST_HAND: Final = 0.0024
"""and the metres at which it stops to."""


def _data() -> dict[str, Any]:
    return dict(json.loads(_PARTS.read_text(encoding="utf-8")))


def human_field() -> Field:
    """The mannequin's implicit function with flat hands, in SMPL's rest frame (x left, y up, z front), metres."""
    flat = default_human_skeleton_with_fingers(relaxed=False)
    return field_of(_data()["parts"] + hand_parts(flat), _PARTS.name)


def _hinges(flat: BodySkeleton) -> dict[str, Hinge]:
    hinges = finger_hinges(flat)
    for name, values in _data()["hinges"].items():
        hinges[name] = Hinge(tuple(values["normal"]), values["width"], values.get("shift", 0.0))
        x, y, z = hinges[name].normal
        if name.startswith("left_"):
            hinges[name.replace("left_", "right_")] = Hinge((-x, y, z), hinges[name].width, hinges[name].shift)
    return hinges


def human_body(spacing: float = 0.004, vertices: int = 2700, rounds: int = 12) -> dict[str, NDArray[Any]]:
    """The mannequin as the arrays of an SMPL-H body file.

    It is built with flat, spread fingers, which do not touch, and then rests with relaxed ones.

    Args:
        spacing: of the grid that the surface is taken from, metres; finer round the hands.
        vertices: left by decimation; evening the mesh adds some.
        rounds: of evening.

    Returns:
        v_template (V, 3), f (F, 3), J_regressor (52, V), weights (V, 52), kintree_table (2, 52), shapedirs (V, 3, B).
    """
    flat = default_human_skeleton_with_fingers(relaxed=False)
    fine = Fine(*hand_box(flat), min(_FINE * spacing, _COARSEST_HAND))
    surface = polygonised(human_field(), spacing, vertices, rounds, [fine])
    weights = skin_weights(surface, flat, _hinges(flat))
    texture = _texture(surface, flat, weights)
    surface = _relaxed(surface, weights)
    skeleton = default_human_skeleton_with_fingers()
    regressor = joint_regressor(surface, skeleton)
    shapes = shape_directions(surface, skeleton, weights, regressor)
    return body_arrays(surface.vertices, surface.faces, regressor, weights, skeleton.parents, shapes) | texture


def _texture(surface: Surface, flat: BodySkeleton, weights: F64) -> dict[str, NDArray[Any]]:
    """Texture coordinates under SMPL-X's keys: vt (N, 2) and ft (F, 3); hands and feet open at their edges."""
    names = list(_PARTS_OF_SKIN)
    number = part_numbers(flat.joint_names, weights, _PARTS_OF_SKIN)
    level = np.isin(number, [names.index(n) for n in _LEVEL])
    normal, offset = _normals(surface), surface.vertices - np.einsum("vj,ja->va", weights, flat.rest_joints)
    facing = np.where(level, normal[:, 1], offset[:, 2])
    places, corners = unwrapped(surface, number, facing, level)
    return {"vt": (np.round(places * 4096) / 4096).astype(np.float32), "ft": corners.astype(np.uint32)}


def _normals(surface: Surface) -> F64:
    a, b, c = (surface.vertices[surface.faces[:, i]] for i in range(3))
    normal = np.zeros_like(surface.vertices)
    for corner in range(3):
        np.add.at(normal, surface.faces[:, corner], np.cross(b - a, c - a))
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)


def _relaxed(surface: Surface, weights: NDArray[np.float64]) -> Surface:
    """The surface with the fingers of the rest pose, by linear blend skinning; its halves stay mirror images."""
    flat, rest = (default_human_skeleton_with_fingers(relaxed).rest_joints for relaxed in (False, True))
    moved = np.flatnonzero((weights[:, BODY_JOINTS:].sum(1) > 0) & (surface.vertices[:, 0] > 0))
    turned = np.einsum("jab,vjb->vja", flat_to_rest(), surface.vertices[moved, None] - flat) + rest
    points = surface.vertices.copy()
    points[moved] = np.einsum("vj,vja->va", weights[moved], turned)
    points[surface.twin[moved]] = points[moved] * [-1.0, 1.0, 1.0]
    return Surface(points, surface.faces, surface.twin)


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes ``mannequin.npz``."""
    body_command("human", human_body, _OUT, spacing=0.004, vertices=2700, arguments=arguments)


if __name__ == "__main__":
    main()
