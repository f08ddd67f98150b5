"""From normalised 2D motion to sampled 3D keypoints: views, windows, samplers, agreement of hypotheses."""
