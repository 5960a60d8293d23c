"""Heads: the small trained part on top of a backbone, fitted with torch on embeddings, applied with numpy alone.

It owns the recipe (loss, regularisation, optimiser, schedule) and checks what it is given. It does not know photos,
class names or files, and it does not judge accuracy: that is `teachable.evaluation`.

The recipe, measured by `tests/benchmarks/heads.py`:

- Adam (Kingma and Ba 2015) on mini-batches, the learning rate decaying along a half cosine.
- A Gaussian prior of fixed width on the weights. Cross-validation finds about the same width every time, but with five
  photos of a class it also makes mistakes.
- Each time a photo is seen its embedding is stretched or shrunk a little, because its length follows contrast and
  lighting more than content.
- Cross-entropy in which every class weighs the same. While training, a class with few photos must also win by more,
  the idea of logit adjustment (Menon et al. 2021): weights alone do little once all photos are learned by heart.
- An epoch learns from `SEEN` photos at most, so that any number of photos takes as many steps as that many do: of more
  photos every epoch takes the next part of a shuffled order, which starts again when it is used up. Where the epochs
  are too few for every photo to be learned from once, each takes as many as that needs. A step then learns from
  `TOGETHER` photos at least. A head that learned so from 16,000 photos, made from real embeddings and noise, named 77 %
  of others correctly; one that learned from all of them fifty times named 74 %, and took six times as long. With up to
  `SEEN` photos nothing of this changes a single bit.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from teachable.errors import InvalidInput
from teachable.scores import EpochPoint
from teachable.settings import check_training
from teachable.types import Embeddings, Head, Labels, Layer, TrainSettings

if TYPE_CHECKING:
    from torch import Tensor


SEEN = 5_000
"""Photos an epoch learns from, and its point of the curve is drawn from, at most; see the top of this file."""
TOGETHER = 64
"""Photos of one step, at least, where there are more photos than an epoch learns from."""

# Both were measured on three photo sets with two backbones; half or double of either changes accuracy by less than 0.6
# points at 5 and 20 photos per class. The prior is the inverse variance of a weight, per feature of unit variance.
_PRIOR = 0.01
_GAIN = 0.2
# A class of n photos must win by log(1 + 3 / n) nats: 1.4 with one photo, 0.5 with five, nothing with hundreds. With 1,
# 3 or 6 photos in half of the classes and 19 to 39 in the others, accuracy per class rises by 2.4, 1.5, 0.6 points.
_FEW = 3


@dataclass(frozen=True)
class FitResult:
    """A fitted head and one point per epoch of how it got there."""

    head: Head
    history: tuple[EpochPoint, ...]


def fit(
    embeddings: Embeddings,
    labels: Labels,
    class_count: int,
    settings: TrainSettings,
    held_out: tuple[Embeddings, Labels] | None = None,
    on_epoch: Callable[[EpochPoint], None] | None = None,
) -> FitResult:
    """Fit a head. The same input gives the same bits, whatever else the process does with torch.

    Args:
        embeddings: float32 `[N, D]`, one row per photo.
        labels: int64 `[N]`, index of the class of each row; every class needs at least one.
        class_count: number of classes, at least two.
        settings: epochs, batch size, learning rate, width of the hidden layer (0 for none), seed.
        held_out: embeddings and labels that are only looked at, for the curves.
        on_epoch: called after each epoch; an exception it raises stops the training and reaches the caller.

    Returns:
        The head, and per epoch the loss (cross-entropy in nats, every class weighing the same) and accuracy (share of
        photos) after it; of more than `SEEN` photos, so many of them, evenly spread.

    Raises:
        InvalidInput: a setting out of range, fewer than two classes, a class without photos, values not finite.
        ValueError: arrays whose shapes or types do not fit together.
    """
    check(embeddings, labels, class_count, settings)
    if held_out is not None:
        check_rows(*held_out, class_count)
        if held_out[0].shape[1] != embeddings.shape[1]:
            raise ValueError("held-out embeddings have another width than those to fit")
    counts = np.bincount(labels, minlength=class_count)
    mean, scale = _standard(embeddings)
    # Balanced: every class weighs the same, however many photos it has.
    class_weights = len(labels) / (class_count * counts.astype(np.float64))
    # What so unequal weights leave of N independent photos (Kish 1965): N itself when all classes are alike.
    effective = class_count**2 / float((1 / counts).sum())
    decay = _PRIOR * embeddings.shape[1] / effective

    with _one_thread():
        import torch

        def watched(rows: Embeddings, classes: Labels) -> _Samples:
            # Through torch's own allocation: its alignment is fixed, and the last bits of a product depend on it.
            data = torch.empty(rows.shape, dtype=torch.float32, device="cpu")
            values = data.numpy()
            np.subtract(rows, mean, out=values, casting="same_kind")
            values /= scale
            target = torch.tensor(classes, dtype=torch.int64, device="cpu")
            return _Samples(data, target, torch.tensor(class_weights, dtype=torch.float32, device="cpu")[target])

        shown = _spread(len(labels))
        seen = watched(embeddings[shown], labels[shown])
        training: _Samples | _Raw = seen
        if len(labels) > SEEN:
            target = torch.tensor(labels, dtype=torch.int64, device="cpu")
            weight = torch.tensor(class_weights, dtype=torch.float32, device="cpu")[target]
            training = _Raw(embeddings, torch.tensor(mean, dtype=torch.float32, device="cpu"), scale, target, weight)
        testing = None
        if held_out is not None and len(held_out[1]):
            tested = _spread(len(held_out[1]))
            testing = watched(held_out[0][tested], held_out[1][tested])
        offset = torch.tensor(mean / scale, dtype=torch.float32, device="cpu")
        margin = torch.tensor(-np.log1p(_FEW / counts), dtype=torch.float32, device="cpu")
        network = _Network(embeddings.shape[1], settings, decay, margin)
        history: list[EpochPoint] = []
        for epoch in _epochs(network, training, offset, settings):
            loss, accuracy = network.score(seen)
            held = network.score(testing) if testing is not None else (None, None)
            history.append(EpochPoint(epoch, loss, accuracy, *held))
            if on_epoch is not None:
                on_epoch(history[-1])
        return FitResult(_folded(network.layers(), mean, scale), tuple(history))


def logits(head: Head, embeddings: Embeddings) -> NDArray[np.float32]:
    """Return the scores of the classes before softmax, float32 `[N, K]`, for raw embeddings float32 `[N, D]`."""
    values: NDArray[np.float32] = np.asarray(embeddings, np.float32)
    for index, layer in enumerate(head.layers):
        values = (np.maximum(values, 0) if index else values) @ layer.weight.T + layer.bias
    return values


def probabilities(head: Head, embeddings: Embeddings) -> NDArray[np.float32]:
    """Return the probability of each class, float32 `[N, K]`, each row summing to one."""
    scores = logits(head, embeddings)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def check(embeddings: Embeddings, labels: Labels, class_count: int, settings: TrainSettings) -> None:
    """Refuse what no head can be fitted on, with the errors of `fit`."""
    check_training(settings)
    check_rows(embeddings, labels, class_count)
    if class_count < 2:
        raise InvalidInput("training_one_class")
    counts = np.bincount(labels, minlength=class_count)
    if not counts.all():
        raise InvalidInput("training_class_empty", number=int(np.argmin(counts)) + 1)


def check_rows(embeddings: Embeddings, labels: Labels, class_count: int) -> None:
    """Refuse photos that a head cannot be applied to or tested with.

    Raises:
        InvalidInput: values that are not finite.
        ValueError: arrays whose shapes or types do not fit together.
    """
    if embeddings.ndim != 2 or embeddings.dtype != np.float32 or not embeddings.shape[1]:
        raise ValueError(f"embeddings must be float32 [N, D], got {embeddings.dtype} {list(embeddings.shape)}")
    if labels.shape != embeddings.shape[:1] or labels.dtype.kind != "i":
        raise ValueError(f"labels must be whole numbers [{len(embeddings)}], got {labels.dtype} {list(labels.shape)}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < class_count:
        raise ValueError(f"labels must be from 0 to {class_count - 1}")
    broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
    if broken:
        raise InvalidInput("embeddings_not_finite", count=broken)


def _standard(embeddings: Embeddings) -> tuple[NDArray[np.float64], float]:
    """Return the mean of each feature and one standard deviation for all of them.

    One for all: dividing each feature by its own would blow up those that hardly ever fire, which with few photos are
    many, into the loudest ones.
    """
    mean = embeddings.mean(axis=0, dtype=np.float64)
    squares = np.einsum("nd,nd->", embeddings, embeddings, dtype=np.float64) / embeddings.size
    variance = squares - float((mean * mean).mean())
    # Below rounding of float32 there is nothing to tell photos apart by.
    return mean, math.sqrt(variance) if variance > 1e-12 * squares else 1.0


def _folded(layers: list[Layer], mean: NDArray[np.float64], scale: float) -> Head:
    first = layers[0].weight.astype(np.float64) / scale
    bias = layers[0].bias - first @ mean
    return Head((Layer(first.astype(np.float32), bias.astype(np.float32)), *layers[1:]))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run on one core: steps this small lose more by sharing than they win, and the last bits would depend on it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _spread(count: int) -> slice | NDArray[np.int64]:
    """Return which of so many photos a curve is drawn from: all of them, or `SEEN` of them, evenly spread."""
    return slice(None) if count <= SEEN else np.linspace(0, count - 1, SEEN).round().astype(np.int64)


@dataclass(frozen=True)
class _Samples:
    """Standardised embeddings float32 `[N, D]`, classes int64 `[N]` and the weight of each row float32 `[N]`."""

    data: "Tensor"
    target: "Tensor"
    weight: "Tensor"

    def batch(self, rows: "Tensor") -> "Tensor":
        """Return standardised embeddings of some rows, in memory of their own."""
        return self.data.index_select(0, rows)


@dataclass(frozen=True)
class _Raw:
    """The same of too many photos for a standardised copy: embeddings as they are, standardised batch by batch."""

    embeddings: Embeddings
    mean: "Tensor"
    scale: float
    target: "Tensor"
    weight: "Tensor"

    def batch(self, rows: "Tensor") -> "Tensor":
        """Return standardised embeddings of some rows, in memory of their own."""
        import torch

        data = torch.empty((len(rows), len(self.mean)), dtype=torch.float32, device="cpu")
        np.take(self.embeddings, rows.numpy(), axis=0, out=data.numpy(), mode="clip")
        return data.sub_(self.mean).div_(self.scale)


def _epochs(network: "_Network", samples: _Samples | _Raw, offset: "Tensor", settings: TrainSettings) -> Iterator[int]:
    """Train, yielding the number of each epoch, from 1, as it ends."""
    import torch

    count = len(samples.target)
    seen = min(count, max(SEEN, math.ceil(count / settings.epochs)))
    size = settings.batch_size if count <= SEEN else max(TOGETHER, settings.batch_size)
    total = settings.epochs * math.ceil(seen / size)
    generator = torch.Generator(device="cpu").manual_seed(settings.seed)
    coming = torch.empty(0, dtype=torch.int64, device="cpu")
    done = 0
    for epoch in range(1, settings.epochs + 1):
        if len(coming) < seen:
            coming = torch.cat([coming, torch.randperm(count, generator=generator, device="cpu")])
        order, coming = coming[:seen], coming[seen:]
        gain = torch.randn(seen, 1, generator=generator, dtype=torch.float32, device="cpu").mul_(_GAIN).exp_()
        for start in range(0, seen, size):
            rows = order[start : start + size]
            stretch = gain[start : start + size]
            # The stretch is of the raw embedding, of which `offset` was taken away: h (z + o) - o = h z + (h - 1) o.
            batch = samples.batch(rows).mul_(stretch).addr_(stretch[:, 0] - 1, offset)
            rate = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done / total))
            network.step(batch, samples.target[rows], samples.weight[rows], rate)
            done += 1
        yield epoch


class _Network:
    """Dense layers with ReLU between them, their gradient, and Adam, on one flat vector of parameters.

    Written out because a step is a handful of small products: autograd and an optimiser object would cost several
    times as much as the arithmetic.
    """

    def __init__(self, width: int, settings: TrainSettings, decay: float, margin: "Tensor") -> None:
        import torch

        self._margin = margin
        sizes = [width, settings.hidden_units, len(margin)] if settings.hidden_units else [width, len(margin)]
        shapes = [(out, into) for into, out in pairwise(sizes)]
        length = sum(out * into + out for out, into in shapes)
        self._values, self._gradient, self._decay, self._first, self._second, self._spread = (
            torch.zeros(length, dtype=torch.float32, device="cpu") for _ in range(6)
        )
        self._layers = _views(self._values, shapes)
        self._gradients = _views(self._gradient, shapes)
        for weight, _ in _views(self._decay, shapes):
            weight.fill_(decay)
        # A linear head starts from zero, knowing nothing. Hidden units must differ; a first layer at a tenth of the
        # usual spread (He et al. 2015) makes them learn what tells the classes apart instead of keeping their chance
        # start, which is worth a point with five photos of a class, and three with one.
        if len(shapes) > 1:
            generator = torch.Generator(device="cpu").manual_seed(settings.seed)
            for (weight, _), spread in zip(self._layers, (0.1, 1.0), strict=True):
                weight.normal_(0, spread * math.sqrt(2 / weight.shape[1]), generator=generator)
        self._steps = 0

    def layers(self) -> list[Layer]:
        """Return copies of the layers as they are now."""
        return [Layer(weight.numpy().copy(), bias.numpy().copy()) for weight, bias in self._layers]

    def step(self, batch: "Tensor", target: "Tensor", weight: "Tensor", rate: float) -> None:
        """Take one step on `[B, D]` samples with classes and weights `[B]`."""
        import torch

        inputs = [batch]
        for index, (matrix, bias) in enumerate(self._layers):
            values = torch.addmm(bias, inputs[-1], matrix.T)
            inputs.append(values.relu_() if index + 1 < len(self._layers) else values)
        # Gradient of weighted cross-entropy: softmax minus one-hot.
        slope = torch.softmax(inputs.pop().add_(self._margin), 1)
        slope[torch.arange(len(target), device="cpu"), target] -= 1
        slope.mul_((weight / len(target)).unsqueeze(1))
        for index in reversed(range(len(self._layers))):
            torch.mm(slope.T, inputs[index], out=self._gradients[index][0])
            torch.sum(slope, 0, out=self._gradients[index][1])
            if index:
                slope = (slope @ self._layers[index][0]).mul_(inputs[index] > 0)
        self._adam(rate)

    def _adam(self, rate: float) -> None:
        """Take a step of Adam with its usual constants, in the order of section 2 of the paper that saves passes."""
        import torch

        self._steps += 1
        self._gradient.addcmul_(self._values, self._decay)
        self._first.lerp_(self._gradient, 0.1)
        self._second.mul_(0.999).addcmul_(self._gradient, self._gradient, value=0.001)
        torch.sqrt(self._second, out=self._spread).add_(1e-8)
        corrected = rate * math.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps)
        self._values.addcdiv_(self._first, self._spread, value=-corrected)

    def score(self, samples: _Samples) -> tuple[float, float]:
        """Return the class-balanced cross-entropy, in nats, and the share named correctly."""
        import torch

        values = samples.data
        for index, (matrix, bias) in enumerate(self._layers):
            values = torch.addmm(bias, values.relu() if index else values, matrix.T)
        losses = torch.logsumexp(values, 1) - values.gather(1, samples.target.unsqueeze(1)).squeeze(1)
        loss = float((losses * samples.weight).sum() / samples.weight.sum())
        return loss, float((values.argmax(1) == samples.target).double().mean())


def _views(flat: "Tensor", shapes: list[tuple[int, int]]) -> list[tuple["Tensor", "Tensor"]]:
    """Cut a flat vector into a weight `[out, in]` and a bias `[out]` per layer, sharing its memory."""
    views, at = [], 0
    for out, into in shapes:
        end = at + out * into
        views.append((flat[at:end].view(out, into), flat[end : end + out]))
        at = end + out
    return views
