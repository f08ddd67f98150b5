"""2D keypoints: clips, layouts, readers, people, cleaning."""

from mvlift.keypoints.cleaning import clean_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.mapping import map_clip

__all__ = ["KeypointClip", "clean_clip", "map_clip"]
