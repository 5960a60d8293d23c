"""Which network a project is taught with: recorded, never changed silently, switched with the old model in use."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from making import DEADLINE, photos, tiny_network, until

from teachable import official
from teachable.embeddings import Embedder
from teachable.errors import Conflict, NotFound
from teachable.library import Library
from teachable.projects import Project
from teachable.types import Embeddings, Image, ProjectInfo, ProjectNetwork, TrainSettings
from teachable.workflow import Status, Workspace

QUICK = TrainSettings(epochs=3)
BEST = official.recommended().id


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    return tmp_path / "networks"


def install(networks: Path, id_: str, seed: int = 0, origin: str = "official") -> str:
    """Put a tiny network among those of this computer; return its fingerprint."""
    networks.mkdir(exist_ok=True)
    weights = np.random.default_rng(seed).normal(size=(8, 3)).astype(np.float32)
    return Library(networks).add(*tiny_network(networks.parent, id_, weights, origin)).fingerprint


@pytest.fixture
def space(tmp_path: Path, networks: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home", networks, offline=True) as opened:
        yield opened


def fill(space: Workspace, project: str, groups: int = 2) -> None:
    """Reddish photos in one class, bluish ones in the other, in several groups."""
    colors = ((200, 60, 60), (60, 60, 200))
    for place, one in enumerate(space.project(project).classes):
        for group in range(groups):
            start = 1000 * place + 100 * group
            space.add_photos(project, one.id, f"{place}-{group}", photos(range(start, start + 4), colors[place]))


def train(space: Workspace, project: str) -> Status:
    space.start_training(project, QUICK)
    status = space.wait_for_training(project)
    assert status.training.state == "done", status.training
    return status


def embedded(space: Workspace, project: str) -> None:
    until(lambda: (now := space.status(project).embedding).done == now.total > 0)


# Recorded


def test_a_new_project_notes_the_network_it_is_taught_with(space: Workspace) -> None:
    builtin = space.networks.default()
    info = space.create_project()
    assert info.network == ProjectNetwork(builtin.id, builtin.fingerprint, builtin=True)
    status = space.status(info.id).network
    assert (status.id, status.present, status.renewed, status.offer) == (builtin.id, True, False, None)
    assert status.title == builtin.title


def test_new_projects_use_the_recommended_network_once_it_is_here(space: Workspace, networks: Path) -> None:
    before = space.create_project().id
    fingerprint = install(networks, BEST)
    after = space.create_project()
    assert after.network == ProjectNetwork(BEST, fingerprint)
    assert space.project(before).network != after.network
    assert space.create_project(network="slim-v1").network != after.network


def test_a_project_from_before_networks_could_be_chosen_has_the_built_in_one(
    tmp_path: Path, space: Workspace, networks: Path
) -> None:
    project = space.create_project().id
    fill(space, project)
    train(space, project)
    install(networks, BEST)  # must not be what it gets
    with closing(sqlite3.connect(tmp_path / "home" / "projects" / project / "project.sqlite")) as connection:
        connection.execute("UPDATE project SET network = NULL, updated = updated + 1")
        connection.commit()
    status = space.status(project).network
    assert (status.id, status.renewed) == ("slim-v1", False)
    assert space.project(project).network is not None


# Switching


def test_switching_trains_with_the_other_network_and_tells_how_the_first_did(space: Workspace, networks: Path) -> None:
    project = space.create_project().id
    fill(space, project)
    first = train(space, project).model
    assert first is not None
    assert first.before is None
    fingerprint = install(networks, "resnet-18")
    space.switch_network(project, "resnet-18")
    during = space.status(project)
    assert during.model is not None
    assert during.model.id == first.id or during.training.state == "done"
    status = space.wait_for_training(project)
    assert status.network.id == "resnet-18"
    assert status.model is not None
    assert status.model.backbone.id == "resnet-18"
    assert not status.model.other_network
    before = status.model.before
    assert before is not None
    assert before.backbone.id == "slim-v1"
    assert (before.accuracy, before.held_out) == (first.accuracy, first.held_out)  # nothing changed in between
    record = space.model(project)
    assert record is not None
    assert record.backbone == fingerprint
    assert b"resnet-18" in space.model_bytes(project)
    embedded(space, project)


def test_while_switching_the_photos_of_the_other_network_are_counted(
    space: Workspace, networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = space.create_project().id
    fill(space, project)
    train(space, project)
    embedded(space, project)
    install(networks, "resnet-18")
    go_on = threading.Event()
    embed = Embedder.embed

    def waiting(self: Embedder, images: Sequence[Image]) -> Embeddings:
        assert go_on.wait(DEADLINE)
        return embed(self, images)

    monkeypatch.setattr(Embedder, "embed", waiting)
    space.switch_network(project, "resnet-18")
    try:
        during = space.status(project)
        assert during.training.state == "running"
        assert (during.embedding.done, during.embedding.total) == (0, 16)
        assert during.network.id == "slim-v1"
    finally:
        go_on.set()
    assert space.wait_for_training(project).embedding.done == 16


def test_without_a_model_switching_is_only_noted(space: Workspace, networks: Path) -> None:
    project = space.create_project().id
    fill(space, project)
    install(networks, "resnet-18")
    space.switch_network(project, "resnet-18")
    status = space.status(project)
    assert status.network.id == "resnet-18"
    assert status.training.state == "idle"
    embedded(space, project)
    trained = train(space, project).model
    assert trained is not None
    assert trained.backbone.id == "resnet-18"
    assert trained.before is None


def test_a_model_of_another_network_is_told(space: Workspace, networks: Path) -> None:
    project = space.create_project().id
    fill(space, project)
    train(space, project)
    install(networks, "resnet-18")
    space.clear_class(project, space.project(project).classes[0].id)  # nothing can be trained now
    space.switch_network(project, "resnet-18")
    status = space.status(project)
    assert status.network.id == "resnet-18"
    assert status.model is not None
    assert status.model.other_network
    assert status.model.backbone.id == "slim-v1"


def test_switching_to_what_is_not_here_is_refused(space: Workspace) -> None:
    project = space.create_project().id
    for name in (BEST, "no-such-network", "../x"):
        with pytest.raises(NotFound):
            space.switch_network(project, name)
        with pytest.raises(NotFound):
            space.create_project(network=name)
    assert space.status(project).network.id == "slim-v1"
    assert len(space.projects()) == 1


# Offered


def test_a_better_network_is_offered_to_who_has_the_built_in_one(space: Workspace, networks: Path) -> None:
    project, chosen = space.create_project().id, space.create_project().id
    install(networks, "resnet-18")
    space.switch_network(chosen, "resnet-18")
    assert space.status(project).network.offer is None
    install(networks, BEST)
    offer = space.status(project).network.offer
    assert offer is not None
    assert (offer.id, offer.retrain, offer.seconds) == (BEST, False, None)
    assert space.status(chosen).network.offer is None  # who chose keeps what was chosen
    space.switch_network(project, BEST)
    assert space.status(project).network.offer is None


def test_an_offer_says_how_long_it_would_take_once_that_is_known(space: Workspace, networks: Path) -> None:
    project, other = space.create_project().id, space.create_project().id
    for one in (project, other):
        fill(space, one, groups=4)
    trained = train(space, project).model
    assert trained is not None
    install(networks, BEST)
    offer = space.status(project).network.offer
    assert offer is not None
    assert offer.retrain
    assert offer.seconds is not None  # expected from the pace of the built-in one
    assert offer.seconds > trained.seconds
    space.switch_network(other, BEST)  # embeds enough to know the pace
    embedded(space, other)
    offer = space.status(project).network.offer
    assert offer is not None
    assert offer.seconds is not None
    assert offer.seconds >= trained.seconds


# Renewed and gone


def test_a_renewed_network_is_used_and_told_until_noticed_or_trained(space: Workspace, networks: Path) -> None:
    install(networks, "resnet-18", seed=1)
    told, trained = (space.create_project(network="resnet-18").id for _ in range(2))
    for project in (told, trained):
        fill(space, project)
        train(space, project)
    new = install(networks, "resnet-18", seed=2)
    for project in (told, trained):
        status = space.status(project)
        assert status.network.renewed
        assert status.network.fingerprint == new
        assert status.model is not None
        assert status.model.other_network  # the model from before stays in use
        embedded(space, project)
    space.dismiss_network_note(told)
    assert not space.status(told).network.renewed
    status = train(space, trained)
    assert not status.network.renewed
    assert status.model is not None
    assert status.model.before is not None  # its embeddings are still there, though the network is not


def test_another_file_of_the_same_name_is_another_network(space: Workspace, networks: Path) -> None:
    old = install(networks, "mine", seed=1, origin="imported")
    project = space.create_project(network="mine").id
    fill(space, project)
    train(space, project)
    space.remove_network("mine", even_if_used=True)
    install(networks, "mine", seed=2, origin="imported")
    status = space.status(project)
    assert (status.network.fingerprint, status.network.present) == (old, False)
    assert (status.ready.ok, status.ready.key) == (False, "network_absent")
    install(networks, "mine", seed=1, origin="imported")
    assert space.status(project).network.present


def test_a_note_dismissed_while_a_switch_ends_does_not_undo_the_switch(
    space: Workspace, networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(networks, "resnet-18", seed=1)
    project = space.create_project(network="resnet-18").id
    fill(space, project)
    install(networks, "resnet-18", seed=2)
    assert space.status(project).network.renewed
    opened = space._store.open(project)
    info = type(opened).info

    def slow(self: Project) -> ProjectInfo:
        found = info(self)
        monkeypatch.undo()
        space.switch_network(project, "slim-v1")  # between reading the note and writing it
        return found

    monkeypatch.setattr(type(opened), "info", slow)
    space.dismiss_network_note(project)
    assert space.status(project).network.id == "slim-v1"


def test_what_replaces_the_built_in_network_replaces_it_in_projects(tmp_path: Path, space: Workspace) -> None:
    project, empty = space.create_project().id, space.create_project().id
    fill(space, project)
    embedded(space, project)
    for one in (project, empty):
        with closing(sqlite3.connect(tmp_path / "home" / "projects" / one / "project.sqlite")) as connection:
            old = f'{{"id": "slim-v0", "fingerprint": "{"0" * 64}", "builtin": true, "renewed": false}}'
            connection.execute("UPDATE project SET network = ?, updated = updated + 1", (old,))
            connection.commit()
    status = space.status(project).network
    assert (status.id, status.present, status.renewed) == ("slim-v1", True, True)
    assert not space.status(empty).network.renewed  # nothing was prepared that has to be prepared again


def test_a_missing_network_is_told_and_there_is_a_way_on(space: Workspace, networks: Path) -> None:
    install(networks, "resnet-18")
    project = space.create_project(network="resnet-18").id
    fill(space, project)
    train(space, project)
    space.remove_network("resnet-18", even_if_used=True)
    status = space.status(project)
    assert not status.network.present
    assert (status.ready.ok, status.ready.key) == (False, "network_absent")
    assert status.ready.message is not None
    assert status.network.title in status.ready.message
    assert status.network.offer is not None
    with pytest.raises(Conflict):
        space.start_training(project)
    assert space.predict(project, photos(range(1))[0][1]).label  # the model works on
    fill(space, project)  # and photos are kept
    space.switch_network(project, status.network.offer.id)
    after = space.wait_for_training(project)
    assert after.training.state == "done"
    assert after.ready.ok
    assert after.model is not None
    assert after.model.backbone.id == "slim-v1"


# Removing


def test_a_network_in_use_is_not_removed_by_a_slip(space: Workspace, networks: Path) -> None:
    install(networks, "resnet-18")
    project = space.create_project("Fruit", network="resnet-18").id
    with pytest.raises(Conflict) as caught:
        space.remove_network("resnet-18")
    assert caught.value.key == "network_used"
    assert "Fruit" in str(caught.value)
    assert space.status(project).network.present
    space.delete_project(project)
    space.remove_network("resnet-18")
    with pytest.raises(NotFound):
        space.create_project(network="resnet-18")


def test_the_built_in_network_cannot_be_removed(space: Workspace) -> None:
    with pytest.raises(Conflict):
        space.remove_network("slim-v1", even_if_used=True)
    assert space.create_project().network is not None
