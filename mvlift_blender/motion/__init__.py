"""Pure data and arithmetic of motion: numpy arrays in, numpy arrays out. Nothing here imports Blender."""
