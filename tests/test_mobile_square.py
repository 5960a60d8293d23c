"""The square a phone's model sees: the very bytes that the model file makes of a photo."""

import numpy as np
import onnx
import pytest
import torch
from graphing import PREPROCESSING, reference, scene, session

from teachable import export, graphs
from teachable.errors import ModelFileError
from teachable.exporting import mobile_square, tensor
from teachable.exporting.mobile_square import Squares
from teachable.graphs import Preprocessing
from tests.test_export import head, named

WAYS = [PREPROCESSING, Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 36, "bicubic")]


def cut_of(preprocessing: Preprocessing) -> tensor.Cut:
    backbone = graphs.build(torch.nn.Conv2d(3, 4, 8, 8), preprocessing).SerializeToString()
    return tensor.cut(export.append_head(backbone, head(2, width=4), named(2)))


@pytest.mark.parametrize("preprocessing", WAYS)
def test_the_square_is_what_the_front_makes_before_it_moves_and_stretches(preprocessing: Preprocessing) -> None:
    cut = cut_of(preprocessing)
    squares = Squares(mobile_square.graph(cut))
    photos = [scene(50, 70), scene(130, 40, 1)]
    found = squares(photos)
    assert (found.dtype, found.shape, squares.size) == (np.uint8, (2, 32, 32, 3), 32)
    mean, std = np.array(preprocessing.mean), np.array(preprocessing.std)
    for photo, square in zip(photos, found, strict=True):
        (front,) = session(cut.front).run(None, {"image": photo[None]})
        assert np.abs((square / 255 - mean) / std - front[0].transpose(1, 2, 0)).max() < 1e-5
        assert np.abs(square.transpose(2, 0, 1) - reference(photo, preprocessing).astype(float)).mean() < 0.5


def test_the_graph_is_small_and_sound() -> None:
    data = mobile_square.graph(cut_of(PREPROCESSING))
    assert len(data) < 5000
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)


def test_a_damaged_graph_is_refused() -> None:
    with pytest.raises(ModelFileError, match=r"prepare\.onnx"):
        Squares(b"nothing")
