"""Bone maps: which bone of a rig is which part of a body. As they stand in a file, and for one rig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .roles import ordered_keys

__all__ = [
    "IkLimb",
    "MapFile",
    "RigMap",
    "Setting",
]

Names = tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """A custom property of a pose bone that must have a value while the motion is keyed."""

    bone: str
    property: str
    value: float | bool


@dataclass(frozen=True)
class IkLimb:
    """IK controls of a limb.

    Attributes:
        control: the bone that the end of the limb follows.
        pole: the bone that the elbow or knee points to, "" when there is none.
        switch: (bone, property, value for IK, value for FK).
        settings: further properties while IK is keyed.
        toe: the bone that turns the toes while IK is on, "" for none.
        bend: the lower bone of the solver's chain, when the solver may stretch the chain: it is keyed with the bend of
            the elbow or knee, so that the solver begins where it should end; "" for none.
        heel: of paws, the bone that turns the foot about the toes, "" for none. ``control`` then carries the toes. What
            the heel hangs on is turned by the rig's own solvers: it is looked at in every frame.
    """

    control: str
    pole: str = ""
    switch: tuple[str, str, float, float] | None = None
    settings: tuple[Setting, ...] = ()
    toe: str = ""
    bend: str = ""
    heel: str = ""

    @property
    def controls(self) -> Names:
        """The bones that are keyed by where and how they are in the world; "" for what the limb lacks."""
        return (self.control, self.pole, self.toe, self.heel)


@dataclass(frozen=True)
class MapFile:
    """A bone map as it stands in a file: names may have alternatives, a prefix and a side to be filled in.

    Attributes:
        name: identifier.
        title: for the user.
        body: "human" or "quadruped".
        prefixes: what may stand before every name, as ``prefix_length`` reads it.
        bones: alternatives by key.
        optional: roles whose chain may be shorter.
        evidence: alternatives of bones that speak for this map without being moved.
        geometry: bones that show where the parts are, when those in ``bones`` are controls.
        ik: limbs by (limb, side).
        settings: while anything is keyed.
    """

    name: str
    title: str
    body: str
    prefixes: Names
    bones: Mapping[str, Names]
    optional: Names = ()
    evidence: tuple[Names, ...] = ()
    geometry: Mapping[str, Names] = field(default_factory=dict)
    ik: Mapping[tuple[str, str], IkLimb] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class RigMap:
    """A bone map for one rig: real bone names by key.

    Attributes:
        body: "human" or "quadruped".
        bones: what is keyed.
        geometry: where the parts are, for keys where it is another bone.
        ik: limbs by (limb, side).
        settings: while anything is keyed.
        name: of the map file that it came from, "" when found by structure or made by hand.
        title: for the user.
        confidence: in [0, 1], the share of such maps that are right.
        notes: what the user should know of it.
    """

    body: str
    bones: Mapping[str, str]
    geometry: Mapping[str, str] = field(default_factory=dict)
    ik: Mapping[tuple[str, str], IkLimb] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    name: str = ""
    title: str = ""
    confidence: float = 1.0
    notes: Names = ()

    @property
    def keys(self) -> Names:
        """Keys in the order of the body, parents before children."""
        return tuple(ordered_keys(self.body, set(self.bones)))

    def geometry_bone(self, name: str) -> str:
        """The bone that shows where a part is."""
        return self.geometry.get(name, self.bones[name])

    def where(self, name: str) -> str:
        """``geometry_bone`` as scripts for version 0.1 call it."""
        return self.geometry_bone(name)
