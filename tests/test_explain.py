"""Heat maps over photos: the right place, the right size, and nothing where nothing speaks for the class."""

import io

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from teachable.explain import overlay, picture, strength
from teachable.types import Image

GREY: Image = np.full((60, 100, 3), 128, np.uint8)


def hot(row: int, column: int, side: int = 7) -> NDArray[np.float32]:
    """A map with one strong place."""
    out = np.full((side, side), -1, np.float32)
    out[row, column] = 5
    return out


def test_strength_is_a_share_of_the_strongest_place() -> None:
    found = strength(np.array([[-4, 0], [1, 4]], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [[0, 0], [0.25, 1]]


@pytest.mark.parametrize("value", [-2.0, 0.0, np.nan, np.inf])
def test_nothing_speaks_for_the_class(value: float) -> None:
    assert not strength(np.full((3, 3), value, np.float32)).any()


def test_places_that_are_no_numbers_do_not_hide_the_others() -> None:
    assert strength(np.array([[np.nan, 2], [np.inf, -np.inf]], np.float32)).tolist() == [[0, 1], [0, 0]]


def test_very_small_and_very_large_maps_keep_their_shape() -> None:
    for scale in (1e-30, 1e30):
        assert strength(np.array([[0, scale]], np.float32)).tolist() == [[0, 1]]


@pytest.mark.parametrize("shape", [(3,), (0, 3), (1, 3, 3)])
def test_no_map(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="height"):
        strength(np.zeros(shape, np.float32))


@pytest.mark.parametrize("row", [0, 3, 6])
@pytest.mark.parametrize("column", [0, 3, 6])
def test_the_light_lies_where_the_map_is_strong(row: int, column: int) -> None:
    out = overlay(GREY, hot(row, column), side=70)
    assert out.shape == (70, 70, 3)
    assert out.dtype == np.uint8
    brightest = np.unravel_index(out.sum(axis=2).argmax(), (70, 70))
    assert [int(place) // 10 for place in brightest] == [row, column]


def test_what_speaks_against_the_class_is_dark() -> None:
    out = overlay(GREY, np.full((7, 7), -1, np.float32), side=70)
    assert (out < GREY[0, 0]).all()
    assert len(np.unique(out.reshape(-1, 3), axis=0)) == 1


def test_light_and_dark_tell_places_apart_on_every_ground() -> None:
    for ground in (0, 128, 255):
        out = overlay(np.full((50, 50, 3), ground, np.uint8), hot(3, 3), side=70).astype(int)
        assert out[35, 35].sum() - out[5, 5].sum() > 150


def test_the_middle_square_of_the_photo_is_shown() -> None:
    wide = np.zeros((60, 100, 3), np.uint8)
    wide[:, :20] = wide[:, 80:] = (255, 0, 0)
    for photo in (wide, wide.transpose(1, 0, 2)):
        out = overlay(photo, np.zeros((7, 7), np.float32), side=60)
        assert out[:, 2:-2, 0].max() < 40


def test_what_the_network_does_not_see_is_striped_and_the_map_lies_inside() -> None:
    out = overlay(GREY, hot(0, 0), view=0.5, side=80).astype(int)
    edge = out[:20]
    assert edge.min() >= 128
    assert edge.max() > 180
    light = np.argwhere(out[20:60, 20:60, 0] - out[20:60, 20:60, 2] > 70)
    assert light.size
    assert light.max() < 12


def test_a_view_of_all_has_no_stripes() -> None:
    assert overlay(GREY, hot(3, 3), view=1.0, side=64)[0].max() < 128


def test_maps_need_not_be_square_or_larger_than_a_point() -> None:
    assert overlay(GREY, np.ones((1, 1), np.float32), side=16).shape == (16, 16, 3)
    assert overlay(GREY, np.ones((3, 9), np.float32), side=16).shape == (16, 16, 3)


def test_the_photo_and_the_map_stay_as_they_were() -> None:
    photo, heat = GREY.copy(), hot(1, 1)
    overlay(photo, heat)
    assert (photo == GREY).all()
    assert (heat == hot(1, 1)).all()


@pytest.mark.parametrize(
    ("photo", "view", "side"),
    [
        (GREY[:, :, 0], 1.0, 64),
        (GREY.astype(np.float32), 1.0, 64),
        (GREY[:0], 1.0, 64),
        (GREY, 0.0, 64),
        (GREY, 1.1, 64),
        (GREY, np.nan, 64),
        (GREY, 1.0, 0),
    ],
)
def test_what_cannot_be_drawn(photo: Image, view: float, side: int) -> None:
    with pytest.raises(ValueError):
        overlay(photo, hot(0, 0), view, side)


def test_the_picture_is_a_jpeg_of_it() -> None:
    data = picture(GREY, hot(2, 4), 0.875, 96)
    with PIL.Image.open(io.BytesIO(data)) as opened:
        assert opened.format == "JPEG"
        assert np.abs(np.asarray(opened, int) - overlay(GREY, hot(2, 4), 0.875, 96)).mean() < 6
