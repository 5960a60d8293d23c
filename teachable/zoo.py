"""torchvision's classifiers: what is published about each, and the part of each that makes a backbone.

It owns the search for the last map of a network it has never seen. It loads torch and torchvision, two seconds and half
a gigabyte, so only a child process imports it (`teachable.conversion`). It fetches nothing.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torchvision
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torchvision.models import WeightsEnum, get_model_builder, get_model_weights, list_models
from torchvision.transforms import InterpolationMode

from teachable.errors import ModelFileError, NotFound
from teachable.graphs import Preprocessing
from teachable.official import Described, find, hash_prefix, plain

log = logging.getLogger(__name__)

LICENCE = "BSD-3-Clause"
"""Of torchvision, and so of those weights that name no licence of their own."""

# What may come between the last map and the answer. A network with anything else there, attention between places for
# one, has no map whose mean it decides by.
_REDUCING_LAYERS = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.Flatten)
_REDUCING_CALLS = {"adaptive_avg_pool2d", "avg_pool2d", "mean", "flatten", "view", "reshape"}
_KEEPING_LAYERS = (
    *(nn.Identity, nn.Dropout, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Softmax),
    *(nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d),
)
_KEEPING_CALLS = {"relu", "relu6", "hardswish", "silu", "gelu", "tanh", "dropout", "layer_norm", "softmax", "squeeze"}
_DENSE_LAYERS = (nn.Linear,)
_INTERPOLATIONS: Mapping[Any, Any] = {
    InterpolationMode.BILINEAR: "bilinear",
    InterpolationMode.BICUBIC: "bicubic",
}


def resolve(name: str) -> str:
    """Return torchvision's name of a classifier that may be written as people do, `ResNet-101`, or be an id of ours.

    Raises:
        NotFound: torchvision has no such classifier.
    """
    known = find(name)
    if known:
        return known.architecture
    wanted = plain(name)
    for architecture in list_models(torchvision.models):
        if plain(architecture) == wanted:
            return str(architecture)
    raise NotFound("network_unknown", network=name)


def describe(name: str) -> Described:
    """Return what torchvision publishes about a classifier of its own, with the weights it calls the default.

    Args:
        name: as `resolve` takes it.

    Raises:
        NotFound: torchvision has no such classifier.
    """
    architecture = resolve(name)
    weights = get_model_weights(architecture).DEFAULT
    return Described(
        architecture=architecture,
        url=weights.url,
        file=weights.url.rpartition("/")[2],
        download_bytes=round(weights.meta["_file_size"] * 2**20),
        accuracy=weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
        licence=weights.meta.get("license", LICENCE),
        source=f"torchvision, {weights}, trained on ImageNet",
    )


def check_usable(architecture: str) -> None:
    """Refuse a classifier that keeps no map of places to its end, before its weights are fetched.

    Args:
        architecture: torchvision's name of it.

    Raises:
        ModelFileError: there is no map whose mean it decides by. Some networks tell only when they have their weights.
    """
    try:
        with torch.device("meta"):
            last_map(_skeleton(architecture).eval(), preprocessing_of(architecture).size, architecture)
    except (NotImplementedError, RuntimeError):
        log.debug("whether %s has a map is seen when its weights are there", architecture, exc_info=True)


def by_hash(sha256: str) -> str | None:
    """Return the classifier whose default weights file has this SHA-256, in hex, as far as the file's name tells."""
    for architecture in list_models(torchvision.models):
        file = get_model_weights(architecture).DEFAULT.url.rpartition("/")[2]
        if sha256.startswith(hash_prefix(file)):
            return str(architecture)
    return None


def load(architecture: str, state_dict: object) -> tuple[nn.Module, Preprocessing]:
    """Return the part of a classifier that ends in its last map, and what it expects to be done to photos.

    Args:
        architecture: torchvision's name of it.
        state_dict: its weights, as its file holds them: a tensor for each name.

    Returns:
        A frozen module from float32 `[N, 3, size, size]` to float32 `[N, C, h, w]`, and the preprocessing of
        torchvision's own `Weights.transforms()`.

    Raises:
        ModelFileError: these are the weights of something else, or the network keeps no map of places to its end.
    """
    weights = get_model_weights(architecture).DEFAULT
    model = _filled(architecture, weights, state_dict).eval().requires_grad_(False)
    preprocessing = preprocessing_of(architecture)
    return last_map(model, preprocessing.size, architecture), preprocessing


def preprocessing_of(architecture: str) -> Preprocessing:
    """Return what torchvision does to a photo before this classifier sees it."""
    stated = get_model_weights(architecture).DEFAULT.transforms()
    (size,), (resize,) = stated.crop_size, stated.resize_size
    mean, std = ((float(one), float(two), float(three)) for one, two, three in (stated.mean, stated.std))
    interpolation = _INTERPOLATIONS[stated.interpolation]
    return Preprocessing(size, mean, std, resize, interpolation)


def last_map(model: nn.Module, size: int, name: str) -> nn.Module:
    """Return the part of a classifier that ends in its last map.

    The search begins at the answer and goes back through dense layers, norms and activations to the pooling, or where
    nothing is pooled the flattening, of a map `[N, C, h, w]` of several places. A network that decides place by
    place and pools its decisions has its last map before that.

    Args:
        model: maps float32 `[N, 3, size, size]` to `[N, classes]`; in evaluation mode.
        size: pixels of the square it sees.
        name: of the network, for the error.

    Raises:
        ModelFileError: there is something between the last map and the answer that mixes places.
    """
    traced = fx.GraphModule(model, _Tracer(autowrap_modules=(math, torchvision.ops)).trace(model))
    with torch.no_grad():
        ShapeProp(traced).propagate(torch.zeros(1, 3, size, size))
    end = traced.graph.output_node()
    found = _pooled(traced, end)
    if found is None:
        raise ModelFileError("network_without_map", network=name)
    end.args = (found,)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced


class _Tracer(fx.Tracer):
    """Keeps norms whole, which torchvision derives from torch's with a turn of the axes inside."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.LayerNorm) or super().is_leaf_module(m, module_qualified_name)


def _pooled(traced: fx.GraphModule, end: fx.Node) -> fx.Node | None:
    """Return the node of the last map, or None where there is none."""
    classes = _shape(end.all_input_nodes[0])[-1]
    node = end.all_input_nodes[0]
    while len(node.all_input_nodes) == 1:
        before = node.all_input_nodes[0]
        shape = _shape(before)
        if _is(traced, node, _REDUCING_LAYERS, _REDUCING_CALLS) and len(shape) == 4 and shape[2] * shape[3] > 1:
            return _before_decisions(traced, before, classes)
        if not _is(
            traced, node, (*_REDUCING_LAYERS, *_KEEPING_LAYERS, *_DENSE_LAYERS), _REDUCING_CALLS | _KEEPING_CALLS
        ):
            return None
        node = before
    return None


def _before_decisions(traced: fx.GraphModule, found: fx.Node, classes: int) -> fx.Node:
    """Return the map in front of a convolution that decides place by place, or the map itself if there is none."""
    node = found
    while _is(traced, node, _KEEPING_LAYERS, _KEEPING_CALLS):
        node = node.all_input_nodes[0]
    layer = _layer(traced, node)
    if not isinstance(layer, nn.Conv2d) or layer.kernel_size != (1, 1) or layer.out_channels != classes:
        return found
    node = node.all_input_nodes[0]
    while _is(traced, node, (nn.Dropout,), {"dropout"}):
        node = node.all_input_nodes[0]
    return node


def _is(traced: fx.GraphModule, node: fx.Node, layers: tuple[type[nn.Module], ...], calls: set[str]) -> bool:
    """Say whether a node is one of these layers, functions or methods."""
    layer = _layer(traced, node)
    if layer is not None:
        return isinstance(layer, layers)
    called = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    return node.op in ("call_method", "call_function") and called in calls


def _layer(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


def _shape(node: fx.Node) -> tuple[int, ...]:
    """Return the shape of what a node gives, empty for what is no tensor."""
    return tuple(getattr(node.meta.get("tensor_meta"), "shape", ()))


def _filled(architecture: str, weights: WeightsEnum, state_dict: object) -> nn.Module:
    """Return a classifier with these weights.

    torchvision's own builder puts them in, because some networks are built otherwise for published weights, and some
    files have older names inside.
    """
    if not isinstance(state_dict, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state_dict.items()
    ):
        raise _other_weights(architecture, {})
    try:
        with _giving(state_dict):
            model: nn.Module = get_model_builder(architecture)(weights=weights, progress=False)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _other_weights(architecture, state_dict) from error
    return model


@contextmanager
def _giving(state_dict: Mapping[str, Tensor]) -> Iterator[None]:
    """Let torchvision take these weights where it would fetch them."""
    fetching = WeightsEnum.get_state_dict
    WeightsEnum.get_state_dict = lambda *arguments, **options: state_dict
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = fetching


def _skeleton(architecture: str) -> nn.Module:
    """Return a classifier without weights, if it can be built so, or with random ones."""
    with warnings.catch_warnings():
        # Some builders have to say something about random weights.
        warnings.simplefilter("ignore")
        try:
            with torch.device("meta"):
                model: nn.Module = get_model_builder(architecture)()
        except NotImplementedError:
            model = get_model_builder(architecture)()
    return model


def _other_weights(architecture: str, came: Mapping[str, Tensor]) -> ModelFileError:
    """Return the error that says what was expected and what came."""
    wanted = {name: tuple(one.shape) for name, one in _skeleton(architecture).state_dict().items()}
    given = {name: tuple(one.shape) for name, one in came.items()}
    differing = [name for name, shape in wanted.items() if given.get(name) != shape]
    foreign = [name for name in given if name not in wanted]
    return ModelFileError(
        "weights_other",
        network=architecture,
        wanted=_part(wanted, differing),
        found=_part(given, [name for name in differing if name in given] or foreign),
    )


def _part(shapes: Mapping[str, tuple[int, ...]], names: list[str]) -> str:
    """Say how many tensors there are, and name one that tells."""
    telling = next((name for name in [*names, *shapes] if name in shapes), None)
    if telling is None:
        return str(len(shapes))
    return f"{len(shapes)}, “{telling[:60]}” {' x '.join(map(str, shapes[telling])) or 1}"
