"""Start Teachable: `uv run app.py`, or `python app.py` in an environment where it is installed."""

from teachable.cli import main

if __name__ == "__main__":
    main()
