import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import PIL.Image
import programming
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import ImageCms
from test_export import WIDTH, of_photos

import teachable
from teachable import backbones, export, metadata, runtime
from teachable.errors import InvalidInput, ModelFileError, NotFound, PhotoError, TooLarge
from teachable.runtime import Classifier, Prediction
from teachable.scores import ClassScore, Evaluation
from teachable.settings import Limits
from teachable.types import Head, Layer, TrainSettings

LABELS = ("it's", "{0}", "🐈‍⬛ חתול")


def about(labels: tuple[str, ...] = LABELS) -> metadata.ModelMetadata:
    scores = (ClassScore(0, 0),) * len(labels)
    counts = ((0,) * len(labels),) * len(labels)
    evaluation = Evaluation(None, None, None, 0, 0, scores, counts, tuple(range(len(labels))), ())
    return metadata.ModelMetadata(labels, "A project", 1.7e9, "net", "f" * 64, TrainSettings(), evaluation)


def head(classes: int, width: int) -> Head:
    random = np.random.default_rng(0)
    weight = random.normal(0, 2 * width**-0.5, (classes, width)).astype(np.float32)
    return Head((Layer(weight, random.normal(0, 0.1, classes).astype(np.float32)),))


def photo(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def changed(model: bytes, change: Callable[[onnx.ModelProto], object]) -> bytes:
    proto = onnx.load_from_string(model)
    change(proto)
    return proto.SerializeToString()


def entry(model: bytes, key: str, value: str | None) -> bytes:
    def change(proto: onnx.ModelProto) -> None:
        kept = {item.key: item.value for item in proto.metadata_props if item.key != key}
        del proto.metadata_props[:]
        for name, text in {**kept, **({} if value is None else {key: value})}.items():
            proto.metadata_props.add(key=name, value=text)

    return changed(model, change)


@pytest.fixture(scope="module")
def model() -> bytes:
    record = backbones.builtin()
    return export.append_head(backbones.read(record), head(len(LABELS), record.embedding_width), about())


@pytest.fixture(scope="module")
def classifier(model: bytes) -> Classifier:
    return Classifier.load(model)


# Loading


def test_file_and_bytes_load_alike(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    found = [Classifier.load(source).probabilities(photo()) for source in (model, path, str(path))]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_labels_and_metadata_are_those_written(classifier: Classifier) -> None:
    assert classifier.labels == LABELS
    assert classifier.metadata == replace(about(), teachable_version=teachable.__version__)


def test_package_offers_the_classifier() -> None:
    assert teachable.Classifier is Classifier
    assert teachable.Prediction is Prediction
    assert teachable.Explanation is runtime.Explanation


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no file “mine\.onnx”"):
        Classifier.load(tmp_path / "mine.onnx")


def test_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00" * 100, b"ORTM" * 50, b"PK\x03\x04", b"\x08\x0a", png(photo())])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"“mine\.onnx” is damaged") as caught:
        Classifier.load(data, name="mine.onnx")
    assert caught.value.key == "model_unreadable"


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_truncated_file_is_refused_wherever_it_ends(model: bytes, share: float) -> None:
    with pytest.raises(ModelFileError):
        Classifier.load(model[: int(len(model) * share)])


def test_file_far_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(runtime.LARGEST_MODEL + 1)
    with pytest.raises(ModelFileError, match="far larger"):
        Classifier.load(path)


def test_onnx_file_of_somebody_else_is_foreign() -> None:
    with pytest.raises(ModelFileError, match="not made by Teachable"):
        Classifier.load(backbones.read(backbones.builtin()))


def test_newer_file_says_to_update(model: bytes) -> None:
    newer = entry(model, "format_version", str(metadata.FORMAT_VERSION + 1))
    with pytest.raises(ModelFileError, match="Update Teachable"):
        Classifier.load(newer)


@pytest.mark.parametrize("labels", [None, "", "no json", '{"a": 1}', "[1, 2, 3]", "['a', 'b', 'c']"])
def test_labels_that_cannot_be_read_are_refused(model: bytes, labels: str | None) -> None:
    with pytest.raises(ModelFileError, match="“labels”"):
        Classifier.load(entry(model, "labels", labels))


@pytest.mark.parametrize("labels", ['["a", "b"]', '["a", "b", "c", "d"]'])
def test_wrong_number_of_labels_is_refused(model: bytes, labels: str) -> None:
    with pytest.raises(ModelFileError, match="tells 3 apart"):
        Classifier.load(entry(model, "labels", labels))


def foreign(
    kind: int = TensorProto.UINT8,
    shape: tuple[object, ...] = ("batch", "height", "width", 3),
    name: str = "image",
    output: str = "probabilities",
) -> bytes:
    """A file with our metadata whose graph gives the mean of each channel of whatever it is given."""
    nodes = [
        helper.make_node("Cast", [name], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], [output], keepdims=0),
    ]
    axes = numpy_helper.from_array(np.arange(1, len(shape) - 1), "axes")
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(name, kind, list(shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", shape[-1]])],
        [axes],
    )
    return with_our_entries(graph)


def with_our_entries(graph: onnx.GraphProto) -> bytes:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for key, value in metadata.to_entries(about()).items():
        made.metadata_props.add(key=key, value=value)
    return made.SerializeToString()


def test_graph_with_the_right_ports_is_taken() -> None:
    found = Classifier.load(foreign()).probabilities(np.full((4, 4, 3), 7, np.uint8))
    np.testing.assert_array_equal(found, [[7, 7, 7]])


@pytest.mark.parametrize(
    "data",
    [
        foreign(kind=TensorProto.FLOAT),
        foreign(shape=("batch", "height", 3)),
        foreign(shape=("batch", "height", "width", 4)),
        foreign(shape=("batch", "height", "width", "channels")),
        foreign(name="input"),
        foreign(output="scores"),
    ],
)
def test_graph_with_other_ports_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFileError, match="does not take photos"):
        Classifier.load(data)


def test_second_input_is_refused(model: bytes) -> None:
    def change(proto: onnx.ModelProto) -> None:
        proto.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))

    with pytest.raises(ModelFileError, match="does not take photos"):
        Classifier.load(changed(model, change))


def test_unknown_operator_is_refused(model: bytes) -> None:
    def change(proto: onnx.ModelProto) -> None:
        proto.graph.node[-1].op_type = "RunAnything"

    with pytest.raises(ModelFileError):
        Classifier.load(changed(model, change))


@pytest.mark.parametrize("location", ["secret.bin", "../secret.bin", "{folder}/secret.bin"])
def test_file_that_wants_other_files_read_is_refused(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    for folder in (tmp_path, tmp_path / "inner"):
        (folder / "secret.bin").write_bytes(np.ones(3, np.float32).tobytes())
    monkeypatch.chdir(tmp_path / "inner")
    tensor = TensorProto(name="bias", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    stated = {"location": location.format(folder=tmp_path), "offset": "0", "length": "12"}
    for key, value in stated.items():
        tensor.external_data.add(key=key, value=value)

    def change(proto: onnx.ModelProto) -> None:
        proto.graph.node[-1].output[0] = "means"
        proto.graph.initializer.append(tensor)
        proto.graph.node.append(helper.make_node("Add", ["means", "bias"], ["probabilities"]))

    data = changed(foreign(), change)
    (tmp_path / "inner" / "model.onnx").write_bytes(data)
    for source in (data, tmp_path / "inner" / "model.onnx"):
        with pytest.raises(ModelFileError):
            Classifier.load(source)


def test_graph_that_fails_while_running_says_so() -> None:
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["three"]),
        helper.make_node("Cast", ["three"], ["probabilities"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "fails",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["other", 3])],
        [numpy_helper.from_array(np.array([-1, 3]), "shape")],
    )
    too_many_rows = Classifier.load(with_our_entries(graph))
    with pytest.raises(ModelFileError) as caught:
        too_many_rows.predict(photo())
    assert caught.value.key == "model_fails"
    graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([1, 3]), "shape"))
    stops = Classifier.load(with_our_entries(graph))
    with pytest.raises(ModelFileError) as caught:
        stops.predict(photo())
    assert caught.value.key == "model_fails"


# How familiar a photo is, and why


@pytest.mark.parametrize("familiar", [True, False])
def test_prediction_says_whether_the_photo_is_known(familiar: bool) -> None:
    found = Classifier.load(programming.model(familiar)[0])
    for prediction in found.predict([photo(), photo(33, 90), photo(seed=2)]):
        assert prediction.familiarity == float(familiar)
        assert prediction.known is familiar


def test_file_of_before_cannot_say_what_is_known(classifier: Classifier) -> None:
    (prediction,) = classifier.predict(photo())
    assert prediction.familiarity is None
    assert prediction.known is None
    assert classifier.answers(photo()).familiarity is None
    assert classifier.explain(photo()).prediction == prediction


def test_threshold_is_that_of_the_file() -> None:
    data, said = programming.model(False)
    for below, known in ((0.0, True), (0.01, False)):
        changed_file = export.with_metadata(data, replace(said, unknown_below=below))
        assert Classifier.load(changed_file).predict(photo())[0].known is known


def test_entry_without_output_and_output_without_entry_do_no_harm(model: bytes) -> None:
    told = entry(model, "familiarity", '{"below": 0.1, "held_out": 30}')
    assert Classifier.load(told).predict(photo())[0].known is None
    silent = entry(programming.model(True)[0], "familiarity", None)
    (prediction,) = Classifier.load(silent).predict(photo())
    assert (prediction.familiarity, prediction.known) == (1.0, None)


def test_familiarity_keeps_the_order_among_photos_of_many_sizes() -> None:
    backbone = backbones.read(backbones.builtin())
    found, _ = of_photos(backbone)
    mixed = Classifier.load(export.append_head(backbone, head(2, WIDTH), about(("a", "b")), found))
    pictures = [photo(*((60, 80), (80, 60), (7, 3))[seed % 3], seed=seed) for seed in range(runtime.WINDOW + 5)]
    together = mixed.answers(pictures).familiarity
    assert together is not None
    alone = [float(one.familiarity[0]) for one in map(mixed.answers, pictures) if one.familiarity is not None]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert len(set(alone)) > 5
    assert mixed.answers([]).familiarity is not None


def with_familiarity(shape: list[object], value: float = np.nan, kind: int = TensorProto.FLOAT) -> bytes:
    """A file of somebody with an output of that name, which says the same of every photo."""

    def change(proto: onnx.ModelProto) -> None:
        proto.graph.initializer.append(numpy_helper.from_array(np.array([value], np.float32), "constant"))
        proto.graph.node.append(helper.make_node("Cast", ["constant"], ["familiarity"], to=kind))
        proto.graph.output.append(helper.make_tensor_value_info("familiarity", kind, shape))

    return entry(changed(foreign(), change), "familiarity", '{"below": 0.1, "held_out": 30}')


def test_familiarity_that_is_no_number_is_that_of_a_strange_photo() -> None:
    (prediction,) = Classifier.load(with_familiarity([1])).predict(photo())
    assert (prediction.familiarity, prediction.known) == (0.0, False)
    (prediction,) = Classifier.load(with_familiarity([1], 7.0)).predict(photo())
    assert (prediction.familiarity, prediction.known) == (1.0, True)


def test_familiarity_of_another_form_is_refused() -> None:
    for data in (with_familiarity([1, 1]), with_familiarity([1], 1.0, TensorProto.INT64)):
        with pytest.raises(ModelFileError):
            Classifier.load(data)
    one_for_two = Classifier.load(with_familiarity([1], 0.5))
    with pytest.raises(ModelFileError) as caught:
        one_for_two.predict(np.stack([photo(), photo()]))
    assert caught.value.key == "model_fails"


def test_explanation_shows_which_places_speak_for_which_class(classifier: Classifier) -> None:
    found = classifier.explain(photo())
    np.testing.assert_array_equal(found.probabilities, classifier.probabilities(photo())[0])
    assert found.prediction == classifier.predict(photo())[0]
    assert found.heatmap.shape[0] == len(LABELS)
    # The head has one layer: the mean of the map of a class is its logit without the bias.
    record = backbones.builtin()
    logits = found.heatmap.mean((1, 2)) + head(len(LABELS), record.embedding_width).layers[0].bias
    shares = np.exp(logits - logits.max())
    np.testing.assert_allclose(shares / shares.sum(), found.probabilities, atol=1e-4)


def test_only_one_photo_can_be_explained(classifier: Classifier) -> None:
    assert classifier.explain([photo()]).heatmap.size
    for many in ([], [photo(), photo()], np.stack([photo(), photo()])):
        with pytest.raises(InvalidInput):
            classifier.explain(many)  # type: ignore[arg-type]


def test_file_without_a_heatmap_says_so() -> None:
    with pytest.raises(ModelFileError):
        Classifier.load(foreign()).explain(photo())


# Predicting


def test_prediction_names_the_most_probable_class(classifier: Classifier) -> None:
    row = classifier.probabilities(photo())[0]
    (prediction,) = classifier.predict(photo())
    assert prediction.label == LABELS[row.argmax()]
    assert prediction.probability == float(row.max())
    assert list(prediction.probabilities) == list(LABELS)
    assert list(prediction.probabilities.values()) == row.tolist()


def test_photo_may_be_path_name_bytes_picture_or_pixels(classifier: Classifier, tmp_path: Path) -> None:
    pixels = photo()
    path = tmp_path / "photo.png"
    path.write_bytes(png(pixels))
    with PIL.Image.open(path) as opened:
        sources = [path, str(path), png(pixels), PIL.Image.fromarray(pixels), opened, pixels]
        single = [classifier.predict(source) for source in sources]
        assert all(found == single[0] for found in single)
        together = classifier.predict(sources)
    assert [found.label for found in together] == [single[0][0].label] * len(sources)
    np.testing.assert_allclose(
        [found.probability for found in together], [single[0][0].probability] * len(sources), atol=1e-5
    )


def test_many_photos_may_come_as_array_list_or_generator(classifier: Classifier) -> None:
    batch = np.stack([photo(seed=seed) for seed in range(3)])
    found = [classifier.probabilities(many) for many in (batch, list(batch), (pixels for pixels in batch))]
    assert found[0].shape == (3, len(LABELS))
    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("nothing", [[], (), np.empty((0, 4, 4, 3), np.uint8)])
def test_no_photo_gives_no_prediction(classifier: Classifier, nothing: list[np.ndarray]) -> None:
    assert classifier.predict(nothing) == []
    assert classifier.probabilities(nothing).shape == (0, len(LABELS))


def test_order_is_kept_among_many_photos_of_many_sizes(classifier: Classifier) -> None:
    sizes = [(60, 80), (80, 60), (7, 3), (1, 1), (33, 200)]
    mixed = [photo(*sizes[seed % len(sizes)], seed=seed) for seed in range(2 * runtime.WINDOW + 5)]
    together = classifier.probabilities(mixed)
    alone = np.concatenate([classifier.probabilities(pixels) for pixels in mixed])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_batches_are_bounded_by_number_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    small = [np.zeros((10, 10, 3), np.uint8)] * (2 * runtime.BATCH + 1)
    assert [len(places) for places in runtime.batches(small)] == [runtime.BATCH, runtime.BATCH, 1]
    monkeypatch.setattr(runtime, "BATCH_BYTES", 700)
    assert [len(places) for places in runtime.batches(small[:5])] == [2, 2, 1]
    monkeypatch.setattr(runtime, "BATCH_BYTES", 10)
    assert [len(places) for places in runtime.batches(small[:2])] == [1, 1]


def test_photo_turned_by_its_camera_is_seen_upright(classifier: Classifier) -> None:
    picture = PIL.Image.fromarray(photo())
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture.transpose(PIL.Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
    upright = classifier.probabilities(photo())
    np.testing.assert_array_equal(classifier.probabilities(stream.getvalue()), upright)
    np.testing.assert_array_equal(classifier.probabilities(PIL.Image.open(stream)), upright)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_picture_and_its_file_give_the_same_answer_in_every_mode(classifier: Classifier, mode: str) -> None:
    picture = PIL.Image.fromarray(photo())
    picture = PIL.Image.fromarray(photo()[..., 0].astype(np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
    stream = io.BytesIO()
    picture.save(stream, "JPEG" if mode == "CMYK" else "PNG")
    from_file = classifier.probabilities(stream.getvalue())
    np.testing.assert_array_equal(classifier.probabilities(PIL.Image.open(stream)), from_file)
    assert classifier.probabilities(picture).shape == from_file.shape


def test_colour_profile_counts_for_pictures_too(classifier: Classifier) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # sRGB with red and green swapped, so that applying it cannot be missed.
    swapped = profile.replace(b"rXYZ", b"kept").replace(b"gXYZ", b"rXYZ").replace(b"kept", b"gXYZ")
    stream = io.BytesIO()
    PIL.Image.fromarray(photo()).save(stream, "PNG", icc_profile=swapped)
    from_file = classifier.probabilities(stream.getvalue())
    np.testing.assert_array_equal(classifier.probabilities(PIL.Image.open(stream)), from_file)
    assert np.abs(from_file - classifier.probabilities(photo())).max() > 0.001


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 2, 4, 4, 3), np.uint8),
        np.uint8(3),
    ],
)
def test_array_that_is_no_photo_is_refused(classifier: Classifier, array: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match=r"\[height, width, 3\]"):
        classifier.predict([array])


@pytest.mark.parametrize("thing", [None, 3, object()])
def test_what_is_no_photo_at_all_is_refused(classifier: Classifier, thing: object) -> None:
    with pytest.raises(InvalidInput):
        classifier.predict([thing])  # type: ignore[list-item]
    with pytest.raises(InvalidInput):
        classifier.predict(thing)  # type: ignore[arg-type]


def test_missing_photo_is_named(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.jpg"):
        classifier.predict(tmp_path / "gone.jpg")


def test_folder_is_no_photo(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="folder"):
        classifier.predict(tmp_path)


def test_damaged_photo_is_named(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(png(photo())[:200])
    with pytest.raises(PhotoError, match=r"half\.png"):
        classifier.predict([path])


def test_photo_file_that_is_too_large_is_not_read_whole(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "limits", lambda: Limits(photo_bytes=1000))
    monkeypatch.setattr("teachable.images.limits", lambda: Limits(photo_bytes=1000))
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(TooLarge):
        classifier.predict(path)


def test_arrays_are_not_changed(classifier: Classifier) -> None:
    pixels = photo()
    pixels.setflags(write=False)
    before = pixels.copy()
    classifier.predict([pixels, pixels[:, ::-1]])
    np.testing.assert_array_equal(pixels, before)


def test_same_photo_gives_the_same_bits_from_many_threads(classifier: Classifier) -> None:
    expected = classifier.probabilities(photo())
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: classifier.probabilities(photo()), range(40)):
            np.testing.assert_array_equal(found, expected)


def test_classes_of_one_name_count_as_one(model: bytes) -> None:
    twice = Classifier.load(entry(model, "labels", '["cat", "dog", "cat"]'))
    row = twice.probabilities(photo())[0].tolist()
    (prediction,) = twice.predict(photo())
    assert prediction.probabilities == {"cat": row[0] + row[2], "dog": row[1]}
    assert prediction.probability == prediction.probabilities[prediction.label] == max(row[0] + row[2], row[1])


def test_answer_is_what_plain_onnxruntime_gives(classifier: Classifier, model: bytes) -> None:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["probabilities"], {"image": photo()[None]})
    np.testing.assert_array_equal(classifier.probabilities(photo()), expected)


def test_runtime_needs_neither_torch_nor_gradio_nor_onnx(model: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(model)
    (tmp_path / "photo.png").write_bytes(png(photo()))
    program = (
        "import sys\n"
        "from teachable.runtime import Classifier\n"
        "found = Classifier.load('model.onnx').predict('photo.png')\n"
        "assert len(found) == 1\n"
        "heavy = {'torch', 'torchvision', 'gradio', 'fastapi', 'onnx', 'onnxscript', 'typer', 'platformdirs'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
    assert ran.stderr == ""
