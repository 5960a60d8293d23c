"""The Hugging Face layout: a network that takes tensors, with the files that transformers.js and optimum look for.

Those libraries prepare photos themselves, by `preprocessor_config.json`, which comes near to what the model file does
but not to the same bytes. So the very nodes of the model that prepare a photo go along as a small model of their own,
and the programs in the archive use them.
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from teachable.errors import ModelFileError
from teachable.exporting import bundle, precision, tensor
from teachable.exporting.exporter import Answers, Exporter, Precision, Runner, Source, Variant, Watch
from teachable.exporting.onnx_runner import with_embedding
from teachable.graphs import Preprocessing
from teachable.metadata import ModelMetadata
from teachable.resources import assets
from teachable.runtime import open_session
from teachable.types import Image
from teachable.words import say

if TYPE_CHECKING:
    import onnxruntime as ort

FRONT = "onnx/preprocess.onnx"
# Photos that go through the network together.
BATCH = 8

_RESAMPLE = {"bilinear": 2, "bicubic": 3}
"""As Pillow counts, `PIL.Image.Resampling`."""

_FILES = {
    "full": ("model.onnx", "fp32"),
    "half": ("model_fp16.onnx", "fp16"),
    "quarter": ("model_quantized.onnx", "q8"),
}
"""Of each variant: file, and what transformers.js calls its precision (its `DEFAULT_DTYPE_SUFFIX_MAPPING`)."""


class TensorOnnx(Exporter):
    """A zip file in the layout of the Hugging Face Hub."""

    id = "transformers"
    place = 60
    variants = (
        precision.variant("full", "model-transformers.zip"),
        precision.variant("half", "model-transformers-half.zip"),
        precision.variant("quarter", "model-transformers-quarter.zip"),
    )

    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the archive."""
        file, dtype = _FILES[variant.id]
        kept = cast(Precision, variant.id)
        model = source.at(kept, watch.part(0, 0.8))
        halves = tensor.cut(model)
        preprocessing = halves.preprocessing
        watch.done(0.9)
        programs = assets() / "programs" / "transformers"
        python = (programs / "classify.py.txt").read_text(encoding="utf-8").replace("@@file@@", file)
        folder = bundle.folder_of(variant)
        about = say("export.transformers.readme", folder=folder, file=file)
        files = {
            "config.json": _json(_config(source.metadata, preprocessing, dtype)),
            "preprocessor_config.json": _json(_preprocessor(preprocessing)),
            f"onnx/{file}": halves.body,
            FRONT: halves.front,
            "classify.mjs": (programs / "classify.mjs").read_bytes(),
            "classify.py": python.encode(),
            "README.md": bundle.readme(source.metadata, about, kept),
        }
        bundle.write_archive(target, source.metadata, files, _ports(source.metadata, halves.size), folder)
        watch.done(1)

    def open(self, path: Path, variant: Variant) -> Runner:
        """Open both halves as they are in the archive."""
        try:
            front, body = (bundle.read_archive(path, name) for name in (FRONT, f"onnx/{_FILES[variant.id][0]}"))
        except (KeyError, zipfile.BadZipFile) as error:
            raise ModelFileError("model_unreadable", name=path.name) from error
        return _Halves(open_session(front, path.name), open_session(with_embedding(body, path.name), path.name))


class _Halves:
    """Both halves, one behind the other."""

    def __init__(self, front: "ort.InferenceSession", body: "ort.InferenceSession") -> None:
        self._front = front
        self._body = body
        offered = {port.name for port in body.get_outputs()}
        self._names = [name for name in ("probabilities", "embedding") if name in offered]

    def __call__(self, images: Sequence[Image]) -> Answers:
        """Answer for photos."""
        parts = [self._body.run(self._names, {tensor.TENSOR: np.concatenate(batch)}) for batch in self._batches(images)]
        if not parts:
            classes = self._body.get_outputs()[0].shape[1]
            return Answers(np.empty((0, classes), np.float32))
        whole = [np.concatenate(part) for part in zip(*parts, strict=True)]
        return Answers(*whole)

    def _batches(self, images: Sequence[Image]) -> Iterator[list[Any]]:
        prepared = (self._front.run([tensor.TENSOR], {"image": image[None]})[0] for image in images)
        while batch := list(islice(prepared, BATCH)):
            yield batch


def _config(metadata: ModelMetadata, preprocessing: Preprocessing, dtype: str) -> dict[str, Any]:
    """Return what is known of the network, in the words of the transformers library.

    It knows only families of networks. The built-in one is of this family, for the others the name is only how both
    libraries find out that one tensor goes in and logits come out.
    """
    return {
        "architectures": ["MobileNetV2ForImageClassification"],
        "model_type": "mobilenet_v2",
        "problem_type": "single_label_classification",
        "image_size": preprocessing.size,
        "num_channels": 3,
        "id2label": {str(index): label for index, label in enumerate(metadata.labels)},
        # Of two classes with one name, the first.
        "label2id": {label: metadata.labels.index(label) for label in metadata.labels},
        "transformers.js_config": {"dtype": dtype},
    }


def _preprocessor(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return how to prepare a photo, in the words of the transformers library.

    It knows no way to cut first and resize then; the other way round the square is the same to half a pixel.
    """
    size = preprocessing.size
    return {
        "image_processor_type": "MobileNetV2ImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": preprocessing.resize or size},
        "resample": _RESAMPLE[preprocessing.interpolation],
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
    }


def _ports(metadata: ModelMetadata, size: int) -> dict[str, Any]:
    classes = len(metadata.labels)
    shapes = {"probabilities": ["batch", classes], "logits": ["batch", classes]}
    if metadata.unknown_below is not None:
        shapes["familiarity"] = ["batch"]
    return {
        "inputs": [{"name": tensor.TENSOR, "type": "float32", "shape": ["batch", 3, size, size]}],
        "outputs": [{"name": name, "type": "float32", "shape": shapes[name]} for name in tensor.KEPT if name in shapes],
        **bundle.familiarity(metadata),
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


EXPORTER = TensorOnnx()
