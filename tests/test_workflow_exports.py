"""Taking a model away, with the real network, the real training process and the real formats."""

import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from making import DEADLINE, photo, photos, until
from taking import Bench, Copy, halted, use

from teachable.errors import NotFound
from teachable.exporting.bundle import read_archive
from teachable.runtime import Classifier
from teachable.types import TrainSettings
from teachable.workflow import Made, Workspace

RED, BLUE = (220, 60, 60), (60, 60, 220)
HOSTILE = ('say "hi" \\ ${1+1}', "🍎 </script><b>")


def taught(space: Workspace, groups: int = 4) -> str:
    """A trained project whose classes have hostile names."""
    project = space.create_project('My "project" </script>').id
    for place, one in enumerate(space.project(project).classes):
        space.update_class(project, one.id, name=HOSTILE[place])
        for group in range(groups):
            seed = 10_000 * place + 100 * group
            space.add_photos(project, one.id, f"{seed}", photos(range(seed, seed + 5), (RED, BLUE)[place]))
    train(space, project)
    return project


def train(space: Workspace, project: str) -> None:
    space.start_training(project, TrainSettings(epochs=20))
    assert space.wait_for_training(project, 60).training.state == "done"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("home"), offline=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def project(space: Workspace) -> str:
    """A project tests only take files from."""
    return taught(space)


def made(space: Workspace, project: str, format: str, variant: str) -> Made:
    space.start_export(project, format, variant)
    found = space.wait_for_export(project, format, variant, 120)
    assert (found.state, found.message) == ("done", None), found
    return found


@pytest.mark.parametrize("variant", ["full", "half", "quarter"])
def test_the_model_at_every_precision(space: Workspace, project: str, variant: str) -> None:
    found = made(space, project, "onnx", variant)
    check = found.check
    assert check is not None
    full = variant == "full"
    photos = 40 if full else 10  # the model itself was held against the preview when it was trained
    assert (check.total, check.same_class, found.held_out) == (photos, photos, not full)
    assert (found.ran, found.loses, check.held_out) == (True, False, 0 if full else 10)
    path, described = space.exported(project, "onnx", variant)
    assert found.size_bytes == path.stat().st_size
    assert described.variants == (found,)
    classifier = Classifier.load(path)
    assert classifier.labels == HOSTILE
    assert [one.label for one in classifier.predict([photo(1, RED), photo(2, BLUE)])] == list(HOSTILE)


def test_smaller_files_are_smaller(space: Workspace, project: str) -> None:
    full, half, quarter = (made(space, project, "onnx", one).size_bytes or 0 for one in ("full", "half", "quarter"))
    assert full > 1.8 * half > 1.5 * quarter


def test_a_format_made_from_a_smaller_file_does_not_make_it_again(
    space: Workspace, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(space, project, "onnx", "half")
    monkeypatch.setattr("teachable.exporting.precision.half", lambda model: pytest.fail("it is there"))
    assert made(space, project, "page", "half").check is not None


def test_a_smaller_file_made_for_a_format_is_not_offered_unchecked(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = taught(space)
    made(space, project, "page", "half")
    assert space.wait_for_export(project, "onnx", "half").state == "none"
    monkeypatch.setattr("teachable.exporting.precision.half", lambda model: pytest.fail("it is there"))
    assert made(space, project, "onnx", "half").check is not None


def test_the_full_file_is_the_model_itself(space: Workspace, project: str) -> None:
    made(space, project, "onnx", "full")
    assert space.exported(project, "onnx", "full")[0].read_bytes() == space.model_bytes(project)


def test_what_the_page_shows_is_plain_data(space: Workspace, project: str) -> None:
    made(space, project, "onnx", "full")
    found = space.exports(project)
    json.dumps(asdict(found), allow_nan=False)
    assert found.model is not None
    assert not found.stale
    assert [one.id for one in found.formats][:2] == ["onnx", "page"]


def test_a_network_that_is_gone_is_not_needed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with closing(bench):
        bench.add()
        bench.embed()
        bench.teach()
        bench.library.remove("sighted")
        bench.queue.start(bench.project, "onnx", "half")
        found = bench.queue.wait(bench.project, "onnx", "half", 60)
        assert found.check is not None
        assert (found.state, found.check.correct) == ("done", 10)


def test_a_thousand_classes_in_a_file_and_in_an_archive(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with closing(bench):
        bench.add(groups=3)
        record = bench.teach(more=998)
        for format in ("onnx", "python"):
            bench.queue.start(bench.project, format, "full")
            found = bench.queue.wait(bench.project, format, "full", 120)
            assert found.state == "done", found
        model = Classifier.load(bench.queue.exported(bench.project, "onnx", "full")[0])
        assert model.labels == record.labels
        archive, _ = bench.queue.exported(bench.project, "python", "full")
        assert json.loads(read_archive(archive, "signature.json"))["labels"] == list(record.labels)
        with zipfile.ZipFile(archive) as opened:
            assert opened.testzip() is None
            (inside,) = (name for name in opened.namelist() if name.endswith(".onnx"))
            assert Classifier.load(opened.read(inside)).labels == record.labels


# Beside other work


def test_a_training_during_an_export_and_an_export_during_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy()
    use(monkeypatch, copy)
    with Workspace(tmp_path / "home", offline=True) as space:
        project = taught(space)
        with halted(copy) as halt:
            space.start_export(project, "copy", "full")
            assert halt.entered.wait(DEADLINE)
            train(space, project)
            assert space.predict(project, photo(5, RED)).label == HOSTILE[0]
        assert space.wait_for_export(project, "copy", "full", 60).key == "export_outdated"
        space.start_training(project, TrainSettings(epochs=1000, batch_size=1, hidden_units=1000))
        space.start_export(project, "copy", "full")
        assert space.wait_for_export(project, "copy", "full", 60).state == "done"
        assert space.status(project).training.state == "running"
        space.cancel_training(project)


def test_an_export_right_after_training_knows_how_the_check_went(tmp_path: Path) -> None:
    with Workspace(tmp_path / "home", offline=True) as space:
        project = taught(space)
        space.start_training(project, TrainSettings(epochs=5))
        until(lambda: space.status(project).training.state == "done")
        space.start_export(project, "onnx", "full")
        assert space.wait_for_export(project, "onnx", "full", 60).state == "done"
        assert Classifier.load(space.exported(project, "onnx", "full")[0]).metadata.agreement is not None


def test_a_project_is_deleted_in_the_middle_of_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copy()
    use(monkeypatch, copy)
    with Workspace(tmp_path / "home", offline=True) as space:
        project = taught(space)
        tokens: list[str] = []
        with halted(copy) as halt:
            space.start_export(project, "copy", "full")
            assert halt.entered.wait(DEADLINE)
            deleting = threading.Thread(target=lambda: tokens.append(space.delete_project(project)))
            deleting.start()
            until(lambda: space._exports._orders[(project, "copy", "full")].cancelled.is_set())
        deleting.join()
        for call in (space.exports, lambda id_: space.start_export(id_, "copy", "full")):
            with pytest.raises(NotFound):
                call(project)
        space.restore_project(tokens[0])
        assert space.wait_for_export(project, "copy", "full").state == "none"
        assert not list((tmp_path / "home" / "projects" / project / "exports").rglob("*.onnx"))


def test_closing_in_the_middle_of_an_export_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copy()
    use(monkeypatch, copy)
    space = Workspace(tmp_path / "home", offline=True)
    project = taught(space)
    with halted(copy) as halt:
        space.start_export(project, "copy", "full")
        space.start_export(project, "copy", "other")
        assert halt.entered.wait(DEADLINE)
        closing_ = threading.Thread(target=space.close)
        closing_.start()
        until(lambda: space._exports._queue._closed)
    closing_.join(DEADLINE)
    assert not closing_.is_alive()
    assert not [one.name for one in threading.enumerate() if one.name == "make-exports"]


# Programs


def test_programs_have_the_real_labels_and_the_file_that_was_asked_for(space: Workspace, project: str) -> None:
    found = space.programs(project, "model-half.onnx")
    assert len({one.id for one in found}) == len(found) > 5
    assert "model-half.onnx" in found[0].code
    for wrong in ("other.onnx", "../model.onnx", "", 'model.onnx"'):
        with pytest.raises(NotFound) as caught:
            space.programs(project, wrong)
        assert caught.value.key == "export_file_unknown"
    with pytest.raises(NotFound) as caught:
        space.programs(space.create_project().id)
    assert caught.value.key == "model_not_trained"


def test_a_page_is_shared_only_when_it_is_there(space: Workspace, project: str) -> None:
    empty = taught(space)
    with pytest.raises(NotFound) as caught:
        space.share_page(empty, "half")
    assert caught.value.key == "export_missing"
    made(space, project, "page", "half")
    page = space.shared_page(space.share_page(project, "half"))
    text = page.read_text(encoding="utf-8")
    assert HOSTILE[1] not in text, "a name must not end the script it stands in"
    assert project not in text
