"""Makes the default animal, a dog with SMAL's 35 joints: ``python -m mvlift_training.bodies.quadruped``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import mvlift
import numpy as np
from mvlift.bodies.skeleton import BodySkeleton, mirror_joint
from mvlift.bodies.skeletons import default_quadruped_skeleton, shape_names
from mvlift.typing import F64
from numpy.typing import NDArray

from mvlift_training.bodies.body_file import body_arrays, body_command
from mvlift_training.bodies.field import Field, field_of
from mvlift_training.bodies.skin import Hinge, joint_regressor, shape_directions, skin_weights
from mvlift_training.bodies.surface import Surface, polygonised

__all__ = ["SMAL_AXES", "main", "quadruped_body", "quadruped_field"]

_HERE: Final = Path(__file__).parent
_PARTS: Final = _HERE / "quadruped_parts.json"
_OUT: Final = Path(mvlift.__file__).parent / "bodies" / "data" / "quadruped.npz"
SMAL_AXES: Final = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""From the axes of bodies here (x left, y up, z front) to a SMAL file's (x front, y left, z up)."""
_GIRTH: Final = 0.08
_DEEP: Final = 0.11  # metres under the spine from which the belly moves down as a whole


def _data() -> dict[str, Any]:
    return dict(json.loads(_PARTS.read_text(encoding="utf-8")))


def quadruped_field() -> Field:
    """The mannequin's implicit function (x left, y up, z front), metres."""
    return field_of(_data()["parts"], _PARTS.name)


def _hinges() -> dict[str, Hinge]:
    hinges = {}
    for name, values in _data()["hinges"].items():
        hinges[name] = Hinge(tuple(values["normal"]), values["width"], values.get("shift", 0.0))
        x, y, z = hinges[name].normal
        if mirror_joint(name) != name:
            hinges[mirror_joint(name)] = Hinge((-x, y, z), hinges[name].width, hinges[name].shift)
    return hinges


def _girth(surface: Surface, skeleton: BodySkeleton, weights: F64) -> F64:
    """(V, 3, B) what no bone says: the trunk's skin moves away from the spine, to the sides and down."""
    trunk = [skeleton.joint_names.index(n) for n in _data()["trunk"]]
    spine = skeleton.rest_joints[trunk]
    order = np.argsort(spine[:, 2])
    height = np.interp(surface.vertices[:, 2], spine[order, 2], spine[order, 1])
    share = _GIRTH * weights[:, trunk].sum(1)
    more = np.zeros((*surface.vertices.shape, skeleton.shape_joints.shape[2]))
    column = shape_names("quadruped").index("girth")
    more[:, 0, column] = share * surface.vertices[:, 0] * 0.5  # the legs move apart too, and take the skin along
    more[:, 1, column] = share * np.clip(surface.vertices[:, 1] - height, -_DEEP, 0)
    return more


def quadruped_body(spacing: float = 0.0032, vertices: int = 3200, rounds: int = 12) -> dict[str, NDArray[Any]]:
    """The mannequin as the arrays of a SMAL body file, in SMAL's axes.

    Args:
        spacing: of the grid that the surface is taken from, metres.
        vertices: left by decimation; evening the mesh adds some.
        rounds: of evening.

    Returns:
        v_template (V, 3), f (F, 3), J_regressor (35, V), weights (V, 35), kintree_table (2, 35), shapedirs (V, 3, B).
    """
    skeleton = default_quadruped_skeleton()
    surface = polygonised(quadruped_field(), spacing, vertices, rounds)
    weights = skin_weights(surface, skeleton, _hinges())
    regressor = joint_regressor(surface, skeleton)
    more = _girth(surface, skeleton, weights)
    shapes = shape_directions(surface, skeleton, weights, regressor, more=more)
    turned = np.einsum("ac,vcb->vab", SMAL_AXES, shapes)
    return body_arrays(surface.vertices @ SMAL_AXES.T, surface.faces, regressor, weights, skeleton.parents, turned)


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes ``quadruped.npz``."""
    body_command("quadruped", quadruped_body, _OUT, spacing=0.0032, vertices=3200, arguments=arguments)


if __name__ == "__main__":
    main()
