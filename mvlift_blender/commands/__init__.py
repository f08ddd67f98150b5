"""Blender's command line: lift, inspect, convert, write, retarget."""
