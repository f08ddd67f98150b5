"""Skeletons of many makers and languages are recognised by their names; what cannot be animated is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from animal_tables import ANIMALS, BIRD, RAPTOR, SPIDER
from tables import HUMANS, animal_shape, human

from mvlift_blender.retargeting.detect import LEAST_CONFIDENCE, NotRecognisedError, recognise
from mvlift_blender.retargeting.recognition.names import parse_names
from mvlift_blender.retargeting.report import rig_report
from mvlift_blender.retargeting.shape import RigShape


def _expected(bone: str, sides: tuple[str, str]) -> str | list[str]:
    return [bone.replace("$", side) for side in sides] if "$" in bone else bone


@pytest.mark.parametrize("name", HUMANS)
def test_people_by_their_makers_names(name: str) -> None:
    shape, expected = human(name)
    rig = recognise(shape)
    assert rig.body == "human"
    assert rig.confidence >= LEAST_CONFIDENCE
    bones = rig_report(rig)["bones"]
    for part, bone in expected.items():
        first = bones[part][0] if part in ("spine", "neck") and isinstance(bones[part], list) else bones[part]
        assert first == _expected(bone, HUMANS[name][0]), part


@pytest.mark.parametrize("name", HUMANS)
def test_the_rest_pose_does_not_matter_to_names(name: str) -> None:
    shape, _ = human(name)
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    moved = RigShape(shape.names, shape.parents, 40 * shape.heads @ turn + 7, 40 * shape.tails @ turn + 7)
    assert dict(recognise(moved).bones).keys() - {"root"} == dict(recognise(shape).bones).keys() - {"root"}


@pytest.mark.parametrize("name", ANIMALS)
def test_animals_by_their_makers_names(name: str) -> None:
    sides, text, expected = ANIMALS[name]
    rig = recognise(animal_shape(text, sides))
    assert rig.body == "quadruped"
    bones = rig_report(rig)["bones"]
    for part, bone in expected.items():
        assert bones[part] == _expected(bone, sides), part


@pytest.mark.parametrize(
    ("creature", "reason"), [(BIRD, "wings"), (RAPTOR, "level trunk"), (SPIDER, "more than two pairs of legs")]
)
def test_other_creatures_are_not_supported(creature: tuple[tuple[str, str], str], reason: str) -> None:
    with pytest.raises(NotRecognisedError, match=reason):
        recognise(animal_shape(creature[1], creature[0]))


def test_what_names_say() -> None:
    names = [
        "左ひざ",
        "足首.L",
        "mixamorig:LeftUpLeg_61",
        "LHipJoint",
        "rforearm",
        "Oberschenkel.R",
        "DEF-f_index.01.L",
    ]
    said = [(n.side, set(n.atoms)) for n in parse_names(names)]
    assert said == [
        ("L", {"knee"}), ("L", {"ankle"}), ("L", {"thigh"}), ("L", {"hip"}), ("R", {"lower", "arm"}), ("R", {"thigh"}),
        ("L", {"index"}),
    ]  # fmt: skip


def test_limbs_without_a_common_body_are_refused() -> None:
    shape, _ = human("german")
    cut = list(shape.parents)
    cut[shape.names.index("Oberschenkel_links")] = -1
    cut[shape.names.index("Oberschenkel_rechts")] = -1
    with pytest.raises(NotRecognisedError, match="have no common parent bone"):
        recognise(RigShape(shape.names, tuple(cut), shape.heads, shape.tails))


def test_no_map_without_a_spine() -> None:
    shape, _ = human("maya")
    keep = [i for i, n in enumerate(shape.names) if not n.startswith(("spine", "chest"))]
    number = {i: k for k, i in enumerate(keep)}
    hips = number[shape.names.index("cog_jnt")]
    parents = tuple(-1 if shape.parents[i] < 0 else number.get(shape.parents[i], hips) for i in keep)
    bare = RigShape(tuple(shape.names[i] for i in keep), parents, shape.heads[keep], shape.tails[keep])
    with pytest.raises(NotRecognisedError, match="spine"):
        recognise(bare)
