"""Classes that the background gives away: the shortcut that makes a model fail as soon as it is carried elsewhere.

It owns that judgement. It sees the colours along the edges of photos and nothing else.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from teachable import folds
from teachable.evidence import Evidence, Suspect, weight
from teachable.types import Labels

TESTED_AT_LEAST = 20
"""Photos below which nothing is said."""

# A class is given away if so many of its photos are told by the edges, and so many told so are of it.
_GIVEN_AWAY, _MAJORITY = 0.9, 0.75
# Smallest difference of colours, 0 to 1.7, that a person would call another background; the largest between photos of
# one wall in different light, with a hand in some of them; and what the light alone changes from tile to tile.
_SEEN, _ALIKE, _LIGHT = 0.08, 0.25, 0.03
# Recordings that are compared with the others one by one; more are compared so many parts at a time, which is no less
# telling and does not take the square of the time.
_PARTS = 20
# Photos that show a background; all of the class have it.
_SHOWN = 12


def backgrounds(evidence: Evidence) -> Iterator[Suspect]:
    """Find classes that the edges of the photos alone give away, in recordings that were not looked at.

    Two tests must agree. A linear discriminant on the colours along the edges, trained without the recording, must tell
    nearly all photos of the class, and call hardly another one so. And the edges must be alike in all recordings of the
    class, and no other photos come near: things that fill a photo to its edges differ from photo to photo, a wall does
    not.
    """
    edges = np.ones((4, 4), np.bool_)
    edges[1:3, 1:3] = False
    colours = evidence.looks.tiles[:, edges].astype(np.float64)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(colours).all(axis=(1, 2)), np.bool_)
    # By recordings as they were made: that two of them are nearly the same is a reason to look, not to leave it.
    groups = np.array(evidence.captures)
    places = folds.assign(evidence.labels, evidence.captures, evidence.settings.seed)
    tested = np.flatnonzero(usable & (places != folds.ALWAYS))
    if len(tested) < TESTED_AT_LEAST:
        return
    said = _by_edges(colours.reshape(len(colours), -1), evidence.labels, places, np.flatnonzero(usable), tested)
    for index in range(evidence.class_count):
        own = np.flatnonzero(usable & (evidence.labels == index))
        others = np.flatnonzero(usable & (evidence.labels != index))
        mine = evidence.labels[tested] == index
        called = said == index
        right = int((mine & called).sum())
        recordings, parts = np.unique(groups[own], return_inverse=True)
        parts %= _PARTS
        if len(recordings) < 2 or not len(others) or not mine.any():
            continue
        if right < _GIVEN_AWAY * mine.sum() or right < _GIVEN_AWAY * called.sum():
            continue
        far = _unlike(colours[others], np.median(colours[own], axis=0))
        near = np.concatenate(
            [
                _unlike(colours[own[parts == part]], np.median(colours[own[parts != part]], axis=0))
                for part in np.unique(parts).tolist()
            ]
        )
        spread = float(np.quantile(near, _MAJORITY))
        if spread >= min(_ALIKE, float(np.quantile(far, 0.05))) or np.median(far) < _SEEN:
            continue
        values: dict[str, float | int | str] = {
            "count": len(own),
            "found": right,
            "total": int(mine.sum()),
            "recordings": len(recordings),
        }
        values.update(_seen(evidence.looks.tiles[own], evidence.looks.tiles[others]))
        typical = own[np.argsort(_unlike(colours[own], np.median(colours[own], axis=0)), kind="stable")]
        rows = tuple(int(row) for row in typical[:_SHOWN])
        yield Suspect("background", (index,), rows, None, values, weight("background"))


def _by_edges(
    colours: NDArray[np.float64],
    labels: Labels,
    places: NDArray[np.int64],
    usable: NDArray[np.int64],
    tested: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return what a linear discriminant (Fisher 1936) calls each tested photo by its edges, int64 `[M]`.

    Args:
        colours: float64 `[N, C]`.
        labels: class of each.
        places: fold of each.
        usable: rows that can be learned from.
        tested: those of them that are tested.
    """
    said = np.empty(len(tested), np.int64)
    for place in np.unique(places[tested]).tolist():
        rows = usable[places[usable] != place]
        held = places[tested] == place
        present, numbers = np.unique(labels[rows], return_inverse=True)
        means = np.stack([colours[rows[numbers == number]].mean(axis=0) for number in range(len(present))])
        rest = colours[rows] - means[numbers]
        spread = rest.T @ rest / len(rows) + _LIGHT**2 * np.eye(colours.shape[1])
        weights = np.linalg.solve(spread, means.T)
        scores = colours[tested[held]] @ weights - 0.5 * np.einsum("kd,dk->k", means, weights)
        said[held] = present[scores.argmax(axis=1)]
    return said


def _unlike(colours: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far photos are from a row of colours, on average over the places, 0 to 1.7, float64 `[N]`."""
    return np.asarray(np.linalg.norm(colours - middle, axis=2).mean(axis=1), np.float64)


def _seen(own: NDArray[np.float32], others: NDArray[np.float32]) -> dict[str, float | int | str]:
    """Say at which side of the photo, tiles float32 `[N, 4, 4, 3]`, the background differs most, and its colours there.

    Returns:
        `side`, and 0 to 255 `red`, `green`, `blue` of the class and `others_red` and so on of all others.
    """
    here, there = (255 * np.median(tiles, axis=0) for tiles in (own, others))
    sides = {"top": _mean(here[0], there[0]), "bottom": _mean(here[-1], there[-1])}
    sides |= {"left": _mean(here[:, 0], there[:, 0]), "right": _mean(here[:, -1], there[:, -1])}
    side = max(sides, key=lambda name: float(np.linalg.norm(sides[name][0] - sides[name][1])))
    values: dict[str, float | int | str] = {"side": side}
    for prefix, colour in zip(("", "others_"), sides[side], strict=True):
        names = ("red", "green", "blue")
        values.update({prefix + name: round(float(value)) for name, value in zip(names, colour, strict=True)})
    return values


def _mean(*rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean colour of some rows of tiles, `[rows, 3]`."""
    return np.asarray(np.stack(rows).mean(axis=1), np.float32)
