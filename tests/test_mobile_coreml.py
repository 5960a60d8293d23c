"""A Core ML package is looked at: picture, classes, and where its weights lie."""

import json
import warnings
from collections.abc import Mapping

import pytest
from phones import BODIES, SIZE, needs

from teachable.errors import ModelFileError
from teachable.exporting import mobile_coreml, mobile_graph
from teachable.exporting.formats.coreml import EXPORTER

LABELS = ["one", "two \N{HEAVY EXCLAMATION MARK SYMBOL}", 'three "3"']
MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.fixture(scope="module")
def files() -> Mapping[str, bytes]:
    needs(EXPORTER.extra)
    about = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "labels": LABELS, "half": False}
    texts = {"name": "A project", "author": "Somebody", "licence": "Apache-2.0", "version": "7"}
    with warnings.catch_warnings():
        # coremltools has much to say about torch.
        warnings.simplefilter("ignore")
        network = mobile_graph.read(BODIES["branches"]())
        return mobile_coreml.write(network, {**about, **texts}, lambda part: None)


def test_a_whole_package_passes(files: Mapping[str, bytes]) -> None:
    mobile_coreml.look(files, LABELS, SIZE)


def test_it_says_who_made_it_and_when_is_left_out(files: Mapping[str, bytes]) -> None:
    from coremltools.proto import Model_pb2

    said = Model_pb2.Model.FromString(files[MODEL]).description.metadata
    assert (said.shortDescription, said.author, said.license, said.versionString) == (
        *("A project", "Somebody", "Apache-2.0", "7"),
    )
    assert not [key for key in said.userDefined if "date" in key]


def test_the_manifest_names_what_is_there(files: Mapping[str, bytes]) -> None:
    manifest = json.loads(files["Manifest.json"])
    assert manifest["rootModelIdentifier"] in manifest["itemInfoEntries"]
    paths = {entry["path"] for entry in manifest["itemInfoEntries"].values()}
    assert paths == {"com.apple.CoreML/model.mlmodel", "com.apple.CoreML/weights"}


def test_other_classes_or_another_size_are_refused(files: Mapping[str, bytes]) -> None:
    for labels, size in ((LABELS[::-1], SIZE), (LABELS, SIZE + 1)):
        with pytest.raises(ModelFileError):
            mobile_coreml.look(files, labels, size)


@pytest.mark.parametrize("name", [MODEL, WEIGHTS, "Manifest.json"])
def test_what_is_missing_or_cut_short_is_refused(files: Mapping[str, bytes], name: str) -> None:
    without = {one: data for one, data in files.items() if one != name}
    for broken in (without, {**files, name: files[name][: len(files[name]) // 2]}):
        with pytest.raises(ModelFileError):
            mobile_coreml.look(broken, LABELS, SIZE)
