"""The animation of an armature as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mvlift.typing import F64

from .skeleton import RestSkeleton

__all__ = ["MotionCurves"]


@dataclass(frozen=True, eq=False)
class MotionCurves:
    """An armature's motion on its keys.

    Attributes:
        skeleton: its bones at rest.
        frames: (N,) scene frames.
        rotations: (N, J, 4) pose-bone quaternions in the skeleton's order.
        locations: (N, 3) the root pose bone's location.
    """

    skeleton: RestSkeleton
    frames: F64
    rotations: F64
    locations: F64

    def scaled(self, factor: float) -> MotionCurves:
        """The same in other units of length."""
        if factor == 1.0:
            return self
        skeleton = replace(self.skeleton, heads=self.skeleton.heads * factor)
        return replace(self, skeleton=skeleton, locations=self.locations * factor)

    def changed(self, rotations: F64 | None = None, locations: F64 | None = None) -> MotionCurves:
        """The same with other values."""
        return replace(
            self,
            rotations=self.rotations if rotations is None else rotations,
            locations=self.locations if locations is None else locations,
        )
