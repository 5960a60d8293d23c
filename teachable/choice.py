"""Which network a project is taught with, and which would serve it better. It owns these rules, not the switching."""

import logging

from teachable.backlog import Backlog
from teachable.embeddings import EmbeddingCache
from teachable.library import Library
from teachable.projects import Project
from teachable.status import NetworkStatus, Offer
from teachable.types import BackboneRecord, ModelRecord, ProjectNetwork

log = logging.getLogger(__name__)


def resolve(project: Project, library: Library) -> BackboneRecord | None:
    """Return the network of a project, or None if it is not on this computer.

    A project from before networks were noted has the built-in one. Where the graph of its network is another one than
    it was made with, because the program or the official network was renewed, it goes on with the new one, and says so.
    Nothing else ever changes the network of a project by itself: files that people import can have the same name and
    nothing else in common.
    """
    noted = project.info().network
    if noted is None:
        return _begin_note(project, library)
    present = library.present()
    same = (record for record in present if record.fingerprint == noted.fingerprint)
    found = next(same, None)
    if found is not None:
        return found
    for record in present:
        renewed = record.id == noted.id and record.origin == "official"
        if renewed or (noted.builtin and record.origin == "builtin"):
            _renew(project, noted, record, worth_saying=noted.renewed or bool(project.all_samples()))
            return record
    return None


def _begin_note(project: Project, library: Library) -> BackboneRecord:
    record = library.builtin()
    last = project.latest_model()
    _renew(project, None, record, worth_saying=last is not None and last.backbone != record.fingerprint)
    return record


def _renew(project: Project, noted: ProjectNetwork | None, record: BackboneRecord, *, worth_saying: bool) -> None:
    log.info("project %s goes on with the network %s as it is now", project.id, record.id)
    builtin = record.origin == "builtin"
    project.renew_network(noted, ProjectNetwork(record.id, record.fingerprint, builtin, renewed=worth_saying))


def describe(
    project: Project, noted: ProjectNetwork, last: ModelRecord | None, library: Library, backlog: Backlog
) -> NetworkStatus:
    """Say which network a project has, whether it is here, and whether there is a better one.

    Args:
        project: the project.
        noted: its network.
        last: its newest model.
        library: the networks of this computer.
        backlog: knows how quick they are.
    """
    present = any(one.fingerprint == noted.fingerprint for one in library.present())
    best = library.default()
    offer = None
    # Who chose a network keeps it; the built-in one is what everybody begins with.
    if best.fingerprint != noted.fingerprint and (noted.builtin or not present):
        seconds = None if last is None else _seconds(project, noted, best, last, library, backlog)
        offer = Offer(best.id, library.title(best.id), seconds, retrain=last is not None)
    return NetworkStatus(noted.id, library.title(noted.id), noted.fingerprint, present, noted.renewed, offer)


def _seconds(
    project: Project,
    noted: ProjectNetwork,
    target: BackboneRecord,
    last: ModelRecord,
    library: Library,
    backlog: Backlog,
) -> float | None:
    """Estimate what switching takes: embedding what is missing, and training as long as the last time."""
    pace = backlog.seconds_per_photo(target.fingerprint)
    known, builtin = library.known(target.id), backlog.seconds_per_photo(noted.fingerprint) if noted.builtin else None
    if pace is None and known and builtin is not None:
        pace = builtin * known.native_factor
    pace = pace or library.seconds_per_photo(target.id)
    if pace is None:
        return None
    missing = sum(one.samples for one in project.info().classes)
    if EmbeddingCache.file(project.folder, target.fingerprint).exists():
        progress = backlog.progress(project, target.fingerprint)
        missing = progress.total - progress.done - progress.failed
    return missing * pace + last.seconds
