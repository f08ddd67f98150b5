"""`python -m mvlift_training`, for torchrun and SLURM."""

from __future__ import annotations

import sys

from mvlift_training.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
