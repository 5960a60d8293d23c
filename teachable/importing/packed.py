"""A project as this program packs it: one zip with `project.json`, all photos and all versions.

The format is `teachable.project_zip`. Here it is opened, and its photos given like those of any other file; a whole
project is made of `packed` and `read` by whoever makes projects.
"""

from collections.abc import Callable, Mapping, Sequence

from teachable import project_zip
from teachable.errors import NotFound
from teachable.importing.plan import Note, Plan, Skipped
from teachable.importing.source import Contents, Piece, Source, Still
from teachable.importing.trees import File
from teachable.project_zip import Packed

_SIGN = project_zip.FORMAT.encode()
# Bytes at the beginning that name the format.
_SIGN_WITHIN = 4096


class PackedSource(Source):
    """A packed project.

    Args:
        packed: what its description says, checked.
        files: of the zip, by their names as the description has them.
        close: lets go of the zip.

    Attributes:
        packed: what its description says, checked.
    """

    def __init__(self, packed: Packed, files: Mapping[str, File], close: Callable[[], None]) -> None:
        self.packed = packed
        self._files = files
        skipped = Skipped()
        pieces: dict[str, list[Piece]] = {one.id: [] for one in packed.classes}
        for photo in packed.photos:
            file = files.get(photo.file)
            if file is None:
                skipped.add(photo.file[:200], NotFound("archive_entry_missing", name=photo.file[:200]))
                continue
            still = Still(photo.file, photo.recording, file.size, file.read, test=photo.test)
            pieces[photo.class_id].append(still)
        count = len(packed.versions)
        plan = Plan(
            "project",
            packed.name,
            (),
            settings=packed.settings,
            skipped=tuple(skipped.first),
            skipped_total=skipped.total,
            notes=(Note("note.import.versions", {"count": count}),) if count else (),
        )
        super().__init__(plan, [Contents(one.name, pieces[one.id]) for one in packed.classes], close)

    def read(self, path: str, limit: int) -> bytes:
        """Return the bytes of a file of the zip.

        Args:
            path: as the description names it.
            limit: bytes it may have.

        Raises:
            NotFound: there is none.
            TooLarge: it has more bytes.
            InvalidInput: it is damaged.
        """
        file = self._files.get(path)
        if file is None:
            raise NotFound("archive_entry_missing", name=path[:200])
        return file.read(limit)


def packed_source(files: Sequence[File], close: Callable[[], None]) -> PackedSource | None:
    """Return a packed project, or None where the files of a zip are something else.

    Args:
        files: of the zip; everything may lie in one folder, as where it was unpacked and packed again.
        close: lets go of the zip.

    Raises:
        InvalidInput: it is one, but damaged, or made by a newer program.
        TooLarge: it says more than a project can hold.
    """
    found = [file for file in files if file.parts[-1] == project_zip.DESCRIPTION and len(file.parts) <= 2]
    description = min(found, key=lambda file: len(file.parts), default=None)
    if description is None or _SIGN not in description.start(_SIGN_WITHIN):
        return None
    packed = project_zip.read(description.read(project_zip.LARGEST_DESCRIPTION))
    around = description.parts[:-1]
    inside = {"/".join(file.parts[len(around) :]): file for file in files if file.parts[: len(around)] == around}
    return PackedSource(packed, inside, close)
