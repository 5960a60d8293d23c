"""The model file itself, as the preview runs it, and two smaller ones.

It owns the choices and running them. How the smaller ones are made, and what they are held to, is in `precision`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from teachable.errors import ModelFileError
from teachable.exporting import precision
from teachable.exporting.exporter import Answers, Exporter, Precision, Runner, Source, Variant, Watch
from teachable.metadata import from_entries
from teachable.runtime import _UNUSABLE, _batches, _check_ports, _session
from teachable.types import Embeddings, Image


class OnnxFile(Exporter):
    """One ONNX file: raw photo in, probabilities out."""

    id = "onnx"
    place = 10
    media_type = "application/octet-stream"
    variants = (
        precision.variant("full", "model.onnx"),
        precision.variant("half", "model-half.onnx"),
        precision.variant("quarter", "model-quarter.onnx"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the model file at the precision the variant is named after."""
        target.write_bytes(source.at(cast(Precision, variant.id), watch))
        watch.done(1.0)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Open a written file; it answers with probabilities and embeddings."""
        return OnnxRunner(path.read_bytes(), variant.file)


class OnnxRunner:
    """A model file, at any precision, that tells its embeddings as well.

    The embedding is an inner value of the file, so it is a copy in memory that is run, with one more output. Nothing
    else in it is another.

    Args:
        model: the file.
        name: what to call it in an error.

    Raises:
        ModelFileError: it is no model of ours, or damaged.
    """

    def __init__(self, model: bytes, name: str) -> None:
        self._name = name
        self._session = _session(_telling_embedding(model, name), name)
        entries = self._session.get_modelmeta().custom_metadata_map
        self._classes = len(from_entries(entries, name).labels)
        _check_ports(self._session, self._classes, name)

    def __call__(self, images: Sequence[Image]) -> Answers:
        """Answer for photos, uint8 `[H, W, 3]` each.

        Raises:
            ModelFileError: it fails.
        """
        probabilities = np.empty((len(images), self._classes), np.float32)
        embeddings: Embeddings | None = None
        for chosen in _batches(images):
            batch = np.stack([images[index] for index in chosen])
            try:
                found, made = self._session.run(["probabilities", "embedding"], {"image": batch})
            except _UNUSABLE as error:
                raise ModelFileError("model_fails", name=self._name) from error
            if found.shape != (len(batch), self._classes) or made.ndim != 2 or len(made) != len(batch):
                raise ModelFileError("model_fails", name=self._name)
            if embeddings is None:
                embeddings = np.empty((len(images), made.shape[1]), np.float32)
            probabilities[chosen], embeddings[chosen] = found, made
        return Answers(probabilities, embeddings)


def _telling_embedding(model: bytes, name: str) -> bytes:
    """Return a copy of a model file that has its embedding as an output.

    Raises:
        ModelFileError: it is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import helper

    try:
        proto = onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise ModelFileError("model_unreadable", name=name) from error
    proto.graph.output.append(helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, None))
    return bytes(proto.SerializeToString())


EXPORTER = OnnxFile()
