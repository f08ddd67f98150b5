"""Skin weights, joint regressor and shape directions of a mesh round a skeleton."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from mvlift.bodies.skeleton import BodySkeleton
from mvlift.typing import F64
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import nnls
from scipy.sparse.linalg import splu

from mvlift_training.bodies.surface import Surface

__all__ = ["Hinge", "joint_regressor", "shape_directions", "skin_weights"]

BoolArray = NDArray[np.bool_]

_MIRROR: Final = np.array([-1.0, 1.0, 1.0])
_HEAT_STEPS: Final = 4
_TAIL: Final = 0.03
_MOST_JOINTS: Final = 4
_GRAIN: Final = 1 << 12  # weights are multiples of 1 / 4096: sums are exact, files small
_RING: Final = 40
_CLOSE: Final = 1e-4
_EVENNESS: Final = 2e-3
_RIDGE: Final = 0.02
_ALIKE: Final = 1e-6


@dataclass(frozen=True)
class Hinge:
    """Where the skin of a joint begins.

    Attributes:
        normal: of the plane through the joint, towards its own side.
        width: metres over which parent and joint share the skin (standard deviation).
        shift: metres by which the plane lies further along its normal.
        alone: skin nearest to its siblings' bones is not its own: fingers.
        tip: (x, y, z) where the last bone of a limb ends, metres; None: it has no length.
    """

    normal: tuple[float, float, float]
    width: float
    shift: float = 0.0
    alone: bool = False
    tip: tuple[float, float, float] | None = None


def _below(parents: tuple[int, ...], joint: int) -> BoolArray:
    """(J,) the joint and all that hangs on it."""
    inside = np.zeros(len(parents), bool)
    for j, parent in enumerate(parents):
        inside[j] = j == joint or (parent >= 0 and inside[parent])
    return inside


def _nearest_bone(points: F64, skeleton: BodySkeleton, hinges: Mapping[str, Hinge]) -> NDArray[np.int64]:
    """(V,) the joint at whose bone (towards a child, or itself at the tips) each point lies."""
    joints, best = skeleton.rest_joints, np.full(len(points), np.inf)
    owner = np.zeros(len(points), np.int64)
    for child, parent in enumerate(skeleton.parents):
        hinge = hinges.get(skeleton.joint_names[child])
        tip = joints[child] if hinge is None or hinge.tip is None else np.array(hinge.tip)
        for start, end, joint in (
            (joints[max(parent, 0)], joints[child], max(parent, 0)),
            (joints[child], tip, child),
        ):
            axis = end - start
            along = np.clip((points - start) @ axis / max(float(axis @ axis), 1e-12), 0, 1)
            distance = np.linalg.norm(points - start - along[:, None] * axis, axis=1)
            closer = distance < best - 1e-9
            best, owner = np.where(closer, distance, best), np.where(closer, joint, owner)
    return owner


def _regions(points: F64, skeleton: BodySkeleton, hinges: Mapping[str, Hinge]) -> F64:
    """(V, J) 1 where a vertex lies beyond a joint's plane, on its side of the body and near its bones."""
    owner, joints = _nearest_bone(points, skeleton, hinges), skeleton.rest_joints
    region = np.zeros((len(points), len(joints)))
    for j, parent in enumerate(skeleton.parents):
        if parent < 0:
            region[:, j] = 1
            continue
        hinge = hinges[skeleton.joint_names[j]]
        normal = np.array(hinge.normal) / np.linalg.norm(hinge.normal)
        beyond = (points - joints[j]) @ normal > hinge.shift
        siblings = np.array([p == parent for p in skeleton.parents])
        neighbours = _below(skeleton.parents, j) if hinge.alone else _below(skeleton.parents, j) | siblings
        neighbours[parent] = True
        side = points[:, 0] * np.sign(joints[j, 0]) >= 0
        middle_share = np.where(points[:, 0] == 0, 0.5, 1.0) if joints[j, 0] else 1.0
        region[:, j] = region[:, parent] * beyond * neighbours[owner] * side * middle_share
    return region


def _laplacian(surface: Surface) -> tuple[sparse.csc_array, F64]:
    """Cotangent Laplacian (V, V), positive, and the area about each vertex (V,), square metres."""
    v, f, count = surface.vertices, surface.faces, len(surface.vertices)
    rows, columns, values = [], [], []
    area = np.zeros(count)
    for corner in range(3):
        i, j, k = (f[:, (corner + n) % 3] for n in range(3))
        a, b = v[j] - v[i], v[k] - v[i]
        doubled = np.linalg.norm(np.cross(a, b), axis=1)
        rows += [j, k]
        columns += [k, j]
        values += [np.clip((a * b).sum(1) / np.maximum(doubled, 1e-12), 0.02, 10) / 2] * 2
        np.add.at(area, i, doubled / 6)
    off = sparse.csc_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count))
    return (sparse.diags_array(off.sum(0)) - off).tocsc(), area


def skin_weights(surface: Surface, skeleton: BodySkeleton, hinges: Mapping[str, Hinge]) -> F64:
    """Smooth skin weights: each joint's region, softened by heat that spreads along the skin.

    Args:
        surface: the skin.
        skeleton: rest joints.
        hinges: of every joint but the root.

    Returns:
        (V, J), at most four in a row, rows sum to 1, mirror images equal.
    """
    region = _regions(surface.vertices, skeleton, hinges)
    stiffness, area = _laplacian(surface)
    share = region.copy()  # of the skin that moves with a joint or with what hangs on it
    for j in range(1, region.shape[1]):
        width = hinges[skeleton.joint_names[j]].width
        step = width**2 / 2 / _HEAT_STEPS
        solve = splu((sparse.diags_array(area) + step * stiffness).tocsc()).solve
        for _ in range(_HEAT_STEPS):
            share[:, j] = solve(area * share[:, j])
    share[:, 1:] = np.clip((share[:, 1:] - _TAIL) / (1 - 2 * _TAIL), 0, 1)
    weights = np.zeros_like(share)
    for j, parent in enumerate(skeleton.parents):
        if parent >= 0:
            share[:, j] = np.minimum(share[:, j], 1) * share[:, parent]
    for j in range(share.shape[1]):
        children = [c for c, p in enumerate(skeleton.parents) if p == j]
        weights[:, j] = np.maximum(share[:, j] - share[:, children].sum(1), 0)
    return _tidy(_symmetric_weights(weights, surface, skeleton))


def _other_side(skeleton: BodySkeleton) -> list[int]:
    """(J,) the mirror image of each joint."""
    swapped = skeleton.rest_joints * _MIRROR
    return [int(np.linalg.norm(skeleton.rest_joints - p, axis=1).argmin()) for p in swapped]


def _symmetric_weights(weights: F64, surface: Surface, skeleton: BodySkeleton) -> F64:
    return (weights + weights[surface.twin][:, _other_side(skeleton)]) / 2


def _tidy(weights: F64) -> F64:
    """The four largest of each row, as multiples of one grain, summing to 1. Equal weights are treated equally."""
    least = np.sort(weights, axis=1)[:, -_MOST_JOINTS][:, None]
    extra = (weights >= least - 1e-9).sum(1, keepdims=True) > _MOST_JOINTS  # a tie for the fourth place
    kept = np.where(np.where(extra, weights > least + 1e-9, weights >= least), weights, 0)
    grains = np.floor(kept / kept.sum(1, keepdims=True) * _GRAIN + 0.5)
    rows = np.arange(len(grains))
    best = grains.max(1, keepdims=True)
    tied = (grains == best).sum(1)
    lacking = _GRAIN - grains.sum(1)
    grains[rows, grains.argmax(1)] += np.where(tied == 1, lacking, 0)
    even = tied > 1  # on the mirror plane left and right share alike, and so what is lacking
    grains[even] = np.where(grains[even] == best[even], grains[even] + (lacking / tied)[even, None], grains[even])
    return grains / _GRAIN


def joint_regressor(surface: Surface, skeleton: BodySkeleton) -> F64:
    """Non-negative weights (J, V) of a few vertices round each joint that put the joint where the skeleton has it."""
    points = surface.vertices
    regressor = np.zeros((len(skeleton.rest_joints), len(points)))
    for j, joint in enumerate(skeleton.rest_joints):
        nearest = np.argsort(np.linalg.norm(points - joint, axis=1), kind="stable")
        count = _RING
        while True:
            ring = nearest[:count]
            shares = _shares(points[ring] - joint)
            if np.linalg.norm(shares @ points[ring] - joint) < _CLOSE or count >= len(points):
                break
            count *= 2  # all of them lie on one side of a joint that is off the middle of its limb
        regressor[j, ring] = shares
    regressor = (regressor + regressor[_other_side(skeleton)][:, surface.twin]) / 2
    return regressor / regressor.sum(1, keepdims=True)


def _shares(offset: F64) -> F64:
    """Non-negative shares (N,), as even as can be, with sum 1 and a mean of points (N, 3) at 0."""
    wanted = np.concatenate([[0.0, 0.0, 0.0, 1.0], np.zeros(len(offset))])
    exact = np.concatenate([offset.T / np.abs(offset).max(), np.ones((1, len(offset)))])
    shares, _ = nnls(np.concatenate([exact, np.eye(len(offset)) * _EVENNESS]), wanted)
    return np.where(shares > 0, shares, 0) / shares.sum()


def _segment_maps(skeleton: BodySkeleton) -> F64:
    """(B, J, 3, 3) linear maps that move each joint's children and keypoints, relative to it, as the shape asks."""
    joints, changes = skeleton.rest_joints, skeleton.shape_joints
    maps = np.zeros((changes.shape[2], len(joints), 3, 3))
    for b in range(len(maps)):
        overall = _growth(joints - joints[0], changes[..., b] - changes[0, :, b])
        for j in range(len(joints)):
            children = [c for c, p in enumerate(skeleton.parents) if p == j]
            attached = np.flatnonzero(skeleton.point_weights[:, j] == 1)
            place = np.concatenate([joints[children], skeleton.rest_points[attached]]) - joints[j]
            move = np.concatenate([changes[children, :, b], skeleton.shape_points[attached, :, b]]) - changes[j, :, b]
            maps[b, j] = np.eye(3) * overall if overall else _map_of(place, move)
    return maps


def _growth(place: F64, move: F64) -> float:
    """The factor of a growth that is alike in all directions, or 0 where it is not that."""
    factor = float((place * move).sum() / max(float((place**2).sum()), 1e-12))
    return factor if np.abs(move - factor * place).max(initial=0) < _ALIKE else 0.0


def _map_of(place: F64, move: F64) -> F64:
    """A map from places to moves: growth where several points say so, else the least one (a bone only stretches)."""
    size = float((place**2).sum())
    if size < 1e-9:
        return np.zeros((3, 3))
    apart = np.linalg.matrix_rank(place, tol=1e-4) > 1
    factor = _growth(place, move) if apart else 0.0
    if factor:
        return np.eye(3) * factor
    ridged = np.linalg.solve(place.T @ place + _RIDGE * size * np.eye(3), place.T @ move)
    return np.asarray(ridged.T)


def shape_directions(
    surface: Surface,
    skeleton: BodySkeleton,
    weights: F64,
    regressor: F64,
    softness: float = 0.03,
    more: F64 | None = None,
) -> F64:
    """How the skin moves per unit of each shape coefficient so that its joints move as the skeleton's do.

    The skin follows linear maps of the bones, blended by the softened skin weights; what the regressed joints then
    lack is added by the smoothest field (least squared Laplacian) that supplies it.

    Args:
        surface: the skin.
        skeleton: its joints and their shape directions.
        weights: (V, J).
        regressor: (J, V).
        softness: metres over which neighbouring bones' maps are blended.
        more: (V, 3, B) what the skin does beside following the bones.

    Returns:
        (V, 3, B) metres per unit.
    """
    stiffness, area = _laplacian(surface)
    soft = splu((sparse.diags_array(area) + softness**2 / 2 * stiffness).tocsc()).solve(area[:, None] * weights)
    maps = _segment_maps(skeleton)
    offset = surface.vertices[:, None] - skeleton.rest_joints  # (V, J, 3)
    moved = np.einsum("bjac,vjc->vjab", maps, offset) + skeleton.shape_joints  # (V, J, 3, B)
    field = np.einsum("vj,vjab->vab", soft, moved)
    if more is not None:
        field = field + more
    lacking = skeleton.shape_joints - np.einsum("jv,vab->jab", regressor, field)
    field = field + _smoothest(stiffness, area, regressor, lacking)
    mirrored = field[surface.twin] * _MIRROR[:, None]
    return (field + mirrored) / 2


def _smoothest(stiffness: sparse.csc_array, area: F64, regressor: F64, wanted: F64) -> F64:
    """The field (V, 3, B) of least squared Laplacian with ``regressor @ field == wanted`` (J, 3, B)."""
    bend = stiffness @ sparse.diags_array(1 / area) @ stiffness
    scale = float(bend.diagonal().mean())
    bend = bend + sparse.diags_array(area) * (1e-8 * scale / float(area.mean()))
    joints = sparse.csc_array(regressor)
    count = regressor.shape[0]
    system = sparse.block_array([[bend / scale, joints.T], [joints, None]], format="csc")
    right = np.concatenate([np.zeros((stiffness.shape[0], wanted[0].size)), wanted.reshape(count, -1)])
    return splu(system).solve(right)[: stiffness.shape[0]].reshape(-1, *wanted.shape[1:])
