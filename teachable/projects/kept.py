"""Files of trained models: written whole, removed together, and swept; and what was found out about them."""

import re
from collections.abc import Collection
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import names, snapshots
from teachable.projects.files import sweep, write_whole

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
_REPORT = re.compile(r"[A-Za-z0-9_-]+\.[a-z0-9-]+\.json")


class ModelFiles:
    """Model files by id, each with what its test said photo by photo, and what the project held then, if that is known.

    Args:
        folder: that holds them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, model_id: str) -> Path:
        """Return where a model file is or would be.

        Raises:
            NotFound: no model has such an id.
        """
        if not names.is_model_id(model_id):
            raise NotFound("model_unknown")
        return self._folder / f"{model_id}.onnx"

    def outcomes(self, model_id: str) -> Path:
        """Return where the outcomes of a model are or would be.

        Raises:
            NotFound: no model has such an id.
        """
        return self.path(model_id).with_suffix(".npz")

    def snapshot(self, model_id: str) -> Path:
        """Return where it is kept what the project held when a model was trained; see `teachable.projects.snapshots`.

        Raises:
            NotFound: no model has such an id.
        """
        return self.path(model_id).with_suffix(".gz")

    def there(self, model_id: str) -> dict[str, Path]:
        """Return the files there are of a model, by what they are: `model.onnx`, `outcomes.npz`, `snapshot.gz`."""
        named = {
            "model.onnx": self.path(model_id),
            "outcomes.npz": self.outcomes(model_id),
            "snapshot.gz": self.snapshot(model_id),
        }
        return {name: path for name, path in named.items() if path.is_file()}

    def write(self, model_id: str, data: bytes, outcomes: bytes | None, snapshot: bytes | None = None) -> None:
        """Write a model, and before it what belongs to it."""
        if snapshot is not None:
            write_whole(self.snapshot(model_id), snapshot)
        if outcomes is not None:
            write_whole(self.outcomes(model_id), outcomes)
        write_whole(self.path(model_id), data)

    def discard(self, model_id: str) -> None:
        """Remove a model and what belongs to it, as far as it is there."""
        for path in (self.path(model_id), self.outcomes(model_id), self.snapshot(model_id)):
            path.unlink(missing_ok=True)

    def photos_named(self) -> set[str]:
        """Return the SHA-256 of all photos that any version can be gone back to with."""
        found: set[str] = set()
        for path in self._folder.glob("*.gz"):
            found.update(snapshots.hashes(path.read_bytes()))
        return found

    def size(self) -> int:
        """Return what all models and what belongs to them take on the disk, in bytes."""
        if not self._folder.is_dir():
            return 0
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())

    def sweep(self, named: Collection[str]) -> None:
        """Remove what a killed process left behind: temporary files, and files of models that are not `named`."""
        for suffix in (".onnx", ".npz", ".gz"):
            sweep(self._folder, named, suffix)


class ReportFiles:
    """What was found out about models, as JSON, by model and by a name of what it is.

    Args:
        folder: that holds them; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, model_id: str, key: str) -> bytes | None:
        """Return what is kept, or None.

        Raises:
            NotFound: nothing of ours has such a name.
        """
        try:
            return self._path(model_id, key).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, model_id: str, key: str, data: bytes) -> None:
        """Keep something, so that it is whole whenever it is there.

        Raises:
            NotFound: nothing of ours has such a name.
            FileNotFoundError: the project is gone.
            OSError: there is no room on the disk.
        """
        write_whole(self._path(model_id, key), data)

    def forget_others(self, model_id: str, keys: Collection[str]) -> None:
        """Remove everything but what is kept of this model under these keys."""
        kept = {self._path(model_id, key).name for key in keys}
        for path in self._reports():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def sweep(self, models: Collection[str]) -> None:
        """Remove what a killed process left behind, and what is about models that are not among `models`."""
        if self._folder.is_dir():
            gone = {path.stem for path in self._reports() if path.stem.split(".")[0] not in models}
            sweep(self._folder, {path.stem for path in self._folder.iterdir()} - gone, ".json")

    def _path(self, model_id: str, key: str) -> Path:
        if not names.is_model_id(model_id) or not _KEY.fullmatch(key):
            raise NotFound("model_unknown")
        return self._folder / f"{model_id}.{key}.json"

    def _reports(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [path for path in self._folder.iterdir() if _REPORT.fullmatch(path.name) and path.is_file()]
