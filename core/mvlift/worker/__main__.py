"""``python -m mvlift.worker``."""

from mvlift.threads import limit_environment

limit_environment()  # before numpy is loaded

from mvlift.worker.server import main  # noqa: E402

if __name__ == "__main__":
    main()
