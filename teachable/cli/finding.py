"""What a person names on the command line: a project by id or name, a model file, a file to write."""

import difflib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from teachable.errors import Conflict, InvalidInput, ModelFileError, NotFound
from teachable.types import ProjectInfo

if TYPE_CHECKING:
    from teachable.runtime import Classifier
    from teachable.workflow import Workspace


def find_project(workspace: "Workspace", named: str) -> ProjectInfo:
    """Return the project with this id, or else the only one of this name; capitals matter only if they must."""
    known = workspace.projects()
    found = (
        [one for one in known if one.id == named]
        or [one for one in known if one.name == named]
        or [one for one in known if one.name.casefold() == named.casefold()]
    )
    if not found:
        near = _near(named, [one.name for one in known])
        if near:
            raise NotFound("project_near", project=named, names=", ".join(f"“{name}”" for name in near))
        raise NotFound("project_unlisted", project=named)
    if len(found) > 1:
        raise Conflict("project_ambiguous", project=named, ids=", ".join(one.id for one in found))
    return found[0]


def _near(named: str, names: Iterable[str]) -> list[str]:
    """Return the names that are most like one that was mistyped, the nearest first."""
    folded = {name.casefold(): name for name in names}
    return [folded[one] for one in difflib.get_close_matches(named.casefold(), folded)]


def load_model(path: Path) -> "Classifier":
    """Load a model file, and where it is another file of an export, say which one is meant.

    Raises:
        TeachableError: as for `Classifier.load`.
    """
    from teachable.runtime import Classifier

    try:
        return Classifier.load(path)
    except ModelFileError as error:
        if zipfile.is_zipfile(path):
            raise ModelFileError("model_zipped", name=path.name) from error
        if error.key in {"model_foreign", "model_ports"} and _is_inner(path):
            raise ModelFileError("model_inner", name=path.name) from error
        raise


def _is_inner(path: Path) -> bool:
    """Return whether a file that was read before is one of the two that `teachable.exporting.tensor` cuts out."""
    from teachable.runtime import open_session

    session = open_session(path.read_bytes(), path.name)
    return "pixel_values" in {port.name for port in (*session.get_inputs(), *session.get_outputs())}


def check_target(out: Path, force: bool) -> None:
    """Refuse what would only fail after the work is done."""
    if out.is_dir():
        raise InvalidInput("out_is_folder", out=out)
    if not out.resolve().parent.is_dir():
        raise NotFound("out_folder_missing", folder=out.resolve().parent)
    if out.exists() and not force:
        raise Conflict("out_exists", out=out)
