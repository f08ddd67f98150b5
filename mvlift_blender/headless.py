"""`python -m mvlift_blender.headless`: the command line with Blender as a module."""

from __future__ import annotations

from mvlift_blender.commands.headless import main

if __name__ == "__main__":
    main()
