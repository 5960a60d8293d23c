"""The versions of every project. It owns what is told of them; which photos are fair to two is `fair`."""

import threading
from collections.abc import Callable

from teachable import trained
from teachable.backlog import Backlog
from teachable.errors import Conflict, NotFound
from teachable.export import with_metadata
from teachable.library import Library
from teachable.projects import Project, snapshots
from teachable.projects.models import KeptVersion
from teachable.types import ModelRecord, ProjectNetwork
from teachable.versions import comparing
from teachable.versions.records import ClassThen, Compared, Version, VersionList, WentBack
from teachable.words import say

# Comparisons that are remembered; a page asks for the same one again and again.
_REMEMBERED = 16


class Versions:
    """Says which versions there are, and goes back to them; safe to use from any thread.

    Args:
        open_project: returns a project by its id.
        library: the networks.
        backlog: keeps the embeddings.
        while_idle: does something to a project that no training may begin under.
        on_photos: called with a project that photos came back to.
    """

    def __init__(
        self,
        open_project: Callable[[str], Project],
        library: Library,
        backlog: Backlog,
        while_idle: Callable[[str, Callable[[], None]], None],
        on_photos: Callable[[Project], None],
    ) -> None:
        self._open = open_project
        self._library = library
        self._backlog = backlog
        self._while_idle = while_idle
        self._on_photos = on_photos
        self._lock = threading.Lock()
        self._classes: dict[tuple[str, str], tuple[ClassThen, ...]] = {}
        self._comparing = threading.Lock()
        self._compared: dict[tuple[str, str, str, float, int], Compared] = {}

    def of(self, project_id: str) -> VersionList:
        """Return all versions of a project, newest first."""
        project = self._open(project_id)
        kept = project.versions.every()
        current = next((one.record.id for one in kept if one.current), None)
        return VersionList(current, tuple(self._version(project, one) for one in reversed(kept)))

    def find(self, project_id: str, number: int) -> Version:
        """Return the version with a number.

        Raises:
            NotFound: there is none.
        """
        found = next((one for one in self.of(project_id).versions if one.number == number), None)
        if found is None:
            raise NotFound("version_number", number=number)
        return found

    def rename(self, project_id: str, version_id: str, name: str | None) -> VersionList:
        """Give a version a name, or take it away.

        Raises:
            NotFound: there is no such version.
            InvalidInput: the name cannot be used.
        """
        self._open(project_id).versions.rename(version_id, name)
        return self.of(project_id)

    def remove(self, project_id: str, version_id: str) -> VersionList:
        """Delete a version for good.

        Raises:
            NotFound: there is no such version.
            Conflict: it is the one in use.
        """
        self._open(project_id).versions.remove(version_id)
        return self.of(project_id)

    def restore(self, project_id: str, version_id: str, *, contents: bool = True) -> WentBack:
        """Go back to a version, as one change that can be undone.

        Args:
            project_id: the project.
            version_id: the version; its model is in use from then on.
            contents: classes, photos, recordings, test marks and settings become what they were too.

        Raises:
            NotFound: there is no such version.
            Conflict: the project is being trained, or what it held then was not kept and is wanted.
        """
        project = self._open(project_id)
        version = project.versions.find(version_id)
        done: list[WentBack] = []

        def go_back() -> None:
            found = project.versions.restore(version_id, self._network(version.record), contents=contents)
            text = say("note.version.back" if contents else "note.version.model_back", number=version.number)
            if found.gone:
                text = f"{text} {say('note.version.gone', count=found.gone)}"
            done.append(WentBack(found.undo, found.gone, text))

        self._while_idle(project_id, go_back)
        self._on_photos(project)
        return done[0]

    def model(self, project_id: str, version_id: str) -> bytes:
        """Return the model file of a version, with the names its classes have now.

        Raises:
            NotFound: there is no such version.
        """
        project = self._open(project_id)
        record = project.versions.find(version_id).record
        named = trained.named(record, project.info())
        return with_metadata(project.versions.file(version_id).read_bytes(), named.metadata)

    def compare(self, project_id: str, first: str, second: str) -> Compared:
        """Set two versions side by side on the same photos, which neither was trained on.

        Args:
            project_id: the project.
            first: id of one.
            second: id of the other.

        Raises:
            NotFound: there is no such version.
            Conflict: they are the same.
        """
        project = self._open(project_id)
        if first == second:
            raise Conflict("version_same")
        one, other = project.versions.find(first), project.versions.find(second)
        # One at a time: of fifty thousand photos each takes half a gigabyte.
        with self._comparing:
            # Photos that were added are embedded a little later, which changes nothing but what can be asked.
            known = sum(self._backlog.cache(project, version.record.backbone).changes for version in (one, other))
            key = (project.id, first, second, project.info().updated, known)
            found = self._compared.get(key)
            if found is None:
                found = self._compared[key] = comparing.compare(project, self._backlog, one, other)
                for old in list(self._compared)[:-_REMEMBERED]:
                    del self._compared[old]
            return found

    def _network(self, record: ModelRecord) -> ProjectNetwork:
        """Return what a project notes of the network of a version, be it here or not."""
        found = next((one for one in self._library.present() if one.fingerprint == record.backbone), None)
        if found is not None:
            return ProjectNetwork.of(found)
        # The built-in network of a former release is not here any more, and its successor may take its place.
        builtin = record.backbone_id == self._library.builtin().id
        return ProjectNetwork(record.backbone_id, record.backbone, builtin=builtin)

    def _version(self, project: Project, kept: KeptVersion) -> Version:
        record, score = kept.record, kept.record.evaluation
        files = project.versions.files(record.id)
        return Version(
            id=record.id,
            number=kept.number,
            name=kept.name,
            created=record.created,
            network=self._library.title(record.backbone_id),
            settings=record.settings,
            samples=record.samples,
            classes=self._classes_of(project, record),
            accuracy=score.accuracy,
            low=score.low,
            high=score.high,
            held_out=score.held_out,
            correct=score.correct,
            judged=len(record.class_ids) - len(score.unjudged),
            bytes=sum(path.stat().st_size for path in files.values()),
            restorable="snapshot.gz" in files,
        )

    def _classes_of(self, project: Project, record: ModelRecord) -> tuple[ClassThen, ...]:
        """Return what a version was trained on; a version never changes, so it is read once."""
        key = (project.id, record.id)
        with self._lock:
            known = self._classes.get(key)
        if known is not None:
            return known
        path = project.versions.files(record.id).get("snapshot.gz")
        then = snapshots.classes_of(path.read_bytes()) if path is not None else None
        if then is None:
            known = tuple(ClassThen(label, "", None) for label in record.labels)
        else:
            known = tuple(ClassThen(one.name, one.color, one.samples - one.tests) for one in then if not one.disabled)
        with self._lock:
            self._classes[key] = known
        return known
