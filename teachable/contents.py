"""What a person does with classes and their photos, in all projects. What follows from them is `teachable.workflow`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from teachable import __version__, archives, thumbnails
from teachable.orders import Precedence
from teachable.projects import Project, ProjectStore
from teachable.types import AddResult, Change, ClassInfo, SamplePage


class Contents:
    """Classes and samples by project; safe to use from any thread.

    Args:
        store: the projects.
        on_photos: called with a project that photos were added to.
    """

    def __init__(self, store: ProjectStore, on_photos: Callable[[Project], None]) -> None:
        self._store = store
        self._on_photos = on_photos
        self._precedence = Precedence()

    # Classes

    def add_class(self, project_id: str, name: str | None = None, *, action: str | None = None) -> ClassInfo:
        """Add a class at the end; without a name it is numbered. `action` is the token of what it is a part of."""
        return self._store.open(project_id).add_class(name, action=action)

    def update_class(
        self,
        project_id: str,
        class_id: str,
        *,
        name: str | None = None,
        color: str | None = None,
        position: int | None = None,
        disabled: bool | None = None,
    ) -> ClassInfo:
        """Change what is given; the rest stays. Nothing is embedded or trained again."""
        project = self._store.open(project_id)
        return project.update_class(class_id, name=name, color=color, position=position, disabled=disabled)

    def delete_class(self, project_id: str, class_id: str) -> str:
        """Delete a class with its samples and return the undo token."""
        return self._store.open(project_id).delete_class(class_id)

    # Samples

    def add_photos(
        self,
        project_id: str,
        class_id: str,
        group: str,
        files: Iterable[tuple[str, bytes]],
        *,
        test: bool = False,
        action: str | None = None,
    ) -> AddResult:
        """Store photos, and have them embedded in the background.

        Args:
            project_id: the project.
            class_id: the class they are examples of.
            group: name of the press, upload or video they belong to.
            files: name and bytes of each.
            test: they are never to be trained on, only tested with.
            action: token of what they are a part of, see `begin`.
        """
        project = self._store.open(project_id)
        try:
            with self._precedence.first():
                return project.add_photos(class_id, group, files, test=test, action=action)
        finally:
            self._on_photos(project)

    def samples(
        self, project_id: str, class_id: str, limit: int = 60, before: int | None = None, skip: int = 0
    ) -> SamplePage:
        """Return samples of a class, newest first, after the first `skip` of them."""
        return self._store.open(project_id).samples(class_id, limit, before, skip)

    def sample_numbers(self, project_id: str, class_id: str, limit: int, skip: int = 0) -> tuple[tuple[int, bool], ...]:
        """Return the ids of samples of a class, newest first, and whether each is only for testing: to select many."""
        return self._store.open(project_id).sample_numbers(class_id, limit, skip)

    def delete_samples(self, project_id: str, ids: Iterable[int]) -> str:
        """Delete samples and return the undo token."""
        return self._store.open(project_id).delete_samples(ids)

    def clear_class(self, project_id: str, class_id: str) -> str:
        """Delete all samples of a class and return the undo token."""
        return self._store.open(project_id).clear_class(class_id)

    def move_samples(self, project_id: str, ids: Iterable[int], class_id: str) -> str:
        """Move samples to another class and return the undo token."""
        return self._store.open(project_id).move_samples(ids, class_id)

    def mark_test(self, project_id: str, ids: Iterable[int], test: bool, *, whole_recordings: bool = True) -> str:
        """Keep samples for testing only, or let them be trained on again, and return the undo token.

        Args:
            project_id: the project.
            ids: of the samples.
            test: they are never to be trained on.
            whole_recordings: all photos of the recordings they are of go with them.
        """
        return self._store.open(project_id).mark_test(ids, test, whole_recordings=whole_recordings)

    # History

    def begin(self, project_id: str, kind: str) -> str:
        """Begin something made of many calls, "imported" for one; what is done with the token is undone together."""
        return self._store.open(project_id).begin(kind)

    def undo(self, project_id: str, token: str | None = None) -> Change:
        """Take back what was done to classes and photos last, or what a token names; return what it was."""
        return self._store.open(project_id).undo(token)

    def redo(self, project_id: str) -> Change:
        """Do again what was taken back last, and return what it was."""
        return self._store.open(project_id).redo()

    # Photos

    def photo(self, project_id: str, sample_id: int) -> Path:
        """Return the stored file of a sample."""
        project = self._store.open(project_id)
        return project.photo_file(project.sample(sample_id).sha256)

    def thumbnail(self, project_id: str, sample_id: int, side: int = 96) -> bytes:
        """Return the centre square of a sample as a small JPEG; the sizes the page shows are made only once."""
        project = self._store.open(project_id)
        return thumbnails.thumbnail(project, project.sample(sample_id).sha256, side)

    def class_archive(self, project_id: str, class_id: str) -> Iterator[bytes]:
        """Return a zip file of all photos of a class, piece by piece."""
        return archives.of_class(self._store.open(project_id), class_id)

    def pack_photos(self, project_id: str) -> Iterator[bytes]:
        """Return a zip file of all photos with a folder for each class, piece by piece."""
        return archives.of_photos(self._store.open(project_id))

    def pack(self, project_id: str) -> Iterator[bytes]:
        """Return a zip file of a whole project, piece by piece; importing it makes the same project again."""
        return archives.of_project(self._store.open(project_id), __version__)
