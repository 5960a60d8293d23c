"""A wall that only one class has is found; a wall that all have, and things that fill the photo, are not."""

from dataclasses import replace

import numpy as np
import pytest
from evidencing import changed, examined, looks, recordings
from numpy.typing import NDArray

from teachable import backgrounds as module
from teachable.backgrounds import backgrounds
from teachable.evidence import Suspect
from teachable.types import Looks

PHOTOS = recordings(3, 4, 8)
LABELS = PHOTOS[1]
WALLS = np.array([[0.8, 0.2, 0.2], [0.2, 0.3, 0.8], [0.9, 0.85, 0.3]])


def scene(walls: NDArray[np.float64], light: float = 0.05, noise: float = 0.03) -> Looks:
    """Things of all colours in front of a wall for each photo, float64 `[N, 3]`; light differs between recordings."""
    generator = np.random.default_rng(0)
    groups = np.unique(PHOTOS[2], return_inverse=True)[1]
    gain = np.exp(generator.normal(0, light, groups.max() + 1))[groups][:, None, None, None]
    tiles = np.broadcast_to(walls[:, None, None], (len(LABELS), 4, 4, 3)) + generator.normal(
        0, noise, (len(LABELS), 4, 4, 3)
    )
    tiles[:, 1:3, 1:3] = generator.uniform(0, 1, (len(LABELS), 1, 1, 3))
    # A hand that reaches into the photo from below.
    tiles[:, 3, 1:3] = (0.8, 0.6, 0.5)
    return changed(looks(len(LABELS)), np.arange(len(LABELS)), tiles=np.clip(tiles * gain, 0, 1))


def found(seen: Looks) -> list[Suspect]:
    return list(backgrounds(examined(*PHOTOS, seen)))


def test_a_wall_of_its_own_for_every_class_is_found() -> None:
    suspects = found(scene(WALLS[LABELS]))
    assert [suspect.classes for suspect in suspects] == [(0,), (1,), (2,)]
    values = suspects[0].values
    assert values["red"] == pytest.approx(204, abs=15)
    assert values["green"] == pytest.approx(51, abs=15)
    assert values["others_red"] < values["red"]
    assert values["recordings"] == 4
    assert values["found"] == values["total"] == values["count"] == 32
    assert set(suspects[0].rows) <= set(np.flatnonzero(LABELS == 0).tolist())


def test_only_the_class_with_a_wall_of_its_own_is_named() -> None:
    assert [suspect.classes for suspect in found(scene(WALLS[[1, 0, 0]][LABELS]))] == [(0,)]


def test_a_poster_at_one_side_is_a_background_too() -> None:
    seen = scene(WALLS[[0, 0, 0]][LABELS])
    seen.tiles[LABELS == 2, :, 3] = (0.1, 0.6, 0.1)
    (suspect,) = found(seen)
    assert suspect.classes == (2,)
    assert suspect.values["side"] == "right"
    assert suspect.values["green"] == pytest.approx(153, abs=2)


def test_a_wall_that_all_classes_share_is_no_shortcut() -> None:
    assert not found(scene(WALLS[[1, 1, 1]][LABELS]))


def test_another_wall_in_every_recording_is_no_shortcut() -> None:
    groups = np.unique(PHOTOS[2], return_inverse=True)[1]
    assert not found(scene(np.random.default_rng(1).uniform(0, 1, (groups.max() + 1, 3))[groups]))


def test_things_that_fill_the_photo_are_no_background() -> None:
    fruit = WALLS[LABELS] + np.random.default_rng(2).normal(0, 0.2, (len(LABELS), 3))
    assert not found(scene(fruit, noise=0.15))


def test_a_class_of_one_recording_is_not_judged() -> None:
    embeddings, labels, groups = PHOTOS
    groups = ["only" if label == 0 else group for label, group in zip(labels.tolist(), groups, strict=True)]
    suspects = backgrounds(examined(embeddings, labels, groups, scene(WALLS[LABELS])))
    assert [suspect.classes for suspect in suspects] == [(1,), (2,)]


def test_photos_that_cannot_be_read_are_left_out() -> None:
    seen = scene(WALLS[LABELS])
    assert len(found(changed(seen, [0, 1, 40], tiles=np.nan))) == 3
    assert not found(changed(seen, np.arange(len(LABELS)), tiles=np.nan))


def test_photos_of_one_colour_neither_fail_nor_warn() -> None:
    assert not found(changed(looks(len(LABELS)), np.arange(len(LABELS)), tiles=0.5))


def test_recordings_that_are_nearly_the_same_are_looked_at_all_the_same() -> None:
    evidence = examined(*PHOTOS, scene(WALLS[LABELS]))
    joined = replace(evidence, groups=[str(label) for label in LABELS.tolist()])
    assert len(list(backgrounds(joined))) == 3


def test_photos_that_are_recordings_of_their_own_do_not_take_the_square_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embeddings, labels, groups = PHOTOS
    alone = [f"{group} {row}" for row, group in enumerate(groups)]
    evidence = examined(embeddings, labels, alone, scene(WALLS[LABELS]))
    compared: list[int] = []
    whole = module._unlike

    def unlike(colours: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
        compared.append(len(colours))
        return whole(colours, middle)

    monkeypatch.setattr(module, "_unlike", unlike)
    suspects = list(backgrounds(evidence))
    assert [suspect.classes for suspect in suspects] == [(0,), (1,), (2,)]
    assert [suspect.values["recordings"] for suspect in suspects] == [32, 32, 32]
    assert len(compared) <= 3 * (module._PARTS + 2)
