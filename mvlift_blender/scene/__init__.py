"""Writing motion into Blender's scene: armatures, bodies, cameras, objects, keys."""
