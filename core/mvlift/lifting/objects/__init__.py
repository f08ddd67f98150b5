"""A rigid object that moves with a person: its keypoints and shape, its pose in every frame, the hands that hold it."""
