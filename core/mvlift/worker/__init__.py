"""The engine process: networks run apart from Blender, which talks to them over pipes."""
