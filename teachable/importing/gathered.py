"""A tree of files as a source: photos and videos are told from other files, and become the pieces of classes."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from teachable.errors import InvalidInput, StorageFull, TeachableError
from teachable.importing import animations, containers, folders
from teachable.importing.animations import Animation
from teachable.importing.decoding import Stop
from teachable.importing.folders import Layout
from teachable.importing.names import class_names, title_of
from teachable.importing.plan import Choice, Plan, Skipped
from teachable.importing.source import Contents, Piece, Source, Still
from teachable.importing.trees import File
from teachable.importing.videos import Video

MOST_LOOKED_INTO = 5_000
"""Files whose endings say nothing, or that may be animations; further ones are taken by their ending."""


def gather(
    files: Sequence[File], name: str, scratch: Path, stop: Stop, skipped: Skipped, close: Callable[[], None]
) -> Source:
    """Return the photos and videos of a tree of files as a source.

    Args:
        files: in order.
        name: of what they came in.
        scratch: folder for temporary files.
        stop: what gives up reading.
        skipped: what was left out already; gets more.
        close: lets go of it all.

    Raises:
        InvalidInput: there is no photo and no video.
        TooLarge: more classes than a project can hold.
        StorageFull: the scratch folder has no room for a video.
        Cancelled: it was given up.
    """
    sorter = _Sorter()
    kinds = {file.parts: sorter.kind(file) for file in files}
    shown = [file for file in files if kinds[file.parts] != "other"]
    others = [file for file in files if kinds[file.parts] == "other"]
    if not shown:
        packed = sum(file.ending in {".zip", ".tm"} for file in others)
        if packed > 1:
            # What was collected from a class is such a file.
            raise InvalidInput("archive_of_archives", name=name, count=packed)
        raise InvalidInput("archive_in_archive" if packed == len(others) == 1 else "source_empty", name=name)
    layout = folders.arrange(shown, others, title_of(name), skipped)
    contents = _contents(layout, kinds, scratch, stop, skipped)
    if not contents:
        raise InvalidInput("source_empty", name=name)
    pieces = [piece for one in contents for piece in one.pieces]
    options: list[Choice] = []
    if any(isinstance(piece, Video) for piece in pieces):
        options.append("rate")
    if any(isinstance(piece, Still) for piece in pieces):
        options.append("independent")
    plan = Plan(
        "imagefolder" if layout.labelled else "folder",
        title_of(name),
        (),
        skipped=tuple(skipped.first),
        skipped_total=skipped.total,
        notes=tuple(layout.notes),
        options=tuple(options),
    )
    return Source(plan, contents, close)


def _contents(
    layout: Layout, kinds: dict[tuple[str, ...], str], scratch: Path, stop: Stop, skipped: Skipped
) -> list[Contents]:
    found: list[tuple[str, list[Piece]]] = []
    for label, places in groupby(layout.places, key=lambda place: place.label):
        pieces: list[Piece] = []
        for place in places:
            file = place.file
            try:
                match kinds[file.parts]:
                    case "video":
                        pieces.append(Video(file, scratch, stop, test=place.test))
                    case "animation":
                        pieces.append(Animation(file.name, file.size, file.read, test=place.test))
                    case _:
                        pieces.append(Still(file.name, place.group, file.size, file.read, test=place.test))
            except StorageFull:
                raise
            except TeachableError as error:
                skipped.add(file.name, error)
        if pieces:
            found.append((label, pieces))
    names = class_names([label for label, _ in found])
    return [Contents(name, pieces) for name, (_, pieces) in zip(names, found, strict=True)]


class _Sorter:
    """Tells photos, animations, videos and other files apart, by their endings or, where these say little, inside."""

    def __init__(self) -> None:
        self._looked = 0

    def kind(self, file: File) -> str:
        """Return "photo", "animation", "video" or "other"."""
        if folders.is_table(file):
            return "other"
        photo = file.ending in folders.PHOTOS
        if photo and file.ending not in {".gif", ".webp", ".apng"}:
            return "photo"
        if self._looked >= MOST_LOOKED_INTO:
            return "photo" if photo else "other"
        self._looked += 1
        start = file.start(containers.START)
        if photo:
            return "animation" if self._moves(file, start) else "photo"
        if containers.container(start) is not None:
            return "video"
        return "photo" if _looks_like_photo(start) else "other"

    def _moves(self, file: File, start: bytes) -> bool:
        if not animations.may_move(start):
            return False
        try:
            return animations.moves(file.read(), file.name)
        except TeachableError:
            return False


def _looks_like_photo(start: bytes) -> bool:
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    return start.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"))
