"""The solve: a source's motion becomes turns of a target's parts and a path of its hips. Arrays over all frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from mvlift.errors import MvliftError
from mvlift.kinematics.quaternions import continuous, from_vector, multiply, rotate
from numpy.typing import NDArray

from .feet import plant_feet
from .motion import Solved, SourceMotion, TargetParts, forward
from .rest import Directions, alignments, ankle_step, facing, heading, leg_ratio, over_legs

__all__ = ["RetargetError", "RootMode", "SolveOptions", "solve", "with_root"]

Array = NDArray[np.float64]
RootMode = Literal["HIPS", "ROOT", "IN_PLACE"]


class RetargetError(MvliftError):
    """A motion cannot be put on a rig."""


@dataclass(frozen=True)
class SolveOptions:
    """How to solve.

    Attributes:
        root: HIPS puts the whole path on the hips; ROOT its horizontal part and the heading on the root bone; IN_PLACE
            takes the horizontal path away.
        feet: keep the feet where the source's are, on the floor, by IK on the target's own legs.
        directions: LIMBS keeps the character's own posture; ALL makes every bone point as the source's.
        scale: of the path; None takes the ratio of the legs' lengths.
        keep_place: begin where the rig stands, facing as it does, instead of where the source begins.
    """

    root: RootMode = "HIPS"
    feet: bool = True
    directions: Directions = "LIMBS"
    scale: float | None = None
    keep_place: bool = False


def solve(source: SourceMotion, target: TargetParts, options: SolveOptions) -> Solved:
    """Put a source's motion on a target.

    With R_s(t) a source part's turn from rest and A the turn from the target's rest pose to the source's, the target's
    part turns by R_s(t) A: at the source's rest it is in the source's pose, and from then on moves as the source does.

    Raises:
        RetargetError: the bodies differ, or have no hips.
    """
    if source.rest.body != target.body:
        raise RetargetError(
            f"The motion is of a {source.rest.body}, but the rig is a {target.body}.", "Choose a rig of the same kind."
        )
    if "hips" not in source.rest.index or "hips" not in target.index:
        raise RetargetError("The bone map has no hips.", "Set the Hips row of the bone map.")
    scale = options.scale or leg_ratio(target, source.rest)
    if options.keep_place:
        source = _placed(source, target)
    turns, driven = _turns(source, target, options)
    places = _hips(source, target, turns, scale)
    solved = Solved(turns, forward(target, turns, places), scale, driven)
    if options.feet:
        solved = plant_feet(source, target, solved)
    return with_root(target, solved, options.root)


def _placed(source: SourceMotion, target: TargetParts) -> SourceMotion:
    """The same motion that begins over the target's place at rest, faces as it does, and stands on its floor.

    The source is turned by one angle about the vertical and moved; its heights stay as they were over its floor.
    """
    up = source.rest.up
    first = source.turns[0, source.rest.index["hips"]]
    ahead = rotate(first, np.cross(source.rest.left, source.rest.up))
    front = np.cross(target.left, target.up)
    flat = [v - (v @ up) * up for v in (ahead, front)]
    angle = np.arctan2(np.cross(flat[0], flat[1]) @ up, flat[0] @ flat[1])
    turn = from_vector(angle * up)
    start = target.head("hips") - (target.head("hips") @ up - target.floor) * up
    heads = rotate(turn, source.heads - source.origin) + start
    return replace(source, turns=multiply(turn, source.turns), heads=heads, ground=target.floor)


def _turns(source: SourceMotion, target: TargetParts, options: SolveOptions) -> tuple[Array, NDArray[np.bool_]]:
    align = alignments(target, source.rest, options.directions)
    turns = np.empty((len(source.frames), len(target.keys), 4))
    driven = np.zeros(len(target.keys), bool)
    for i, name in enumerate(target.keys):
        turn = source.turn(name, target) if name != "root" else None
        if turn is not None:
            turns[:, i], driven[i] = multiply(turn, align[i]), True
        elif target.parents[i] >= 0:
            turns[:, i] = turns[:, target.parents[i]]
        else:
            turns[:, i] = facing(target, source.rest) if name == "root" else [1.0, 0, 0, 0]
    return continuous(turns), driven


def _hips(source: SourceMotion, target: TargetParts, turns: Array, scale: float) -> Array:
    """(T, 3) the hips' path, such that the legs begin where the source's do, scaled, and stand on the floor.

    Programs put the hips' bone at other places over the legs. The path is raised by a constant for other ankles.
    """
    up, origin = source.rest.up, source.origin
    places = origin + scale * (source.place("hips") - origin) + ankle_step(source.rest, target, scale) * up
    ours, theirs = over_legs(target), over_legs(source.rest)
    if ours is None or theirs is None:
        return places
    offset = rotate(turns[:, target.index["hips"]], ours)
    return places + offset - scale * rotate(source.turns[:, source.rest.index["hips"]], theirs)


def with_root(target: TargetParts, solved: Solved, mode: RootMode) -> Solved:
    """Divide the path between hips and root."""
    up, at = target.up, target.index["hips"]
    hips = solved.heads[:, at]
    flat = hips - (hips @ up)[:, None] * up
    turns, heads = solved.turns.copy(), solved.heads.copy()
    if mode == "IN_PLACE":
        stay = target.origin - (target.origin @ up) * up
        heads += (stay - flat)[:, None]
    if "root" in target.index:
        i = target.index["root"]
        turns[:, i] = heading(turns[:, at], up)
        offset = target.heads[at] - target.heads[i]
        offset = offset - (offset @ up) * up
        below = heads[:, at] - (heads[:, at] @ up)[:, None] * up
        heads[:, i] = below - rotate(turns[:, i], offset) + (target.heads[i] @ up) * up
        if target.fixed_hips:
            heads[:, i] = heads[:, at] - rotate(turns[:, i], target.heads[at] - target.heads[i])
        driven = solved.driven.copy()
        driven[i] = True
        return replace(solved, turns=turns, heads=heads, driven=driven)
    return replace(solved, turns=turns, heads=heads)
