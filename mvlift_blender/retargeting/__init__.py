"""Retargeting: a lifted motion moves a rig of the user's own."""
