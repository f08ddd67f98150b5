"""Tracking of people: detections of frames become tracks, tracks become people.

`following` links detections from frame to frame, `joining` cuts tracks where people meet and links the pieces again,
`associate` does both for a file's detections.
"""

from mvlift.keypoints.tracking.associate import associate, rank_people

__all__ = ["associate", "rank_people"]
