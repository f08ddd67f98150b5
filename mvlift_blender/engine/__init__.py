"""The engine process as Blender sees it: started, polled and closed without blocking the window."""
