"""What a format has to do to be one: write a file from a model, and open that file again to see what it says.

It owns the interface and the list of formats. A new format is a new file in `teachable/exporting/formats` with an
`EXPORTER`; nothing else names it, but for its words in the catalogue.
"""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from teachable.errors import Cancelled
from teachable.metadata import ModelMetadata
from teachable.types import Image

Precision = Literal["full", "half", "quarter"]
"""How the numbers inside a model are kept: float32; float16 weights; int8 weights and activations."""


class Watch:
    """How the maker of a file says how far it is, and hears that nobody wants it any more.

    Args:
        report: called with the part that is done, 0 to 1.
        cancelled: set when it is given up.
    """

    def __init__(self, report: Callable[[float], None], cancelled: threading.Event) -> None:
        self._report = report
        self.cancelled = cancelled

    def done(self, part: float) -> None:
        """Note how much is done, 0 to 1.

        Raises:
            Cancelled: it was given up.
        """
        self.require_wanted()
        self._report(part)

    def require_wanted(self) -> None:
        """Go on only if it is still wanted.

        Raises:
            Cancelled: it was given up.
        """
        if self.cancelled.is_set():
            raise Cancelled

    def part(self, low: float, high: float) -> "Watch":
        """Return a watch for a step that is the part from `low` to `high` of this one."""
        return Watch(lambda done: self._report(low + (high - low) * done), self.cancelled)


@dataclass(frozen=True)
class Source:
    """What a file is made from.

    Attributes:
        metadata: what the model says about itself, with the present names of its classes.
        at: returns the model file at a precision; made once and kept. `at("full", watch)` is what the preview runs.
        photos: yields stored photos, uint8 `[H, W, 3]`, of all classes in turn, to calibrate with; the same ones in
            the same order every time it is called.
        colors: `#RRGGBB` of each label, as the person chose them; empty where nobody did.
    """

    metadata: ModelMetadata
    at: Callable[[Precision, Watch], bytes]
    photos: Callable[[], Iterator[Image]]
    colors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One choice within a format.

    Attributes:
        id: short name, `half` for one.
        file: what the download is called.
        quick: made in a second or two, so that nobody needs to be asked first.
        tolerance: largest difference of a probability that still counts as the same answer, 0 to 1; None where it is
            enough that the same class is named.
        share: of the photos that must agree for the file to be handed out, 0 to 1.
    """

    id: str
    file: str
    quick: bool = True
    tolerance: float | None = 1e-3
    share: float = 1.0


@dataclass(frozen=True)
class Answers:
    """What an exported file says about photos.

    Attributes:
        probabilities: float32 `[N, K]`, in the order of the labels.
        embeddings: float32 `[N, D]`, where the file can be asked for them, else None.
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32] | None = None


class Runner(Protocol):
    """An exported file, opened and ready to be asked; it need not stand several threads at once."""

    def __call__(self, images: Sequence[Image]) -> Answers:
        """Answer for photos, uint8 `[H, W, 3]` each, of any sizes."""


@dataclass(frozen=True)
class Extra:
    """Something that has to be installed besides Teachable for a format.

    Attributes:
        name: of the extra in `pyproject.toml`.
        modules: that come with it.
    """

    name: str
    modules: tuple[str, ...]

    def installed(self) -> bool:
        """Say whether it is there, without importing it."""
        return all(importlib.util.find_spec(module) is not None for module in self.modules)

    def fits(self) -> bool:
        """Say whether there is anything to install for this system and this Python; its makers decide that."""
        from packaging.requirements import Requirement

        try:
            stated = importlib.metadata.requires("teachable") or []
        except importlib.metadata.PackageNotFoundError:
            return True
        markers = [marker for text in stated if (marker := Requirement(text).marker) is not None]
        return any(marker.evaluate({"extra": self.name}) and not marker.evaluate({"extra": ""}) for marker in markers)


class Exporter(ABC):
    """One format.

    Attributes:
        id: short name; the words `export.<id>.title` and `export.<id>.about` say what it is for, and
            `export.<id>.<variant>` what a variant is, where there are several.
        place: in the list of formats, ascending.
        variants: the choices; the first is the one to begin with.
        media_type: of the file.
        extra: what has to be installed for it, or None.
    """

    id: ClassVar[str]
    place: ClassVar[int]
    variants: ClassVar[tuple[Variant, ...]]
    media_type: ClassVar[str] = "application/zip"
    extra: ClassVar[Extra | None] = None

    def variant(self, id_: str) -> Variant | None:
        """Return a variant by its id."""
        return next((one for one in self.variants if one.id == id_), None)

    @abstractmethod
    def write(self, source: Source, variant: Variant, target: Path, watch: Watch) -> None:
        """Write the file. The same source gives the same bytes.

        Args:
            source: what it is made from.
            variant: which of the choices.
            target: a name that is free; whatever is left there after an error is removed by the caller.
            watch: hears how far it is.

        Raises:
            Cancelled: it was given up.
            TeachableError: it cannot be made from this model; the words say why.
            OSError: the disk refuses.
        """

    @abstractmethod
    def open(self, path: Path, variant: Variant) -> Runner | None:
        """Open a written file and run what is in it, not what it was made from.

        Returns:
            What answers for photos, or None where this computer has no way to run such a file; then it was looked at
            as far as that goes, and found whole.

        Raises:
            TeachableError: the file is damaged or does not work.
        """


@cache
def exporters() -> tuple[Exporter, ...]:
    """Return all formats, in the order a person sees them."""
    from teachable.exporting import formats

    modules = (importlib.import_module(found.name) for found in _modules(formats.__path__, formats.__name__))
    found: list[Exporter] = [module.EXPORTER for module in modules]
    return tuple(sorted(found, key=lambda one: one.place))


def _modules(path: Sequence[str], package: str) -> Iterator[pkgutil.ModuleInfo]:
    return (one for one in pkgutil.iter_modules(path, f"{package}.") if not one.name.rpartition(".")[2].startswith("_"))
