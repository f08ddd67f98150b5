"""The engine's quaternions (w x y z), where the add-on's modules look for them."""

from mvlift.kinematics.quaternions import (
    conjugate,
    continuous,
    from_matrix,
    from_vector,
    multiply,
    rotate,
    shortest_arc,
    slerp,
    to_matrix,
    to_vector,
)

__all__ = [
    "conjugate",
    "continuous",
    "from_matrix",
    "from_vector",
    "multiply",
    "rotate",
    "shortest_arc",
    "slerp",
    "to_matrix",
    "to_vector",
]
