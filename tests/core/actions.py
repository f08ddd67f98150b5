"""Synthetic people who sit, lie, crawl, hang, jump and climb, with the truth about what touches what.

Every action is the default body, moved by its joints; hands and feet that rest are put where they rest by two-bone IK.
The floor is z = 0, z is up, and the person faces -y at first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from mvlift.bodies import default_human_skeleton
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.layouts import get_layout
from mvlift.kinematics.chains import forward_kinematics, two_bone_rotations
from mvlift.kinematics.rotations import exp_map, rotation_between
from mvlift.typing import F64
from numpy.typing import NDArray

__all__ = ["ACTIONS", "Action", "Puppet", "make_action", "project"]

FPS: Final = 30
GRAVITY: Final = 9.81
UPRIGHT: Final = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
"""Body axes (x left, y up, z front) to the world."""
SKELETON: Final = default_human_skeleton()
REST, _ = SKELETON.shaped(np.zeros(10))
THIGH: Final = float(
    np.linalg.norm(np.subtract(*REST[[SKELETON.joint_names.index(name) for name in ("left_knee", "left_hip")]]))
)
SIZE: Final = (1280, 720)
FOCAL: Final = 1150.0
SOLE: Final = 0.082
"""Metres from the floor to the ankle of a flat foot."""
PALM: Final = 0.03
"""Metres from what a hand rests on to the wrist."""


@dataclass(frozen=True, eq=False)
class Action:
    """A movement and its truth.

    Attributes:
        points: (T, K, 3) keypoints, metres.
        names: (K,) of the keypoints.
        joints: (T, J, 3) joints of the body, metres.
        contacts: keypoint or joint -> (T,) whether it rests on something.
        support: keypoint or joint -> (T,) or float, metres: height of what it rests on.
    """

    points: F64
    names: tuple[str, ...]
    joints: F64
    contacts: dict[str, NDArray[np.bool_]]
    support: dict[str, F64 | float]


class Puppet:
    """The default body over some frames, posed joint by joint."""

    def __init__(self, frames: int) -> None:
        self.rotations = np.tile(np.eye(3), (frames, len(SKELETON.joint_names), 1, 1))
        self.rotations[:, 0] = UPRIGHT
        self.root = np.tile(np.array([0.0, 0.0, 0.95]), (frames, 1))
        self.time = np.arange(frames) / FPS
        self.relax_arms()

    def joint(self, name: str) -> int:
        return SKELETON.joint_names.index(name)

    def turn(self, name: str, vector: object) -> None:
        """Set a joint's rotation, an axis-angle vector (3,) or (T, 3)."""
        vectors = np.broadcast_to(np.asarray(vector, np.float64), (len(self.root), 3))
        turned = exp_map(vectors)
        self.rotations[:, self.joint(name)] = turned @ UPRIGHT if name == "pelvis" else turned

    def relax_arms(self) -> None:
        for side, sign in (("left", 1.0), ("right", -1.0)):
            self.turn(f"{side}_shoulder", [0, 0, -sign * 1.25])
            self.turn(f"{side}_elbow", [0, -sign * 0.35, 0])

    def world(self) -> tuple[F64, F64]:
        """World rotations (T, J, 3, 3) and positions (T, J, 3) of the joints."""
        return forward_kinematics(SKELETON.parents, REST, self.rotations, self.root)

    def reach(self, limb: tuple[str, str, str], goal: F64, pole: object, end: F64 | None = None) -> None:
        """Bring a limb's end to a goal (T, 3); ``end``: (T, 3, 3) world rotation of the hand or foot."""
        first, second, last = (self.joint(name) for name in limb)
        rotation, position = self.world()
        poles = np.broadcast_to(np.asarray(pole, np.float64), (len(self.root), 3))
        goals = np.broadcast_to(goal, (len(self.root), 3))
        upper, lower = two_bone_rotations(position[:, first], position[:, second], position[:, last], goals, poles)
        upper, lower = upper @ rotation[:, first], lower @ rotation[:, second]
        parent = rotation[:, SKELETON.parents[first]]
        self.rotations[:, first] = parent.transpose(0, 2, 1) @ upper
        self.rotations[:, second] = upper.transpose(0, 2, 1) @ lower
        if end is not None:
            self.rotations[:, last] = lower.transpose(0, 2, 1) @ end

    def aim(self, name: str, child: str, direction: F64) -> None:
        """Turn a joint so that the bone to its child points along a direction (T, 3)."""
        j = self.joint(name)
        rotation, position = self.world()
        turned = rotation_between(position[:, self.joint(child)] - position[:, j], direction) @ rotation[:, j]
        self.rotations[:, j] = rotation[:, SKELETON.parents[j]].transpose(0, 2, 1) @ turned

    def foot(
        self, side: str, ankle: object, heading: float = 0.0, pitch: object = 0.0, pole: object = (0, -1, 0)
    ) -> None:
        """Put an ankle (T, 3) or (3,) somewhere; the foot is turned by ``heading``, its toes down by ``pitch``."""
        frames = len(self.root)
        tilt = np.zeros((frames, 3))
        tilt[:, 0] = pitch
        level = exp_map(np.tile([0.0, 0.0, heading], (frames, 1))) @ exp_map(tilt) @ UPRIGHT
        limb = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        self.reach(limb, np.asarray(ankle, np.float64), pole, level)

    def hand(self, side: str, wrist: object, pole: object = (0, 1, 0)) -> None:
        """Put a wrist (T, 3) or (3,) somewhere."""
        self.reach((f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), np.asarray(wrist, np.float64), pole)

    def done(self, contacts: dict[str, object], support: dict[str, F64 | float] | None = None) -> Action:
        """The action; ``contacts``: name -> (T,) or bool."""
        joints, points = SKELETON.posed(np.zeros(10), self.rotations, self.root - REST[0])
        frames = len(points)
        flags = {name: np.broadcast_to(np.asarray(value, bool), (frames,)) for name, value in contacts.items()}
        heights = {**dict.fromkeys(flags, 0.0), **(support or {})}
        return Action(points, SKELETON.keypoint_names, joints, flags, heights)


FEET: Final = dict.fromkeys(("l_heel", "l_big_toe", "r_heel", "r_big_toe"), True)


def _wave(time: F64, period: float) -> F64:
    """0 to 1 and back, smoothly, from 0."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * math.pi * time / period))


def _feet_on_floor(puppet: Puppet, ahead: float = 0.0, apart: float = 0.11) -> None:
    for side, sign in (("left", 1.0), ("right", -1.0)):
        puppet.foot(side, [sign * apart, -ahead, SOLE])


def seated(frames: int) -> Action:
    """On a chair of 0.45 m, sways and gestures; the feet stay on the floor."""
    puppet = Puppet(frames)
    time = puppet.time
    puppet.root[:] = [0, 0, 0.55]
    puppet.turn("spine1", np.stack([0.12 * np.sin(1.5 * time), 0.15 * np.sin(time), 0 * time], 1))
    _feet_on_floor(puppet, ahead=0.42)
    for side, sign, speed in (("left", 1.0, 3.0), ("right", -1.0, 4.0)):
        lift = 0.15 * _wave(time, speed)
        puppet.hand(side, np.stack([sign * (0.15 + lift), -0.36 + 0 * lift, 0.72 + lift], 1))
    return puppet.done({**FEET, "pelvis": True}, {"pelvis": 0.45})


def sit_down(frames: int) -> Action:
    """Stands, sits down on a chair of 0.45 m, gets up again."""
    puppet = Puppet(frames)
    down = _wave(puppet.time, frames / FPS)
    puppet.root[:] = np.stack([0 * down, 0.32 * down, 0.93 - 0.38 * down], 1)
    puppet.turn("pelvis", np.stack([0.9 * down * (1 - down) * 2, 0 * down, 0 * down], 1))
    _feet_on_floor(puppet)
    return puppet.done({**FEET, "pelvis": down > 0.97}, {"pelvis": 0.45})


def lying(frames: int) -> Action:
    """On the back, moves arms and bends a knee."""
    puppet = Puppet(frames)
    time = puppet.time
    puppet.root[:] = [0, 0, 0.12]
    puppet.turn("pelvis", [-math.pi / 2, 0, 0])
    bend = _wave(time, 4.0)
    puppet.turn("left_hip", np.stack([-1.2 * bend, 0 * bend, 0 * bend], 1))
    puppet.turn("left_knee", np.stack([1.9 * bend, 0 * bend, 0 * bend], 1))
    puppet.turn("right_shoulder", np.stack([0 * time, 0 * time, 1.25 - 1.8 * _wave(time, 3.0)], 1))
    return puppet.done({"pelvis": True, "r_heel": True})


def push_up(frames: int) -> Action:
    """Palms and toes stay; the body is a plank about the toes."""
    puppet = Puppet(frames)
    down = _wave(puppet.time, 2.0)
    angle = math.radians(19) - math.radians(11) * down
    toes, heel_up = np.array([0.0, 0.72, 0.03]), 1.25
    length = 0.93  # from the toes to the pelvis
    along = np.stack([0 * angle, -np.cos(angle), np.sin(angle)], 1)
    puppet.root[:] = toes + length * along
    puppet.turn("pelvis", np.stack([math.pi / 2 - angle, 0 * angle, 0 * angle], 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        puppet.foot(side, [sign * 0.1, 0.78, 0.185], pitch=heel_up, pole=(0, 0, -1))
        puppet.hand(side, [sign * 0.25, -0.62, PALM], pole=(0, 1, 0.5))
    contacts = {"l_wrist": True, "r_wrist": True, "l_big_toe": True, "r_big_toe": True}
    return puppet.done(contacts, {"l_wrist": 0.0, "r_wrist": 0.0})


def crawling(frames: int) -> Action:
    """On hands and knees, forwards; a hand and the knee of the other side move together."""
    puppet = Puppet(frames)
    speed, cycle, height = 0.3, 1.2, 0.41
    puppet.root[:] = np.stack([0 * puppet.time, -speed * puppet.time, height + 0 * puppet.time], 1)
    puppet.turn("pelvis", [math.pi / 2 - 0.12, 0, 0])
    puppet.turn("head", [-0.5, 0, 0])
    contacts: dict[str, object] = {}
    for side, sign, shift in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        for part, phase in (("knee", shift), ("wrist", shift + 0.5)):
            place, rests = _stepping(puppet.time, speed, cycle, phase)
            if part == "wrist":
                wrist = np.stack([sign * 0.18 + 0 * place, -0.5 - place, PALM + 0.05 * rests[1]], 1)
                puppet.hand(side, wrist, pole=(0, 1, 0.5))
                contacts[f"{side[0]}_wrist"] = rests[0]
                continue
            ahead = -place - puppet.root[:, 1]  # of the hip, which rests over the middle of its step
            knee = np.stack([0 * place, ahead, 0.03 * rests[1] - np.sqrt(THIGH**2 - ahead**2)], 1)
            puppet.aim(f"{side}_hip", f"{side}_knee", knee)
            puppet.aim(f"{side}_knee", f"{side}_ankle", np.tile([0.0, 1.0, 0.0], (frames, 1)))
            puppet.aim(f"{side}_ankle", f"{side}_foot", np.tile([0.0, 1.0, -0.12], (frames, 1)))
            contacts[f"{side[0]}_knee"] = rests[0]
    return puppet.done(contacts)


def _stepping(time: F64, speed: float, cycle: float, phase: float) -> tuple[F64, tuple[NDArray[np.bool_], F64]]:
    """Metres along the way of a limb that rests for half of each cycle; whether it rests, and 0 to 1 how high it is."""
    at = time / cycle + phase
    step_number, part = np.floor(at), at % 1
    swing = np.clip((part - 0.5) / 0.5, 0, 1)
    eased = swing * swing * (3 - 2 * swing)
    begin = (step_number - phase) * speed * cycle + 0.25 * speed * cycle
    return begin + eased * speed * cycle, (part < 0.5, np.sin(math.pi * swing))


def hanging(frames: int) -> Action:
    """From a bar at 2.4 m by both hands, swinging."""
    puppet = Puppet(frames)
    angle = 0.25 * np.sin(2 * math.pi * puppet.time / 2.2)
    bar, length = np.array([0.0, 0.0, 2.4]), 0.98
    puppet.root[:] = bar + length * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], 1)
    puppet.turn("pelvis", np.stack([angle, 0 * angle, 0 * angle], 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        puppet.hand(side, [sign * 0.25, 0, 2.4 - PALM], pole=(0, -1, 0))
    return puppet.done({"l_wrist": True, "r_wrist": True}, {"l_wrist": 2.4, "r_wrist": 2.4})


def jump(frames: int) -> Action:
    """Bends, jumps 0.4 m high in free fall, lands, stands."""
    puppet = Puppet(frames)
    high = 0.4
    flight = 2 * math.sqrt(2 * high / GRAVITY)
    leave = 0.45 * frames / FPS
    t = puppet.time - leave
    flying = (t >= 0) & (t <= flight)
    crouch = np.where(t < 0, _wave(np.clip(t + 0.8, 0, 0.8), 0.8), _wave(np.clip(t - flight, 0, 0.9), 0.9))
    rise = np.where(flying, t * math.sqrt(2 * high * GRAVITY) - 0.5 * GRAVITY * t**2, 0.0)
    puppet.root[:] = np.stack([0 * t, 0.05 * crouch, 0.94 - 0.25 * np.where(flying, 0, crouch) + rise], 1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ankle = np.stack([sign * 0.11 + 0 * t, 0 * t, SOLE + rise], 1)
        puppet.foot(side, ankle, pitch=np.where(flying, 0.6 * np.minimum(t, flight - t).clip(0, 0.15) / 0.15, 0.0))
    return puppet.done(dict.fromkeys(FEET, ~flying))


def stairs(frames: int) -> Action:
    """Up steps of 0.17 m, 0.29 m deep, one foot on each."""
    puppet = Puppet(frames)
    cycle, rise, deep = 1.4, 0.17, 0.29
    time = puppet.time
    climbed = time / cycle * 2
    puppet.root[:] = np.stack([0 * time, -deep * (climbed + 0.5) + 0.05, 0.88 + rise * climbed], 1)
    contacts: dict[str, object] = {}
    support: dict[str, F64 | float] = {}
    for side, sign, shift in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        at = time / cycle + shift
        step_number, part = np.floor(at), at % 1
        swing = np.clip((part - 0.55) / 0.45, 0, 1)
        eased = swing * swing * (3 - 2 * swing)
        step = 2 * (step_number - shift) + 0.5 + 2 * eased
        level = 2 * (step_number - shift) + 1
        height = rise * (level + 2 * np.clip(1.6 * eased, 0, 1)) + 0.06 * np.sin(math.pi * swing)
        puppet.foot(side, np.stack([sign * 0.09 + 0 * at, -deep * (step + 0.5), SOLE + height], 1))
        for name in ("heel", "big_toe"):
            contacts[f"{side[0]}_{name}"] = part < 0.55
            support[f"{side[0]}_{name}"] = rise * level
    return puppet.done(contacts, support)


ACTIONS: Final[dict[str, Callable[[int], Action]]] = {
    "seated": seated, "sit down": sit_down, "lying": lying, "push-up": push_up, "crawling": crawling,
    "hanging": hanging, "jump": jump, "stairs": stairs,
}  # fmt: skip


def make_action(name: str, frames: int = 120) -> Action:
    """An action by name, at 30 frames a second."""
    return ACTIONS[name](frames)


def project(
    action: Action, azimuth: float = 35.0, distance: float = 5.5, height: float = 1.5, noise: float = 1.5, seed: int = 0
) -> tuple[KeypointClip, F64, F64]:
    """What a still camera sees of an action.

    Args:
        action: see ``make_action``.
        azimuth: degrees from the front of the person to the camera, towards the person's left.
        distance, height: metres of the camera from the middle of the action and above the floor.
        noise: pixels of tremble.
        seed: of the tremble.

    Returns:
        Keypoints in the layout openpose24, and the camera's R (3, 3) and t (3,), x_camera = R x_world + t.
    """
    middle = action.points.mean((0, 1))
    angle = math.radians(azimuth)
    centre = np.array([middle[0] + distance * math.sin(angle), middle[1] - distance * math.cos(angle), height])
    forward = middle - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    t = -R @ centre
    camera = action.points @ R.T + t
    pixels = FOCAL * camera[..., :2] / camera[..., 2:] + np.array(SIZE) / 2
    pixels = pixels + noise * np.random.default_rng(seed).normal(size=pixels.shape)
    layout = get_layout("openpose24")
    columns = [action.names.index(name) for name in layout.names]
    confidence = np.full((len(pixels), len(columns)), 0.85)
    clip = KeypointClip(pixels[:, columns], confidence, layout, fps=Fraction(FPS), image_size=SIZE)
    return clip, R, t
