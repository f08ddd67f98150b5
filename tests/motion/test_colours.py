"""Left is left and right is right, whatever the names look like."""

from __future__ import annotations

import pytest
from mvlift.keypoints.layouts import get_layout, layout_names

from mvlift_blender.motion.colours import PEOPLE, SIDES, person_colour, side_colour, side_of


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("l_knee", "left"), ("r_knee", "right"), ("left_hip", "left"), ("right_foot", "right"), ("LLegBack1", "left"),
        ("RFoot", "right"), ("LEar", "left"), ("pelvis", "middle"), ("lower_lip", "middle"), ("root", "middle"),
        ("Leg", "middle"), ("nose", "middle"), ("ribcage", "middle"), ("r_ear", "right"),
    ],
)  # fmt: skip
def test_side_of_a_name(name, side):
    assert side_of(name) == side
    assert side_colour(name) == SIDES[side]


def test_every_layout_has_as_many_on_the_left_as_on_the_right():
    for name in layout_names():
        sides = [side_of(point) for point in get_layout(name).names]
        assert sides.count("left") == sides.count("right"), name


def test_people_differ_from_each_other_and_from_the_sides():
    colours = {*PEOPLE, *SIDES.values()}
    assert len(colours) == len(PEOPLE) + len(SIDES)
    assert person_colour(len(PEOPLE)) == PEOPLE[0]
