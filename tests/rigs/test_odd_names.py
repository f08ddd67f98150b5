"""Skeletons whose names or structure follow a habit of one program or language are recognised part by part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from odd_tables import ANIMALS, SKELETONS
from rig_shapes import Style, landmarks
from tables import animal_landmarks

from mvlift_blender.retargeting.detect import LEAST_CONFIDENCE, recognise
from mvlift_blender.retargeting.recognition.names import parse_names
from mvlift_blender.retargeting.report import rig_report
from mvlift_blender.retargeting.shape import RigShape


@dataclass(frozen=True)
class _Row:
    bone: str
    parent: str
    landmark: str
    side: int
    part: str


def _rows(text: str, sides: tuple[str, str]) -> list[_Row]:
    rows: list[_Row] = []
    stack: list[tuple[int, str]] = []
    for line in filter(str.strip, text.splitlines()):
        depth = len(line) - len(line.lstrip())
        words, _, part = line.strip().partition(" =")
        bone, landmark = words.rsplit(" ", 1)
        while stack and stack[-1][0] >= depth:
            stack.pop()
        parent = stack[-1][1] if stack else ""
        stack.append((depth, bone))
        for token, side in zip(sides, (1, -1), strict=True) if "$" in bone else (("", 1),):
            rows.append(_Row(bone.replace("$", token), parent.replace("$", token), landmark, side, part))
    return rows


def _shape(rows: list[_Row], animal: bool) -> RigShape:
    points = {s: animal_landmarks(s) if animal else landmarks(Style(arm=30, bent=5), s) for s in (1, -1)}
    number = {row.bone: i for i, row in enumerate(rows)}
    heads = 100 * np.array([points[row.side][row.landmark] for row in rows])
    tails = heads + np.array([0, 0, 5.0])
    for i, row in enumerate(rows):
        if row.parent and np.linalg.norm(heads[i] - heads[number[row.parent]]) > 1e-6:
            tails[number[row.parent]] = heads[i]
    parents = tuple(number.get(row.parent, -1) for row in rows)
    return RigShape(tuple(row.bone for row in rows), parents, heads, tails)


@pytest.mark.parametrize("name", SKELETONS)
def test_every_part_is_found(name: str) -> None:
    sides, text = SKELETONS[name]
    rows = _rows(text, sides)
    rig = recognise(_shape(rows, name in ANIMALS))
    assert rig.confidence >= LEAST_CONFIDENCE
    assert rig.body == ("quadruped" if name in ANIMALS else "human")
    parts = rig_report(rig)["bones"]
    for part in dict.fromkeys(row.part for row in rows if row.part):
        bones = [row.bone for row in rows if row.part == part]
        chain = part in ("spine", "neck") and isinstance(parts[part], list)
        assert (parts[part][0] if chain else parts[part]) == (bones if len(bones) > 1 else bones[0]), part


def test_one_letter_may_be_a_side_or_not() -> None:
    said = parse_names(["l_foot_L", "l_foot_R", "Luparm", "legUpRBone", "NPC R Foot [Rft ]", "j_hip_le"])
    assert [n.side for n in said] == ["L", "R", "L", "R", "R", "L"]


def test_a_shape_whose_names_say_otherwise_is_believed_less() -> None:
    """Legs that are called wings, arms called ears: the structure alone fits, the names speak against it."""
    sides, text = SKELETONS["russian"]
    rows = _rows(text, sides)
    shape = _shape(rows, animal=False)
    plain = {row.bone: f"b{i:02d}" for i, row in enumerate(rows)}
    against = plain | {row.bone: f"ear_{i:02d}" for i, row in enumerate(rows) if row.part.endswith(("_arm", "_leg"))}
    by_shape, doubted = (
        recognise(RigShape(tuple(names[b] for b in shape.names), shape.parents, shape.heads, shape.tails))
        for names in (plain, against)
    )
    assert dict(by_shape.bones).keys() == dict(doubted.bones).keys()
    assert doubted.confidence < LEAST_CONFIDENCE < by_shape.confidence
