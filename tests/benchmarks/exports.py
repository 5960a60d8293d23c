"""Every way to take a model away: how long it takes, how large it is, how fast it runs and what it costs in accuracy.

    python -m tests.benchmarks.exports [FOLDER…]

A folder holds sets of photos, each with a folder for every class; without one, scenes are made in code, which say
nothing about accuracy. Of every class the first half is learned from and the second half is named: photos that follow
each other may come from one recording. Smaller files take their ranges from the half that was learned from. All
precisions take turns, natively and in the browser, and the fastest turn of each counts. Formats are made of the first
set's model.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from teachable import backbones, export, heads, images
from teachable.embeddings import Embedder
from teachable.errors import TeachableError
from teachable.exporting import checking, precision
from teachable.exporting.checking import Check, Test
from teachable.exporting.exporter import Exporter, Precision, Source, Variant, Watch, exporters
from teachable.exporting.onnx_runner import OnnxRunner
from teachable.metadata import ModelMetadata
from teachable.runtime import Classifier
from teachable.scores import Evaluation
from teachable.types import Image, Labels, TrainSettings
from tests.benchmarks import browser, datasets, networks, scene
from tests.benchmarks.table import Row, render

PRECISIONS: tuple[Precision, ...] = ("full", "half", "quarter")
SETTINGS = TrainSettings()
ROUNDS, TURN_SECONDS = 15, 0.15
FRAMES, FRAME_SECONDS = 40, 30.0
EXPORT_TARGET, QUARTER_TARGET, PAGE_TARGET, PAGE_BYTES = 1.0, 10.0, 2.0, 8e6
SCENES, KINDS = 30, 4


@dataclass(frozen=True)
class Halves:
    """One set of photos, cut in two.

    Attributes:
        name: of the set.
        classes: their names.
        learned: photos to learn from and to take ranges from, classes in turn.
        learned_labels: index of the class of each.
        held_out: photos to name.
        labels: index of the class of each.
    """

    name: str
    classes: tuple[str, ...]
    learned: Sequence[Image]
    learned_labels: Labels
    held_out: Sequence[Image]
    labels: Labels


@dataclass(frozen=True)
class File:
    """A model file at one precision.

    Attributes:
        data: the file.
        seconds: it took to make from the backbone and head, or from the full file.
        check: what came out when it named photos held out.
        mean_difference: of the probability that differs most, on average over these photos.
    """

    data: bytes
    seconds: float
    check: Check
    mean_difference: float


Files = Mapping[Precision, File]


def halves(name: str, classes: Sequence[str], photos: Sequence[Image], labels: Labels) -> Halves:
    """Cut a set in two, every class in its own middle.

    Args:
        name: of the set.
        classes: their names.
        photos: in the order they were taken.
        labels: int64 `[N]`.
    """
    rows = [np.flatnonzero(labels == label) for label in range(len(classes))]
    first = [(place, row) for own in rows for place, row in enumerate(own[: len(own) // 2].tolist())]
    learned = [row for _, row in sorted(first)]
    held_out = [row for own in rows for row in own[len(own) // 2 :].tolist()]
    one, other = ([photos[row] for row in chosen] for chosen in (learned, held_out))
    return Halves(name, tuple(classes), one, labels[learned], other, labels[held_out])


def made_in_code() -> Halves:
    """Return scenes of some kinds."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(KINDS), SCENES)
    photos = [scene.picture(int(label), generator) for label in labels]
    return halves("scenes", [f"kind {kind}" for kind in range(KINDS)], photos, labels)


def sets_in(folder: Path) -> Iterator[Halves]:
    """Yield the sets of a folder, one in memory at a time."""
    for found in datasets.find(folder):
        photos = [images.load(path) for path in found.photos]
        yield halves(found.name, found.classes, photos, found.labels)


def files_of(given: Halves, backbone: bytes) -> Files:
    """Train a head, write the model at every precision, and name the photos held out with each."""
    embedder = Embedder(backbone)
    learned, unseen = embedder.embed(given.learned), embedder.embed(given.held_out)
    embedder.close()
    head = heads.fit(learned, given.learned_labels, len(given.classes), SETTINGS).head
    record = backbones.builtin()
    evaluation = Evaluation(None, None, None, 0, 0, (), (), (), ())
    about = ModelMetadata(
        given.classes, given.name, 1_700_000_000.0, record.id, record.fingerprint, SETTINGS, evaluation
    )
    full, seconds = _timed(partial(export.append_head, backbone, head, about))
    expected = Classifier.load(full).probabilities(given.held_out)
    makers: dict[Precision, Callable[[], bytes]] = {
        "half": partial(precision.half, full),
        "quarter": partial(precision.quarter, full, list(given.learned), _watch()),
    }
    test = Test(head, given.labels, unseen)
    made = {"full": (full, seconds), **{name: _timed(make) for name, make in makers.items()}}
    files: dict[Precision, File] = {}
    for name in PRECISIONS:
        data, took = made[name]
        runner = OnnxRunner(data, name)
        variant = precision.variant(name, name)
        found = checking.check(runner, given.held_out, expected, variant, test, _watch())
        off = np.abs(runner(given.held_out).probabilities - expected).max(axis=1)
        files[name] = File(data, took, found, float(off.mean()))
    return files


def _timed(make: Callable[[], bytes]) -> tuple[bytes, float]:
    """Return what is made and the seconds of the fastest of three times."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        made = make()
        times.append(time.perf_counter() - began)
    return made, min(times)


def _watch() -> Watch:
    return Watch(lambda part: None, threading.Event())


def native_milliseconds(files: Files) -> dict[Precision, list[float]]:
    """Return the milliseconds of single camera photos for every precision, which take turns."""
    height, width = scene.CAMERA
    photo = scene.picture(0, np.random.default_rng(0), height, width)
    ready = {name: Classifier.load(file.data) for name, file in files.items()}
    times: dict[Precision, list[float]] = {name: [] for name in ready}
    for turn in range(ROUNDS + 1):
        for name, classifier in ready.items():
            began, count = time.perf_counter(), 0
            while (passed := time.perf_counter() - began) < TURN_SECONDS:
                classifier.probabilities(photo)
                count += 1
            if turn:
                times[name].append(1000 * passed / count)
    return times


def browser_milliseconds(files: Files) -> dict[Precision, list[float]]:
    """Return the milliseconds of camera frames for every precision, which take turns in one page of Chromium."""
    height, width = scene.CAMERA
    with tempfile.TemporaryDirectory() as folder, browser.chromium() as chromium:
        models = {f"{name}.onnx": Path(folder) / f"{name}.onnx" for name in files}
        for name, file in files.items():
            models[f"{name}.onnx"].write_bytes(file.data)
        with networks._serving(models) as (address, script):
            page = chromium.new_page()
            page.goto(address)
            page.add_script_tag(path=Path(__file__).with_name("frames.js"))
            size = {"width": width, "height": height, "rounds": FRAMES, "seconds": FRAME_SECONDS}
            task = {"script": script, "models": [f"models/{name}" for name in models], **size}
            found: list[list[float]] = page.evaluate("takeTurns", task)
    return dict(zip(files, found, strict=True))


def rows_of(given: Halves, files: Files) -> list[Row]:
    """Return the rows about size, time and accuracy of the precisions of one set's model."""
    targets = {"full": EXPORT_TARGET, "half": EXPORT_TARGET, "quarter": QUARTER_TARGET}
    full = files["full"]
    rows = []
    for name, file in files.items():
        check, target = file.check, targets[name]
        right = f"{check.correct} of {check.held_out} right"
        points = 100 * ((check.correct or 0) - (check.correct_full or 0)) / max(1, check.held_out)
        rows.append(
            Row(
                f"{given.name}: {name}",
                f"< {target:.0f} s",
                f"{file.seconds:.2f} s, {len(file.data) / 1e6:.2f} MB",
                f"{len(file.data) / len(full.data):.0%} of full; {right}, {points:+.1f} points",
                f"same name for {check.same_class} of {check.total} photos held out; a probability is off by "
                f"{file.mean_difference:.4f} on average, {check.largest_difference:.4f} at most",
                met=file.seconds < target,
            )
        )
    return rows


def speed_rows(where: str, times: Mapping[Precision, Sequence[float]], how: str) -> list[Row]:
    """Return a row for each precision, against the full one in the same run."""
    full = min(times["full"])
    return [
        Row(f"{where}: {name}", "", f"{min(own):.2f} ms", f"{min(own) / full:.2f} x full", f"{how}, of {len(own)}")
        for name, own in times.items()
    ]


def format_rows(given: Halves, files: Files) -> list[Row]:
    """Write, open and check every choice of every other format that can be made here."""
    data: dict[Precision, bytes] = {name: file.data for name, file in files.items()}
    rows = []
    for exporter in exporters():
        if exporter.id == "onnx":
            continue
        if exporter.extra is not None and not exporter.extra.installed():
            rows.append(Row(f"Format: {exporter.id}", "", "not installed", how=f"extra {exporter.extra.name}"))
            continue
        rows += [_format_row(given, data, exporter, variant) for variant in exporter.variants]
    return rows


def _format_row(given: Halves, data: Mapping[Precision, bytes], exporter: Exporter, variant: Variant) -> Row:
    """Return the row of one choice; making smaller models is part of its time only where it is quick."""

    def at(wanted: Precision, watch: Watch) -> bytes:
        return precision.half(data["full"]) if wanted == "half" else data[wanted]

    source = Source(Classifier.load(data["full"]).metadata, at, lambda: iter(given.learned[: precision.PHOTOS]))
    name = f"Format: {exporter.id} {variant.id}"
    page = (exporter.id, variant.id) == ("page", "half")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / variant.file
        try:
            began = time.perf_counter()
            exporter.write(source, variant, path, _watch())
            seconds = time.perf_counter() - began
            size = path.stat().st_size
            runner = exporter.open(path, variant)
            how = "looked at, not run here"
            if runner is not None:
                expected = Classifier.load(data["full"]).probabilities(given.held_out)
                found = checking.check(runner, given.held_out, expected, variant, None, _watch())
                how = (
                    f"agrees on {found.agreeing} of {found.total} photos, off by {found.largest_difference:.4f} at most"
                )
                checking.require(found, variant)
        except TeachableError as error:
            return Row(name, "", "refused", how=str(error), met=False)
    return Row(
        name,
        f"< {PAGE_TARGET:.0f} s, < {PAGE_BYTES / 1e6:.0f} MB" if page else "",
        f"{seconds:.2f} s, {size / 1e6:.2f} MB",
        f"{size / len(data['full']):.2f} x the full model file",
        how,
        met=seconds < PAGE_TARGET and size < PAGE_BYTES if page else None,
    )


def measure(folders: Sequence[Path] = ()) -> list[Row]:
    """Measure everything, with the built-in network.

    Args:
        folders: with sets of photos; scenes made in code if there are none.
    """
    backbone = backbones.read(backbones.builtin())
    rows: list[Row] = []
    first: tuple[Halves, Files] | None = None
    for given in (one for folder in folders for one in sets_in(folder)) if folders else [made_in_code()]:
        print(f"{given.name} …", file=sys.stderr, flush=True)
        files = files_of(given, backbone)
        rows += rows_of(given, files)
        first = first or (given, files)
    if first is None:
        return rows
    height, width = scene.CAMERA
    rows += speed_rows("Native", native_milliseconds(first[1]), f"single photo of {width}x{height} px, fastest turn")
    browsing = f"frame of {width}x{height} px in the page's own worker in Chromium, fastest"
    rows += speed_rows("Browser", browser_milliseconds(first[1]), browsing)
    return rows + format_rows(*first)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure with the sets in the folders that were named, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.exports", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", nargs="*", type=Path, help="with sets of photos, each with a folder for every class")
    try:
        rows = measure(parser.parse_args(arguments).folder)
    except datasets.Unusable as error:
        parser.error(str(error))
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"{os.cpu_count()} cores, load {load}\n\n{render(rows)}")


if __name__ == "__main__":
    main()
