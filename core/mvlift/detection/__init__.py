"""From a video to keypoints: frames, a person detector, pose landmarks, one clip per person.

`detect_keypoints` is the entry: it opens a video or a folder of pictures, runs a detector of the registry over every
frame and delivers the clips that `read_keypoints` would deliver for a file of the same detections.
"""

from __future__ import annotations

from mvlift.detection.options import DetectionOptions, DetectionProgress
from mvlift.detection.pipeline import detect_keypoints
from mvlift.detection.registry import detector_names
from mvlift.detection.video import VideoInfo, is_video, probe_video

__all__ = [
    "DetectionOptions",
    "DetectionProgress",
    "VideoInfo",
    "detect_keypoints",
    "detector_names",
    "is_video",
    "probe_video",
]
