"""Frozen records shared by all modules. They hold data and say what it means; they do nothing."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachable.scores import Evaluation

Image = NDArray[np.uint8]
"""RGB photo, uint8 `[height, width, 3]`, upright."""

Embeddings = NDArray[np.float32]
"""One row per photo, float32 `[N, D]`."""

Labels = NDArray[np.int64]
"""Index of the class of each row, int64 `[N]`."""

UNKNOWN_BELOW = 0.05
"""Familiarity below which an answer is "not sure", unless a person chose another: 95 % of known photos are above."""


@dataclass(frozen=True)
class ClassInfo:
    """One class of a project.

    Attributes:
        id: unguessable name, stable for the life of the class.
        name: what the person calls it; the label.
        color: `#RRGGBB`.
        position: place in the list, from 0.
        disabled: left out of training, samples kept.
        samples: number of samples.
        tests: how many of them are marked never to be trained on.
    """

    id: str
    name: str
    color: str
    position: int
    disabled: bool
    samples: int
    tests: int = 0


@dataclass(frozen=True)
class Sample:
    """One stored photo of a class.

    Attributes:
        id: number within the project; newer samples have larger numbers.
        class_id: the class it belongs to.
        sha256: of the stored file, in hex.
        group: one press of the record button, one upload or one video; never split in evaluation.
        width: pixels.
        height: pixels.
        created: seconds since 1970.
        test: it is never trained on, only tested with.
    """

    id: int
    class_id: str
    sha256: str
    group: str
    width: int
    height: int
    created: float
    test: bool = False


@dataclass(frozen=True)
class TrainSettings:
    """What a person can set before training.

    Attributes:
        epochs: passes over all samples.
        batch_size: samples per step.
        learning_rate: of the optimiser.
        hidden_units: 0 for a linear head, otherwise the width of one hidden ReLU layer.
        seed: same seed and samples, same model.
    """

    epochs: int = 50
    batch_size: int = 16
    learning_rate: float = 0.001
    hidden_units: int = 0
    seed: int = 0


@dataclass(frozen=True)
class BackboneRecord:
    """One network that turns photos into embeddings.

    Attributes:
        id: short name, `slim-v1` for one.
        title: in words.
        description: what it is good for, in words.
        file: name of the ONNX file, beside the record.
        size_bytes: of the ONNX file.
        embedding_width: values per photo.
        input_size: pixels of the square the network sees.
        licence: of the weights.
        source: where the weights come from.
        fingerprint: SHA-256 of the ONNX file, in hex.
        origin: `builtin` comes with the program, `official` from torchvision, `imported` from a file of the person's.
    """

    id: str
    title: str
    description: str
    file: str
    size_bytes: int
    embedding_width: int
    input_size: int
    licence: str
    source: str
    fingerprint: str
    origin: Literal["builtin", "official", "imported"] = "builtin"


@dataclass(frozen=True)
class ProjectNetwork:
    """The network a project was made with; only a person changes it.

    Attributes:
        id: of the backbone.
        fingerprint: of its graph, SHA-256 in hex.
        builtin: it came with the program; what replaces it there replaces it here.
        renewed: the graph was another one before, and nobody has taken note of that yet.
    """

    id: str
    fingerprint: str
    builtin: bool = False
    renewed: bool = False

    @classmethod
    def of(cls, record: BackboneRecord) -> "ProjectNetwork":
        """Return what a project notes when it is taught with this network."""
        return cls(record.id, record.fingerprint, builtin=record.origin == "builtin")


@dataclass(frozen=True)
class Change:
    """Something a person did to classes or samples, which can be taken back or done again.

    Attributes:
        token: names it; nobody can guess it.
        text: what it was, in words.
        created: seconds since 1970.
    """

    token: str
    text: str
    created: float


@dataclass(frozen=True)
class ProjectInfo:
    """One project as the list and the page see it.

    Attributes:
        id: unguessable name; also the folder name.
        name: what the person calls it.
        created: seconds since 1970.
        updated: seconds since 1970, last change of anything.
        classes: in their order.
        settings: for the next training.
        network: it is taught with, or None for one from before networks could be chosen that was not opened since.
        unknown_below: a photo whose familiarity is below it gets the answer "not sure", 0 to 0.5. As many of a hundred
            photos of the classes themselves get it too.
        undo: what would be taken back now, or None.
        redo: what was taken back and would be done again now, or None.
    """

    id: str
    name: str
    created: float
    updated: float
    classes: tuple[ClassInfo, ...]
    settings: TrainSettings
    network: ProjectNetwork | None = None
    unknown_below: float = UNKNOWN_BELOW
    undo: Change | None = None
    redo: Change | None = None


@dataclass(frozen=True)
class Layer:
    """One dense layer: `y = weight @ x + bias`, weight float32 `[out, in]`, bias float32 `[out]`."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """A trained head: dense layers with ReLU between them, acting on raw embeddings.

    Standardisation is already folded into the first layer. One layer is a linear softmax classifier, two have a hidden
    layer.
    """

    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Looks:
    """What can be seen of photos without any network.

    Attributes:
        hashes: perceptual hash of each, uint64 `[N]`; photos that look alike differ in few bits.
        sharpness: float32 `[N]`; low where a photo is blurred.
        brightness: mean, float32 `[N]`, 0 to 1.
        contrast: float32 `[N]`, 0 to 1; low where a photo is nearly empty.
        tiles: mean colours of a grid of 4 x 4, RGB, float32 `[N, 4, 4, 3]`, 0 to 1.
    """

    hashes: NDArray[np.uint64]
    sharpness: NDArray[np.float32]
    brightness: NDArray[np.float32]
    contrast: NDArray[np.float32]
    tiles: NDArray[np.float32]


@dataclass(frozen=True)
class Familiarity:
    """How alike a photo is to those trained on: a distance told as a share; `teachable.familiarity` says which.

    Attributes:
        mean: of embeddings of length one, float32 `[D]`.
        basis: directions of length one at right angles, the space of the distance, float32 `[R, D]`.
        whitening: makes the spread within a class the same in all directions of that space, float32 `[R, R]`, and of
            such a size that squared lengths outside of it count as they are.
        centres: of each class in that space, whitened, float32 `[K, M, R]`.
        quantiles: distances of photos that were held out, from the smallest to the largest, at equal shares of them,
            each larger than the one before, float32 `[Q]`. The familiarity of a photo is the share of photos held out
            that were farther away.
        held_out: how many photos these come from.
    """

    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    whitening: NDArray[np.float32]
    centres: NDArray[np.float32]
    quantiles: NDArray[np.float32]
    held_out: int


@dataclass(frozen=True)
class Agreement:
    """Result of running the written model file over stored samples and comparing with the head on cached embeddings.

    Attributes:
        agreeing: photos for which file and preview name the same class with the same probability, to 0.001.
        total: photos compared.
        largest_difference: of any probability, 0 to 1.
    """

    agreeing: int
    total: int
    largest_difference: float


@dataclass(frozen=True)
class Before:
    """The network a model was switched from, tested on the very photos its successor was tested on.

    Attributes:
        backbone: fingerprint of the backbone.
        backbone_id: its id.
        accuracy: share of held-out photos named correctly.
        low: lower end of its 95 % interval.
        high: upper end of it.
        held_out: held-out photos.
        correct: how many of them were named correctly.
    """

    backbone: str
    backbone_id: str
    accuracy: float
    low: float
    high: float
    held_out: int
    correct: int


@dataclass(frozen=True)
class ModelRecord:
    """One trained model of a project.

    Attributes:
        id: unguessable name; also the file name.
        created: seconds since 1970.
        class_ids: the class behind each output, in order. Names are looked up, so that renaming needs no training.
        labels: what the classes were called when it was trained; used only for classes deleted since.
        backbone: fingerprint of the backbone.
        backbone_id: registry id of the backbone.
        settings: it was trained with.
        trained_on: digest of the samples and classes it was trained on; tells whether samples changed since.
        samples: number of photos it was trained on.
        seconds: from start of training to the written file.
        evaluation: what is known about accuracy.
        agreement: of file and preview, or None while it is being checked.
        before: how the network before it did on the same photos, if this training switched networks and that could be
            tested.
        familiar: held-out photos that the output `familiarity` is measured against, or 0 where the file has none.
    """

    id: str
    created: float
    class_ids: tuple[str, ...]
    labels: tuple[str, ...]
    backbone: str
    backbone_id: str
    settings: TrainSettings
    trained_on: str
    samples: int
    seconds: float
    evaluation: Evaluation
    agreement: Agreement | None = None
    before: Before | None = None
    familiar: int = 0


@dataclass(frozen=True)
class Rejected:
    """One file of an upload that was not taken.

    Attributes:
        name: of the file, as sent.
        reason: why, in words.
        key: name of these words in the catalogue, below `error`.
        values: what fills the places of the words.
    """

    name: str
    reason: str
    key: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class AddResult:
    """What became of an upload.

    Attributes:
        added: new samples, in the order sent.
        repeats: files that were already in the class, byte for byte or pixel for pixel, and were skipped.
        rejected: files that could not be read.
        undo: token that takes the upload back, together with what was sent of the same recording just before; None if
            nothing was added.
    """

    added: tuple[Sample, ...]
    repeats: int
    rejected: tuple[Rejected, ...]
    undo: str | None = None


@dataclass(frozen=True)
class SamplePage:
    """Some samples of a class.

    Attributes:
        samples: newest first.
        total: samples of the class.
        next: the id to ask for further ones before, or None at the end.
    """

    samples: tuple[Sample, ...]
    total: int
    next: int | None


@dataclass(frozen=True)
class NetworkInfo:
    """One network as a person chooses between them, on this computer or to be fetched.

    Attributes:
        id: short name.
        title: in words.
        description: what it is good for, in words.
        origin: `builtin`, `official` or `imported`.
        recommended: new projects use it once it is present.
        present: it is on this computer and can be used.
        fingerprint: of its graph, or None until it is present.
        download_bytes: to be fetched; 0 for one that cannot be.
        size_bytes: of the ONNX graph, and so roughly of every model made with it.
        embedding_width: values per photo.
        input_size: pixels of the square it sees.
        accuracy: per cent of ImageNet's validation photos it names, as its makers publish it, or None.
        native_factor: time per photo in this program, as a multiple of the built-in network's, or None if not measured.
        browser_factor: time per photo in a browser, as a multiple of the built-in network's, or None.
        native_ms: milliseconds per photo in this program, measured on this computer, or None.
        browser_ms: milliseconds per photo in a browser, measured on this computer, or None.
        licence: of the weights.
        source: where the weights come from.
        file: name of the weights file to look for on a stick; empty for one that is no official network.
    """

    id: str
    title: str
    description: str
    origin: Literal["builtin", "official", "imported"]
    recommended: bool
    present: bool
    fingerprint: str | None
    download_bytes: int
    size_bytes: int
    embedding_width: int
    input_size: int
    accuracy: float | None
    native_factor: float | None
    browser_factor: float | None
    native_ms: float | None
    browser_ms: float | None
    licence: str
    source: str
    file: str
