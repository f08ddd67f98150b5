"""What is drawn over the 3D viewport and in lists: keypoints, the video's picture, thumbnails."""
