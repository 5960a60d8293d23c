"""What can be seen of a photo without any network."""

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest
import skimage.measure

from teachable import looks
from teachable.types import Image


def scene(seed: int = 0, height: int = 240, width: int = 320) -> Image:
    """A photo with coloured shapes, light that falls off, and a little noise."""
    generator = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 200.0)
    pixels -= np.linspace(0, 60, width)[None, :, None]
    for _ in range(25):
        top, left = generator.integers(0, height), generator.integers(0, width)
        size = generator.integers(10, 80, 2)
        pixels[top : top + size[0], left : left + size[1]] = generator.integers(0, 256, 3)
    return np.clip(pixels + generator.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)


def blurred(image: Image, radius: float) -> Image:
    return np.asarray(PIL.Image.fromarray(image).filter(PIL.ImageFilter.GaussianBlur(radius)))


def distance(one: Image, other: Image) -> int:
    first, second = (int(looks.measure(image).hashes[0]) for image in (one, other))
    return (first ^ second).bit_count()


def test_near_duplicates_have_near_hashes_and_others_far_ones() -> None:
    photo = scene(1)
    shaken = np.roll(photo, (2, -2), (0, 1))
    darker = (photo * 0.8).astype(np.uint8)
    assert distance(photo, photo) == 0
    assert max(distance(photo, other) for other in (shaken, darker, blurred(photo, 2), photo[::2, ::2])) <= 10
    far = [distance(scene(seed), scene(seed + 100)) for seed in range(30)]
    assert min(far) > 12
    assert 28 < np.mean(far) < 36


def test_sharpness_falls_with_every_blur_and_a_dark_photo_is_not_a_blurred_one() -> None:
    photo = scene(2)
    values = [float(looks.measure(blurred(photo, radius)).sharpness[0]) for radius in (0, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 2 * values[-1]
    assert looks.measure((photo * 0.4).astype(np.uint8)).sharpness[0] > 2 * values[-1]


def test_sharpness_goes_with_a_published_implementation() -> None:
    photos = [blurred(scene(seed, 256, 256), radius) for seed in range(5) for radius in (0, 1, 3, 6)]
    ours = [float(looks.measure(photo).sharpness[0]) for photo in photos]
    grey = [np.asarray(PIL.Image.fromarray(photo).convert("L")) / 255 for photo in photos]
    theirs = [1 - skimage.measure.blur_effect(one, h_size=9) for one in grey]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_a_camera_moved_sideways_is_blurred() -> None:
    photo = scene(3).astype(np.float64)
    moved = np.mean([np.roll(photo, by, axis=1) for by in range(-10, 11)], axis=0).astype(np.uint8)
    assert looks.measure(moved).sharpness[0] < 0.7 * looks.measure(scene(3)).sharpness[0]


@pytest.mark.parametrize("color", [0, 7, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (9, 20), (240, 320)])
def test_a_photo_of_one_colour_has_no_contrast_and_nothing_sharp(color: int, size: tuple[int, int]) -> None:
    found = looks.measure(np.full((*size, 3), color, np.uint8))
    assert (int(found.hashes[0]), float(found.sharpness[0]), float(found.contrast[0])) == (0, 0.0, 0.0)
    assert found.brightness[0] == pytest.approx(color / 255)
    assert found.tiles == pytest.approx(np.full((1, 4, 4, 3), color / 255))


def test_brightness_and_contrast_are_from_0_to_1() -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 255
    found = looks.measure(halves)
    assert (found.brightness[0], found.contrast[0]) == (pytest.approx(0.5), pytest.approx(1.0))


def test_tiles_are_rows_of_the_centre_square() -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:25, 100:125] = (255, 0, 0)
    image[75:, 175:200] = (0, 0, 255)
    image[:, :100] = (0, 255, 0)  # outside the centre square
    tiles = looks.measure(image).tiles[0]
    assert tiles[0, 0] == pytest.approx([1, 0, 0], abs=0.02)
    assert tiles[3, 3] == pytest.approx([0, 0, 1], abs=0.02)
    assert tiles[..., 1].max() < 0.02


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (9, 9), (10, 10), (512, 8000)])
def test_photos_of_any_size_can_be_measured(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = looks.measure(image)
    assert [len(one) for one in (found.hashes, found.sharpness, found.brightness, found.contrast)] == [1] * 4
    assert found.tiles.shape == (1, 4, 4, 3)
    assert np.isfinite(looks.pack(found)).all()
    assert 0 <= found.sharpness[0] <= 1


def test_packing_keeps_every_bit() -> None:
    several = [looks.measure(scene(seed)) for seed in range(5)] + [looks.unseen("f" * 64), looks.unseen("0" * 64)]
    whole = looks.stack(several)
    again = looks.unpack(looks.pack(whole))
    assert again.hashes.tolist() == [int(one.hashes[0]) for one in several]
    assert again.hashes.tolist()[-2:] == [2**64 - 1, 0]
    for field in ("hashes", "sharpness", "brightness", "contrast", "tiles"):
        np.testing.assert_array_equal(getattr(again, field), getattr(whole, field))
        assert getattr(again, field).dtype == (np.uint64 if field == "hashes" else np.float32)


def test_none_is_a_record_too() -> None:
    none = looks.stack([])
    assert (none.hashes.shape, none.sharpness.shape, none.tiles.shape) == ((0,), (0,), (0, 4, 4, 3))


def test_a_photo_that_cannot_be_read_says_nothing_and_is_near_no_other() -> None:
    first, second = looks.unseen("ab" * 32), looks.unseen("31" * 32)
    assert np.isnan([first.sharpness[0], first.brightness[0], first.contrast[0]]).all()
    assert np.isnan(first.tiles).all()
    assert (int(first.hashes[0]) ^ int(second.hashes[0])).bit_count() > 12
