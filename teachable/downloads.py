"""Fetching one large file over http so that it arrives whole, whatever happens on the way.

It owns the unfinished part beside the target, going on after a break, and the check against the hash. Which file, from
where and what for is not its business (`teachable.installation`). Nothing is fetched by importing it.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from teachable.errors import Cancelled, NotFound, StorageFull, TeachableError, TooLarge
from teachable.transfer import Answer, Interrupted, host_of

__all__ = ["fetch"]

log = logging.getLogger(__name__)

# No weights of torchvision come near it; without a stated size a server could go on for ever.
LARGEST_BYTES = 4 * 2**30
# Left free on the disk, for the photos and models of the projects.
SPARE_BYTES = 32 * 2**20
# How often a broken connection is taken up again without asking, and how long to wait before.
ATTEMPTS = 5
PAUSE_SECONDS = 1.0

_HASHED_AT_ONCE = 2**20
_MISSING = frozenset({404, 410})
_TRY_LATER = frozenset({408, 425, 429})
_MB = 1e6


def fetch(
    url: str,
    target: Path,
    *,
    sha256_prefix: str,
    expected_bytes: int | None,
    on_progress: Callable[[int, int], None],
    cancelled: threading.Event,
    timeout: float = 30.0,
) -> None:
    """Fetch a file and give it its name once it is whole and has the right hash.

    What arrives is kept in `NAME.part` beside the target; the next call goes on from there if the server can. A file
    that is there already, and right, is not fetched again. One call at a time may work on a target.

    Args:
        url: http or https address. Proxies and certificates of the system are honoured.
        target: where the file goes; its folder must exist.
        sha256_prefix: first hex digits of its SHA-256.
        expected_bytes: size as far as it is known beforehand, right within a tenth, or None.
        on_progress: called with the bytes there are and the bytes there will be, 0 while that is not known.
        cancelled: set it to give up; the call ends within a fraction of a second.
        timeout: seconds of silence after which a connection counts as broken.

    Raises:
        Cancelled: it was given up.
        NotFound: the server has no such file.
        StorageFull: there is no room for it.
        TooLarge: more came than the file can hold.
        TeachableError: it could not be fetched; the words say why, and what to do.
        OSError: the folder cannot be written.
    """
    if not sha256_prefix:
        raise ValueError("a file without a hash cannot be checked")
    download = _Download(url, target, expected_bytes, on_progress, cancelled, timeout)
    if target.exists():
        if _sha256(target, cancelled).startswith(sha256_prefix):
            size = target.stat().st_size
            on_progress(size, size)
            return
        target.unlink()
    again = False
    while True:
        resumed = download.complete()
        if _sha256(download.part.path, cancelled).startswith(sha256_prefix):
            download.part.finish(target)
            return
        download.part.discard()
        if again or not resumed:
            raise TeachableError("download_damaged", file=target.name)
        # Parts of two different files, or one that was damaged on the disk, may have been put together.
        log.warning("%s was put together wrongly and is fetched again", target.name)
        again = True


class _Part:
    """The unfinished file, and a note beside it of what its server said about it.

    Args:
        target: where the finished file goes.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def noted(self) -> Mapping[str, object]:
        """Return the note; without one, or with a damaged one, nothing is known and the hash will decide."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def note(self, url: str, validator: str | None, total: int | None) -> None:
        """Write down which state of the file the part belongs to."""
        self._note.write_text(json.dumps({"url": url, "validator": validator, "total": total}), encoding="utf-8")

    def discard(self) -> None:
        """Forget what came."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the file its name."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        self._note.unlink(missing_ok=True)


class _Download:
    """The way of one file from its server into the part."""

    def __init__(
        self,
        url: str,
        target: Path,
        expected: int | None,
        on_progress: Callable[[int, int], None],
        cancelled: threading.Event,
        timeout: float,
    ) -> None:
        self.part = _Part(target)
        self._url = url
        self._file = target.name
        self._expected = expected
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._timeout = timeout

    def complete(self) -> bool:
        """Fetch what is missing, going on after breaks as long as something came.

        Returns:
            Whether it was put together from several connections.
        """
        resumed = False
        attempt = 1
        while True:
            before = self.part.size
            if before and before == self.part.noted().get("total"):
                return True
            resumed |= before > 0
            try:
                if self._receive(before):
                    return resumed
                # The server cannot go on from here. Without a part there is nothing that it could not go on from.
                self.part.discard()
                resumed = False
            except Interrupted as broken:
                if attempt == ATTEMPTS or self.part.size <= before:
                    raise broken.error from broken
                log.info("%s; trying again", broken)
                attempt += 1
                if self._cancelled.wait(PAUSE_SECONDS):
                    raise Cancelled from broken

    def _receive(self, offset: int) -> bool:
        """Ask for everything from `offset` on and write it down; return False if the server cannot go on there."""
        with Answer(self._url, self._file, self._conditions(offset), self._timeout, self._cancelled) as answer:
            if offset and (answer.status == 416 or not answer.begins_at(offset)):
                return False
            self._require_file(answer)
            total = answer.total
            if answer.status == 206 and offset and self.part.noted().get("total") not in (None, total):
                return False
            # Before anything is thrown away: a network that wants a login answers everything with a page of its own.
            self._require_size(total)
            if answer.status == 200:
                # Also when the server knows nothing of ranges, or the file is another one by now.
                self.part.discard()
                offset = 0
            self._require_space(total, offset)
            self._write(answer, offset, total)
        return True

    def _conditions(self, offset: int) -> dict[str, str]:
        if not offset:
            return {}
        note = self.part.noted()
        # What one server says of its file means nothing to another one.
        validator = note.get("validator") if note.get("url") == self._url else None
        ranged = {"Range": f"bytes={offset}-"}
        return {**ranged, "If-Range": validator} if isinstance(validator, str) else ranged

    def _require_file(self, answer: Answer) -> None:
        status, known = answer.status, {"file": self._file, "host": answer.host, "status": answer.status}
        if status in _MISSING:
            raise NotFound("download_missing", **known)
        if status >= 500 or status in _TRY_LATER:
            raise TeachableError("download_server", **known)
        if status not in {200, 206}:
            raise TeachableError("download_refused", **known)

    def _require_size(self, total: int | None) -> None:
        """Refuse what cannot be the file, before it is fetched: the login page of a network, for one."""
        if total is not None and not self._least() <= total <= self._most():
            raise TeachableError("download_wrong_file", file=self._file, host=host_of(self._url))

    def _least(self) -> int:
        return int(self._expected * 0.9) if self._expected else 1

    def _most(self) -> int:
        return int(self._expected * 1.1) if self._expected else LARGEST_BYTES

    def _require_space(self, total: int | None, offset: int) -> None:
        needed = (total or self._expected or 0) - offset + SPARE_BYTES
        free = shutil.disk_usage(self.part.path.parent).free
        if needed > free:
            raise self._no_space(needed)

    def _no_space(self, needed: int) -> StorageFull:
        free = shutil.disk_usage(self.part.path.parent).free
        return StorageFull("download_no_space", file=self._file, needed=-int(-needed // _MB), free=int(free // _MB))

    def _write(self, answer: Answer, offset: int, total: int | None) -> None:
        done = offset
        shown = total or self._expected or 0
        most = total or self._most()
        self._on_progress(done, shown)
        try:
            self.part.note(self._url, answer.validator, total)
            # Unbuffered: closing a file whose buffer cannot be written would fail a second time.
            with self.part.path.open("ab", buffering=0) as file:
                for chunk in answer.chunks():
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[file.write(rest) :]
                    done += len(chunk)
                    if done > most:
                        break
                    self._on_progress(done, max(done, shown))
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            # Photos and models need the last bytes of the disk more than half a network does.
            self.part.discard()
            raise self._no_space((total or self._expected or done) + SPARE_BYTES) from error
        if done > most:
            self.part.discard()
            raise TooLarge("download_too_large", file=self._file, host=answer.host)
        if total is not None and done < total:
            raise Interrupted(TeachableError("download_cut", file=self._file, host=answer.host))


def _sha256(path: Path, cancelled: threading.Event) -> str:
    """Return the hash of a file in hex; looks at `cancelled` all the time, because large files take seconds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASHED_AT_ONCE):
            if cancelled.is_set():
                raise Cancelled
            digest.update(chunk)
    return digest.hexdigest()
