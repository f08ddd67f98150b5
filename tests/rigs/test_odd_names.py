"""Skeletons whose names or structure follow a habit of one program or language are recognised part by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rig_shapes import Style, landmarks
from rig_tables import Row, read_tables, rows_of
from tables import animal_landmarks

from mvlift_blender.retargeting.detect import LEAST_CONFIDENCE, recognise
from mvlift_blender.retargeting.recognition.names import parse_names
from mvlift_blender.retargeting.report import rig_report
from mvlift_blender.retargeting.shape import RigShape

PEOPLE, ANIMALS = (read_tables(Path(__file__).with_name(f"odd_{kind}.txt")) for kind in ("people", "animals"))


def _shape(rows: list[Row], animal: bool) -> RigShape:
    points = {s: animal_landmarks(s) if animal else landmarks(Style(arm=30, bent=5), s) for s in (1, -1)}
    number = {row.bone: i for i, row in enumerate(rows)}
    heads = 100 * np.array([points[row.side][row.landmark] for row in rows])
    tails = heads + np.array([0, 0, 5.0])
    for i, row in enumerate(rows):
        if row.parent and np.linalg.norm(heads[i] - heads[number[row.parent]]) > 1e-6:
            tails[number[row.parent]] = heads[i]
    parents = tuple(number.get(row.parent, -1) for row in rows)
    return RigShape(tuple(row.bone for row in rows), parents, heads, tails)


@pytest.mark.parametrize("name", [*PEOPLE, *ANIMALS])
def test_every_part_is_found(name: str) -> None:
    rows = rows_of(PEOPLE[name] if name in PEOPLE else ANIMALS[name])
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
    rows = rows_of(PEOPLE["russian"])
    shape = _shape(rows, animal=False)
    plain = {row.bone: f"b{i:02d}" for i, row in enumerate(rows)}
    against = plain | {row.bone: f"ear_{i:02d}" for i, row in enumerate(rows) if row.part.endswith(("_arm", "_leg"))}
    by_shape, doubted = (
        recognise(RigShape(tuple(names[b] for b in shape.names), shape.parents, shape.heads, shape.tails))
        for names in (plain, against)
    )
    assert dict(by_shape.bones).keys() == dict(doubted.bones).keys()
    assert doubted.confidence < LEAST_CONFIDENCE < by_shape.confidence
