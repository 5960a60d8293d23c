"""Writes the model files that are kept for the present format version: `python -m tests.old_exports.make`.

Run it once, when `metadata.FORMAT_VERSION` was raised, and add the new folder to the repository. Folders that are there
are never written again: they are what people have at home.
"""

import hashlib
import json
import sys
import threading
from pathlib import Path

import numpy as np

from teachable import export
from teachable.exporting import precision
from teachable.exporting.exporter import Watch
from teachable.metadata import FORMAT_VERSION, ModelMetadata
from teachable.runtime import Classifier
from teachable.scores import ClassScore, Evaluation
from teachable.types import Agreement, Head, Image, Layer, TrainSettings

HERE = Path(__file__).parent
SIZES = ((30, 40), (40, 30), (17, 5), (64, 64))
"""Height and width of the photos."""
LABELS = ("Cat", "it's “quoted”", "🐈‍⬛")


def photos() -> list[Image]:
    """Return some photos of several sizes, made with whole numbers only, so that they are the same everywhere."""
    made = []
    for number, (height, width) in enumerate(SIZES * 2):
        y, x, colour = np.mgrid[:height, :width, :3]
        made.append(((x * (5 + number) + y * (3 + 2 * number) + colour * 61 * number) % 256).astype(np.uint8))
    return made


def model() -> bytes:
    """Return a full model file around a network of three layers. Loads torch."""
    import torch

    from teachable import graphs

    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 12, 3, 2, 1), torch.nn.ReLU6()),
        *(torch.nn.Conv2d(12, 12, 3, 1, 1, groups=12), torch.nn.ReLU6()),
        *(torch.nn.Conv2d(12, 24, 3, 2, 1), torch.nn.ReLU6()),
    )
    backbone = graphs.build(layers, graphs.Preprocessing(16, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    weights = np.random.default_rng(0).normal(0, 6, (len(LABELS), 24)).astype(np.float32)
    head = Head((Layer(weights, np.zeros(len(LABELS), np.float32)),))
    counts = tuple(ClassScore(3, 4) for _ in LABELS)
    score = Evaluation(0.75, 0.4, 0.93, 12, 9, counts, ((3, 1, 0), (0, 3, 1), (1, 0, 3)), (), ())
    data = backbone.SerializeToString(deterministic=True)
    fingerprint = hashlib.sha256(data).hexdigest()
    about = ModelMetadata(
        LABELS, "Kept", 1_700_000_000.0, "kept", fingerprint, TrainSettings(), score, Agreement(8, 8, 1e-6)
    )
    return export.append_head(data, head, about)


def main() -> None:
    """Write the folder of the present format version."""
    folder = HERE / str(FORMAT_VERSION)
    if folder.exists():
        sys.exit(f"{folder} is there already and stays as it is.")
    full = model()
    watch = Watch(lambda part: None, threading.Event())
    files = {"full": full, "half": precision.half(full), "quarter": precision.quarter(full, photos(), watch)}
    folder.mkdir()
    kept = {}
    for name, data in files.items():
        (folder / f"{name}.onnx").write_bytes(data)
        rows = Classifier.load(data).probabilities(photos()).astype(np.float64).round(6)
        kept[name] = {"sha256": hashlib.sha256(data).hexdigest(), "probabilities": rows.tolist()}
    text = json.dumps({"labels": LABELS, "files": kept}, ensure_ascii=False, indent=1)
    (folder / "expected.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
