"""Files of trained models: written whole, removed together, and swept; and what was found out about them."""

import re
from collections.abc import Collection
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import names
from teachable.projects.files import sweep, write_whole

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
_REPORT = re.compile(r"[A-Za-z0-9_-]+\.[a-z0-9-]+\.json")


class ModelFiles:
    """Model files by id, each with what its test said photo by photo beside it, if that is known.

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

    def write(self, model_id: str, data: bytes, outcomes: bytes | None) -> None:
        """Write a model, and its outcomes before it."""
        if outcomes is not None:
            write_whole(self.outcomes(model_id), outcomes)
        write_whole(self.path(model_id), data)

    def discard(self, model_id: str) -> None:
        """Remove a model and its outcomes, if they are there."""
        self.path(model_id).unlink(missing_ok=True)
        self.outcomes(model_id).unlink(missing_ok=True)

    def sweep(self, named: Collection[str]) -> None:
        """Remove what a killed process left behind: temporary files, and files of models that are not `named`."""
        for suffix in (".onnx", ".npz"):
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
