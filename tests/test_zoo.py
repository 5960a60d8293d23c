"""torchvision's classifiers as backbones: the right part of each, and the very preprocessing of torchvision."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import PIL.Image
import pytest
import torch
from graphing import copying, scene, session
from torch import nn
from torchvision.models import VisionTransformer, WeightsEnum, get_model_builder, get_model_weights

from teachable import graphs, official, zoo
from teachable.errors import ModelFileError, NotFound
from teachable.graphs import Preprocessing

ARCHITECTURES = [network.architecture for network in official.catalogue()]
# One of each kind: bilinear and cut out, bicubic, no gates. All seven take a minute.
THROUGH_ONNX = [
    "mobilenet_v3_small",
    pytest.param("efficientnet_b0", marks=pytest.mark.thorough),
    pytest.param("resnet18", marks=pytest.mark.thorough),
]
# Odd and even, portrait and landscape, smaller and larger than the networks see, up to four times as long as wide.
PHOTOS = [(300, 300), (481, 640), (333, 250), (97, 131), (701, 400), (151, 590)]
# Of the distance between two different photos; what Pillow and ONNX round differently grows in an untrained network.
TOLERANCE = 0.02


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Many threads on a busy computer wait for each other for most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_model(architecture: str, photos: Sequence[np.ndarray] = ()) -> nn.Module:
    """A network with random weights. With photos, its norms are set by them, so that photos give unlike embeddings."""
    torch.manual_seed(0)
    model: nn.Module = get_model_builder(architecture)()
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    if photos and norms:
        for norm in norms:
            norm.momentum = None
            norm.train()
        with torch.no_grad():
            model(torch.stack([transformed(architecture, photo) for photo in photos]))
    return model.eval()


def transformed(architecture: str, photo: np.ndarray) -> torch.Tensor:
    """What torchvision itself shows the network."""
    pixels: torch.Tensor = get_model_weights(architecture).DEFAULT.transforms()(PIL.Image.fromarray(photo))
    return pixels


def before_classifier(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """What the network gives to its classifier, float32 [N, C]."""
    seen: list[torch.Tensor] = []
    last = getattr(model, "classifier", None) or model.get_submodule("fc")
    handle = last.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(pixels)
    handle.remove()
    return seen[0].flatten(1)


# The part of the network


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_mean_of_the_last_map_is_what_torchvision_classifies(architecture: str) -> None:
    model = random_model(architecture)
    module, preprocessing = zoo.load(architecture, model.state_dict())
    pixels = torch.randn(2, 3, preprocessing.size, preprocessing.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = module(pixels)
    network = official.find(architecture)
    assert network is not None
    assert features.shape[:2] == (2, network.embedding_width)
    assert features.ndim == 4
    assert features.shape[2] * features.shape[3] > 1
    torch.testing.assert_close(features.mean((2, 3)), before_classifier(model, pixels), rtol=1e-4, atol=1e-5)
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_preprocessing_is_torchvisions_own(architecture: str) -> None:
    stated = get_model_weights(architecture).DEFAULT.transforms()
    found = zoo.preprocessing_of(architecture)
    assert [found.size] == stated.crop_size
    assert [found.resize] == stated.resize_size
    assert list(found.mean) == stated.mean
    assert list(found.std) == stated.std
    assert found.interpolation == stated.interpolation.value
    assert graphs.preprocessing_from(graphs.preprocessing_fields(found)) == found


@pytest.mark.parametrize("architecture", ["mobilenet_v3_large", "inception_v3"])
def test_the_network_sees_the_pixels_that_torchvision_shows(architecture: str) -> None:
    preprocessing = zoo.preprocessing_of(architecture)
    running = session(graphs.build(copying(), preprocessing))
    std = np.array(preprocessing.std).reshape(3, 1, 1)
    for number, size in enumerate(PHOTOS):
        photo = scene(*size, seed=number)
        (seen,) = running.run(["features"], {"image": photo[None]})
        steps = np.abs(seen[0] - transformed(architecture, photo).numpy()) * std * 255
        assert steps.max() < 2.01
        assert np.mean(steps > 0.5) < 0.01


@pytest.mark.parametrize("architecture", THROUGH_ONNX)
def test_the_graph_gives_the_embedding_of_torchvisions_transforms_and_model(architecture: str) -> None:
    model = random_model(architecture, [scene(200, 260, seed) for seed in range(8)])
    module, preprocessing = zoo.load(architecture, model.state_dict())
    graph = graphs.build(module, preprocessing)
    network = official.find(architecture)
    assert network is not None
    assert len(graph.SerializeToString(deterministic=True)) == network.size_bytes
    running = session(graph)
    photos = [scene(*size, seed=20 + number) for number, size in enumerate(PHOTOS)]
    ours = np.concatenate([running.run(["embedding"], {"image": photo[None]})[0] for photo in photos])
    pixels = torch.stack([transformed(architecture, photo) for photo in photos])
    theirs = before_classifier(model, pixels).numpy()
    distance = np.mean([np.linalg.norm(one - other) for one in theirs for other in theirs if one is not other])
    # Otherwise everything would agree with everything.
    assert distance > 0.2 * np.linalg.norm(theirs, axis=1).mean()
    middle = theirs.mean(axis=0)
    for one, other in zip(ours - middle, theirs - middle, strict=True):
        assert np.linalg.norm(one - other) < TOLERANCE * distance
        assert one @ other > 0.999 * np.linalg.norm(one) * np.linalg.norm(other)


class Model(nn.Module):
    """A map and what comes behind it."""

    def __init__(self, *behind: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.ReLU())
        self.behind = nn.Sequential(*behind)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.behind(self.features(pixels))
        return found


POOL, FLAT = nn.AdaptiveAvgPool2d(1), nn.Flatten()


@pytest.mark.parametrize(
    "behind",
    [
        (POOL, FLAT, nn.Linear(8, 5)),
        (POOL, FLAT, nn.LayerNorm(8), nn.Dropout(), nn.Linear(8, 6), nn.Hardswish(), nn.Linear(6, 5)),
        (nn.AvgPool2d(8), FLAT, nn.BatchNorm1d(8), nn.Linear(8, 5), nn.Softmax(dim=1)),
        (FLAT, nn.Linear(512, 5)),
        # Decides place by place, as SqueezeNet does: a map of eight decisions is no map of features.
        (nn.Dropout(), nn.Conv2d(8, 5, 1), nn.ReLU(), POOL, FLAT),
    ],
    ids=["pool", "many", "norm", "no pool", "place by place"],
)
def test_the_last_map_is_found_whatever_classifies_it(behind: tuple[nn.Module, ...]) -> None:
    model = Model(*behind).eval()
    module = zoo.last_map(model, 32, "mine")
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(module(pixels), model.features(pixels))


@pytest.mark.parametrize(
    "behind",
    [
        (nn.Flatten(2), nn.TransformerEncoderLayer(64, 1, 16), FLAT, nn.Linear(512, 5)),
        (POOL, FLAT, nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 5, 4), FLAT),
    ],
    ids=["attention", "convolution of numbers"],
)
def test_a_network_that_mixes_places_behind_its_map_is_refused(behind: tuple[nn.Module, ...]) -> None:
    with pytest.raises(ModelFileError, match=r"“mine” keeps no map"):
        zoo.last_map(Model(*behind).eval(), 32, "mine")


def test_a_vision_transformer_is_refused_in_words() -> None:
    model = VisionTransformer(image_size=224, patch_size=32, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8)
    with pytest.raises(ModelFileError, match="vit_b_32"):
        zoo.last_map(model.eval(), 224, "vit_b_32")


# Weights


def test_weights_of_another_network_are_refused_with_what_was_expected_and_what_came() -> None:
    other = random_model("mobilenet_v3_small").state_dict()
    with pytest.raises(ModelFileError) as caught:
        zoo.load("resnet18", other)
    assert "resnet18" in str(caught.value)
    assert re.search(r"Expected.*122, “conv1.weight” 64 x 3 x 7 x 7", str(caught.value))
    assert re.search(r"found: 244, “features", str(caught.value))


def test_a_sister_is_told_by_the_first_array_of_another_size() -> None:
    with torch.device("meta"):
        other = get_model_builder("mobilenet_v3_large")().state_dict()
    with pytest.raises(ModelFileError, match=r"“features[\w.]+” \d+.*“features[\w.]+” \d+"):
        zoo.load("mobilenet_v3_small", other)


def test_a_network_that_cannot_be_built_without_memory_is_refused_in_words_all_the_same() -> None:
    with pytest.raises(ModelFileError, match="regnet_y_400mf"):
        zoo.load("regnet_y_400mf", {"weight": torch.zeros(1)})


@pytest.mark.parametrize(
    "weights",
    [None, [], {}, "text", {1: torch.zeros(1)}, {"conv1.weight": 3}, {"model": {}}, {"conv1.weight": torch.zeros(1)}],
    ids=["none", "list", "empty", "text", "numbered", "number", "checkpoint", "shape"],
)
def test_what_are_no_weights_is_refused(weights: object) -> None:
    with pytest.raises(ModelFileError, match="resnet18"):
        zoo.load("resnet18", weights)


def test_one_array_too_many_or_too_few_is_refused() -> None:
    whole = random_model("mobilenet_v3_small").state_dict()
    fewer = OrderedDict(list(whole.items())[:-1])
    more = OrderedDict([*whole.items(), ("stranger", torch.zeros(2))])
    for weights, named in ((fewer, r"classifier\.3\.bias"), (more, "stranger")):
        with pytest.raises(ModelFileError, match=named):
            zoo.load("mobilenet_v3_small", weights)


def test_torchvision_fetches_as_before_afterwards() -> None:
    before = WeightsEnum.get_state_dict
    with pytest.raises(ModelFileError):
        zoo.load("mobilenet_v3_small", {})
    assert WeightsEnum.get_state_dict is before


def test_weights_under_the_names_of_old_files_are_taken() -> None:
    """DenseNet's published files name their layers as a version of long ago did; torchvision's builder translates."""
    torch.manual_seed(0)
    model = get_model_builder("densenet121")()
    old = OrderedDict(
        (re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name), tensor)
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    )
    module, _ = zoo.load("densenet121", old)
    with torch.no_grad():
        pixels = torch.randn(1, 3, 64, 64)
        expected = model.eval().features(pixels).relu()
        torch.testing.assert_close(module(pixels), expected)


# What is published


def test_everything_published_about_a_network_is_described() -> None:
    described = zoo.describe("resnet101")
    assert described.architecture == "resnet101"
    assert described.url.endswith(f"/{described.file}")
    assert re.fullmatch(r"[0-9a-f]{8}", described.hash_prefix)
    assert described.download_bytes > 150e6
    assert 75 < described.accuracy < 90
    assert described.licence == zoo.LICENCE
    assert "ResNet101_Weights" in described.source


def test_weights_with_a_licence_of_their_own_say_so() -> None:
    assert zoo.describe("vit_h_14").licence != zoo.LICENCE


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("resnet-18", "resnet18"), ("resnet18", "resnet18"), ("ResNet-101", "resnet101"), ("vgg11-bn", "vgg11_bn")],
)
def test_a_network_is_known_by_its_id_and_by_other_ways_to_write_it(name: str, architecture: str) -> None:
    assert zoo.resolve(name) == architecture


@pytest.mark.parametrize("name", ["", "resnet", "fcn_resnet50", "raft_large", "../resnet18"])
def test_what_is_no_classifier_of_torchvision_is_unknown(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        zoo.describe(name)
    assert caught.value.key == "network_unknown"


def test_any_weights_file_of_torchvision_is_recognised() -> None:
    assert zoo.by_hash(zoo.describe("resnet101").hash_prefix + "0" * 56) == "resnet101"
    assert zoo.by_hash("f" * 64) is None
    assert zoo.by_hash("") is None


def test_every_catalogued_network_is_described_as_catalogued() -> None:
    for network in official.catalogue():
        described = zoo.describe(network.id)
        assert (described.architecture, described.file) == (network.architecture, network.file)
        assert (described.download_bytes, described.accuracy) == (network.download_bytes, network.accuracy)
        assert (described.licence, described.source) == (network.licence, network.source)


def test_a_preprocessing_is_a_preprocessing() -> None:
    assert isinstance(zoo.preprocessing_of("inception_v3"), Preprocessing)
    assert zoo.preprocessing_of("inception_v3").size == 299
