"""Moving cameras: tracks of them, where they come from, and what they mean for a clip.

`read_camera_track` reads what other programs solve or record. In every `CameraTrack` x_camera = R x_world + t, with
camera axes x right, y down, z forward.
"""

from __future__ import annotations

from mvlift.cameras.reading import read_camera_track, track_formats
from mvlift.cameras.track import CameraTrack, track_from_poses

__all__ = ["CameraTrack", "read_camera_track", "track_formats", "track_from_poses"]
