"""Blender properties: what the panels hold with the scene, and the extension's preferences."""
