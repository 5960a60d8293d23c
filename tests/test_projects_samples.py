"""Samples of a project: adding, repeats, paging, deleting, moving, undo and purge."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from teachable.errors import Conflict, InvalidInput, NotFound
from teachable.images import prepare
from teachable.projects import Project, ProjectStore, intake
from teachable.settings import Limits
from teachable.types import Sample


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ProjectStore]:
    with closing(ProjectStore(tmp_path)) as opened:
        yield opened


@pytest.fixture
def project(store: ProjectStore) -> Project:
    return store.create()


def photo(seed: int, kind: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def add(project: Project, class_id: str, *seeds: int, group: str = "g") -> tuple[Sample, ...]:
    return project.add_photos(class_id, group, [(f"{seed}.jpg", photo(seed)) for seed in seeds]).added


def both(project: Project) -> tuple[str, str]:
    one, two = project.info().classes[:2]
    return one.id, two.id


def counts(project: Project) -> list[int]:
    return [info.samples for info in project.info().classes]


def files(project: Project) -> set[str]:
    return {path.stem for path in (project.folder / "samples").rglob("*") if path.is_file()}


def shas(project: Project) -> set[str]:
    return {sample.sha256 for sample in project.all_samples()}


# Adding


def test_added_photos_are_there_in_the_order_sent(project: Project) -> None:
    one, _ = both(project)
    result = project.add_photos(one, "press-1", [(f"{seed}.png", photo(seed, "PNG")) for seed in range(5)])
    assert (len(result.added), result.repeats, result.rejected) == (5, 0, ())
    assert [sample.id for sample in result.added] == sorted(sample.id for sample in result.added)
    for seed, sample in enumerate(result.added):
        assert (sample.class_id, sample.group, sample.width, sample.height) == (one, "press-1", 32, 24)
        stored = project.photo_file(sample.sha256)
        assert stored.relative_to(project.folder).parts == ("samples", sample.sha256[:2], f"{sample.sha256}.jpg")
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == sample.sha256
        assert stored.read_bytes() == prepare(photo(seed, "PNG")).data
        assert project.sample(sample.id) == sample
    assert project.all_samples() == result.added


def test_a_bad_file_does_not_stop_the_others(project: Project) -> None:
    one, _ = both(project)
    sent = [("a.jpg", photo(1)), ("b.jpg", b""), ("c.jpg", b"text"), ("d.jpg", photo(2)[:-50]), ("e.jpg", photo(3))]
    result = project.add_photos(one, "g", sent)
    assert [sample.sha256 for sample in result.added] == [hashlib.sha256(photo(seed)).hexdigest() for seed in (1, 3)]
    assert [(entry.name, entry.key) for entry in result.rejected] == [
        ("b.jpg", "photo_empty"),
        ("c.jpg", "photo_unknown"),
        ("d.jpg", "photo_truncated"),
    ]
    assert all(f"“{entry.name}”" in entry.reason and entry.values["name"] == entry.name for entry in result.rejected)
    assert files(project) == shas(project)


def test_exact_repeats_in_a_class_are_skipped_and_counted(project: Project) -> None:
    one, two = both(project)
    png = photo(9, "PNG")
    first = project.add_photos(one, "g", [("a", photo(1)), ("b", photo(1)), ("c", photo(2)), ("d", png)])
    assert (len(first.added), first.repeats) == (3, 1)
    again = project.add_photos(one, "h", [("a", photo(2)), ("b", photo(3)), ("c", png)])
    assert (len(again.added), again.repeats) == (1, 2)
    stored = project.photo_file(first.added[2].sha256).read_bytes()  # the JPEG made from the PNG: same stored photo
    assert project.add_photos(one, "g", [("d", stored)]).repeats == 1
    assert len(add(project, two, 1, 2)) == 2  # another class may have the same photo
    assert counts(project) == [4, 2]
    assert files(project) == shas(project)


def test_a_deleted_photo_can_be_added_again(project: Project) -> None:
    one, _ = both(project)
    (old,) = add(project, one, 1)
    token = project.delete_samples([old.id])
    (new,) = add(project, one, 1)
    assert new.id > old.id
    project.undo(token)
    assert counts(project) == [1, 0]
    assert project.photo_file(new.sha256).exists()


def test_a_long_upload_is_taken_from_a_generator_bit_by_bit(project: Project) -> None:
    one, _ = both(project)
    pending: list[int] = []

    def upload() -> Iterator[tuple[str, bytes]]:
        for seed in range(2 * intake.PHOTOS_AT_ONCE + 3):
            pending.append(seed - counts(project)[0])
            yield f"{seed}", photo(seed)

    assert len(project.add_photos(one, "g", upload()).added) == 2 * intake.PHOTOS_AT_ONCE + 3
    assert max(pending) < intake.PHOTOS_AT_ONCE


def test_an_empty_upload_changes_nothing(project: Project) -> None:
    before = project.info()
    result = project.add_photos(both(project)[0], "g", [])
    assert (result.added, result.repeats, result.rejected) == ((), 0, ())
    assert project.info() == before


@pytest.mark.parametrize("group", ["", "  ", "x" * 101, "a\nb", "\0"])
def test_bad_groups_are_refused(project: Project, group: str) -> None:
    with pytest.raises(InvalidInput):
        project.add_photos(both(project)[0], group, [("a", photo(1))])


def test_photos_beyond_the_limit_are_rejected_in_words(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "limits", lambda: Limits(samples=3))
    one, two = both(project)
    add(project, one, 1)
    result = project.add_photos(two, "g", [(f"{seed}.jpg", photo(seed)) for seed in range(2, 6)])
    assert (len(result.added), result.repeats) == (2, 0)
    assert [(entry.name, entry.key) for entry in result.rejected] == [
        ("4.jpg", "too_many_samples"),
        ("5.jpg", "too_many_samples"),
    ]
    assert files(project) == shas(project)


# Reading


def test_pages_are_newest_first_and_end(project: Project) -> None:
    one, two = both(project)
    ids = [sample.id for sample in add(project, one, *range(7))]
    add(project, two, 100)
    first = project.samples(one, limit=3)
    assert ([sample.id for sample in first.samples], first.total, first.next) == (ids[:-4:-1], 7, ids[4])
    second = project.samples(one, limit=3, before=first.next)
    assert ([sample.id for sample in second.samples], second.next) == (ids[3:0:-1], ids[1])
    third = project.samples(one, limit=3, before=second.next)
    assert ([sample.id for sample in third.samples], third.next) == ([ids[0]], None)
    assert project.samples(one, limit=7).next is None
    for odd in (0, -5, 10**40):
        assert project.samples(one, limit=2, before=odd).total == 7


def test_paging_and_counting_use_an_index(project: Project) -> None:
    one, _ = both(project)
    statements: list[str] = []
    with project._database.read() as connection:
        connection.set_trace_callback(statements.append)
    project.samples(one)
    project.info()
    with project._database.read() as connection:
        connection.set_trace_callback(None)
        plans = [
            step[3]
            for statement in statements
            if " samples" in statement and not statement.startswith("--")
            for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    steps = [step for step in plans if " samples" in step]
    assert len(steps) >= 3
    assert all("USING" in step and "INDEX" in step for step in steps)


def test_all_samples_can_leave_out_disabled_classes(project: Project) -> None:
    one, two = both(project)
    mine, _ = add(project, one, 1, 2), add(project, two, 3)
    project.update_class(two, disabled=True)
    assert project.all_samples(enabled_only=True) == mine
    assert len(project.all_samples()) == 3


@pytest.mark.parametrize("sample_id", [0, -1, 999, 2**63, 10**40])
def test_unknown_samples_are_not_found(project: Project, sample_id: int) -> None:
    one, two = both(project)
    add(project, one, 1)
    with pytest.raises(NotFound):
        project.sample(sample_id)
    with pytest.raises(NotFound):
        project.delete_samples([sample_id])
    with pytest.raises(NotFound):
        project.move_samples([sample_id], two)
    assert counts(project) == [1, 0]


def test_a_photo_whose_file_is_missing_is_not_found(project: Project) -> None:
    (sample,) = add(project, both(project)[0], 1)
    project.photo_file(sample.sha256).unlink()
    with pytest.raises(NotFound):
        project.photo_file(sample.sha256)
    assert add(project, both(project)[1], 1)  # adding it again, to any class, heals it
    assert project.photo_file(sample.sha256).exists()


# Deleting, moving, undo


def test_deleted_samples_are_nowhere_and_come_back(project: Project) -> None:
    one, _ = both(project)
    added = add(project, one, 1, 2, 3)
    token = project.delete_samples([added[0].id, added[2].id, 10**6])
    assert counts(project) == [1, 0]
    assert project.all_samples() == project.samples(one).samples == (added[1],)
    assert project.samples(one).total == 1
    with pytest.raises(NotFound):
        project.sample(added[0].id)
    with pytest.raises(NotFound):
        project.delete_samples([added[0].id])
    project.undo(token)
    assert project.all_samples() == added
    with pytest.raises(NotFound) as caught:
        project.undo(token)
    assert caught.value.key == "undo_over"


def test_a_cleared_class_comes_back(project: Project) -> None:
    one, two = both(project)
    added = add(project, one, 1, 2) + add(project, two, 3)
    token = project.clear_class(one)
    assert counts(project) == [0, 1]
    project.undo(token)
    assert project.all_samples() == added
    project.undo(project.clear_class(project.add_class().id))  # an empty one too


def test_a_deleted_class_takes_its_samples_along(project: Project) -> None:
    one, two = both(project)
    mine = add(project, one, 1, 2)
    add(project, two, 3)
    gone_before = project.delete_samples([mine[0].id])
    token = project.delete_class(one)
    assert [info.id for info in project.info().classes] == [two]
    assert len(project.all_samples()) == 1
    for call in (project.samples, project.clear_class, project.delete_class):
        with pytest.raises(NotFound):
            call(one)
    with pytest.raises(NotFound):
        project.add_photos(one, "g", [("a", photo(9))])
    with pytest.raises(NotFound):
        project.sample(mine[1].id)
    with pytest.raises(Conflict) as caught:
        project.undo(gone_before)
    assert caught.value.key == "undo_class_gone"
    project.undo(token)
    assert counts(project) == [1, 1]
    project.undo(gone_before)
    assert counts(project) == [2, 1]


def test_moved_samples_keep_id_and_group_and_move_back(project: Project) -> None:
    one, two = both(project)
    added = add(project, one, 1, 2, 3, group="press")
    token = project.move_samples([sample.id for sample in added[:2]], two)
    assert counts(project) == [1, 2]
    moved = project.sample(added[0].id)
    assert (moved.class_id, moved.group, moved.sha256) == (two, "press", added[0].sha256)
    project.undo(token)
    assert project.all_samples() == added


def test_moving_what_the_target_has_removes_it(project: Project) -> None:
    one, two = both(project)
    first, second = add(project, one, 1, 2)
    add(project, two, 1)
    token = project.move_samples([first.id, second.id], two)
    assert counts(project) == [0, 2]
    project.undo(token)
    assert counts(project) == [2, 1]
    assert project.sample(first.id) == first


def test_moving_within_a_class_changes_nothing(project: Project) -> None:
    one, _ = both(project)
    added = add(project, one, 1)
    project.undo(project.move_samples([added[0].id], one))
    assert project.all_samples() == added


def test_undoing_a_move_leaves_what_happened_since(project: Project) -> None:
    one, two = both(project)
    third = project.add_class().id
    first, second, last = add(project, one, 1, 2, 3)
    token = project.move_samples([first.id, second.id, last.id], two)
    project.move_samples([first.id], third)
    add(project, one, 2)
    project.undo(token)
    assert project.sample(first.id).class_id == third
    assert project.sample(second.id).class_id == two  # its old class has the photo again
    assert project.sample(last.id).class_id == one
    assert counts(project) == [2, 1, 1]


def test_undoing_a_move_needs_the_class_it_came_from(project: Project) -> None:
    one, two = both(project)
    (sample,) = add(project, one, 1)
    move = project.move_samples([sample.id], two)
    deletion = project.delete_class(one)
    with pytest.raises(Conflict):
        project.undo(move)
    project.undo(deletion)
    project.undo(move)
    assert project.sample(sample.id) == sample


def test_two_sessions_share_what_can_be_undone(tmp_path: Path) -> None:
    with closing(ProjectStore(tmp_path)) as store:
        project = store.create()
        one, _ = both(project)
        add(project, one, 1, 2)
        token = project.clear_class(one)
        with closing(ProjectStore(tmp_path)) as other:
            assert counts(other.open(project.id)) == [0, 0]
            assert files(project), "nothing is purged while another session lives"
            other.open(project.id).undo(token)
        assert counts(project) == [2, 0]
        assert files(project) == shas(project)
