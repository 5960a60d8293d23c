"""The Workspace: everything a person can do, in one object per process.

It is the only place that puts the modules below together. The page, the REST API and the command line call it and
nothing else. It owns no format, no mathematics and no words. What it does with projects as a whole is in
`teachable.shelf`, with classes and their photos in `teachable.contents`.
"""

import logging
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from teachable import choice, images, settings, trained
from teachable.backlog import Backlog
from teachable.comparison import Comparison
from teachable.comparisons import Comparisons
from teachable.embeddings import Embedder
from teachable.errors import Conflict, NotFound
from teachable.exporting.offers import Exports, Format, Made
from teachable.exporting.programs import Program
from teachable.exports import ExportQueue
from teachable.imports import Imports
from teachable.installer import Installer
from teachable.jobs import Job, Training
from teachable.library import Library
from teachable.loaded import Loaded
from teachable.projects import Project, ProjectStore
from teachable.reports import Reports
from teachable.runtime import Prediction
from teachable.settings import check_training
from teachable.shelf import Shelf
from teachable.standing import Standing
from teachable.status import Status, ready
from teachable.training import Trainer
from teachable.trainings import Trainings
from teachable.types import ModelRecord, ProjectNetwork, TrainSettings
from teachable.versions import Versions

__all__ = ["Comparison", "Exports", "Format", "Made", "Program", "Status", "Training", "Workspace"]

log = logging.getLogger(__name__)


class Workspace(Shelf):
    """All projects of one home folder and the work on them; safe to use from any thread.

    Args:
        home: folder with the projects; made if missing.
        networks: folder with the networks that are not built in; where the settings say if not given.
        offline: whether nothing may be fetched; what the settings say if not given.

    Raises:
        InstallationError: the folder cannot be written.
        StorageFull: the disk has no room.
        InvalidInput: a setting cannot be read.
    """

    def __init__(self, home: Path, networks: Path | None = None, offline: bool | None = None) -> None:
        self._library = Library(networks or settings.networks_folder(home))
        self._networks = Installer(self._library, settings.offline() if offline is None else offline)
        super().__init__(ProjectStore(home), self._library, self._prepare, self._leave, self._rest, self._forget)
        self._backlog = Backlog(
            lambda fingerprint: Embedder(self._library.read(self._library.find(fingerprint))),
            self._precedence.give_way,
        )
        self._trainer = Trainer()
        self._trainings = Trainings()
        self._standing = Standing(self._library, self._backlog, self._trainer, self._trainings)
        self._comparisons = Comparisons(self._library, self._backlog, self._trainer, self._trainings.running)
        self._exports = ExportQueue(self._backlog, self._trainer, self._trainings.latest, self._standing.stale)
        self._classifiers: trained.Classifiers = Loaded()
        self._versions = Versions(
            self._store.open, self._library, self._backlog, self._trainings.while_idle, self._prepare
        )
        self._imports = Imports(
            home,
            self._store,
            lambda name: self._store.create(
                None if name is None else self._store.free_name(name), ProjectNetwork.of(self._library.default()), ()
            ),
            self._prepare,
            self._precedence,
        )
        self._reports = Reports(
            self._store.open,
            self._library,
            self._backlog,
            self._trainer,
            self._standing.stale,
            self._standing.view,
            self._classifiers,
        )

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up running trainings, finish the embeddings in hand and close every file."""
        joins = [job.join for job in self._trainings.give_up()] + [one.join for one in self._comparisons.give_up()]
        joins += self._imports.close()
        joins += [thread.join for thread in (*self._exports.close(), *self._reports.close())]
        self._networks.close()
        self._trainer.close()
        for join in joins:
            join()
        self._backlog.close()
        self._sizes.close()
        self._store.close()

    def _prepare(self, project: Project) -> None:
        """Have new photos embedded, and the trainer made ready."""
        network = choice.resolve(project, self._library)
        if network is not None:
            # Without counting what there is to do: photos may come several times a second, into a project with 50,000.
            self._backlog.add(project, network.fingerprint)
        self._trainer.warm_up()

    def _leave(self, project_id: str) -> None:
        """Give up whatever is being done with a project that is being deleted, and close what is open of it."""
        self._imports.remove(project_id)
        self._trainings.remove(project_id)
        self._exports.remove(project_id)
        self._reports.remove(project_id)
        self._comparisons.remove(project_id)
        self._backlog.forget(project_id)

    def _rest(self, project_id: str) -> None:
        """Close what is open of the caches of a project. Nothing may be using them."""
        self._trainings.require_idle(project_id)
        self._comparisons.remove(project_id)
        self._exports.remove(project_id)
        self._backlog.forget(project_id)

    def _forget(self, project_id: str) -> None:
        """Look that nothing going on needs the history: an import knows by it that nobody has taken it back."""
        self._imports.require_idle(project_id)

    # Training

    def status(self, project_id: str) -> Status:
        """Return how a project stands, and go on with embeddings that a restart interrupted."""
        return self._standing.of(self._store.open(project_id))

    def start_training(
        self, project_id: str, settings: TrainSettings | None = None, network: str | None = None
    ) -> None:
        """Start training in the background.

        With another network than the project's this switches: the photos are embedded anew, the model so far stays in
        use until the new one is written, and the new one knows how the network before it did on the same test photos.

        Args:
            project_id: the project.
            settings: of this training, kept for the next; the project's if not given.
            network: id of the network to teach it with from now on; the project's if not given.

        Raises:
            Conflict: it is being trained already, there is too little to train on, or the network is not present.
            InvalidInput: settings out of range.
            NotFound: no such network is present.
        """
        project = self._store.open(project_id)
        if settings is not None:
            check_training(settings)
        self._trainings.require_idle(project_id)
        target = choice.resolve(project, self._library) if network is None else self._library.find(network)
        info = project.info()
        missing = None if target else self._library.title(info.network.id if info.network else "")
        possible = ready(info, missing)
        if possible.key is not None:
            raise Conflict(possible.key, **possible.values)
        if settings is not None:
            project.save_settings(settings)
        if target is None:
            raise NotFound("network_absent", network=missing)
        job = Job(project, settings or info.settings, target, self._library.read, self._backlog, self._trainer)
        self._trainings.start(job)

    def training(self, project_id: str) -> Training:
        """Return how the present or last training of a project stands, without looking at anything else."""
        job = self._trainings.latest(project_id)
        return job.training if job else Training()

    def cancel_training(self, project_id: str) -> None:
        """Give up a running training and wait until it has stopped; the model from before stays.

        Does nothing when none is running. One whose file is being written in this moment may still end well.
        """
        self._store.open(project_id)
        self._trainings.cancel(project_id)

    def wait_for_training(self, project_id: str, timeout: float | None = None) -> Status:
        """Wait until a training has ended and its file is checked, or for `timeout` seconds; return the status."""
        job = self._trainings.latest(project_id)
        if job is not None:
            job.checked.wait(timeout)
        return self.status(project_id)

    # Networks

    @property
    def networks(self) -> Installer:
        """The networks of this computer, and fetching, importing and removing them."""
        return self._networks

    def switch_network(self, project_id: str, network: str) -> None:
        """Teach a project with another network from now on.

        If it has a model and can be trained, that is a training, see `start_training`; otherwise it is only noted.

        Raises:
            NotFound: no such network is present.
            Conflict: the project is being trained.
        """
        project = self._store.open(project_id)
        target = self._library.find(network)
        if project.latest_model() is not None and ready(project.info()).ok:
            self.start_training(project_id, network=network)
            return
        self._trainings.while_idle(project_id, lambda: project.set_network(ProjectNetwork.of(target)))
        self._standing.embed(project, target)

    def dismiss_network_note(self, project_id: str) -> None:
        """Note that the person has read that the network of a project was renewed."""
        project = self._store.open(project_id)
        noted = project.info().network
        if noted is not None and noted.renewed:
            project.renew_network(noted, replace(noted, renewed=False))

    def remove_network(self, network: str, *, even_if_used: bool = False) -> None:
        """Remove a network from this computer. Models made with it go on working; its embeddings are kept.

        Raises:
            NotFound: no such network is present.
            Conflict: it is the built-in one, or projects are taught with it.
        """
        record = self._library.find(network)
        users = [info.name for info in self._store.list() if info.network and info.network.id == record.id]
        if self._trainings.uses(record.id):
            raise Conflict("network_training", network=self._library.title(record.id))
        if users and not even_if_used:
            raise Conflict("network_used", network=self._library.title(record.id), projects=", ".join(users))
        self._networks.remove(record.id)
        self._backlog.forget_network(record.fingerprint)

    def compare(self, project_id: str) -> None:
        """Compare all networks that are present on the photos of a project, in the background.

        Raises:
            Conflict: they are being compared on it already, or there is too little to compare on.
        """
        self._comparisons.start(self._store.open(project_id))

    def comparison(self, project_id: str) -> Comparison:
        """Return how the present or last comparison on a project stands."""
        return self._comparisons.state(self._store.open(project_id))

    def cancel_comparison(self, project_id: str) -> None:
        """Give up a running comparison and wait until it has stopped; without one this does nothing."""
        self._comparisons.cancel(self._store.open(project_id).id)

    # The model

    def model(self, project_id: str) -> ModelRecord | None:
        """Return the record of the newest model, or None."""
        return self._store.open(project_id).latest_model()

    def model_bytes(self, project_id: str) -> bytes:
        """Return the newest model file, with the present names of its classes.

        Raises:
            NotFound: nothing was trained yet.
        """
        project = self._store.open(project_id)
        return trained.read(project, trained.newest(project))

    def predict(self, project_id: str, data: bytes, name: str = "photo") -> Prediction:
        """Ask the newest model about one photo.

        Args:
            project_id: the project.
            data: bytes of an image file.
            name: what to call it in an error.
        """
        photo = images.decode(data, name)
        return trained.ask(self._store.open(project_id), [photo], self._classifiers)[0]

    @property
    def versions(self) -> Versions:
        """Every training that is kept, of each project, and going back to one."""
        return self._versions

    @property
    def imports(self) -> Imports:
        """Files on their way into projects."""
        return self._imports

    @property
    def reports(self) -> Reports:
        """What is known about the newest model of each project, and finding out more."""
        return self._reports

    # Taking the model away

    def exports(self, project_id: str) -> Exports:
        """Return every format the newest model can be taken away in, and what is there of it."""
        return self._exports.exports(self._store.open(project_id))

    def start_export(self, project_id: str, format: str, variant: str) -> None:
        """Have a file made and checked in the background; one that is there or on its way is not made again.

        Raises:
            NotFound: nothing was trained yet, or there is no such format.
            Conflict: something has to be installed for it.
        """
        self._exports.start(self._store.open(project_id), format, variant)

    def cancel_export(self, project_id: str, format: str, variant: str) -> None:
        """Give an export up and wait until it has stopped; without one this does nothing."""
        self._exports.cancel(self._store.open(project_id), format, variant)

    def wait_for_export(self, project_id: str, format: str, variant: str, timeout: float | None = None) -> Made:
        """Wait until an export has ended, or for `timeout` seconds; return how it stands."""
        return self._exports.wait(self._store.open(project_id), format, variant, timeout)

    def exported(self, project_id: str, format: str, variant: str) -> tuple[Path, Format]:
        """Return a file that was made, and its format with this choice alone.

        Raises:
            NotFound: the file is not there.
        """
        return self._exports.exported(self._store.open(project_id), format, variant)

    def share_page(self, project_id: str, variant: str) -> str:
        """Return a name nobody can guess under which an offline page can be asked for, as long as it is there.

        Raises:
            NotFound: the page was not made.
        """
        return self._exports.share(self._store.open(project_id), "page", variant)

    def shared_page(self, token: str) -> Path:
        """Return the offline page with such a name.

        Raises:
            NotFound: there is none, or not any more.
        """
        return self._exports.shared(token)

    def programs(self, project_id: str, file: str = "model.onnx") -> tuple[Program, ...]:
        """Return programs that use the model, with its real labels.

        Args:
            project_id: the project.
            file: name of the exported ONNX file they are to load.

        Raises:
            NotFound: nothing was trained yet, or no export has such a file.
        """
        return self._exports.programs(self._store.open(project_id), file)
