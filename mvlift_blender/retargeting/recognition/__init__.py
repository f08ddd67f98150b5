"""Which bone of a rig is which part of a body: names first, then hierarchy, then rest geometry. Needs no Blender."""
