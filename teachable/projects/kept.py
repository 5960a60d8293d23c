"""Files of trained models: written whole, removed together, and swept with the reports about them."""

from collections.abc import Collection
from pathlib import Path

from teachable.errors import NotFound
from teachable.projects import names
from teachable.projects.files import sweep, write_whole


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


def sweep_reports(folder: Path, models: Collection[str]) -> None:
    """Remove what a killed process left behind, and reports about models that are gone.

    Args:
        folder: with reports, each named by its model and whatever its maker adds after a dot; need not exist.
        models: ids of those that are there.
    """
    if folder.is_dir():
        stems = {path.stem for path in folder.iterdir()}
        sweep(folder, {stem for stem in stems if stem.split(".")[0] in models}, ".json")
