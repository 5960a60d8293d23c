"""Lets `python -m teachable` be the same as `teachable`."""

from teachable.cli import main

if __name__ == "__main__":
    main()
