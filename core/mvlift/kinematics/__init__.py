"""Rotations and kinematic chains in NumPy alone, for the engine and for Blender.

``rotations``: matrices and rotation vectors. ``quaternions``: w x y z. ``chains``: forward kinematics, skinning and
two-bone inverse kinematics.
"""
