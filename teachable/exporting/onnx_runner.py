"""Runs an exported model file and has it tell its embeddings as well, to judge it by.

It owns opening such a file, alone or inside an archive, and asking it. What it is compared with is in `checking`.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from teachable.errors import ModelFileError
from teachable.exporting import bundle
from teachable.exporting.exporter import Answers
from teachable.metadata import from_entries
from teachable.runtime import UNUSABLE, batches, check_ports, open_session
from teachable.types import Image


class OnnxRunner:
    """A model file at any precision, which takes photos of any size; a `Runner`.

    Args:
        model: the file.
        name: what to call it in an error.

    Raises:
        ModelFileError: it is no model of ours, or damaged.
    """

    def __init__(self, model: bytes, name: str) -> None:
        self._name = name
        self._session = open_session(with_embedding(model, name), name)
        self._classes = len(from_entries(self._session.get_modelmeta().custom_metadata_map, name).labels)
        check_ports(self._session, self._classes, name)
        offered = {port.name for port in self._session.get_outputs()}
        self._names = [output for output in ("probabilities", "embedding") if output in offered]

    @classmethod
    def inside(cls, path: Path, name: str) -> "OnnxRunner":
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
        return cls(model, path.name)

    def __call__(self, images: Sequence[Image]) -> Answers:
        """Answer for photos, uint8 `[H, W, 3]` each.

        Raises:
            ModelFileError: it fails.
        """
        rows: list[list[np.ndarray]] = [[] for _ in images]
        for chosen in batches(images):
            batch = np.stack([images[index] for index in chosen])
            try:
                found = self._session.run(self._names, {"image": batch})
            except UNUSABLE as error:
                raise ModelFileError("model_fails", name=self._name) from error
            if found[0].shape != (len(batch), self._classes) or any(len(one) != len(batch) for one in found):
                raise ModelFileError("model_fails", name=self._name)
            for place, *row in zip(chosen, *found, strict=True):
                rows[place] = row
        if not rows:
            return Answers(np.empty((0, self._classes), np.float32))
        return Answers(*(np.stack(column) for column in zip(*rows, strict=True)))


def with_embedding(model: bytes, name: str) -> bytes:
    """Return a copy of a model in memory that gives its inner value `embedding` as one more output.

    A network without such a value stays as it is; nothing else in it is another.

    Raises:
        ModelFileError: it is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise ModelFileError("model_unreadable", name=name) from error
    if any("embedding" in node.output for node in proto.graph.node):
        proto.graph.output.append(onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, None))
    return bytes(proto.SerializeToString())
