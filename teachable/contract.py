"""What a network from elsewhere must keep to be used as a backbone, checked on its file and by running it.

It owns the contract: one ONNX file that takes photos of any size and gives a map and its mean. The file is hostile
until it has passed. Declarations are checked before anything is computed, but a graph can ask for any amount of memory
and time once it runs, so `teachable.conversion` calls this in a child process with limits on both.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from teachable.errors import ModelFileError
from teachable.graphs import IR_VERSION, OPSET

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

LARGEST_BYTES = 2**30
"""Of a file; the format itself ends at twice that."""
LARGEST_WIDTH = 8192
"""Values per photo; networks for photos give 500 to 4000."""
MOST_PLACES = 64 * 64
"""Places of the last map; networks for photos have 49 to 200."""
# The head is written with operators as they are since this version.
OLDEST_OPSET = 13
# Odd, unlike each other, one wide and one high: what was exported for one size fails on the second at the latest.
_SIZES = ((97, 131), (211, 160))
# And one as cameras take it: memory that grows faster than a photo does shows here, not on the person's own photos.
_LARGE = (1511, 2003)
_NEEDED_NAMES = ("probabilities", "logits", "heatmap", "head.", "familiarity")
_INPUT = "“image” uint8 [batch, height, width, 3]"


@dataclass(frozen=True)
class Contract:
    """What a network that keeps the contract gives.

    Attributes:
        embedding_width: values per photo, C.
        features: of the last map: C, h, w.
        input_size: pixels of the square that its first convolution sees; of a network without one, h.
    """

    embedding_width: int
    features: tuple[int, int, int]
    input_size: int


def check(path: Path, name: str | None = None) -> Contract:
    """Refuse a file that cannot be used as a backbone, and say what was expected and what came.

    Args:
        path: of the file.
        name: what the person calls it; the file name if not given.

    Returns:
        What the network gives.

    Raises:
        ModelFileError: it is no ONNX file, breaks the contract, or cannot be run.
    """
    shown = name or path.name
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise ModelFileError("network_file_large", name=shown, size=size // 10**6, limit=LARGEST_BYTES // 10**6)
    model = _parse(path.read_bytes(), shown)
    _check_version(model, shown)
    _check_one_file(model, shown)
    _check_operators(model, shown)
    _check_sizes(model, size, shown)
    _check_input(model.graph, shown)
    features = _check_outputs(model.graph, shown)
    _check_names(model.graph, shown)
    _check_rules(model, shown)
    input_size = _run(model, features, shown)
    return Contract(features[0], features, input_size)


# Inputs of operators that say how large a result is; None for all of them.
_SIZING: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(("ConstantOfShape", "Range", "MelWeightMatrix", "STFT", "DFT", "Split"), None),
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow"), None),
    **dict.fromkeys(("Expand", "Tile", "Upsample", "Pad", "OneHot", "AffineGrid", "CenterCropPad"), (1,)),
    **dict.fromkeys(("Reshape", "TopK"), (1,)),
    "Resize": (2, 3),
    "Col2Im": (1, 2),
    "MaxUnpool": (2,),
    "Slice": (1, 2, 3, 4),
}
# Operators whose results are as large as what they find.
_FINDING = frozenset({"NonZero", "Compress", "Unique", "NonMaxSuppression", "StringSplit", "ImageDecoder"})


def check_modest(path: Path, name: str) -> None:
    """Refuse a model that is no plain graph in one file, or whose need of memory hangs on what is in a photo.

    Whatever a photo shows, such a model needs as much as for any other of that size: trying it tells something.

    Args:
        path: of the file.
        name: what to call it in an error.

    Raises:
        ModelFileError: it is another kind of file.
    """
    data = path.read_bytes()
    model = _parse(data, name)
    _check_one_file(model, name)
    _check_operators(model, name)
    _check_sizes(model, len(data), name)
    seen = {port.name for port in model.graph.input} - {tensor.name for tensor in model.graph.initializer}
    known = {"", *seen, *(tensor.name for tensor in model.graph.initializer)}
    for node in model.graph.node:
        places = _SIZING.get(node.op_type, ())
        sizes = [one for place, one in enumerate(node.input) if _sizes(node.op_type, places, place)]
        if not seen.isdisjoint(sizes) or node.op_type in _FINDING or not known.issuperset(node.input):
            raise ModelFileError("network_operators", name=name, found=short(node.op_type))
        # How large something is, is not what is in it.
        if node.op_type not in {"Shape", "Size"} and not seen.isdisjoint(node.input):
            seen.update(node.output)
        known.update(node.output)


def _sizes(kind: str, places: tuple[int, ...] | None, place: int) -> bool:
    """Say whether an input tells how large a result is. Of these operators the first input can be the picture."""
    if places is None:
        return place > 0 or kind not in {"Split", "STFT", "DFT"}
    return place in places


def _parse(data: bytes, name: str) -> "onnx.ModelProto":
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise ModelFileError("network_unreadable", name=name) from error
    # Any bytes can happen to be a message; this one says nothing.
    if not model.ir_version or not model.graph.node or not model.opset_import:
        raise ModelFileError("network_unreadable", name=name)
    return model


def readable(path: Path) -> bool:
    """Say whether a file is an ONNX model at all."""
    try:
        _parse(path.read_bytes(), path.name)
    except ModelFileError:
        return False
    return True


def _check_version(model: "onnx.ModelProto", name: str) -> None:
    opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
    if model.ir_version > IR_VERSION or not OLDEST_OPSET <= opset <= OPSET:
        raise ModelFileError(
            "network_version",
            name=name,
            opset=opset,
            ir=model.ir_version,
            oldest=OLDEST_OPSET,
            newest=OPSET,
            newest_ir=IR_VERSION,
        )


def _check_one_file(model: "onnx.ModelProto", name: str) -> None:
    for tensor in _tensors(model.graph):
        if tensor.data_location or tensor.external_data:
            files = [entry.value for entry in tensor.external_data if entry.key == "location"]
            raise ModelFileError("network_external", name=name, file=short(files[0] if files else tensor.name))


def _tensors(graph: "onnx.GraphProto") -> Iterator["onnx.TensorProto"]:
    """Yield all constants of a graph."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _check_operators(model: "onnx.ModelProto", name: str) -> None:
    """Refuse everything but plain nodes of standard operators: a program that decides, repeats or brings its own."""
    found = [f"{function.domain}.{function.name}" for function in model.functions]
    found += ["training_info"] * bool(model.training_info)
    found += ["sparse_initializer"] * bool(model.graph.sparse_initializer)
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            found.append(f"{node.domain}.{node.op_type}")
        elif any(attribute.g.ByteSize() or attribute.graphs for attribute in node.attribute):
            found.append(node.op_type)
    if found:
        raise ModelFileError("network_operators", name=name, found=_listed(dict.fromkeys(found)))


def _check_sizes(model: "onnx.ModelProto", size: int, name: str) -> None:
    """Refuse constants that state more numbers than the file has bytes."""
    for tensor in _tensors(model.graph):
        if any(side < 0 for side in tensor.dims) or math.prod(tensor.dims) > size:
            raise ModelFileError("network_constant", name=name, found=_listed([tensor.name, _sides(tensor.dims)]))


def _check_input(graph: "onnx.GraphProto", name: str) -> None:
    import onnx

    constants = {tensor.name for tensor in graph.initializer}
    ports = [port for port in graph.input if port.name not in constants]
    sides = ports[0].type.tensor_type.shape.dim if len(ports) == 1 else []
    sound = (
        [port.name for port in ports] == ["image"]
        and ports[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
        and len(sides) == 4
        and not any(side.dim_value for side in sides[:3])
        and sides[3].dim_value == 3
    )
    if not sound:
        raise ModelFileError("network_input", name=name, found=_listed(_port(port) for port in ports))


def _check_outputs(graph: "onnx.GraphProto", name: str) -> tuple[int, int, int]:
    """Return C, h and w of the map."""
    import onnx

    ports = list(graph.output)
    shapes = [port.type.tensor_type.shape.dim for port in ports]
    sound = (
        [port.name for port in ports] == ["features", "embedding"]
        and all(port.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for port in ports)
        and [len(shape) for shape in shapes] == [4, 2]
        and not any(shape[0].dim_value for shape in shapes)
        and all(side.dim_value > 0 for side in [*shapes[0][1:], shapes[1][1]])
        and shapes[0][1].dim_value == shapes[1][1].dim_value
    )
    if not sound:
        raise ModelFileError("network_outputs", name=name, found=_listed(_port(port) for port in ports))
    channels, height, width = (side.dim_value for side in shapes[0][1:])
    if channels > LARGEST_WIDTH or height * width > MOST_PLACES:
        found = _sides([channels, height, width])
        raise ModelFileError("network_map_large", name=name, found=found, width=LARGEST_WIDTH, places=MOST_PLACES)
    return channels, height, width


def _check_names(graph: "onnx.GraphProto", name: str) -> None:
    """Refuse inner values called like those of the head that comes behind."""
    values = [result for node in graph.node for result in node.output]
    for value in [*values, *(tensor.name for tensor in graph.initializer)]:
        if value.startswith(_NEEDED_NAMES):
            raise ModelFileError("network_name_taken", name=name, found=short(value))


def _check_rules(model: "onnx.ModelProto", name: str) -> None:
    """Refuse what breaks the rules of ONNX itself."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ModelFileError("network_invalid", name=name, problem=short(str(error))) from error


def _run(model: "onnx.ModelProto", features: tuple[int, int, int], name: str) -> int:
    """Run the network on photos of some sizes, alone and together, and return the side of the square it sees."""
    watched = _first_convolved(model.graph)
    session = _session(_giving(model, watched), name)
    random = np.random.default_rng(0)
    side = 0
    for height, width in _SIZES:
        photos = _photos(height, width, random)
        together = _results(session, photos, name)
        alone = _results(session, photos[1:], name)
        for results, count in ((together, 2), (alone, 1)):
            _check_results(results[:2], (count, *features), name)
        if not _same(together[1][1:], alone[1], np.abs(together[0]).max()):
            raise ModelFileError("network_batch", name=name)
        side = alone[2].shape[2] if len(alone) > 2 and alone[2].ndim == 4 else features[1]
    large = random.integers(0, 256, (1, *_LARGE, 3), np.uint8)
    _check_results(_results(session, large, name)[:2], (1, *features), name)
    return int(side)


def _first_convolved(graph: "onnx.GraphProto") -> str | None:
    """Return the name of what the first convolution sees."""
    constants = {tensor.name for tensor in graph.initializer}
    seen = (node.input[0] for node in graph.node if node.op_type == "Conv" and node.input)
    return next((name for name in seen if name not in constants), None)


def _giving(model: "onnx.ModelProto", watched: str | None) -> bytes:
    """Return the graph with one more output."""
    import onnx

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    if watched is not None and watched not in {port.name for port in (*model.graph.output, *model.graph.input)}:
        copied.graph.output.append(onnx.ValueInfoProto(name=watched))
    return bytes(copied.SerializeToString())


def _session(data: bytes, name: str) -> "ort.InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said in our own words
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # Files next to it are refused before; should one be named in a way nobody thought of, it is looked for nowhere.
    nowhere = str(Path(os.devnull) / "nowhere")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", nowhere)
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no parent of their own, and none of them is ours
        _refuse_memory(error, name)
        raise ModelFileError("network_fails", name=name, problem=short(str(error))) from error


def _results(session: "ort.InferenceSession", photos: NDArray[np.uint8], name: str) -> list[NDArray[Any]]:
    try:
        found: list[NDArray[Any]] = session.run(None, {"image": photos})
    except Exception as error:
        _refuse_memory(error, name)
        raise ModelFileError("network_fails", name=name, problem=short(str(error))) from error
    return found


def wants_memory(error: BaseException) -> bool:
    """Say whether an error, of Python, torch or onnxruntime, is that of asking for more memory than can be had."""
    asking = ("bad_alloc", "allocate memory", "Failed to allocate", "bad allocation", "exceeds the supported maximum")
    return isinstance(error, MemoryError) or any(words in str(error) for words in asking)


def _refuse_memory(error: Exception, name: str) -> None:
    """Raise the error of a network that asks for more memory than there is, if it was that."""
    if wants_memory(error):
        raise ModelFileError("network_hungry", name=name) from error


def _check_results(results: Sequence[NDArray[Any]], shape: tuple[int, ...], name: str) -> None:
    """Refuse results other than declared, and an embedding other than the mean over the places."""
    features, embedding = results
    if features.shape != shape or embedding.shape != shape[:2]:
        found = [f"“features” {_sides(features.shape)}", f"“embedding” {_sides(embedding.shape)}"]
        raise ModelFileError("network_outputs", name=name, found=_listed(found))
    if not np.isfinite(features).all() or not np.isfinite(embedding).all():
        raise ModelFileError("network_not_finite", name=name)
    mean = features.mean((2, 3), dtype=np.float64)
    if not _same(embedding, mean, np.abs(features).max()):
        difference = float(np.abs(embedding - mean).max())
        raise ModelFileError("network_not_mean", name=name, difference=f"{difference:.2g}")


def _same(one: NDArray[Any], other: NDArray[Any], scale: float) -> bool:
    """Say whether numbers agree as well as those of different order of adding do."""
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-4 * float(scale) + 1e-6))


def _photos(height: int, width: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return two photos of waves and noise, uint8 [2, height, width, 3]."""
    down, across = np.mgrid[:height, :width]
    waves = [127 + 90 * np.sin(down / random.uniform(2, 30) + across / random.uniform(2, 30)) for _ in range(6)]
    picture = np.stack(waves, axis=-1).reshape(height, width, 2, 3).transpose(2, 0, 1, 3)
    return np.clip(picture + random.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)


def _port(port: "onnx.ValueInfoProto") -> str:
    """Return an input or output in words: name, type and sides."""
    import onnx

    tensor = port.type.tensor_type
    types = {value: key.lower() for key, value in onnx.TensorProto.DataType.items()}
    sides = [side.dim_param or (str(side.dim_value) if side.dim_value else "?") for side in tensor.shape.dim]
    return f"“{short(port.name)}” {types.get(tensor.elem_type, '?')} [{', '.join(map(short, sides[:8]))}]"


def _listed(found: "Sequence[str] | Iterator[str] | dict[str, None]") -> str:
    """Return a few of many things."""
    shown = [short(one) for one in found]
    return ", ".join(shown[:4]) + (" …" if len(shown) > 4 else "") or "-"


def _sides(dims: Sequence[int]) -> str:
    return " x ".join(str(side) for side in list(dims)[:8]) or "1"


def short(text: str) -> str:
    """Return a text of a stranger's as one short line."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= 160 else line[:157] + "…"
