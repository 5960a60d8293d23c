"""Accuracy and time of heads against logistic regression and Teachable Machine's own recipe, on real photos.

    python -m tests.benchmarks.heads FOLDER

FOLDER holds one folder per set, each with one folder of photos per class. Nothing is asserted: the figures are for
people. Every method gets the same embeddings of the built-in backbone and the same ten random splits of
`tests.benchmarks.datasets`. Networks are compared by `tests.benchmarks.fewshot`.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachable import backbones, heads
from teachable.embeddings import Embedder
from teachable.errors import TeachableError
from teachable.types import Embeddings, Labels, TrainSettings
from tests.benchmarks import datasets
from tests.benchmarks.datasets import SHOTS, SPLITS

Method = Callable[[Embeddings, Labels, Embeddings], NDArray[np.floating]]
"""Learns from embeddings and labels, and returns the probabilities of the classes for further embeddings."""


@dataclass(frozen=True)
class Score:
    """Mean over the splits: share named correctly, negative log-likelihood in nats, milliseconds to fit and predict."""

    accuracy: float
    surprise: float
    milliseconds: float


def ours(train: Embeddings, labels: Labels, test: Embeddings, *, hidden_units: int = 0) -> NDArray[np.floating]:
    """Fit a head of this project at its default settings."""
    fitted = heads.fit(train, labels, int(labels.max()) + 1, TrainSettings(hidden_units=hidden_units))
    return heads.probabilities(fitted.head, test)


def logistic_regression(train: Embeddings, labels: Labels, test: Embeddings, *, scaling: str) -> NDArray[np.floating]:
    """Fit scikit-learn's logistic regression with C by cross-validation; with one photo per class, its default C.

    The penalty does not change when space is turned, so it is given the plane of the few photos, which yields the same
    model many times sooner; the time includes the turning.
    """
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    from threadpoolctl import threadpool_limits

    rows, further = train.astype(np.float64), test.astype(np.float64)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    scale = {"none": 1.0, "all alike": np.sqrt((spread**2).mean()), "each": np.where(spread == 0, 1, spread)}[scaling]
    rows, further = (rows - mean) / scale, (further - mean) / scale
    _, sizes, axes = np.linalg.svd(rows, full_matrices=False)
    plane = axes[sizes > sizes[0] * 1e-7].T
    folds = min(5, int(np.bincount(labels).min()))
    model = LogisticRegression(max_iter=2000)
    if folds > 1:
        model = LogisticRegressionCV(
            Cs=10, cv=folds, scoring="accuracy", l1_ratios=(0,), use_legacy_attributes=False, max_iter=2000
        )
    # On products this small further threads only wait for each other.
    with threadpool_limits(1):
        found: NDArray[np.floating] = model.fit(rows @ plane, labels).predict_proba(further @ plane)
    return found


def teachable_machine(train: Embeddings, labels: Labels, test: Embeddings, *, seed: int = 0) -> NDArray[np.floating]:
    """Fit Teachable Machine's head: 100 ReLU units, no bias after them, Adam 0.001, 50 epochs of batches of 16."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(train.shape[1], 100),
        torch.nn.ReLU(),
        torch.nn.Linear(100, int(labels.max()) + 1, bias=False),
    )
    with torch.no_grad():
        model[0].bias.zero_()
        for layer in (model[0], model[2]):
            # Variance scaling with fan-in, as TensorFlow.js does it: cut at two deviations.
            spread = 1 / 0.87962566 / layer.weight.shape[1] ** 0.5
            torch.nn.init.trunc_normal_(layer.weight, 0, spread, -2 * spread, 2 * spread, generator=generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7)
    rows, target = torch.tensor(train), torch.tensor(labels)
    for _ in range(50):
        for batch in torch.randperm(len(rows), generator=generator).split(16):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(rows[batch]), target[batch]).backward()
            optimiser.step()
    with torch.no_grad():
        found: NDArray[np.floating] = torch.softmax(model(torch.tensor(test)), 1).numpy()
    torch.set_num_threads(threads)
    return found


METHODS: Mapping[str, Method] = {
    "ours, linear": ours,
    "ours, hidden 100": partial(ours, hidden_units=100),
    "sklearn LR-CV, as is": partial(logistic_regression, scaling="none"),
    "sklearn LR-CV, scaled alike": partial(logistic_regression, scaling="all alike"),
    "sklearn LR-CV, scaled each": partial(logistic_regression, scaling="each"),
    "Teachable Machine's head": teachable_machine,
}


def measure(method: Method, embeddings: Embeddings, labels: Labels, shots: int) -> Score:
    """Return the mean score of a method over all splits."""
    found = []
    for train, test in datasets.splits(labels, shots):
        start = time.perf_counter()
        shares = method(embeddings[train], labels[train], embeddings[test])
        seconds = time.perf_counter() - start
        true = np.clip(shares[np.arange(len(test)), labels[test]], 1e-12, 1)
        found.append(((shares.argmax(axis=1) == labels[test]).mean(), -np.log(true).mean(), seconds * 1000))
    return Score(*(float(value) for value in np.mean(found, axis=0)))


def _embedded(folder: Path) -> dict[str, tuple[Embeddings, Labels]]:
    """Return embeddings and labels of every set in a folder that has enough photos, by its name."""
    record = backbones.builtin()
    embedder = Embedder(backbones.read(record))
    sets = datasets.find(folder)
    for one in sets:
        if one.smallest <= max(SHOTS):
            raise datasets.Unusable(f"Every class of {one.name} needs more than {max(SHOTS)} photos.")
    return {one.name: (datasets.embeddings_of(one, record.fingerprint, embedder.embed), one.labels) for one in sets}


def main() -> None:
    """Measure every method on every set and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="sets, each a folder of class folders")
    try:
        data = _embedded(parser.parse_args().folder)
    except (datasets.Unusable, TeachableError) as error:
        parser.error(str(error))
    embeddings, labels = next(iter(data.values()))
    measure(ours, embeddings, labels, 1)  # The first fit also loads torch.
    scores = {
        (name, shots, method): measure(METHODS[method], *data[name], shots)
        for name in data
        for shots in SHOTS
        for method in METHODS
    }
    columns = [*data, "mean", "ours/this", "NLL", "ms"]
    print(f"Accuracy, mean of {SPLITS} random splits; NLL and ms are means over the sets\n")
    for shots in SHOTS:
        print(f"{f'{shots} per class':<30}" + "".join(f"{column:>17}" for column in columns))
        rows = {method: [scores[name, shots, method] for name in data] for method in METHODS}
        mean = {method: float(np.mean([score.accuracy for score in row])) for method, row in rows.items()}
        for method, row in rows.items():
            cells = [f"{score.accuracy:.3f}" for score in row]
            cells += [f"{mean[method]:.4f}", f"{mean['ours, linear'] / mean[method]:.3f}"]
            cells += [f"{np.mean([score.surprise for score in row]):.3f}"]
            cells += [f"{np.mean([score.milliseconds for score in row]):.0f}"]
            print(f"  {method:<28}" + "".join(f"{cell:>17}" for cell in cells))
        print()


if __name__ == "__main__":
    main()
