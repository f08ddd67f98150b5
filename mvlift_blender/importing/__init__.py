"""From keypoint and video files to the list of people in the panel."""
