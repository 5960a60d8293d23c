"""Runs a model file: `Classifier.load("model.onnx").predict("photo.jpg")`.

It needs numpy, Pillow and onnxruntime only, and works for every file this project ever wrote. It owns loading, the
check that a file is one of ours, and turning photos into answers. Cropping and scaling are inside the file.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import onnxruntime as ort
import PIL.Image
import PIL.ImageFile
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from teachable import images as photos
from teachable.errors import InvalidInput, ModelFileError, NotFound, PhotoError
from teachable.metadata import ModelMetadata, from_entries
from teachable.settings import limits
from teachable.types import Image

Photo: TypeAlias = str | Path | bytes | PIL.Image.Image | NDArray[np.uint8]
"""A file name, the bytes of a file, a picture, or pixels, uint8 RGB `[height, width, 3]`."""

# Larger than any model of ours by far; what is larger still is a mistake and would only fill the memory.
LARGEST_MODEL = 2**30
# Photos of one size that go through the network together. More gain nothing on a CPU and cost memory: with ConvNeXt
# Tiny 280 MB more at eight than at two.
BATCH = 2
# Photos decoded ahead, in which those of one size are looked for.
WINDOW = 32
# A batch of large photos is cut short of this many bytes; a single photo may be larger.
BATCH_BYTES = 64 * 2**20

UNUSABLE = (
    *(ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph, ort_errors.InvalidProtobuf),
    *(ort_errors.NotImplemented, ort_errors.RuntimeException),
)
"""What onnxruntime raises for damaged and hostile files; they have no parent of their own."""


@dataclass(frozen=True)
class Prediction:
    """What a model says about one photo.

    Attributes:
        label: the most probable class.
        probability: of it, 0 to 1.
        probabilities: of every class by label, in the order of the model. Classes of one name count as one.
        familiarity: share of known photos that are less like those the model was trained on, 0 to 1, or None where the
            file cannot say.
        known: familiar enough for the label to count; otherwise the answer is "not sure". None where the file cannot
            say.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    familiarity: float | None = None
    known: bool | None = None


@dataclass(frozen=True)
class Answers:
    """What a model says about photos, as arrays.

    Attributes:
        probabilities: of every class, float32 `[N, K]`, columns in the order of the labels.
        familiarity: of each photo, 0 to 1, float32 `[N]`, or None where the file cannot say.
    """

    probabilities: NDArray[np.float32]
    familiarity: NDArray[np.float32] | None


@dataclass(frozen=True)
class Explanation:
    """What a model says about one photo, and why.

    Attributes:
        prediction: the answer.
        probabilities: of every class, float32 `[K]`, in the order of the labels.
        heatmap: how much each place speaks for each class, float32 `[K, h, w]` (class activation map, Zhou et al.
            2016).
    """

    prediction: Prediction
    probabilities: NDArray[np.float32]
    heatmap: NDArray[np.float32]


class Classifier:
    """A loaded model file. It can be used from several threads at once."""

    def __init__(self, session: ort.InferenceSession, metadata: ModelMetadata, name: str) -> None:
        self._session = session
        self.metadata = metadata
        self._name = name
        self._familiar = "familiarity" in _outputs(session)

    @classmethod
    def load(cls, model: str | os.PathLike[str] | bytes, name: str | None = None) -> "Classifier":
        """Load a model file.

        Args:
            model: where it is, or its bytes.
            name: what to call it in an error; otherwise the file name.

        Raises:
            NotFound: there is no such file.
            ModelFileError: it is no model of ours, was made by a newer version, or is damaged.
        """
        shown = name or ("model.onnx" if isinstance(model, bytes) else Path(model).name)
        data = model if isinstance(model, bytes) else _read(Path(model), shown)
        session = open_session(data, shown)
        metadata = from_entries(session.get_modelmeta().custom_metadata_map, shown)
        check_ports(session, len(metadata.labels), shown)
        return cls(session, metadata, shown)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, one per output."""
        return self.metadata.labels

    def predict(self, images: Photo | Iterable[Photo]) -> list[Prediction]:
        """Say what is in one photo or in many.

        Args:
            images: one photo or any number of them; an array `[N, height, width, 3]` counts as N photos. Each is a file
                name, the bytes of a file, a Pillow picture, or pixels, uint8 RGB `[height, width, 3]`, upright.

        Returns:
            One prediction per photo, in their order; a list also for a single photo.

        Raises:
            PhotoError: one of them cannot be read.
            TooLarge: one of them has too many bytes or pixels.
            NotFound: there is no such file.
            InvalidInput: something else, or an array of another type or shape.
            ModelFileError: the file looked sound and fails all the same.
        """
        found = self.answers(images)
        familiar = [None] * len(found.probabilities) if found.familiarity is None else found.familiarity.tolist()
        return [self._prediction(row, one) for row, one in zip(found.probabilities, familiar, strict=True)]

    def probabilities(self, images: Photo | Iterable[Photo]) -> NDArray[np.float32]:
        """Return the probability of every class for one photo or many.

        Args:
            images: as for `predict`.

        Returns:
            float32 `[N, K]`, rows in the order of the photos, columns in the order of `labels`.

        Raises:
            TeachableError: as for `predict`.
        """
        return self.answers(images).probabilities

    def answers(self, images: Photo | Iterable[Photo]) -> Answers:
        """Return the probability of every class, and how familiar each photo is, for one photo or many.

        Args:
            images: as for `predict`.

        Raises:
            TeachableError: as for `predict`.
        """
        remaining = iter(_each(images))
        shares, familiar = [np.empty((0, len(self.labels)), np.float32)], [np.empty(0, np.float32)]
        while window := [_pixels(photo) for photo in islice(remaining, WINDOW)]:
            found = self._run(window)
            shares.append(found.probabilities)
            if found.familiarity is not None:
                familiar.append(found.familiarity)
        return Answers(np.concatenate(shares), np.concatenate(familiar) if self._familiar else None)

    def explain(self, image: Photo) -> Explanation:
        """Say what is in one photo, and which places of it speak for which class.

        Args:
            image: as for `predict`.

        Raises:
            TeachableError: as for `predict`.
            ModelFileError: also where the file has no heat map.
        """
        if "heatmap" not in _outputs(self._session):
            raise ModelFileError("model_ports", name=self._name)
        given = list(islice(_each(image), 2))
        if len(given) != 1:
            raise InvalidInput("photo_array")
        found, heatmap = self._run_batch(_pixels(given[0])[np.newaxis], "heatmap")
        if heatmap is None or heatmap.ndim != 4 or heatmap.shape[:2] != (1, len(self.labels)) or not heatmap.size:
            raise ModelFileError("model_fails", name=self._name)
        familiar = None if found.familiarity is None else float(found.familiarity[0])
        return Explanation(self._prediction(found.probabilities[0], familiar), found.probabilities[0], heatmap[0])

    def _run(self, window: Sequence[Image]) -> Answers:
        """Return what is said about decoded photos; those of one size share a batch."""
        out = np.empty((len(window), len(self.labels)), np.float32)
        familiar = np.empty(len(window), np.float32) if self._familiar else None
        for chosen in batches(window):
            found, _ = self._run_batch(np.stack([window[index] for index in chosen]))
            out[chosen] = found.probabilities
            if familiar is not None and found.familiarity is not None:
                familiar[chosen] = found.familiarity
        return Answers(out, familiar)

    def _run_batch(
        self, batch: NDArray[np.uint8], more: str | None = None
    ) -> tuple[Answers, NDArray[np.float32] | None]:
        """Return what is said about a batch, and one output more on request."""
        names = ["probabilities", *(["familiarity"] if self._familiar else []), *([more] if more else [])]
        try:
            found = dict(zip(names, self._session.run(names, {"image": batch}), strict=True))
        except UNUSABLE as error:
            raise ModelFileError("model_fails", name=self._name) from error
        familiar = found.get("familiarity")
        if found["probabilities"].shape != (len(batch), len(self.labels)):
            raise ModelFileError("model_fails", name=self._name)
        if familiar is not None:
            if familiar.shape != (len(batch),):
                raise ModelFileError("model_fails", name=self._name)
            # What is no number is like no photo.
            familiar = np.nan_to_num(familiar, nan=0.0).clip(0, 1)
        return Answers(found["probabilities"], familiar), found.get(more) if more else None

    def _prediction(self, row: NDArray[np.float32], familiarity: float | None) -> Prediction:
        by_label = dict.fromkeys(self.labels, 0.0)
        for label, probability in zip(self.labels, row.tolist(), strict=True):
            by_label[label] += probability
        best = max(by_label, key=by_label.__getitem__)
        below = self.metadata.unknown_below
        known = None if familiarity is None or below is None else familiarity >= below
        return Prediction(best, by_label[best], by_label, familiarity, known)


def _read(path: Path, shown: str) -> bytes:
    try:
        if path.stat().st_size > LARGEST_MODEL:
            raise ModelFileError("model_too_large", name=shown)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("model_missing", name=shown) from error
    except OSError as error:
        raise ModelFileError("model_unreadable", name=shown) from error


def open_session(data: bytes, shown: str) -> ort.InferenceSession:
    """Return a session for a file that may be hostile."""
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said in our own words
    # Waiting threads must not burn the cores that other work needs: with any other load on the machine, spinning halves
    # the throughput.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Only ONNX itself: otherwise the first bytes of the file would choose the reader.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # A model of ours is one file. One that names other files, to have them read, gets a folder that cannot exist.
    nowhere = str(Path(os.devnull) / "nowhere")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", nowhere)
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except UNUSABLE as error:
        raise ModelFileError("model_unreadable", name=shown) from error


def check_ports(session: ort.InferenceSession, labels: int, shown: str) -> None:
    """Refuse a graph that does not take one photo batch or does not give one probability per label."""
    inputs = {port.name: port for port in session.get_inputs()}
    outputs = {port.name: port for port in session.get_outputs()}
    takes = set(inputs) == {"image"} and _is(inputs["image"], "tensor(uint8)", 4) and inputs["image"].shape[3] == 3
    gives = "probabilities" in outputs and _is(outputs["probabilities"], "tensor(float)", 2)
    gives = gives and ("familiarity" not in outputs or _is(outputs["familiarity"], "tensor(float)", 1))
    if not takes or not gives:
        raise ModelFileError("model_ports", name=shown)
    classes = outputs["probabilities"].shape[1]
    if classes != labels:
        raise ModelFileError("model_label_count", name=shown, labels=labels, outputs=classes)


def _outputs(session: ort.InferenceSession) -> set[str]:
    return {port.name for port in session.get_outputs()}


def _is(port: Any, kind: str, rank: int) -> bool:
    return port.type == kind and len(port.shape) == rank


def _each(images: Photo | Iterable[Photo]) -> Iterable[Photo]:
    """Return photos one by one, whether one was given or many."""
    if isinstance(images, np.ndarray):
        return images if images.ndim == 4 else [images]
    if isinstance(images, str | Path | bytes | PIL.Image.Image):
        return [images]
    if not isinstance(images, Iterable):
        raise InvalidInput("photo_array")
    return images


def _pixels(photo: Photo) -> Image:
    """Return the pixels of a photo, uint8 `[height, width, 3]`."""
    if isinstance(photo, bytes):
        return photos.decode(photo)
    if isinstance(photo, str | Path):
        return _load(Path(photo))
    if isinstance(photo, PIL.Image.Image):
        # The same steps as for a file, colour profile and orientation included, so that both give the same answer.
        return np.array(photos._rgb(cast(PIL.ImageFile.ImageFile, photo), "photo"))
    if isinstance(photo, np.ndarray) and photo.dtype == np.uint8 and photo.shape[2:] == (3,) and photo.size:
        return photo
    raise InvalidInput("photo_array")


def _load(path: Path) -> Image:
    try:
        with path.open("rb") as file:
            # One byte more than allowed is enough for `decode` to refuse it.
            data = file.read(limits().photo_bytes + 1)
    except FileNotFoundError as error:
        raise NotFound("photo_missing", name=path.name) from error
    except OSError as error:
        raise PhotoError("photo_unopened", name=path.name) from error
    return photos.decode(data, path.name)


def batches(window: Sequence[Image]) -> Iterator[list[int]]:
    """Group the places of photos of one size, in batches bounded by number and bytes."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(window):
        by_size.setdefault(image.shape, []).append(index)
    for places in by_size.values():
        length = max(1, min(BATCH, BATCH_BYTES // window[places[0]].nbytes))
        for start in range(0, len(places), length):
            yield places[start : start + length]
