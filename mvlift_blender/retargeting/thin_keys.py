"""Key reduction on retargeted rigs, FK or IK: few keys a channel, so that no part of the rig notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..motion.thinning import fewest, hermite, slopes_of, thin
from .channels import Channel
from .evaluate_keys import evaluate_keys
from .response import Control, RigResponse
from .rig_map import RigMap
from .roles import limb_keys

__all__ = ["Kept", "ThinnedRig", "thin_rig"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Limb = tuple[str, str]
_SKIN = 0.15
"""Metres: the skin around a part on which nothing hangs is moved by its turns too."""


@dataclass(frozen=True, eq=False)
class Kept:
    """The keys that are left of a channel: rows (K,) of the dense motion, and slopes (K, C) a frame there."""

    channel: Channel
    rows: Rows
    slopes: Array

    def shown(self, frames: Array) -> Array:
        """(T, C) what the keys that are left make of the values at frames (T,)."""
        slopes = np.zeros_like(self.channel.values)
        slopes[self.rows] = self.slopes
        return hermite(self.channel.values, slopes, frames, self.rows)

    def with_values(self, channel: Channel | None, frames: Array) -> Kept:
        """The same keys with the values of another channel, or as it is for None."""
        return self if channel is None else Kept(channel, self.rows, slopes_of(channel.values, frames)[self.rows])


@dataclass(frozen=True, eq=False)
class ThinnedRig:
    """A thinned motion. ``error`` is the largest distance in metres that a part is off in any frame."""

    kept: tuple[Kept, ...]
    error: float

    @property
    def keys(self) -> int:
        """How many places in time have keys, over all channels."""
        return sum(len(k.rows) for k in self.kept)


@dataclass(frozen=True, eq=False)
class _Measure:
    """How a channel's values are judged: metres for a unit of each, or the reach of a rotation."""

    metres: Array
    quaternion: bool
    reach: float


def thin_rig(
    rig: RigMap,
    response: RigResponse,
    limbs: Sequence[Limb],
    channels: Sequence[Channel],
    frames: Array,
    bound: float,
    heels: Mapping[Limb, Array],
) -> ThinnedRig:
    """As few keys as keep every part within ``bound`` metres of where it was, in every frame.

    Heels of paws keep all their keys: what they hang on changes with the others.

    Args:
        rig: its bone map.
        response: the rig, looked at.
        limbs: whose IK controls are keyed.
        channels: (T, C) each.
        frames: (T,) scene frames.
        bound: metres, positive.
        heels: (T, 4) what the heels of paws hang on.
    """
    measures = _measures(rig, response, limbs)
    slopes = [slopes_of(c.values, frames) for c in channels]
    all_rows = np.arange(len(frames))
    bones = {rig.ik[limb].heel for limb in heels}

    def places(values: dict[str, Array]) -> Array:
        return evaluate_keys(rig, response, limbs, lambda path, _: values.get(path), len(frames), heels).heads

    truth = places({c.path: c.values for c in channels})

    def thinned(tolerance: float) -> ThinnedRig:
        kept, shown = [], {}
        for channel, slope in zip(channels, slopes, strict=True):
            measure = measures[channel.path]
            rows = all_rows if channel.bone in bones else _rows(channel, slope, frames, tolerance, measure)
            kept.append(Kept(channel, rows, slope[rows]))
            shown[channel.path] = hermite(channel.values, slope, frames, rows)
        return ThinnedRig(tuple(kept), float(np.linalg.norm(places(shown) - truth, axis=-1).max()))

    best = fewest(thinned, bound)
    return best or ThinnedRig(tuple(Kept(c, all_rows, s) for c, s in zip(channels, slopes, strict=True)), 0.0)


def _rows(channel: Channel, slopes: Array, frames: Array, tolerance: float, measure: _Measure) -> Rows:
    if measure.quaternion:
        return thin(channel.values, slopes, frames, tolerance, measure.reach, rotation=True)
    values, slopes = channel.values @ measure.metres, slopes @ measure.metres
    return thin(values, slopes, frames, tolerance, 1.0, rotation=False)


def _measures(rig: RigMap, response: RigResponse, limbs: Sequence[Limb]) -> dict[str, _Measure]:
    """How each channel is judged, by its path."""
    reach = dict(zip((c.bone for c in response.controls), _reaches(response), strict=True))
    controls = list(response.controls)
    for control in response.extra.values():
        controls.append(control)
        reach.setdefault(control.bone, _SKIN)
    for limb in limbs:
        bend, (_, lower, end) = response.bends[limb], (response.parts.head(k) for k in limb_keys(rig.body, limb))
        if bend.bone:
            controls.append(Control(bend.bone, bend.mode, np.array([1.0, 0, 0, 0]), lower, np.zeros((3, 3)), -1))
            reach[bend.bone] = float(np.linalg.norm(end - lower))
    measures = {}
    for control in controls:
        stem, metres = f'pose.bones["{control.bone}"].', reach[control.bone]
        measures[stem + "location"] = _Measure(control.moves.T, False, 1.0)
        measures[stem + "rotation_quaternion"] = _Measure(np.eye(4), True, metres)
        measures[stem + "rotation_euler"] = _Measure(metres * np.eye(3), False, 1.0)
        # the angle counts as it is; the axis at most as if it were half a turn
        measures[stem + "rotation_axis_angle"] = _Measure(metres * np.diag([1, np.pi, np.pi, np.pi]), False, 1.0)
    return measures


def _reaches(response: RigResponse) -> Array:
    """(N,) metres: the longest way along parts from each to one that hangs on it."""
    parts = response.parts
    reach = np.zeros(len(parts.keys))
    for i in reversed(range(len(parts.keys))):
        parent = parts.parents[i]
        if parent >= 0:
            reach[parent] = max(reach[parent], reach[i] + float(np.linalg.norm(parts.heads[i] - parts.heads[parent])))
    return np.maximum(reach, _SKIN)
