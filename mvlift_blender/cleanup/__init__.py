"""Clean-up of lifted motion as mathematics: numpy arrays in, numpy arrays out, no Blender."""
