"""What each visitor may use: photos, bytes, projects, and one training, study or import at a time.

It owns the counting, and knows of which file was sent for which project. Who a visitor is it asks the register.
"""

import threading
from collections.abc import Iterable
from contextlib import suppress

from teachable.classroom.register import Register, Visitor
from teachable.classroom.rules import Limit
from teachable.errors import Conflict, NotFound, TooLarge
from teachable.settings import VisitorLimits
from teachable.workflow import Workspace


class Quota:
    """Counts what visitors use; safe to use from any thread.

    Attributes:
        limits: what each visitor may use.

    Args:
        workspace: what everybody works on.
        register: who has joined.
        limits: what each visitor may use.
    """

    def __init__(self, workspace: Workspace, register: Register, limits: VisitorLimits) -> None:
        self._space = workspace
        self._register = register
        self.limits = limits
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._bytes: dict[str, tuple[float, int]] = {}
        # Which file was sent for which project. Files that were sent do not outlive the server either.
        self._imports: dict[str, str] = {}
        workspace.limit_photos(self.photos_allowed)

    def require_within(self, limit: Limit, owner: Visitor, project_id: str | None) -> None:
        """Go on only if a visitor has not reached a limit.

        Raises:
            TooLarge: too many photos or bytes.
            Conflict: too many projects, or something of theirs is being worked on.
        """
        if limit in {"photos", "imports"} and self.photos(owner.projects) >= self.limits.photos:
            raise TooLarge("visitor_photos", allowed=self.limits.photos)
        if limit == "projects" and len(self.present(owner)) >= self.limits.projects:
            raise Conflict("visitor_projects", allowed=self.limits.projects)
        if limit == "imports":
            self._require_no_import(owner)
        if limit == "work" and any(self._busy(one) for one in self.present(owner) if one != project_id):
            raise Conflict("visitor_busy")
        if self.filled(owner) >= self.limits.bytes:
            raise TooLarge("visitor_bytes", allowed=self.limits.bytes >> 20)

    def require_size(self, stated: str | None) -> None:
        """Go on only if a file that is sent says that it is no larger than all a visitor can have.

        Raises:
            TooLarge: it is larger, or does not say.
        """
        size = int(stated) if stated is not None else None
        if size is None or size > self.limits.bytes:
            raise TooLarge("visitor_file", allowed=self.limits.bytes >> 20)

    def _busy(self, project_id: str) -> bool:
        return (
            self._space.training(project_id).state == "running" or self._space.reports.of(project_id).state == "running"
        )

    def _require_no_import(self, owner: Visitor) -> None:
        """Go on only if no other file of a visitor is being taken in; what they have not decided on makes way.

        Raises:
            Conflict: one is.
        """
        with self._lock:
            sent = [id_ for id_, project_id in self._imports.items() if project_id in owner.projects]
        for import_id in sent:
            with suppress(NotFound):
                state = self._space.imports.of(import_id).state
                if state in {"waiting", "running", "paused"}:
                    raise Conflict("visitor_busy")
                if state in {"reading", "planned"}:
                    self._space.imports.cancel(import_id)

    def photos_allowed(self, project_id: str) -> int | None:
        """Return how many photos a project may hold, or None where that is not for the classroom to say.

        It is asked in the middle of storing photos, so it looks into no other project: what the others of the visitor
        hold was counted when the upload was let in.
        """
        owner = self._register.owner(project_id)
        if owner is None:
            return None
        others = sum(self._counts.get(one, 0) for one in owner.projects if one != project_id)
        return max(0, self.limits.photos - others)

    def photos(self, projects: Iterable[str]) -> int:
        """Count the photos of those projects that are there."""
        total = 0
        for project_id in projects:
            count = 0
            with suppress(NotFound, Conflict):
                count = sum(one.samples for one in self._space.project(project_id).classes)
            self._counts[project_id] = count
            total += count
        return total

    def filled(self, owner: Visitor) -> int:
        """Return how many bytes a visitor fills; read again only where a project changed."""
        total = 0
        for project_id in owner.projects:
            with suppress(NotFound, Conflict):
                updated = self._space.project(project_id).updated
                known = self._bytes.get(project_id)
                # While photos come in, every one of them changes the project; walking through all files each time
                # would cost more than storing them.
                if known is None or updated > known[0] + 2:
                    known = updated, self._space.storage(project_id).total
                    self._bytes[project_id] = known
                total += known[1]
        return total

    def present(self, owner: Visitor) -> tuple[str, ...]:
        """Return the projects of a visitor that are not deleted, nor damaged: the others go on without those."""
        return tuple(one for one in owner.projects if self.is_there(one))

    def is_there(self, project_id: str) -> bool:
        """Say whether a project is neither deleted nor damaged."""
        try:
            self._space.project(project_id)
        except (NotFound, Conflict):
            return False
        return True

    def note_import(self, import_id: str, project_id: str) -> None:
        """Note for which project a file was sent."""
        with self._lock:
            self._imports[import_id] = project_id

    def project_of_import(self, import_id: str) -> str:
        """Return the project a file was sent for.

        Raises:
            NotFound: no visitor sent such a file.
        """
        with self._lock:
            project_id = self._imports.get(import_id)
        if project_id is None:
            raise NotFound("import_unknown")
        return project_id
