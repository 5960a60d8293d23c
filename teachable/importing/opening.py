"""Which kind of file it is, by its first bytes, and so which reader opens it."""

from pathlib import Path

from teachable.errors import InvalidInput, NotFound
from teachable.importing import animations, containers
from teachable.importing.animations import Animation
from teachable.importing.decoding import Stop
from teachable.importing.gathered import gather
from teachable.importing.machine import machine_source, manifest_of
from teachable.importing.names import title_of
from teachable.importing.packed import packed_source
from teachable.importing.plan import Plan, Skipped
from teachable.importing.source import Contents, Source
from teachable.importing.trees import LocalFile, local_files, packed_files
from teachable.importing.videos import Video
from teachable.importing.zips import Archive, is_zip

_OTHER_ARCHIVES = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_STILLS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")


def opened(path: Path, name: str, scratch: Path, stop: Stop) -> Source:
    """Open a file or folder; see `teachable.importing.open_source`."""
    if path.is_dir():
        found = local_files(path)
        return packed_source(found, _nothing) or gather(found, name, scratch, stop, Skipped(), _nothing)
    try:
        with path.open("rb") as file:
            start = file.read(max(containers.START, animations.START))
    except OSError as error:
        raise NotFound("source_missing", name=name) from error
    if is_zip(start):
        return _archive(path, name, scratch, stop)
    if name.lower().endswith(".tm"):
        raise InvalidInput("machine_other", name=name)
    if start.startswith(_OTHER_ARCHIVES) or start[257:262] == b"ustar":
        raise InvalidInput("archive_kind", name=name)
    if animations.may_move(start):
        return _animation(path, name)
    if containers.container(start) is not None:
        return _video(path, name, scratch, stop)
    still = start.startswith(_STILLS) or start[8:12] == b"WEBP" or start[4:8] == b"ftyp"
    raise InvalidInput("source_photo" if still else "source_unknown", name=name)


def _archive(path: Path, name: str, scratch: Path, stop: Stop) -> Source:
    archive = Archive(path, name)
    try:
        manifest = manifest_of(archive)
        if manifest is not None:
            return machine_source(archive, manifest, name, archive.close)
        if name.lower().endswith(".tm"):
            raise InvalidInput("machine_other", name=name)
        skipped = Skipped()
        files = packed_files(archive, skipped)
        return packed_source(files, archive.close) or gather(files, name, scratch, stop, skipped, archive.close)
    except BaseException:
        archive.close()
        raise


def _video(path: Path, name: str, scratch: Path, stop: Stop) -> Source:
    piece = Video(_single(path, name), scratch, stop)
    plan = Plan("video", title_of(name), (), options=("rate",))
    return Source(plan, [Contents(title_of(name), [piece])], _nothing)


def _animation(path: Path, name: str) -> Source:
    file = _single(path, name)
    if not animations.moves(file.read(), name):
        raise InvalidInput("source_photo", name=name)
    piece = Animation(name, file.size, file.read)
    return Source(Plan("animation", title_of(name), ()), [Contents(title_of(name), [piece])], _nothing)


def _single(path: Path, name: str) -> LocalFile:
    shown = name.replace("\\", "/").rstrip("/").rpartition("/")[2][:200] or "file"
    return LocalFile((shown,), path, path.stat().st_size)


def _nothing() -> None:
    """Nothing is kept open."""
