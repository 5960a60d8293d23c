"""What a person names on the command line: a project by id or name, a file to write."""

from pathlib import Path
from typing import TYPE_CHECKING

from teachable.errors import Conflict, InvalidInput, NotFound
from teachable.types import ProjectInfo

if TYPE_CHECKING:
    from teachable.workflow import Workspace


def find_project(workspace: "Workspace", named: str) -> ProjectInfo:
    """Return the project with this id, or else the only one of this name."""
    known = workspace.projects()
    found = [one for one in known if one.id == named] or [one for one in known if one.name == named]
    if not found:
        raise NotFound("project_unlisted", project=named)
    if len(found) > 1:
        raise Conflict("project_ambiguous", project=named, ids=", ".join(one.id for one in found))
    return found[0]


def check_target(out: Path, force: bool) -> None:
    """Refuse what would only fail after the work is done."""
    if out.is_dir():
        raise InvalidInput("out_is_folder", out=out)
    if not out.resolve().parent.is_dir():
        raise NotFound("out_folder_missing", folder=out.resolve().parent)
    if out.exists() and not force:
        raise Conflict("out_exists", out=out)
