"""Serves model.onnx over HTTP: python server.py --help

The server itself is in the folder `teachable` beside this file, the part of Teachable that is needed for it.
"""

import sys
from pathlib import Path

folder = Path(__file__).resolve().parent
sys.path.insert(0, str(folder))

from teachable.model_server import main  # noqa: E402

if __name__ == "__main__":
    main(model=folder / "model.onnx")
