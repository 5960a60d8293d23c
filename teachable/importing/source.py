"""A file that was opened: its plan, small pictures of it, and its photos one after the other.

Whatever the kind of file, it is a list of classes made of pieces: a photo is one piece, so is a video. This module
puts them in a row, so that reading can stop and go on anywhere; how a piece is read is the business of the pieces.
"""

import io
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate
from types import TracebackType
from typing import Self

import PIL.Image
import PIL.ImageOps

from teachable.errors import NotFound, PhotoError, TeachableError
from teachable.images import LONGEST_ASPECT, decode, prepare
from teachable.importing.plan import (
    MOST_PREVIEWS,
    USUAL_RATE,
    Item,
    Options,
    Plan,
    PlannedClass,
    check_rate,
)
from teachable.settings import limits

PREVIEW_SIDE = 128
"""Pixels of the square of a small picture."""

UNMIRRORED_QUALITY = 95
LONGEST_GROUP = 60


class Piece(ABC):
    """One photo or one video of a class.

    Attributes:
        name: of the file, for messages.
        group: what it was taken together with.
        test: only to be tested with.
        size: bytes of the file.
        seconds: of video, 0 for a photo.
    """

    __slots__ = ("group", "name", "size", "test")

    seconds: float = 0.0
    moving: bool = False

    def __init__(self, name: str, group: str, size: int, *, test: bool = False) -> None:
        self.name = name
        self.group = group
        self.size = size
        self.test = test

    @abstractmethod
    def count(self, rate: float) -> int:
        """Return how many places it takes in the row of its class."""

    @abstractmethod
    def photos(self, rate: float, start: int) -> Iterator[tuple[int, bytes]]:
        """Give its photos from place `start` on, each with its place, which may leave out some.

        Raises:
            TeachableError: it cannot be read any further.
        """

    @abstractmethod
    def picture(self, share: float) -> bytes:
        """Return a photo out of it: from the beginning at 0, from the end at 1.

        Raises:
            TeachableError: it cannot be read.
        """


class Still(Piece):
    """One photo.

    Args:
        read: returns its bytes.
    """

    __slots__ = ("_read",)

    def __init__(self, name: str, group: str, size: int, read: Callable[[], bytes], *, test: bool = False) -> None:
        super().__init__(name, group, size, test=test)
        self._read = read

    def count(self, rate: float) -> int:
        """One."""
        return 1

    def photos(self, rate: float, start: int) -> Iterator[tuple[int, bytes]]:
        """The photo."""
        if start < 1:
            yield 0, self._read()

    def picture(self, share: float) -> bytes:
        """The photo."""
        return self._read()


@dataclass(frozen=True)
class Contents:
    """One class and what it is made of.

    Attributes:
        name: of the class.
        pieces: in the order they were taken.
    """

    name: str
    pieces: Sequence[Piece]


class Source:
    """A file that was opened. Use it in a `with`, or close it; plans and pictures can be asked for from any thread.

    Args:
        plan: all that is known but for the classes.
        contents: the classes.
        close: lets go of the file.
    """

    def __init__(self, plan: Plan, contents: Sequence[Contents], close: Callable[[], None]) -> None:
        self._close = close
        self._contents = {f"c{number}": one for number, one in enumerate(contents)}
        self._pictures: list[tuple[Piece, float]] = []
        seconds = sum(piece.seconds for one in contents for piece in one.pieces)
        self.plan = replace(
            plan,
            classes=tuple(self._planned(key, one) for key, one in self._contents.items()),
            seconds=seconds or None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""
        self._close()

    def preview(self, number: int) -> bytes:
        """Return a small square JPEG of a photo.

        Args:
            number: one of the `previews` of a class of the plan.

        Raises:
            NotFound: there is no such picture.
            TeachableError: the photo cannot be read.
        """
        if not 0 <= number < len(self._pictures):
            raise NotFound("preview_unknown")
        piece, share = self._pictures[number]
        stored = prepare(piece.picture(share), piece.name).data
        with PIL.Image.open(io.BytesIO(stored), formats=("JPEG",)) as photo:
            small = PIL.ImageOps.fit(photo, (PREVIEW_SIDE, PREVIEW_SIDE), PIL.Image.Resampling.LANCZOS)
        return _jpeg(small, 82)

    def total(self, key: str, options: Options | None = None) -> int:
        """Return how many places the row of a class has, which is about as many photos as `items` gives.

        Raises:
            NotFound: there is no such class.
            InvalidInput: no such rate.
        """
        rate = _checked(options or Options()).rate
        return sum(piece.count(rate) for piece in self._class(key).pieces)

    def items(self, key: str, options: Options | None = None, start: int = 0) -> Generator[Item]:
        """Give the photos of a class one after the other, in the order they were taken, oldest first.

        Nothing is read before it is asked for, and only one photo is held at a time. A photo that cannot be read is an
        item with an error, and the next follow. Where it is given up in the middle, close it.

        Args:
            key: of a class of the plan.
            options: what the person chose; the same each time a class is gone on with.
            start: the place to begin at, one more than the `index` of the last item that was taken care of.

        Raises:
            NotFound: there is no such class.
            InvalidInput: no such rate.
        """
        chosen = _checked(options or Options())
        return self._items(key, self._class(key), chosen, max(0, start))

    def _items(self, key: str, contents: Contents, options: Options, start: int) -> Generator[Item]:
        ends = list(accumulate(piece.count(options.rate) for piece in contents.pieces))
        for number in range(bisect_right(ends, start), len(ends)):
            piece = contents.pieces[number]
            first = ends[number - 1] if number else 0
            group = piece.group if piece.moving or not options.independent else group_name(f"{number} {piece.name}")
            at = max(0, start - first)
            try:
                for at, data in piece.photos(options.rate, at):  # noqa: B020 - where an error is told to have happened
                    if not data:
                        raise PhotoError("photo_empty", name=piece.name)
                    whole = unmirrored(data, piece.name) if key in options.unmirror else data
                    yield Item(first + at, piece.name, whole, group, piece.test)
                    at += 1
            except TeachableError as error:
                yield Item(ends[number] - 1, piece.name, b"", group, piece.test, error)

    def _class(self, key: str) -> Contents:
        if key not in self._contents:
            raise NotFound("import_class_unknown")
        return self._contents[key]

    def _planned(self, key: str, contents: Contents) -> PlannedClass:
        pieces = contents.pieces
        counts = [piece.count(USUAL_RATE) for piece in pieces]
        return PlannedClass(
            key,
            contents.name,
            sum(counts),
            len({piece.group for piece in pieces}),
            None if any(piece.moving for piece in pieces) else sum(piece.size for piece in pieces),
            self._previews(pieces, counts),
            sum(count for piece, count in zip(pieces, counts, strict=True) if piece.test),
            sum(piece.seconds for piece in pieces),
        )

    def _previews(self, pieces: Sequence[Piece], counts: Sequence[int]) -> tuple[int, ...]:
        """Choose photos from all over a class."""
        ends = list(accumulate(counts))
        total = ends[-1] if ends else 0
        first = len(self._pictures)
        places = sorted({(2 * one + 1) * total // (2 * MOST_PREVIEWS) for one in range(MOST_PREVIEWS)}) if total else []
        for place in places:
            number = bisect_right(ends, place)
            within = place - (ends[number] - counts[number])
            self._pictures.append((pieces[number], within / counts[number]))
        return tuple(range(first, len(self._pictures)))


def unmirrored(data: bytes, name: str) -> bytes:
    """Return a photo with left and right swapped, as a JPEG.

    Raises:
        PhotoError: it is no photo, or a damaged one.
        TooLarge: more bytes or pixels than accepted.
    """
    return _jpeg(PIL.ImageOps.mirror(PIL.Image.fromarray(decode(data, name))), UNMIRRORED_QUALITY)


def stored_size(width: float, height: float) -> tuple[int, int]:
    """Return the size a frame is made in: that of stored photos, which keeps slivers usable, too."""
    short = limits().stored_short_side
    factor = min(1.0, short / min(width, height), short * LONGEST_ASPECT / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def group_name(text: str) -> str:
    """Return a group id for anything that tells groups apart: the text itself where it is short and plain."""
    if text.isprintable() and text.strip() and len(text) <= LONGEST_GROUP:
        return text
    plain = "".join(letter for letter in text if letter.isprintable())[:40].strip()
    return f"{plain} {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}".strip()


def _checked(options: Options) -> Options:
    check_rate(options.rate)
    return options


def _jpeg(picture: PIL.Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, subsampling=0 if quality > 90 else -1)
    return stream.getvalue()
