"""How an animal moves: its path, when each paw is on the ground and where, and how trunk, neck and head swing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from mvlift.typing import F64
from scipy.ndimage import gaussian_filter1d

from mvlift_training.animals.body import Measures
from mvlift_training.animals.species import species_table

__all__ = ["FPS", "Motion", "draw_motion", "slow_noise"]

FPS: Final = 30.0
_MARGIN: Final = 90
"""Frames before and after the clip that footholds are planned over."""
_LEGS: Final = 4


@dataclass(frozen=True, eq=False)
class Motion:
    """An animal's motion over time, before its legs are solved. Shoulder heights, radians, z up.

    Attributes:
        centre: (T, 3) middle of the trunk.
        heading: (T,) of the trunk.
        pitch: (T,) of the trunk, nose up.
        roll: (T,) of the trunk.
        flex: (T,) arching of the back: pitch of the fore half minus that of the hind half.
        bend: (T,) turning of the back: heading of the fore half minus that of the hind half.
        paws: (T, 4, 3) left front, right front, left hind, right hind.
        lifted: (T, 4) 0 on the ground, 1 in mid-swing.
        neck: (T, 2) pitch and yaw added to the usual carriage.
        head: (T, 2) likewise.
    """

    centre: F64
    heading: F64
    pitch: F64
    roll: F64
    flex: F64
    bend: F64
    paws: F64
    lifted: F64
    neck: F64
    head: F64


def slow_noise(frames: int, seconds: float, random: np.random.Generator, *columns: int) -> F64:
    """(T, ...) smooth noise of unit spread that changes over about so many seconds."""
    pad = int(4 * seconds * FPS)
    raw = random.normal(size=(frames + 2 * pad, *columns))
    smooth = gaussian_filter1d(raw, max(seconds * FPS, 1e-3), axis=0)[pad : pad + frames]
    return np.asarray(smooth * np.sqrt(2 * np.sqrt(np.pi) * max(seconds * FPS, 0.3)))


def _step(frames: int, at: float, length: float) -> F64:
    """(T,) from 0 to 1 round the frame ``at``."""
    return np.asarray(0.5 * (1 + np.tanh((np.arange(frames) - at) / max(length, 1.0))))


@dataclass(frozen=True, eq=False)
class _Gait:
    """Stepping over time: cycles a second, share on the ground, step length, lift and offsets of the legs."""

    frequency: F64
    duty: F64
    excursion: F64
    lift: F64
    offsets: F64
    bob: F64
    pitch: F64
    flex: F64


def _constant(name: str, frames: int, animal: Measures, random: np.random.Generator) -> _Gait:
    def over(value: float) -> F64:
        return np.full(frames, value)

    if name not in species_table()["gaits"]:
        return _Gait(over(0), over(0.65), over(0), over(0.02), np.tile([0.25, 0.75, 0.0, 0.5], (frames, 1)), over(0),
                     over(0), over(0))  # fmt: skip
    row: dict[str, Any] = species_table()["gaits"][name]
    offsets = np.array(row["offsets"]) + random.normal(size=_LEGS) * 0.02
    if random.random() < 0.5:  # the other lead
        offsets = offsets[[1, 0, 3, 2]]
    return _Gait(
        frequency=over(random.uniform(*row["frequency"]) * animal.frequency),
        duty=over(random.uniform(*row["duty"])),
        excursion=over(random.uniform(*row["excursion"])),
        lift=over(random.uniform(*row["lift"])),
        offsets=np.tile(offsets, (frames, 1)),
        bob=over(row["bob"] * random.uniform(0.3, 1.3)),
        pitch=over(np.radians(row["pitch"]) * random.uniform(0.3, 1.3)),
        flex=over(np.radians(row["flex"]) * random.uniform(0.2, 1.2)),
    )


def _blended(first: _Gait, then: _Gait, share: F64) -> _Gait:
    def mix(a: F64, b: F64) -> F64:
        s = share if a.ndim == 1 else share[:, None]
        return np.asarray(a + s * (b - a))

    return _Gait(*(mix(getattr(first, f), getattr(then, f)) for f in _Gait.__dataclass_fields__))


def _gait(activity: str, frames: int, animal: Measures, random: np.random.Generator) -> _Gait:
    """One gait, or in a third of the cases two with a change between them; unsteady in speed."""
    gait = _constant(activity, frames, animal, random)
    if random.random() < 0.35 and activity in species_table()["gaits"]:
        other = _constant(str(random.choice(["stand", "walk", "trot", "canter"])), frames, animal, random)
        share = _step(frames, random.uniform(_MARGIN, frames - _MARGIN), random.uniform(8, 20))
        gait = _blended(gait, other, share) if random.random() < 0.5 else _blended(other, gait, share)
    unsteady = np.exp(0.12 * slow_noise(frames, 1.0, random))
    longer = np.exp(0.08 * slow_noise(frames, 1.0, random))
    return replace(gait, frequency=gait.frequency * unsteady, excursion=gait.excursion * longer)


def _footholds(phase: F64, duty: F64, lift: F64, place: F64) -> tuple[F64, F64, F64]:
    """A paw that rests where it was set down and swings to the next place.

    Args:
        phase: (T,) cycles, never falling; the whole part counts the steps.
        duty: (T,) share of a cycle on the ground.
        lift: (T,) height of the swing.
        place: (T, 2) where the paw would be at ease at each moment.

    Returns:
        Paw (T, 2), its height (T,) and how far it is lifted (T,).
    """
    count = np.floor(phase)
    share = phase - count
    swing = np.clip((share - duty) / (1 - duty), 0, 1)
    time = np.arange(len(phase), dtype=np.float64)
    rising = phase + 1e-6 * time  # so that the moment of each phase is unique while the animal stands

    def at(cycle: F64) -> F64:
        moment = np.interp(cycle + duty / 2, rising, time)  # the middle of the stance
        return np.stack([np.interp(moment, time, column) for column in place.T], 1)

    smooth = swing * swing * (3 - 2 * swing)
    here, there = at(count), at(count + 1)
    bump = np.sin(np.pi * swing**0.85)
    return here + smooth[:, None] * (there - here), lift * bump, bump


def _turning(activity: str, moving: F64, random: np.random.Generator) -> F64:
    """(T,) heading over time; constant while all paws are on the ground."""
    frames = len(moving)
    rate = slow_noise(frames, 1.5, random) * random.choice([0.05, 0.3, 0.7], p=[0.4, 0.4, 0.2]) + random.normal() * 0.15
    if activity == "turn":
        rate = rate + random.choice([-1, 1]) * random.uniform(0.5, 1.6)
    return np.asarray(random.uniform(-np.pi, np.pi) + np.cumsum(rate * moving) / FPS)


def _at_ease(centre: F64, heading: F64, animal: Measures, spread: F64) -> F64:
    """(T, 4, 2) places on the ground under shoulders and hips."""
    ahead = np.stack([np.cos(heading), np.sin(heading)], -1)[:, None]
    left = np.stack([-np.sin(heading), np.cos(heading)], -1)[:, None]
    half = 0.5 * animal.trunk
    forward = np.array([half, half, -half, -half]) + spread[:, 0]
    width = np.array([animal.shoulder_width, animal.shoulder_width, animal.hip_width, animal.hip_width]) / 2
    side = np.array([1, -1, 1, -1]) * (width * 0.9 + spread[:, 1])
    return np.asarray(centre[:, None, :2] + ahead * forward[:, None] + left * side[:, None])


def _rested(activity: str, frames: int, animal: Measures, random: np.random.Generator) -> tuple[F64, ...]:
    """How far the fore and the hind end are lowered (T,), and how far hind paws come forward (T,), when it sits."""
    zero = np.zeros(frames)
    if activity not in ("sit", "lie"):
        return zero, zero, zero
    share = _step(frames, random.uniform(_MARGIN - 40, frames - _MARGIN), random.uniform(8, 16))
    if random.random() < 0.4:
        share = 1 - share
    fore = share * (0.0 if activity == "sit" else random.uniform(0.55, 0.72))
    thigh, shank, cannon, pastern = animal.back
    folded = 1.05 * abs(thigh + cannon - shank) + pastern + 0.05  # a hind leg gets no shorter
    hind = share * min(animal.hip_height * random.uniform(0.58, 0.74), animal.hip_height - folded)
    return fore, hind, share * random.uniform(0.1, 0.35)


def _jumped(activity: str, frames: int, random: np.random.Generator) -> tuple[F64, F64, F64]:
    """Height of the flight (T,), crouch before and after (T,) and pitch (T,)."""
    height, crouch, pitch = np.zeros(frames), np.zeros(frames), np.zeros(frames)
    if activity != "jump":
        return height, crouch, pitch
    time = np.arange(frames)
    for _ in range(int(random.integers(1, 3))):
        start, length = random.uniform(_MARGIN, frames - _MARGIN), random.uniform(9, 18)
        s = np.clip((time - start) / length, 0, 1)
        height = height + random.uniform(0.3, 1.2) * 4 * s * (1 - s)
        deep = random.uniform(0.1, 0.3)
        for at in (start - 5, start + length + 4):
            crouch = crouch + deep * np.exp(-(((time - at) / 4.5) ** 2))
        pitch = pitch + np.radians(random.uniform(5, 25)) * np.cos(np.pi * s) * ((s > 0) & (s < 1))
    return height, np.minimum(crouch, 0.4), gaussian_filter1d(pitch, 2.0)


def draw_motion(activity: str, frames: int, animal: Measures, random: np.random.Generator) -> Motion:
    """A motion at random.

    Args:
        activity: see ``species.json``.
        frames: T.
        animal: who moves.
        random: randomness.
    """
    length = frames + 2 * _MARGIN
    stepping = "walk" if activity == "turn" else activity
    if activity == "jump":
        stepping = str(random.choice(["trot", "canter", "stand"]))
    gait = _gait(stepping, length, animal, random)
    if activity == "turn":
        gait = replace(gait, frequency=np.maximum(gait.frequency, 0.9))
    moving = np.clip(gait.frequency / 0.5, 0, 1)
    heading = _turning(activity, moving, random)
    speed = gait.frequency * gait.excursion / gait.duty * (0.25 if activity == "turn" else 1.0)
    drift = 0.12 * slow_noise(length, 1.0, random)
    go = heading + drift * (gait.frequency > 0.1)
    path = np.cumsum(speed[:, None] * np.stack([np.cos(go), np.sin(go)], 1), 0) / FPS
    cycles = np.cumsum(gait.frequency) / FPS + random.uniform(0, 1) + 2
    beat = 2 * np.pi * (cycles + random.uniform(-0.1, 0.1))
    fore, hind, tucked = _rested(activity, length, animal, random)
    flight, crouch, jump_pitch = _jumped(activity, length, random)
    canter = gait.flex > np.radians(4)
    bob = gait.bob * np.sin(np.where(canter, 1, 2) * beat + random.uniform(0, 6))
    sway = 0.012 * slow_noise(length, 0.7, random, 3)
    low = random.uniform(0.0, 0.16) if random.random() < 0.6 else random.uniform(0.0, 0.32)  # crouched walk
    low = 0.0 if hind.any() else low
    shoulder = 1 - fore - crouch - low * 0.7
    hip = animal.hip_height * (1 - low) - hind - crouch
    centre = np.concatenate([path, (0.5 * (shoulder + hip) + bob + flight)[:, None]], 1) + sway
    pitch = np.arcsin(np.clip((shoulder - hip) / animal.trunk, -0.95, 0.95)) + gait.pitch * np.sin(beat) + jump_pitch
    pitch = pitch + 0.02 * slow_noise(length, 0.8, random)
    spread = np.stack([random.normal(size=_LEGS) * 0.05, random.normal(size=_LEGS) * 0.02], 1)
    ease = _at_ease(centre, heading, animal, spread)
    ahead = np.stack([np.cos(heading), np.sin(heading)], -1)
    ease[:, 2:] += (tucked + 0.15 * animal.trunk * (1 - np.cos(pitch)))[:, None, None] * ahead[:, None]
    if activity == "lie":
        ease[:, :2] += (fore * random.uniform(0.0, 0.4))[:, None, None] * ahead[:, None]
    paws, lifted = np.zeros((length, _LEGS, 3)), np.zeros((length, _LEGS))
    for leg in range(_LEGS):
        at, height, bump = _footholds(cycles + gait.offsets[:, leg], gait.duty, gait.lift * moving, ease[:, leg])
        in_air = np.clip(flight / 0.3, 0, 1)
        at = at + in_air[:, None] * (ease[:, leg] - at)
        paws[:, leg] = np.concatenate([at, (height + flight + 0.25 * in_air)[:, None]], 1)
        lifted[:, leg] = np.maximum(bump * moving, in_air)
    neck, head = _carriage(activity, length, animal, gait, beat, random)
    keep = slice(_MARGIN, _MARGIN + frames)
    turn = gaussian_filter1d(np.gradient(heading) * FPS, 6)
    return Motion(
        centre=centre[keep],
        heading=heading[keep],
        pitch=pitch[keep],
        roll=(0.03 * slow_noise(length, 0.8, random) + 0.02 * np.sin(beat))[keep],
        flex=(gait.flex * np.sin(beat + random.uniform(0.5, 2.0)) + 0.04 * slow_noise(length, 1.0, random))[keep],
        bend=(np.clip(0.25 * turn, -0.5, 0.5) + 0.06 * np.sin(beat) * moving)[keep],
        paws=paws[keep],
        lifted=lifted[keep],
        neck=neck[keep],
        head=head[keep],
    )


def _carriage(
    activity: str, frames: int, animal: Measures, gait: _Gait, beat: F64, random: np.random.Generator
) -> tuple[F64, F64]:
    """Neck and head (T, 2): pitch and yaw, nodding with the step, looking about, grazing."""
    neck = slow_noise(frames, 0.9, random, 2) * [0.16, 0.25]
    head = slow_noise(frames, 0.6, random, 2) * [0.15, 0.2]
    neck[:, 0] += np.clip(gait.frequency, 0, 1) * np.radians(random.uniform(0, 7)) * np.sin(2 * beat)
    head[:, 0] -= 0.3 * neck[:, 0]
    if activity == "graze" or random.random() < 0.12:
        down = _step(frames, random.uniform(0, frames), random.uniform(8, 25))
        down = down if random.random() < 0.7 else 1 - down
        neck[:, 0] -= down * (animal.neck_pitch + np.radians(random.uniform(20, 60)))
        head[:, 0] -= down * np.radians(random.uniform(0, 25))
    return neck, head
