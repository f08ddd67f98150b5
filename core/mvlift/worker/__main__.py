"""``python -m mvlift.worker``."""

from mvlift.worker.server import main

if __name__ == "__main__":
    main()
