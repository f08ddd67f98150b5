"""The shapes of the test rigs without Blender: landmarks of a body in each program's rest pose, and tables of bones."""

# ruff: noqa: E501  the tables read better with a row a line

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rig_tables import TABLES, rows_of

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Style:
    """How a program writes a rig.

    arm: degrees that the arms hang below horizontal; stance: degrees that the legs are spread; stature: metres;
    scale: the object's scale (0.01 for centimetres); y_up: bones are y up and the object is turned; tails: "child",
    "up" (every bone points up) or "x" (bones point along their local X); roll: radians; turned: degrees about z.
    """

    arm: float = 0.0
    stance: float = 0.0
    stature: float = 1.75
    scale: float = 1.0
    y_up: bool = False
    tails: str = "child"
    roll: float = 0.0
    turned: float = 0.0
    bent: float = 0.0
    thigh: float = 1.0


STYLES = {
    "smpl": Style(stature=1.7), "smplh": Style(stature=1.8, stance=3), "smplx": Style(stature=1.6),
    "smpl_fbx": Style(scale=0.01, y_up=True, tails="x"), "mixamo": Style(scale=0.01, y_up=True, roll=0.6, stature=1.8),
    "motionbuilder": Style(scale=0.01, y_up=True, tails="up"), "cmu": Style(stature=1.7, roll=-1.1),
    "makehuman_cmu": Style(arm=35, stature=0.17 * 10), "daz_cmu": Style(scale=0.01, y_up=True, stance=4),
    "perception_neuron": Style(scale=0.01, y_up=True), "rokoko": Style(arm=5, stature=1.9, turned=180),
    "xsens": Style(scale=0.01, y_up=True, tails="up"), "xsens_mvnx": Style(turned=90),
    "optitrack": Style(scale=0.001, y_up=True), "biped": Style(arm=50, tails="x", stature=1.82, roll=0.3),
    "unreal4": Style(arm=52, stance=6, scale=0.01, tails="x", stature=1.8, thigh=1.05, turned=20),
    "unreal5": Style(arm=45, stance=8, scale=0.01, tails="x", stature=1.75, thigh=0.93), "makehuman_game": Style(arm=40),
    "makehuman": Style(arm=40, stance=5, stature=1.6), "unity": Style(y_up=True, tails="up"),
    "vrm1": Style(turned=180, stature=1.4, tails="up"), "vroid": Style(turned=180, stature=1.5),
    "character_creator": Style(scale=0.01, y_up=True, stature=1.7, arm=30, roll=1.5),
    "daz3_8": Style(scale=0.01, y_up=True, arm=0, stature=1.73), "daz9": Style(scale=0.01, y_up=True, arm=45, stance=7),
    "auto_rig_pro_game": Style(arm=45, tails="x"), "unknown": Style(arm=20, stature=2.1, roll=2.0, bent=5),
}  # fmt: skip


def landmarks(style: Style, side: int) -> dict[str, np.ndarray]:
    """Where a body's landmarks are, metres, z up, facing -y; ``side`` is 1 for the left, -1 for the right."""
    h = style.stature
    turn_arm = np.radians(style.arm)
    turn_leg = np.radians(style.stance)
    along = np.array([side * np.cos(turn_arm), 0, -np.sin(turn_arm)])
    down = np.array([side * np.sin(turn_leg), 0, -np.cos(turn_leg)])
    hips = np.array([0, 0.01, 0.55]) * h
    neck, head = np.array([0, 0.03, 0.835]) * h, np.array([0, 0.01, 0.885]) * h
    clav, arm = np.array([side * 0.015, 0.015, 0.81]) * h, np.array([side * 0.105, 0.03, 0.815]) * h
    forward = np.array([0, -np.sin(np.radians(8 + style.bent)), 0])
    elbow = arm + 0.165 * h * along
    wrist = elbow + 0.15 * h * _unit(along + forward)
    leg = np.array([side * 0.055, 0.01, 0.515]) * h
    knee = leg + 0.237 * style.thigh * h * down + np.array([0, -0.008, 0]) * h
    ankle = knee + 0.235 * (2 - style.thigh) * h * down + np.array([0, 0.02, 0]) * h
    ball = ankle * [1, 1, 0] + np.array([side * 0.01, -0.075, 0.01]) * h
    points = {
        "hips": hips, "neck": neck, "head": head, "top": head + 0.11 * h * UP, "clav": clav, "arm": arm, "elbow": elbow,
        "clav2": 0.5 * (clav + arm), "wrist": wrist, "hand": wrist + 0.025 * h * along, "i1": wrist + 0.055 * h * along,
        "i2": wrist + 0.08 * h * along, "i3": wrist + 0.095 * h * along, "leg": leg, "knee": knee, "ankle": ankle,
        "ankle2": 0.6 * ankle + 0.4 * ball, "ball": ball, "toe": ball + np.array([0, -0.04, 0]) * h,
        "ground": np.zeros(3), "face": head + np.array([side * 0.02, -0.05, 0.03]) * h,
        "t1": wrist + 0.02 * h * along + np.array([0, -0.02, 0]) * h, "t2": wrist + 0.03 * h * along - [0, 0.03 * h, 0],
    }  # fmt: skip
    for letter, (a, b) in {"s": ("hips", "neck"), "n": ("neck", "head"), "a": ("arm", "elbow"), "f": ("elbow", "wrist"),
                           "l": ("leg", "knee"), "c": ("knee", "ankle")}.items():  # fmt: skip
        for percent in range(5, 100, 5):
            share = percent / 100
            curve = np.array([0, 0.03 * h * np.sin(np.pi * share), 0]) if letter == "s" else 0
            points[f"{letter}{percent}"] = (1 - share) * points[a] + share * points[b] + curve
    return points


def _unit(v):
    return v / np.linalg.norm(v)


def table_bones(name: str) -> list[tuple[str, str, str, int]]:
    """(bone, parent, landmark, side) of a table's rig, parents first."""
    return [(row.bone, row.parent, row.landmark, row.side) for row in rows_of(TABLES[name])]
