"""Bodies: skeletons, body model files, the fit of a body to keypoints, and the pose prior."""

from mvlift.bodies.skeleton import BodySkeleton
from mvlift.bodies.skeletons import default_human_skeleton

__all__ = ["BodySkeleton", "default_human_skeleton"]
