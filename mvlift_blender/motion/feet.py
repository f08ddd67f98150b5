"""Foot contact clean-up: a foot that rests stays where it is, rolling from heel to toe without slipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from mvlift.kinematics.quaternions import continuous, from_vector, multiply, shortest_arc, to_vector
from mvlift.typing import F64
from numpy.typing import NDArray

from .limbs import reached
from .skeleton import RestSkeleton
from .soles import Soles, sole_points
from .weights import any_of, runs_of, smoothed

__all__ = ["FootMode", "FootOptions", "eased", "planted", "supports"]

Mask = NDArray[np.bool_]
FootMode = Literal["OFF", "AUTO", "ALWAYS"]

_LOW = 0.05  # metres above the floor at which a foot that hardly moves is taken to rest
_SLOW = 0.35  # metres a second
_SHORTEST = 3  # frames; shorter rests are noise
_GAP = 2  # frames; shorter steps are noise
_MOST_SINK = 0.2  # metres


@dataclass(frozen=True)
class FootOptions:
    """How feet are planted.

    Attributes:
        mode: OFF leaves them; AUTO plants a foot where the lift says that it rests, unless it travels further than
            ``most_travel`` while it does, which is a slide that was meant; ALWAYS plants every foot that is said to
            rest, or is low and slow.
        most_travel: metres.
        blend: frames over which a planted foot is let go.
        on_floor: bring the resting foot's sole to the floor.
    """

    mode: FootMode = "AUTO"
    most_travel: float = 0.3
    blend: int = 4
    on_floor: bool = True


def supports(points: F64, rests: Mask, fps: float, options: FootOptions) -> Mask:
    """(T, L, 2) which sole points are planted.

    Args:
        points: (T, L, 2, 3) sole points.
        rests: (T, L, 2) from the lift.
        fps: frames a second.
        options: how.
    """
    if options.mode == "OFF":
        return np.zeros_like(rests)
    planted = rests.copy()
    if options.mode == "ALWAYS":
        speed = np.linalg.norm(np.gradient(smoothed(points, 1.5), axis=0), axis=-1) * fps
        planted |= (points[..., 2] < _LOW) & (speed < _SLOW)
    for leg in range(points.shape[1]):
        either = any_of(planted[:, leg], 1)
        for first, last in runs_of(~either):
            if last - first < _GAP and first > 0 and last < len(either) - 1:
                planted[first : last + 1, leg] = planted[first - 1, leg] & planted[last + 1, leg]
        for first, last in runs_of(any_of(planted[:, leg], 1)):
            meant = options.mode == "AUTO" and _travels(points[:, leg], first, last, options)
            if meant or last - first + 1 < _SHORTEST:
                planted[first : last + 1, leg] = False
    return planted


def _travels(points: F64, first: int, last: int, options: FootOptions) -> bool:
    """True when no point of the foot stays near one position during a run."""
    way = points[first : last + 1, :, :2]
    return bool((np.ptp(way, axis=0).max(-1) > options.most_travel).all())


def planted(
    skeleton: RestSkeleton, rotations: F64, locations: F64, soles: Soles, support: Mask, options: FootOptions
) -> tuple[F64, F64]:
    """Pose-bone quaternions (T, J, 4) and root locations (T, 3) with the supporting feet planted.

    The root keeps its path, but sinks where a planted foot would be out of the leg's reach.

    Args:
        skeleton: at rest.
        rotations: (T, J, 4).
        locations: (T, 3) of the root.
        soles: points under the feet.
        support: (T, L, 2) from ``supports``.
        options: how.
    """
    for leg in range(len(soles.ankles)):
        rotations = _flat(skeleton, rotations, locations, (soles, leg), support[:, leg], options)
    places, turns = skeleton.forward(rotations, locations)
    points = sole_points(soles, places, turns)
    targets = [
        places[:, ankle] + _moves(points[:, leg], support[:, leg], options) for leg, ankle in enumerate(soles.ankles)
    ]
    sink = _sink(skeleton, places, soles, targets, options.blend)
    locations = locations - sink[:, None] * skeleton.axes[skeleton.root_index][2]
    for ankle, target in zip(soles.ankles, targets, strict=True):
        rotations = reached(skeleton, rotations, locations, ankle, target)
    return rotations, locations


def _sink(skeleton: RestSkeleton, places: F64, soles: Soles, targets: list[F64], blend: int) -> F64:
    """(T,) metres by which the root must sink so that every ankle can reach its target, smooth in time."""
    need = np.zeros(len(places))
    for ankle, target in zip(soles.ankles, targets, strict=True):
        knee = skeleton.parents[ankle]
        length = 0.998 * float(np.linalg.norm(skeleton.offsets[[knee, ankle]], axis=-1).sum())
        hip = places[:, skeleton.parents[knee]]
        across = np.linalg.norm(hip[:, :2] - target[:, :2], axis=-1)
        down = np.sqrt(np.maximum(length**2 - across**2, 0.0))
        need = np.maximum(need, hip[:, 2] - target[:, 2] - down)
    if not need.any():
        return need
    # the widest need within the window first, so that smoothing never takes away what a frame needs
    reach = max(1, blend)
    padded = np.pad(need, reach, mode="edge")
    widest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(1)
    return np.minimum(smoothed(widest, reach / 3), _MOST_SINK)


def _flat(
    skeleton: RestSkeleton, rotations: F64, locations: F64, foot: tuple[Soles, int], support: Mask,
    options: FootOptions,
) -> F64:  # fmt: skip
    """Rotations in which a foot that rests on heel and ball does not turn (and lies flat, where it is on the floor)."""
    soles, leg = foot
    ankle, both = soles.ankles[leg], ~any_of(~support, 1)
    if not both.any():
        return rotations
    places, turns = skeleton.forward(rotations, locations)
    points = sole_points(soles, places, turns)[:, leg]
    along = points[:, 1] - points[:, 0]
    wanted = along.copy()
    for first, last in runs_of(both):
        wanted[first : last + 1] = along[first : last + 1].mean(0)
    if options.on_floor:
        wanted[both, 2] = 0.0
    turn = np.where(both[:, None], to_vector(shortest_arc(along, wanted)), 0.0)
    turned = multiply(from_vector(eased(turn, both, options.blend)), turns[:, ankle])
    rotations = rotations.copy()
    rotations[:, ankle] = skeleton.local(ankle, turned, turns[:, skeleton.parents[ankle]])
    return continuous(rotations)


def _moves(points: F64, support: Mask, options: FootOptions) -> F64:
    """(T, 3) by how much to move a foot: against its slip while it rests, eased away while it does not."""
    move, rows = np.zeros((len(points), 3)), any_of(support, 1)
    if rows.any():
        for first, last in runs_of(rows):
            part = slice(first, last + 1)
            move[part] = _against_slip(points[part], support[part], options.on_floor)
        move = eased(move, rows, options.blend)
    if options.on_floor:
        sunk = np.minimum(points[..., 2].min(1) + move[:, 2], 0.0)
        move[:, 2] -= np.where(rows, 0.0, sunk)
    return move


def _against_slip(points: F64, support: Mask, on_floor: bool) -> F64:
    """(t, 3) moves of one run: the points that rest in two frames must not move between them; least change overall."""
    both = support[1:] & support[:-1]
    # where the support passes from heel to ball in one step, the foot turns about the new point
    both = np.where(both.any(1, keepdims=True), both, support[1:])
    weight = both / np.maximum(both.sum(1, keepdims=True), 1)
    step = (np.diff(points[..., :2], axis=0) * weight[..., None]).sum(1)
    move = np.zeros((len(points), 3))
    move[1:, :2] = -np.cumsum(step, axis=0)
    move[:, :2] -= move[:, :2].mean(0)
    if on_floor:
        height = np.where(support, points[..., 2], np.inf).min(1)
        lowest = np.minimum(height, points[..., 2].min(1) + 0.02)  # the sole's other end may not sink in either
        move[:, 2] = -smoothed(lowest, 1.0)
    return move


def eased(move: F64, rows: Mask, blend: int) -> F64:
    """Moves outside the runs: from the last of one run to 0 and to the first of the next, smoothly."""
    index, held = np.arange(len(move)), np.flatnonzero(rows)
    after = np.searchsorted(held, index)
    shares, anchors = [], []
    for source in (after - 1, after):
        anchor = held[np.clip(source, 0, len(held) - 1)]
        x = np.clip(1 - np.abs(index - anchor) / (blend + 1), 0, 1)
        shares.append(np.where((source >= 0) & (source < len(held)), x * x * (3 - 2 * x), 0.0))
        anchors.append(anchor)
    total = np.maximum(shares[0] + shares[1], 1.0)
    eased = sum((share / total)[:, None] * move[anchor] for share, anchor in zip(shares, anchors, strict=True))
    return np.where(rows[:, None], move, eased)
