"""What a body fit is given, how it goes, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mvlift.cameras.moving import MovingView
from mvlift.typing import F64

__all__ = ["BodyFit", "FitOptions", "FitTargets", "PosePrior"]


class PosePrior(Protocol):
    """A pose prior, as the fit needs it."""

    def target_pose(self, rotations: F64) -> tuple[F64, F64]:
        """Target pose: the nearest plausible pose (N, 21, 3, 3) of body rotations (N, 21, 3, 3), and weights (N,)."""


@dataclass(frozen=True, eq=False)
class FitTargets:
    """What the body shall agree with, in the camera's axes (x right, y down, z forward).

    Attributes:
        points3d: (T, K, 3) lifted keypoints relative to the root, metres up to a common factor.
        sigma3d: (T, K) their standard deviation in metres; infinite where nothing is known.
        up: (3,) unit vector against gravity, from which the fit starts.
        up_guess: (3,) what was known of it before any body was fitted, which evidence turns; None: ``up``.
        fps: frames a second.
        pixels: (T, K, 2), or None for a fit to 3D alone (then ``points3d`` need not be relative to the root).
        confidence: (T, K) of the pixels, 0 = missing.
        K: (3, 3) intrinsics.
        noise: pixels, how far detections tremble.
        camera: of a camera that moves: the axes are its scene axes, and ``pixels`` those of its reference lens ``K``.
        velocity: (T, 3) metres a frame, lifted velocity of the root to the next frame (the last row is not used), of
            the same size as ``points3d``; or None.
    """

    points3d: F64
    sigma3d: F64
    up: F64
    fps: float
    pixels: F64 | None = None
    confidence: F64 | None = None
    K: F64 | None = None
    noise: float = 0.0
    velocity: F64 | None = None
    camera: MovingView | None = None
    up_guess: F64 | None = None


@dataclass(frozen=True)
class FitOptions:
    """Options of a fit.

    Attributes:
        iterations: damped Gauss-Newton steps.
        smoothing: factor on the smoothness of root and rotations.
        up_sigma: how far off the up direction may be, radians; 0 holds it.
        stature: height of the person in metres, if known.
        contacts: hold resting feet and keep them on a floor.
        shape: find the clip's shape; False holds ``betas``.
        betas: (B,) to start from, zeros when None.
        points_weight: factor on the 3D targets.
        path_unit: solve the unit of a moving camera's path where it is unknown; False holds it.
        pin: hold what rests at one place for as long as it rests, exactly (within millimetres).
    """

    iterations: int = 10
    smoothing: float = 1.0
    stature: float | None = None
    up_sigma: float = 0.1
    contacts: bool = True
    shape: bool = True
    betas: tuple[float, ...] | None = None
    points_weight: float = 1.0
    path_unit: bool = True
    pin: bool = True


@dataclass(frozen=True, eq=False)
class BodyFit:
    """A fitted motion, still in the camera's axes.

    Attributes:
        betas: (B,) shape.
        rotations: (T, J, 3, 3) relative to the parent; the root's relative to the camera's axes.
        root: (T, 3) position of the root joint, metres.
        points: (T, K, 3) keypoints.
        up: (3,) against gravity.
        floor: height of the floor along ``up``.
        contacts: (T, C) probabilities that parts of the body rest on something.
        contact_names: (C,) of these parts.
        bridged: (T, K) True where targets made the body jump and were bridged; None: nowhere.
        size: factor that was applied to ``points3d``.
        cost: of each step.
        path_size: metres in the unit of the camera's path, of a camera that moves.
    """

    betas: F64
    rotations: F64
    root: F64
    points: F64
    up: F64
    floor: float
    contacts: F64
    size: float
    cost: list[float] = field(default_factory=list)
    contact_names: tuple[str, ...] = ()
    bridged: NDArray[np.bool_] | None = None
    path_size: float | None = None
