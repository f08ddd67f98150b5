"""Hands: SMPL-H's finger joints, how they bend, and the fit of wrists and fingers to 2D hand keypoints."""
