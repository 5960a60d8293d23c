"""The measurements of accuracy: their splits, what they keep, what they refuse, and one small run of everything."""

import re
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
import pytest
from onnx import TensorProto, helper

from teachable import backbones
from tests.benchmarks import datasets, fewshot
from tests.benchmarks.datasets import PhotoSet, Unusable
from tests.making import photo


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep embeddings and networks in a folder of the test."""
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))
    monkeypatch.setenv("TEACHABLE_HOME", str(tmp_path / "home"))


def folder_of_sets(folder: Path, each: int = 7) -> Path:
    for kind, color in (("red", (220, 60, 50)), ("blue", (40, 70, 220))):
        (folder / "colours" / kind).mkdir(parents=True)
        for number in range(each):
            (folder / "colours" / kind / f"{number}.jpg").write_bytes(photo(number + 100 * len(kind), color))
    return folder


def photo_set(*counts: int) -> PhotoSet:
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple(str(number) for number in range(len(counts)))
    return PhotoSet("set", names, tuple(Path(f"{row}.jpg") for row in range(len(labels))), labels)


def peer_file(path: Path, name: str = "image") -> Path:
    """A network that says the mean of each colour."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", [name, "axes"], ["embedding"], keepdims=0)],
        "peer",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


def test_splits_are_the_same_for_whoever_asks_and_hold_out_the_rest() -> None:
    labels = photo_set(8, 9).labels
    first, again = (list(datasets.splits(labels, 5, 3)) for _ in range(2))
    for (train, test), (train_again, test_again) in zip(first, again, strict=True):
        np.testing.assert_array_equal(train, train_again)
        np.testing.assert_array_equal(test, test_again)
        assert np.bincount(labels[train]).tolist() == [5, 5]
        assert sorted([*train, *test]) == list(range(17))
    assert any(set(first[0][0]) != set(train) for train, _ in first[1:])


def test_no_more_than_the_stated_number_of_a_class_is_held_out() -> None:
    labels = photo_set(datasets.HELD_OUT + 30, 12).labels
    ((_, test),) = datasets.splits(labels, 5, 1)
    assert np.bincount(labels[test]).tolist() == [datasets.HELD_OUT, 7]


def test_embeddings_are_kept_until_a_photo_or_the_network_changes(tmp_path: Path) -> None:
    (found,) = datasets.find(folder_of_sets(tmp_path / "sets"))
    asked = []

    def embed(photos: object) -> np.ndarray:
        asked.append(len(photos))
        return np.zeros((len(photos), 2), np.float32)

    for key in ("one", "one", "two"):
        assert datasets.embeddings_of(found, key, embed).shape == (14, 2)
    assert sum(asked) == 28
    found.photos[0].write_bytes(photo(5))
    datasets.embeddings_of(found, "one", embed)
    assert sum(asked) == 42


def test_an_interrupted_run_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = datasets.find(folder_of_sets(tmp_path / "sets"))

    def stopped(path: Path, values: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    def embed(photos: object) -> np.ndarray:
        return np.zeros((len(photos), 2), np.float32)

    with monkeypatch.context() as patched:
        patched.setattr("numpy.save", stopped)
        with pytest.raises(KeyboardInterrupt):
            datasets.embeddings_of(found, "key", embed)
    assert not datasets.embeddings_of(found, "key", embed).any()


@pytest.mark.parametrize(
    ("made", "said"),
    [((), "There is no folder"), (("sets",), "holds no folder"), (("sets/one/class",), "one is no set of photos")],
)
def test_folders_without_sets_are_refused(tmp_path: Path, made: tuple[str, ...], said: str) -> None:
    for name in made:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(Unusable, match=said):
        datasets.find(tmp_path / "sets")


def test_the_baseline_tells_colours_and_outlines_apart() -> None:
    plain, red, striped = np.full((3, 60, 90, 3), 128, np.uint8)
    red[..., 1:] = 0
    striped[::10] = 0
    rows = fewshot.colours_and_outlines([plain, red, striped])
    assert rows.shape == (3, 2276)
    assert rows.dtype == np.float32
    assert (rows[0, :512] != rows[1, :512]).any()
    assert (rows[0, 512:] != rows[2, 512:]).any()


def test_the_peer_sees_the_centre_square_from_minus_one_to_one(tmp_path: Path) -> None:
    photos = np.zeros((1, 20, 60, 3), np.uint8)
    photos[:, :, 20:40] = (0, 127, 254)
    embed = fewshot.peer(peer_file(tmp_path / "peer.onnx")).open()
    np.testing.assert_allclose(embed(list(photos)), [[-1, 0, 1]], atol=1e-6)


def test_the_square_of_the_peer_is_sampled_as_a_canvas_does_it() -> None:
    lines = np.zeros((40, 40, 3), np.uint8)
    lines[:, ::4] = 255
    # Four pixels become one. Between the two in its middle a canvas sees none of the lines; their mean is a quarter.
    assert not fewshot._sampled_square(lines, 10).any()
    assert (abs(fewshot._square(lines, 10)[:, 1:-1].astype(int) - 64) < 32).all()


@pytest.mark.parametrize("content", [None, b"no network"])
def test_a_peer_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "peer.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unusable, match=re.escape(str(path))):
        fewshot.peer(path)


def test_a_peer_with_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="takes pixels"):
        fewshot.peer(peer_file(tmp_path / "peer.onnx", "pixels"))


def test_the_table_says_what_is_missing_and_how_sure_it_is() -> None:
    first, second = (
        fewshot.Contender(fewshot.Source(name, name, lambda: fewshot.colours_and_outlines), "ours", fewshot.ours)
        for name in ("one", "two")
    )
    found = {
        first: {"set": np.array([0.5, 0.7])},
        second: {"set": np.array([0.6, 0.8])},
    }
    sets = [photo_set(3, 3), PhotoSet("small", ("a", "b"), (), np.array([0, 1]))]
    lines = list(fewshot.table(sets, found))
    assert lines[0] == "| network | head | set | small | mean | over one |"
    assert lines[2] == "| one | ours | 60.0 ± 10.0 | – | 60.0 ± 10.0 |  |"
    # Both splits say a tenth more, so about the difference there is no doubt.
    assert lines[3] == "| two | ours | 70.0 ± 10.0 | – | 70.0 ± 10.0 | +10.0 ± 0.0 |"


def test_everything_is_measured_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = folder_of_sets(tmp_path / "sets")
    peer = peer_file(tmp_path / "other.onnx")
    fewshot.main([str(sets), "--splits", "2", "--peer", str(peer)])
    text = capsys.readouterr().out
    rows = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| ")]
    builtin = backbones.builtin().id
    of_each = [["| network", "head"], [f"| {builtin}", "ours"], ["| peer other", "ours"], ["| peer other", "its own"]]
    assert rows == 2 * [*of_each, ["| colours + HOG", "ours"]]
    assert "20 photos per class\n\nNo set has so many photos." in text
    assert "- colours: 14 photos of 2 classes, 50.0 % by guessing" in text
    assert "left out" not in text


def test_a_candidate_is_measured_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = backbones.builtin()
    candidate = tmp_path / "candidate.onnx"
    candidate.write_bytes(backbones.read(record))
    fewshot.main([str(folder_of_sets(tmp_path / "sets")), "--splits", "1", "--network", str(candidate)])
    text = capsys.readouterr().out
    cells = {line.split(" | ")[0]: line.split(" | ")[2:4] for line in text.splitlines() if line.startswith("| ")}
    assert cells["| candidate.onnx"] == cells[f"| {record.id}"]
    assert "Teachable Machine's own network is left out" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "There is no folder nowhere."),
        (["{sets}", "--network", "nothing"], "nothing"),
        (["{sets}", "--network", "missing.onnx"], "There is no file missing.onnx."),
        (["{sets}", "--peer", "missing.onnx"], "There is no file missing.onnx."),
        (["{sets}", "--splits", "0"], "at least one split"),
    ],
)
def test_what_cannot_be_measured_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    sets = folder_of_sets(tmp_path / "sets")
    with pytest.raises(SystemExit) as ended:
        fewshot.main([one.format(sets=sets) for one in arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_photo_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = folder_of_sets(tmp_path / "sets")
    (sets / "colours" / "red" / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(SystemExit):
        fewshot.main([str(sets), "--splits", "1"])
    assert "broken.jpg" in capsys.readouterr().err


def test_the_picture_of_a_set_is_any_format_we_read(tmp_path: Path) -> None:
    sets = folder_of_sets(tmp_path / "sets", each=1)
    PIL.Image.new("RGB", (30, 20)).save(sets / "colours" / "red" / "other.png")
    (sets / "colours" / ".DS_Store").write_bytes(b"litter")
    (found,) = datasets.find(sets)
    assert sorted(path.name for path in found.photos) == ["0.jpg", "0.jpg", "other.png"]
    assert found.smallest == 1
