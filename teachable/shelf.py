"""All projects as things: made, listed, named, doubled, thrown away and brought back. What is in them is `contents`."""

from collections.abc import Callable
from dataclasses import dataclass

from teachable.contents import Contents
from teachable.library import Library
from teachable.projects import Project, ProjectStore
from teachable.projects.bin import KEPT_DAYS, Binned
from teachable.projects.sizes import Sizes
from teachable.projects.storage import Storage
from teachable.projects.store import Damaged
from teachable.types import ProjectInfo, ProjectNetwork, TrainSettings


@dataclass(frozen=True)
class Shelved:
    """One project among the others.

    Attributes:
        project: what it is.
        covers: ids of up to four samples that stand for it, of different classes as far as there are.
        bytes: on disk, as last measured, or None until that was done.
    """

    project: ProjectInfo
    covers: tuple[int, ...]
    bytes: int | None


@dataclass(frozen=True)
class ShelfView:
    """All projects at a glance.

    Attributes:
        projects: last changed first.
        bin: deleted projects that can be brought back, deleted last first.
        damaged: projects that cannot be read.
        bytes: on disk, of everything that was measured so far, the bin included.
        free: bytes the disk has left.
        days: how long a deleted project is kept.
    """

    projects: tuple[Shelved, ...]
    bin: tuple[Binned, ...]
    damaged: tuple[Damaged, ...]
    bytes: int
    free: int
    days: int


class Shelf(Contents):
    """All projects of one home folder; safe to use from any thread.

    Args:
        store: the projects.
        library: the networks they can be taught with.
        on_photos: called with a project that photos were added to.
        on_leave: called with the id of a project that is being deleted; gives up whatever is being done with it.
        on_rest: called with the id of a project whose caches are about to be removed; closes them, or raises Conflict
            if they are in use.
        on_forget: called with the id of a project whose history is about to be removed; raises Conflict if something
            that is being done needs it.
    """

    def __init__(
        self,
        store: ProjectStore,
        library: Library,
        on_photos: Callable[[Project], None],
        on_leave: Callable[[str], None],
        on_rest: Callable[[str], None],
        on_forget: Callable[[str], None],
    ) -> None:
        super().__init__(store, on_photos)
        self._library = library
        self._on_leave = on_leave
        self._on_rest = on_rest
        self._on_forget = on_forget
        self._sizes = Sizes(store.size)

    # Projects

    def projects(self) -> tuple[ProjectInfo, ...]:
        """Return all projects, last changed first."""
        return self._store.list()

    def shelf(self) -> ShelfView:
        """Return all projects with what stands for them, what is in the bin, and what the disk has left."""
        found, damaged = self._store.survey()
        binned = self._store.bin()
        sizes = self._sizes.of((one.info.id, one.info.updated) for one in found)
        shelved = tuple(Shelved(one.info, one.covers, sizes.get(one.info.id)) for one in found)
        taken = sum(sizes.values()) + sum(one.bytes for one in binned)
        return ShelfView(shelved, binned, damaged, taken, self._store.free(), KEPT_DAYS)

    def create_project(self, name: str | None = None, network: str | None = None) -> ProjectInfo:
        """Make a project with two empty classes.

        Args:
            name: what the person calls it; chosen if not given, so that several can be told apart.
            network: id of the network to teach it with; the best one present that is fast everywhere if not given.
        """
        record = self._library.default() if network is None else self._library.find(network)
        return self._store.create(name, ProjectNetwork.of(record)).info()

    def duplicate_project(self, project_id: str, name: str | None = None) -> ProjectInfo:
        """Make a project with the same classes, photos, models and settings; without a name it is numbered.

        What was deleted from the project, and what could be taken back there, is not in the new one.
        """
        return self._store.duplicate(project_id, name).info()

    def project(self, project_id: str) -> ProjectInfo:
        """Return one project."""
        return self._store.open(project_id).info()

    def rename_project(self, project_id: str, name: str) -> ProjectInfo:
        """Rename a project."""
        project = self._store.open(project_id)
        project.rename(name)
        return project.info()

    def save_settings(self, project_id: str, settings: TrainSettings) -> None:
        """Keep settings for the next training."""
        self._store.open(project_id).save_settings(settings)

    def set_unknown_below(self, project_id: str, value: float) -> None:
        """Keep how unfamiliar a photo may be before the answer is "not sure"; models and exports say it from then on.

        Args:
            project_id: the project.
            value: 0 to 0.5; as large a share of photos of the classes themselves gets that answer too.
        """
        self._store.open(project_id).set_unknown_below(value)

    def limit_photos(self, allowed: Callable[[str], int | None]) -> None:
        """Have it asked at each upload how many photos a project may have; None where only the general limit counts."""
        self._store.allowed_photos = allowed

    # The bin

    def delete_project(self, project_id: str) -> str:
        """Put a project into the bin and return the id that brings it back; what is being done with it is given up."""
        self._on_leave(project_id)
        return self._store.delete(project_id)

    def bin(self) -> tuple[Binned, ...]:
        """Return the deleted projects that can be brought back, deleted last first."""
        return self._store.bin()

    def restore_project(self, bin_id: str) -> ProjectInfo:
        """Bring a deleted project back."""
        return self._store.restore(bin_id).info()

    def empty_bin(self, bin_id: str | None = None) -> int:
        """Delete one project of the bin for good, or all of them; return the bytes that were freed."""
        return self._store.empty_bin(bin_id)

    # Room on the disk

    def storage(self, project_id: str) -> Storage:
        """Return what a project takes on the disk, and for what."""
        return self._store.open(project_id).storage()

    def clean_up(self, project_id: str, *, removed: bool, caches: bool) -> int:
        """Make room, and return the bytes that were freed.

        Args:
            project_id: the project.
            removed: delete removed photos for good; nothing done so far can be taken back then.
            caches: delete what can be made again.

        Raises:
            Conflict: the project is being trained, or something is being imported into it.
        """
        project = self._store.open(project_id)
        if removed:
            self._on_forget(project_id)
        before = project.storage()
        if caches:
            self._on_rest(project_id)
            project.forget_caches()
        if removed:
            project.forget_removed()
        after = project.storage()
        # Not the difference of everything: what goes on in the background makes files meanwhile.
        return max(0, before.removed + before.caches - after.removed - after.caches)
