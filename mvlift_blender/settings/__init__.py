"""Blender properties of scenes and preferences."""
