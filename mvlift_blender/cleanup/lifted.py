"""A lifted armature's motion, read for clean-up: its curves, its soles and when they rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mvlift.errors import LiftError
from mvlift.typing import F64
from numpy.typing import NDArray

from ..motion.curves import MotionCurves
from ..motion.rig_data import rig_data
from ..motion.soles import Soles, resting, soles_of
from ..motion.timing import resample_values
from ..retargeting.rig_cleanup import rig_legs
from ..scene.record import LiftRecord
from ..scene.selected import record_of
from .curves import read_motion_curves

__all__ = ["CONTACT", "LiftedArmature", "read_lifted"]

Mask = NDArray[np.bool_]

CONTACT = 0.5
"""Least probability at which a sole is taken to rest."""


@dataclass(frozen=True, eq=False)
class LiftedArmature:
    """A lifted armature's motion with the facts of its lift."""

    armature: Any
    curves: MotionCurves
    record: LiftRecord

    @property
    def fps(self) -> float:
        return float(self.record.timing.fps)

    @property
    def pose(self) -> tuple[F64, F64]:
        """Heads (T, J, 3) and orientations (T, J, 4) of the bones."""
        return self.curves.skeleton.forward(self.curves.rotations, self.curves.locations)

    def soles(self) -> Soles:
        rig = rig_data(self.record.body)
        try:
            legs, front = rig_legs(self.armature, self.record.body, rig.legs, rig.directions["front"])
            complete_legs = [
                leg for leg in legs if leg.hip and leg.knee and leg.ankle and leg.toe
            ]  # a rig may lack some
            return soles_of(self.curves.skeleton, complete_legs, front)
        except KeyError as error:
            raise LiftError(
                f"The armature has no bone {error.args[0]!r}.", "Rename its leg bones as they were when it was lifted."
            ) from error

    def rests(self, soles: Soles, threshold: float) -> Mask:
        """(T, L, 2) which sole points the lift takes to rest, on the curves' frames."""
        timing = self.record.timing
        samples = np.clip([timing.sample_at(f) for f in self.curves.frames], 0, timing.count - 1)
        contacts = resample_values(self.record.contacts, samples)
        return resting(soles, contacts, self.record.contact_names, threshold)


def read_lifted(armature: Any) -> LiftedArmature:
    curves, record = read_motion_curves(armature), record_of(armature)
    if curves is None or record is None:
        raise LiftError(f"{armature.name} no longer has the Action of its lift.", "Lift the clip again.")
    return LiftedArmature(armature, curves, record)
