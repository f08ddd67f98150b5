"""Comparison of two bodies at rest: heading, rotation of the parts, ratio of lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from mvlift.kinematics.quaternions import continuous, from_matrix, multiply, rotate, shortest_arc
from numpy.typing import NDArray

from .roles import FINGERS, LEFT, RIGHT, SIDES, key, legs, roles, split_key

__all__ = [
    "Directions",
    "Parts",
    "alignments",
    "ankle_height",
    "ankle_step",
    "facing",
    "heading",
    "leg_ratio",
    "over_legs",
    "same_finger_joint",
]

Array = NDArray[np.float64]
Directions = Literal["LIMBS", "ALL"]
_STRETCHED: Final = 0.93
"""Share of its length that a stretched leg reaches."""
_LEVEL: Final = 0.06
_ALONG: Final = 0.85
_UPRIGHT: Final = 0.94
"""Cosine between a standing body and an axis of the world."""
_ANKLE: Final = 0.67
"""Height of an ankle over the sole as a share of the way from it to the toes' joint, of a foot on the floor."""
_ANKLE_OF_LEG: Final = 0.1
_AXES: Final = np.concatenate([np.eye(3), -np.eye(3)])


@dataclass(frozen=True, eq=False)
class Parts:
    """A body's parts at rest, in the world, metres.

    Attributes:
        body: "human" or "quadruped".
        keys: (N,) parents before children.
        heads: (N, 3) where each part's bone begins.
        origin: (3,) of the object; its floor, where the feet do not show another.
        ground: height of the soles of the body's meshes at rest, None without meshes.
    """

    body: str
    keys: tuple[str, ...]
    heads: Array
    origin: Array
    ground: float | None = None

    @cached_property
    def index(self) -> dict[str, int]:
        """Number of each key."""
        return {name: i for i, name in enumerate(self.keys)}

    def head(self, name: str) -> Array:
        """(3,) where a part begins."""
        return self.heads[self.index[name]]

    def chain(self, role: str, side: str = "") -> tuple[str, ...]:
        """Keys of a chain in order."""
        return tuple(k for k in self.keys if split_key(k)[:2] == (role, side))

    def next(self, name: str) -> str:
        """The key that a part's bone points to, "" when there is none."""
        role, side, index = split_key(name)
        known = roles(self.body)
        if index is not None and key(role, side, index + 1) in self.index:
            return key(role, side, index + 1)
        following = known[role].next
        if not following:
            return ""
        if known[following].chain:
            return self.chain(following)[0] if self.chain(following) else self._after(following)
        target = key(following, side if known[following].sided else "")
        return target if target in self.index else ""

    def _after(self, role: str) -> str:
        """What an absent chain would point to."""
        following = roles(self.body)[role].next
        return following if following in self.index else ""

    @cached_property
    def up(self) -> Array:
        """(3,) the axis from feet to head (of an animal, to where its legs begin): z when it is anywhere near."""

        def mean(joint: int) -> Array:
            names = [key(leg[joint], side) for leg in legs(self.body) for side in SIDES]
            positions = [self.head(name) for name in names if name in self.index]
            return np.mean(positions, axis=0) if positions else self.origin

        top = self.head("head") if self.body == "human" and "head" in self.index else mean(0)
        along = top - mean(2)
        length = np.linalg.norm(along)
        if length < 1e-9 or along[2] > 0.7 * length:
            return np.array([0.0, 0.0, 1.0])
        if self.body == "human" and not self.straight:  # lying, or all bones along one axis: the pelvis alone says it
            along = self._over_pelvis()
        return _AXES[(_AXES @ along).argmax()]

    @cached_property
    def straight(self) -> bool:
        """Whether a person stands at rest: both legs stretched, along the line from head to feet, feet level."""
        names = [[key(n, side) for n in legs(self.body)[0][:3]] for side in SIDES]
        if self.body != "human" or any(n not in self.index for both in names for n in (*both, "head")):
            return True
        points = np.array([[self.head(n) for n in both] for both in names])
        down = points[:, 2] - points[:, 0]
        reach = np.linalg.norm(down, axis=-1)
        lengths = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(-1)
        body = points[:, 2].mean(0) - self.head("head")
        between = (points[:, 0].mean(0) - self.head("head")) @ body > 0
        body = body / max(float(np.linalg.norm(body)), 1e-9)
        upright = between and np.abs(body).max() > _UPRIGHT
        stretched = (reach > _STRETCHED * lengths).all()
        level = abs(float((down[0] - down[1]) @ body)) < _LEVEL * lengths.mean()
        return bool(upright and stretched and level and (down @ body > _ALONG * reach).all())

    def _over_pelvis(self) -> Array:
        """(3,) from between the hip joints to where the spine begins, across the line between them."""
        hips = np.array([self.head(key(legs(self.body)[0][0], side)) for side in SIDES])
        spine = self.chain("spine")
        along = (self.head(spine[0]) if spine else self.head("head")) - hips.mean(0)
        line = (hips[0] - hips[1]) / max(float(np.linalg.norm(hips[0] - hips[1])), 1e-9)
        return np.asarray(along - (along @ line) * line)

    @cached_property
    def pelvis(self) -> Array:
        """(3, 3) columns left (along the line between the hip joints), back and up of a person's pelvis."""
        up = self._over_pelvis()
        up = up / max(float(np.linalg.norm(up)), 1e-9)
        hips = [self.head(key(legs(self.body)[0][0], side)) for side in SIDES]
        left = hips[0] - hips[1]
        left = left / max(float(np.linalg.norm(left)), 1e-9)
        return np.stack([left, np.cross(up, left), up], -1)

    @cached_property
    def left(self) -> Array:
        """(3,) horizontal unit vector to the body's left."""
        pairs = [(k, k[: -len(LEFT)] + RIGHT) for k in self.keys if split_key(k)[1:] == (LEFT, None)]
        across = sum((self.head(a) - self.head(b) for a, b in pairs if b in self.index), np.zeros(3))
        across = across - (across @ self.up) * self.up
        length = np.linalg.norm(across)
        return across / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])

    @property
    def axes(self) -> Array:
        """(3, 3) columns left, back, up."""
        return np.stack([self.left, np.cross(self.up, self.left), self.up], -1)

    def leg_length(self, other: Parts | None = None) -> float:
        """Mean length of the legs that carry the hips, as far as another body has them too; 0 when they are not known.

        They go from the hip joint to the joint over the sole: of an animal the hind legs, to the toes.
        """
        lengths = []
        for side in SIDES:
            names = [key(n, side) for n in legs(self.body)[0][: _over_sole(self.body) + 1]]
            names = [n for n in names if n in self.index and (other is None or n in other.index)]
            if len(names) > 2:
                points = np.array([self.head(n) for n in names])
                lengths.append(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
        return float(np.mean(lengths)) if lengths else 0.0

    @cached_property
    def floor(self) -> float:
        """Height along ``up`` that the rest body stands on: its origin's, unless the feet are far from that."""
        names = [key(n, side) for leg in legs(self.body) for n in leg[2:] for side in SIDES]
        points = [self.head(name) @ self.up for name in names if name in self.index]
        ground = float(self.origin @ self.up)
        if self.ground is not None and self.up[2] > 0.99:
            ground = self.ground
        if not points:
            return ground
        lowest = float(min(points))
        return ground if -0.05 < (lowest - ground) / max(self.leg_length(), 1e-9) < 0.25 else lowest


def _over_sole(body: str) -> int:
    """Which joint of a leg is the lowest: of a person the foot's, of an animal the toes'."""
    return 2 if body == "human" else 3


def facing(target: Parts, source: Parts) -> Array:
    """(4,) the turn from the target's left, back and up to the source's."""
    return from_matrix(source.axes @ target.axes.T)


def leg_ratio(target: Parts, source: Parts) -> float:
    """Ratio of the target's leg length to the source's, of the legs that carry the hips."""
    target_length, source_length = target.leg_length(source), source.leg_length(target)
    if target_length > 0 and source_length > 0:
        return target_length / source_length
    return _span(target) / max(_span(source), 1e-9)


def _span(parts: Parts) -> float:
    return float(np.linalg.norm(np.ptp(parts.heads, axis=0)))


def alignments(target: Parts, source: Parts, directions: Directions) -> Array:
    """(N, 4) for each part of the target, the turn from its rest pose to the source's rest pose.

    Limbs are turned until their bones point as the source's do. What carries the character's own posture (spine, neck,
    shoulders, feet) is only turned as a whole body is, unless it points quite elsewhere or ``directions`` is ALL.
    """
    turn = facing(target, source)
    alignment = np.empty((len(target.keys), 4))
    for i, name in enumerate(target.keys):
        role, side, index = split_key(name)
        spec = roles(target.body)[role]
        if name == "hips" and not target.straight:
            alignment[i] = from_matrix(source.pelvis @ target.pelvis.T)
            continue
        arc = _arc(target, source, name, turn)
        if arc is None:
            before = key(role, side, index - 1) if index else _followed(target, spec.follow, side)
            alignment[i] = alignment[target.index[before]] if before in target.index else turn
            continue
        angle = 2 * np.degrees(np.arccos(np.clip(abs(arc[0]), 0, 1)))
        limit = 0.0 if directions == "ALL" or not target.straight else spec.limit
        alignment[i] = multiply(arc, turn) if angle > limit else turn
    return alignment


def _followed(target: Parts, role: str, side: str) -> str:
    """The key whose turn a part without a direction of its own takes over."""
    if not role:
        return ""
    if not roles(target.body)[role].chain:
        return key(role, side)
    chain = target.chain(role) or target.chain(roles(target.body)[role].parent)
    return chain[-1] if chain else ""


def _arc(target: Parts, source: Parts, name: str, turn: Array) -> Array | None:
    """The smallest turn that makes a part of the target, faced as the source, point as the source's part."""
    role, side, _ = split_key(name)
    joint = same_finger_joint(target, source, name)
    if joint:
        ours, theirs = _to_next(target, name), _to_next(source, joint)
    elif roles(target.body)[role].chain and len(target.chain(role, side)) != len(source.chain(role, side)):
        ours, theirs = _whole(target, role, side), _whole(source, role, side)
    else:
        ours, theirs = _direction(target, source, name), _direction(source, target, name)
    if ours is None or theirs is None:
        return None
    return shortest_arc(rotate(turn, ours), theirs)


def _direction(parts: Parts, other: Parts, name: str) -> Array | None:
    if name not in parts.index or name not in other.index:
        return None
    end, theirs = parts.next(name), other.next(name)
    if not end or not theirs or split_key(end)[0] != split_key(theirs)[0]:
        return None
    along = parts.head(end) - parts.head(name)
    return along if np.linalg.norm(along) > 1e-6 else None


def same_finger_joint(target: Parts, source: Parts, name: str) -> str:
    """The source's joint that a finger of fewer bones has: it lacks those at the palm. "" where that is not so."""
    role, side, index = split_key(name)
    ours, theirs = len(target.chain(role, side)), len(source.chain(role, side))
    if role not in FINGERS or index is None or not 1 < ours < theirs:
        return ""
    return key(role, side, index + theirs - ours)


def _to_next(parts: Parts, name: str) -> Array | None:
    """(3,) from a bone of a chain to the next one, None for the last."""
    end = parts.next(name)
    return parts.head(end) - parts.head(name) if end else None


def _whole(parts: Parts, role: str, side: str) -> Array | None:
    """From the beginning of a chain to what it points to, or to its last bone."""
    chain = parts.chain(role, side)
    if not chain:
        return None
    end = parts.next(chain[-1]) or chain[-1]
    along = parts.head(end) - parts.head(chain[0])
    return along if np.linalg.norm(along) > 1e-6 else None


def ankle_step(source: Parts, target: Parts, scale: float) -> float:
    """Metres that a target's ankles are higher over the floor at rest than scaled ones of the source."""
    ours, theirs = ankle_height(target), ankle_height(source)
    return 0.0 if ours is None or theirs is None else ours - scale * theirs


def over_legs(parts: Parts) -> Array | None:
    """(3,) at rest, from between the beginnings of the (hind) legs to the hips; None when the legs are not known."""
    names = [key(legs(parts.body)[0][0], side) for side in SIDES]
    leg_tops = [parts.head(name) for name in names if name in parts.index]
    return parts.head("hips") - np.mean(leg_tops, axis=0) if leg_tops else None


def ankle_height(parts: Parts) -> float | None:
    """Mean height of the feet's first joints over the floor at rest; of an animal, of its toes. None when unknown."""
    names = [key(leg[_over_sole(parts.body)], side) for leg in legs(parts.body) for side in SIDES]
    heights = [parts.head(name) @ parts.up for name in names if name in parts.index]
    if heights and not parts.straight:  # the feet are anywhere: how high an ankle is follows from the foot's length
        steps = [parts.head(key("toe", s)) - parts.head(key("foot", s)) for s in SIDES if key("toe", s) in parts.index]
        lengths = [float(np.linalg.norm(step)) for step in steps]
        return _ANKLE * float(np.mean(lengths)) if lengths else _ANKLE_OF_LEG * parts.leg_length()
    return float(np.mean(heights)) - parts.floor if heights else None


def heading(turns: Array, up: Array) -> Array:
    """(T, 4) the part of turns (T, 4) that is about the axis ``up``."""
    along = turns[:, 1:] @ up
    twist = np.concatenate([turns[:, :1], along[:, None] * up], -1)
    length = np.linalg.norm(twist, axis=-1, keepdims=True)
    return continuous(np.where(length < 1e-6, [1.0, 0, 0, 0], twist / np.maximum(length, 1e-9)))
