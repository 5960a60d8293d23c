"""Whatever is done to a project, in whatever order: no photo that is there loses its file, and going back goes back."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from making import photos
from test_projects import record

from teachable.errors import TeachableError
from teachable.projects import Project, ProjectStore, files, snapshots
from teachable.projects.snapshots import Snapshot
from teachable.types import ProjectNetwork, Sample

DAY = 86400.0
NETWORK = ProjectNetwork("slim-v1", "f" * 64, builtin=True)


class Restless:
    """Somebody who does things at random to one project, which knows few photos, so that many meet again.

    Args:
        home: folder for it.
        seed: of the chance.
    """

    def __init__(self, home: Path, seed: int) -> None:
        self.home = home
        self.chance = random.Random(seed)
        self.store = ProjectStore(home)
        self.id = self.store.create().id
        self.photos = photos(range(6))
        self.tokens: list[str] = []
        self.models: list[str] = []

    @property
    def project(self) -> Project:
        return self.store.open(self.id)

    def held(self) -> list[tuple[str, str, str, bool]]:
        return sorted((one.class_id, one.sha256, one.group, one.test) for one in self.project.all_samples())

    def act(self) -> None:
        deeds: list[tuple[int, Callable[[], object]]] = [
            (6, self.add),
            (2, lambda: self.noted(self.project.delete_samples(self.some()))),
            (2, lambda: self.noted(self.project.move_samples(self.some(), self.one_class()))),
            (1, lambda: self.noted(self.project.mark_test(self.some(), self.chance.random() < 0.5))),
            (1, lambda: self.noted(self.project.clear_class(self.one_class()))),
            (1, lambda: self.noted(self.project.delete_class(self.one_class()))),
            (1, self.project.add_class),
            (1, lambda: self.project.update_class(self.one_class(), name=self.chance.choice("ABC"))),
            (3, self.project.undo),
            (2, self.project.redo),
            (2, lambda: self.project.undo(self.chance.choice([*self.tokens, "none"]))),
            (1, self.train),
            (2, self.go_back),
            (1, lambda: self.project.versions.remove(self.chance.choice([*self.models, "a" * 32]))),
            (1, self.project.forget_removed),
            (1, self.duplicate),
            (2, self.open_again),
        ]
        self.chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()

    def noted(self, token: str | None) -> None:
        self.tokens += [] if token is None else [token]

    def some(self) -> list[int]:
        found: tuple[Sample, ...] = self.project.all_samples()
        return [one.id for one in self.chance.sample(found, self.chance.randint(0, len(found)))]

    def one_class(self) -> str:
        return self.chance.choice([*(one.id for one in self.project.info().classes), "a" * 32])

    def add(self) -> None:
        chosen = self.chance.sample(self.photos, self.chance.randint(1, 3))
        self.noted(self.project.add_photos(self.one_class(), self.chance.choice("gh"), chosen).undo)

    def train(self) -> None:
        self.models.append(f"{self.chance.getrandbits(128):032x}")
        held = snapshots.pack(Snapshot(self.project.info().classes, self.project.all_samples()))
        self.project.save_model(record(self.models[-1]), b"model", None, None, held)

    def go_back(self) -> None:
        model = self.chance.choice([*self.models, "a" * 32])
        went = self.project.versions.restore(model, NETWORK)
        then = self.project.versions.snapshot(model)
        assert then is not None
        assert went.gone == 0, "a version keeps its photos"
        assert self.held() == sorted((one.class_id, one.sha256, one.group, one.test) for one in then.samples)
        self.noted(went.undo)

    def duplicate(self) -> None:
        copy = self.store.duplicate(self.id)
        assert sorted((s.class_id, s.sha256, s.group, s.test) for s in copy.all_samples()) == self.held()
        self.store.empty_bin(self.store.delete(copy.id))

    def open_again(self) -> None:
        """Restart, now and then after so long that some of what was done cannot be taken back any more."""
        before = self.held()
        with self.project._database.change() as connection:
            query = "UPDATE actions SET created = created - ? WHERE id <= (SELECT MAX(id) FROM actions) - ?"
            connection.execute(query, (self.chance.choice([0, 62]) * DAY, self.chance.randint(0, 6)))
        self.store.close()
        self.store = ProjectStore(self.home)
        assert self.held() == before

    def look(self) -> None:
        for sample in self.project.all_samples():
            self.project.photo_file(sample.sha256)
        classes = self.project.info().classes
        assert [one.position for one in classes] == list(range(len(classes)))
        assert len({one.name.casefold() for one in classes}) == len(classes)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_done_no_photo_that_is_there_loses_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(files, "_write_synced", lambda path, data: path.write_bytes(data))
    monkeypatch.setattr(files, "sync_folder", lambda folder: None)
    restless = Restless(tmp_path, seed)
    try:
        for _ in range(40):
            with suppress(TeachableError):  # that could not be done just then
                restless.act()
            restless.look()
    finally:
        restless.store.close()
