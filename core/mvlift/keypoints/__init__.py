"""2D keypoints: clips, layouts, readers, people, cleaning."""

from mvlift.keypoints.cleaning import clean_clip
from mvlift.keypoints.clip import KeypointClip
from mvlift.keypoints.mapping import map_clip
from mvlift.keypoints.people import join_clips, split_clip, swap_clips
from mvlift.keypoints.reading import Inspection, inspect_keypoints, read_keypoints
from mvlift.keypoints.writing import write_keypoints

__all__ = [
    "Inspection",
    "KeypointClip",
    "clean_clip",
    "inspect_keypoints",
    "join_clips",
    "map_clip",
    "read_keypoints",
    "split_clip",
    "swap_clips",
    "write_keypoints",
]
