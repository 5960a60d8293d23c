"""One export, from the model to the checked file in its place, and the note of what is known about it.

It owns the order of the steps and what is kept for the next export of the same model. The thread, the queue and what a
person sees of it are `teachable.exports`.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from teachable.backlog import Backlog
from teachable.errors import InvalidInput, NotFound, TeachableError
from teachable.exporting import checking, material
from teachable.exporting.checking import Check, Test
from teachable.exporting.exporter import Exporter, Precision, Source, Variant, Watch
from teachable.exporting.material import Material, Yardstick
from teachable.metadata import FULL, ModelMetadata
from teachable.projects import Project
from teachable.training import Trainer
from teachable.types import Image, ModelRecord

log = logging.getLogger(__name__)

MODEL_FILE = "onnx"
"""The format whose files are the model itself; others are made from what is kept of it."""

# Part of the bar until the photos are looked at, until the file is written, and until the head to test with is there.
_QUICK, _SLOW = (0.3, 0.6, 0.7), (0.05, 0.85, 0.9)


@dataclass(frozen=True)
class Note:
    """What is known about an exported file.

    Attributes:
        size_bytes: of the file.
        sha256: of the file, in hex.
        seconds: it took.
        ran: it was run here; otherwise this computer cannot, and it was only looked at.
        held_out: the photos of the check are of recordings of which none served to make the file.
        check: what came out, or None where it was not run.
    """

    size_bytes: int
    sha256: str
    seconds: float
    ran: bool
    held_out: bool
    check: Check | None

    def text(self) -> bytes:
        """Return it as it is kept."""
        return json.dumps({"version": 1, **asdict(self)}).encode()

    @classmethod
    def of(cls, text: bytes) -> "Note | None":
        """Read what was kept; None if that is damaged or of another version."""
        try:
            found: dict[str, Any] = json.loads(text)
            if found.pop("version") != 1:
                return None
            check = found.pop("check")
            return cls(**found, check=None if check is None else Check(**check))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class Refused(Exception):  # noqa: N818 - no mistake of anybody's: what came out is not good enough
    """A file was made and is not handed out.

    Attributes:
        error: why, in words.
        check: the figures, as far as there are any.
        held_out: the photos of the check are of recordings of which none served to make the file.
    """

    def __init__(self, error: TeachableError, check: Check | None = None, held_out: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.check = check
        self.held_out = held_out


@dataclass(frozen=True)
class Model:
    """What an export is made of.

    Attributes:
        project: it belongs to.
        record: of the model.
        metadata: what its file says, with the present names.
        data: the file.
        key: of the exports of this model.
        colors: `#RRGGBB` of each label.
    """

    project: Project
    record: ModelRecord
    metadata: ModelMetadata
    data: bytes
    key: str
    colors: tuple[str, ...] = ()


def file_name(format_id: str, variant: Variant) -> str:
    """Return what a file is called in the project."""
    return f"{format_id}-{variant.id}{Path(variant.file).suffix}"


@dataclass
class _Known:
    """What was found out about one model, for its next export.

    Attributes:
        key: of the model.
        samples: the photos there were.
        yardstick: what files are held against.
        test: what a loss is measured with, or None where that cannot be known.
        examined: whether `test` says that.
    """

    key: str
    samples: tuple[int, ...]
    yardstick: Yardstick
    test: Test | None = None
    examined: bool = False


class Maker:
    """Makes exports, one at a time; what was measured for one serves the next.

    Args:
        backlog: keeps the embeddings.
        trainer: fits the head that a loss of accuracy is measured with.
    """

    def __init__(self, backlog: Backlog, trainer: Trainer) -> None:
        self._backlog = backlog
        self._trainer = trainer
        self._known: _Known | None = None

    def stop(self, cancelled: threading.Event) -> None:
        """End the test of a head for an export that is given up."""
        self._trainer.stop(cancelled)

    def make(self, model: Model, exporter: Exporter, variant: Variant, watch: Watch) -> Note:
        """Make a file, check it and put it in its place.

        Raises:
            Refused: the file is not good enough.
            Cancelled: it was given up.
            TeachableError: the file cannot be made from this model.
            OSError: the disk refuses.
        """
        started = time.monotonic()
        looked, written, _ = _shares(variant)
        photos = material.gather(model.project, model.record, self._backlog, watch.cancelled)
        known = self._measure(model, photos, watch.part(0.0, looked))
        name = file_name(exporter.id, variant)
        with model.project.exports.workshop(model.key) as workshop:
            target = workshop / variant.file
            source = Source(
                model.metadata,
                lambda precision, watch: _at(model, photos, precision, watch),
                lambda: _calibration(model.project, photos, watch),
                model.colors,
            )
            exporter.write(source, variant, target, watch.part(looked, written))
            try:
                check, held_out = self._check(model, exporter, variant, target, photos, known, watch)
            except Refused:
                model.project.exports.discard(model.key, name)
                raise
            with target.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            seconds = round(time.monotonic() - started, 3)
            note = Note(target.stat().st_size, sha256, seconds, check is not None, held_out, check)
            watch.done(1.0)
            model.project.exports.keep(target, model.key, name, note.text())
        return note

    def _measure(self, model: Model, photos: Material, watch: Watch) -> _Known:
        """Return what files of this model are held against."""
        samples = tuple(sample.id for sample in photos.samples)
        known = self._known
        if known is None or (known.key, known.samples) != (model.key, samples) or not _there(model, photos, known):
            self._known = None
            yardstick = material.measure(model.project, photos, model.data, watch)
            known = self._known = _Known(model.key, samples, yardstick)
        return known

    def _check(
        self,
        model: Model,
        exporter: Exporter,
        variant: Variant,
        path: Path,
        photos: Material,
        known: _Known,
        watch: Watch,
    ) -> tuple[Check | None, bool]:
        """Run a file over photos; None where this computer cannot. Also say whether none of these served to make it.

        The model file itself agrees with itself, whatever it says. What counts for it is the comparison with the
        preview that was made when it was trained.

        Raises:
            Refused: it does not work, or does not say what the preview says.
        """
        _, written, examined = _shares(variant)
        yardstick = known.yardstick
        check = None
        try:
            runner = exporter.open(path, variant)
            watch.done(written)
            if runner is None:
                return None, False
            trained = model.record.agreement
            if trained is not None and (exporter.id, variant.id) == (MODEL_FILE, FULL):
                largest = trained.largest_difference
                check = Check(trained.agreeing, trained.total, trained.agreeing, largest)
                checking.require(check, variant)
                return check, False
            chosen = [photos.samples[row] for row in yardstick.rows]
            test = None
            # The full model has no accuracy to lose, and fitting a head takes a second or two.
            if variant.id != FULL:
                first = next(material.read(model.project, chosen, watch))
                if runner([first]).embeddings is not None:
                    test = self._examine(model, photos, known, watch)
            images = material.read(model.project, chosen, watch)
            check = checking.check(runner, images, yardstick.expected, variant, test, watch.part(examined, 1.0))
            checking.require(check, variant)
        except InvalidInput:
            self._known = None
            raise  # the photos are to blame, not the file
        except TeachableError as error:
            raise Refused(error, check, yardstick.held_out) from error
        return check, yardstick.held_out

    def _examine(self, model: Model, photos: Material, known: _Known, watch: Watch) -> Test | None:
        """Return what a loss of accuracy is measured with, or None where that cannot be known."""
        if not known.examined:
            try:
                known.test = material.examine(photos, known.yardstick, model.record, self._trainer, watch.cancelled)
            except TeachableError:
                # That says nothing against the file; whoever looks at it sees that there are no figures.
                log.warning("no head could be fitted to test exports of project %s", model.project.id, exc_info=True)
            known.examined = True
        return known.test


def _shares(variant: Variant) -> tuple[float, float, float]:
    return _QUICK if variant.quick else _SLOW


def _there(model: Model, photos: Material, known: _Known) -> bool:
    """Say whether the photos that files are held against are still on the disk."""
    try:
        return all(model.project.photo_file(photos.samples[row].sha256) for row in known.yardstick.rows)
    except NotFound:
        return False


def _calibration(project: Project, photos: Material, watch: Watch) -> Iterator[Image]:
    watch = Watch(lambda done: None, watch.cancelled)
    return (photo for _, photo in material.readable(project, photos.to_calibrate(), watch))


def _at(model: Model, photos: Material, precision: Precision, watch: Watch) -> bytes:
    """Return the model file at a precision. One that costs something to make is kept for other formats."""
    if precision == FULL:
        return model.data
    from teachable.exporting import precision as precisions

    files, name = model.project.exports, f"{MODEL_FILE}-{precision}.onnx"
    try:
        return files.path(model.key, name).read_bytes()
    except FileNotFoundError:
        log.debug("the model of project %s is not there in %s precision yet", model.project.id, precision)
    if precision == "half":
        made = precisions.half(model.data)
    else:
        made = precisions.quarter(model.data, _calibration(model.project, photos, watch), watch)
    with files.workshop(model.key) as workshop:
        path = workshop / name
        path.write_bytes(made)
        watch.require_wanted()
        files.keep(path, model.key, name, None)
    return made
