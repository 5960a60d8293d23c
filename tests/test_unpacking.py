"""A project that goes out as a zip and comes in again is the same project, and a zip that lies makes none."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from making import photo, photos

from teachable import archives, project_zip
from teachable.arrivals import Choices, Import
from teachable.types import TrainSettings
from teachable.workflow import Workspace

RED, BLUE, GREEN = (220, 60, 60), (60, 60, 220), (60, 200, 60)
NEW = Choices(None, ())


@dataclass(frozen=True)
class Packed:
    space: Workspace
    id: str
    files: Mapping[str, bytes]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """A project with everything that can be said of one, and the files of its zip."""
    with Workspace(tmp_path_factory.mktemp("home")) as space:
        id_ = space.create_project("Pets ⛄").id
        first, second = (one.id for one in space.project(id_).classes)
        for place, class_id in enumerate((first, second)):
            for group in range(4):
                seed = 10_000 * place + 100 * group
                space.add_photos(id_, class_id, f"press {seed}", photos(range(seed, seed + 5), (RED, BLUE)[place]))
        space.add_photos(id_, first, "kept apart", photos(range(500, 503), RED), test=True)
        space.start_training(id_, TrainSettings(epochs=10, seed=3))
        assert space.wait_for_training(id_, 60).training.state == "done"
        space.update_class(id_, first, name="Cat / 1", color="#123456", position=1)
        third = space.add_class(id_, "Later").id
        space.update_class(id_, third, disabled=True)
        space.add_photos(id_, third, "green", photos(range(900, 903), GREEN))
        gone = space.samples(id_, second).samples[0]
        space.delete_samples(id_, [gone.id])
        space.start_training(id_, TrainSettings(epochs=12, seed=4))
        assert space.wait_for_training(id_, 60).training.state == "done"
        project = space._store.open(id_)
        oldest = project.versions.every()[0]
        project.versions.rename(oldest.record.id, "the first one")
        space.set_unknown_below(id_, 0.2)
        with zipfile.ZipFile(io.BytesIO(b"".join(space.pack(id_)))) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        yield Packed(space, id_, files)


def imported(space: Workspace, path: Path, files: Mapping[str, bytes]) -> Import:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    found = space.imports.wait(space.imports.open(path).id, 60)
    if found.state != "planned":
        return found
    space.imports.start(found.id, NEW)
    return space.imports.wait(found.id, 60)


def test_everything_comes_back_exactly(packed: Packed, tmp_path: Path) -> None:
    space = packed.space
    ended = imported(space, tmp_path / "x.zip", packed.files)
    assert (ended.state, ended.rejected, ended.added) == ("done", (), 45)
    assert ended.project not in {None, packed.id}
    old, new = (space._store.open(id_) for id_ in (packed.id, str(ended.project)))
    # Beside the one it came from, it is numbered, and nothing else differs.
    name = f"{old.info().name} (2)"
    assert archives.describe(new) == replace(archives.describe(old), name=name)
    assert replace(new.info(), id=old.id, undo=None, redo=None) == replace(old.info(), name=name, undo=None, redo=None)
    assert new.all_samples() == old.all_samples()
    assert [one.name for one in new.versions.every()] == ["the first one", None]
    assert new.versions.every() == old.versions.every()
    for version in old.versions.every():
        theirs, ours = (one.versions.files(version.record.id) for one in (old, new))
        assert theirs.keys() == ours.keys() == {"model.onnx", "outcomes.npz", "snapshot.gz"}
        assert all(theirs[name].read_bytes() == ours[name].read_bytes() for name in theirs)
    for sample in old.all_samples():
        assert new.photo_file(sample.sha256).read_bytes() == old.photo_file(sample.sha256).read_bytes()
    one = photo(7, RED)
    assert space.predict(new.id, one) == space.predict(old.id, one)
    # And it goes on: packed again it says the same, and it can be taught further.
    again = b"".join(space.pack(new.id))
    with zipfile.ZipFile(io.BytesIO(again)) as archive:
        once_more = {name: archive.read(name) for name in archive.namelist()}
    told = once_more[project_zip.DESCRIPTION].replace(b" (2)", b"")
    assert {**once_more, project_zip.DESCRIPTION: told} == packed.files
    assert space.project(new.id).undo is None
    space.add_photos(new.id, new.info().classes[0].id, "more", photos(range(70, 73), RED))
    assert max(sample.id for sample in new.all_samples()) > max(sample.id for sample in old.all_samples())


def test_a_photo_that_only_an_older_version_knows_comes_along(packed: Packed, tmp_path: Path) -> None:
    kept = [name for name in packed.files if name.startswith(project_zip.KEPT)]
    assert len(kept) == 1
    ended = imported(packed.space, tmp_path / "x.zip", packed.files)
    project = packed.space._store.open(str(ended.project))
    before = len(project.all_samples())
    oldest = project.versions.every()[0]
    network = project.info().network
    assert network is not None
    assert project.versions.restore(oldest.record.id, network).gone == 0
    assert len(project.all_samples()) == before - 3 + 1


def spoiled(packed: Packed, change: Callable[[dict[str, bytes], Any], None]) -> dict[str, bytes]:
    files = dict(packed.files)
    described = json.loads(files[project_zip.DESCRIPTION])
    change(files, described)
    files[project_zip.DESCRIPTION] = json.dumps(described).encode()
    return files


def test_photos_and_versions_that_are_not_what_is_said_are_left_out_and_told(packed: Packed, tmp_path: Path) -> None:
    page = b"<html><script>alert(1)</script>"

    def change(files: dict[str, bytes], described: Any) -> None:
        found = described["photos"]
        files[found[0]["file"]] = photo(12345, BLUE)
        files[found[1]["file"]] = page
        found[1]["sha256"] = hashlib.sha256(page).hexdigest()
        found[2]["width"] += 1
        del files[found[3]["file"]]
        found[4]["file"] = "../../../etc/hostname"
        files["models/0002.npz"] = b"PK\x05\x06" + b"\0" * 18

    ended = imported(packed.space, tmp_path / "x.zip", spoiled(packed, change))
    assert (ended.state, ended.rejected_total, ended.added) == ("done", 6, 40)
    assert len(ended.rejected) == 6
    assert all(one.reason and one.name for one in ended.rejected)
    # The version that is whole is the one in use now.
    versions = packed.space._store.open(str(ended.project)).versions
    assert [(one.number, one.current) for one in versions.every()] == [(1, True)]
    packed.space.predict(str(ended.project), photo(7, RED))


def test_a_project_without_a_good_version_is_one_that_was_not_trained(packed: Packed, tmp_path: Path) -> None:
    def change(files: dict[str, bytes], described: Any) -> None:
        files["models/0001.gz"] = b"\x1f\x8b nothing"
        record = described["versions"][1]["record"]
        record["class_ids"].append("f" * 32)
        record["labels"].append("Ghost")

    ended = imported(packed.space, tmp_path / "x.zip", spoiled(packed, change))
    assert (ended.state, ended.rejected_total, ended.added) == ("done", 2, 45)
    assert packed.space.model(str(ended.project)) is None


def hungry(data: bytes) -> bytes:
    """A model that asks for a hundred gigabytes before it answers as it should."""
    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    last = next(node for node in graph.node if "probabilities" in node.output)
    last.output[list(last.output).index("probabilities")] = "modest"
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([25_000_000_000], np.int64), "much"))
    graph.node.extend(
        [
            onnx.helper.make_node("ConstantOfShape", ["much"], ["zeros"]),
            onnx.helper.make_node("ReduceSum", ["zeros"], ["nothing"], keepdims=0),
            onnx.helper.make_node("Add", ["modest", "nothing"], ["probabilities"]),
        ]
    )
    return bytes(model.SerializeToString())


def test_a_file_that_is_no_model_or_would_eat_all_memory_is_left_out(packed: Packed, tmp_path: Path) -> None:
    def change(files: dict[str, bytes], described: Any) -> None:
        files["models/0001.onnx"] = hungry(files["models/0001.onnx"])
        files["models/0002.onnx"] = b"\x08\x01"

    ended = imported(packed.space, tmp_path / "x.zip", spoiled(packed, change))
    assert (ended.state, ended.rejected_total, ended.added) == ("done", 2, 45)
    assert {one.name for one in ended.rejected} == {"models/0001.onnx", "models/0002.onnx"}


def test_a_description_that_lies_makes_nothing(packed: Packed, tmp_path: Path) -> None:
    before = packed.space.projects()

    def change(files: dict[str, bytes], described: Any) -> None:
        described["classes"][0]["id"] = "../x"

    ended = imported(packed.space, tmp_path / "x.zip", spoiled(packed, change))
    assert ended.state == "failed"
    assert ended.message is not None
    assert "damaged" in ended.message
    assert packed.space.projects() == before
