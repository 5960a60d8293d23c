"""Runs a model file out of an archive as it is there: photos in, probabilities and, to judge it by, embeddings out.

It owns opening the file and asking it. What else is in the archive is the business of its format.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from teachable import runtime
from teachable.errors import ModelFileError
from teachable.exporting import bundle, tensor
from teachable.exporting.exporter import Answers
from teachable.types import Image

if TYPE_CHECKING:
    import onnxruntime as ort


class ModelFile:
    """A model file that takes photos of any size; a `Runner`."""

    def __init__(self, session: "ort.InferenceSession") -> None:
        self._session = session
        offered = {port.name: port.shape for port in session.get_outputs()}
        self._names = [name for name in ("probabilities", "embedding") if name in offered]
        self._classes = int(offered["probabilities"][1])

    @classmethod
    def inside(cls, path: Path, name: str) -> "ModelFile":
        """Open a model file that is in an archive.

        Args:
            path: of the zip file.
            name: of the model in it.

        Raises:
            ModelFileError: the archive or the model is damaged.
        """
        try:
            model = bundle.read_archive(path, name)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ModelFileError("model_unreadable", name=path.name) from error
        runtime.Classifier.load(model, path.name)  # refuses what is no model of ours
        return cls(runtime._session(tensor.with_embedding(model), path.name))

    def __call__(self, images: Sequence[Image]) -> Answers:
        """Answer for photos."""
        rows = [self._session.run(self._names, {"image": image[None]}) for image in images]
        if not rows:
            return Answers(np.empty((0, self._classes), np.float32))
        return Answers(*(np.concatenate(part) for part in zip(*rows, strict=True)))
