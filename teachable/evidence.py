"""What is looked at in search of suspicious photos, and how a suspicion is told.

It owns these records and how much each kind matters. Finding is `teachable.doctor`; words are `teachable.report_words`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from teachable.types import Embeddings, Labels, Looks, TrainSettings

# How much a kind matters where all photos of a class are concerned.
_HARM = {
    "single": 2.0,
    "background": 1.5,
    "small": 1.2,
    "lopsided": 0.5,
    "repeated": 5.0,
    "mislabelled": 5.0,
    "empty": 1.5,
    "dark": 1.0,
    "blurred": 1.0,
    "duplicates": 0.3,
}


def weight(kind: str, share: float = 1.0) -> float:
    """Return how much a kind matters where a share of a class is concerned; few photos count for more than that."""
    return _HARM[kind] * math.sqrt(min(1.0, share))


@dataclass(frozen=True)
class Evidence:
    """Everything known about the photos a model was trained on; every array has a row for each of them.

    Attributes:
        embeddings: float32 `[N, D]`.
        labels: int64 `[N]`, index of the class.
        groups: recording of each row, near-duplicates joined.
        captures: recording of each row as it was made.
        class_count: number of classes.
        settings: of the training.
        folds: int64 `[N]`, in which fold a photo was tested; -1 where it was not.
        logits: calibrated, float32 `[N, K]`, by a head that saw none of the recording; NaN where it was not tested.
        looks: what can be seen without a network.
    """

    embeddings: Embeddings
    labels: Labels
    groups: Sequence[str]
    captures: Sequence[str]
    class_count: int
    settings: TrainSettings
    folds: NDArray[np.int64]
    logits: NDArray[np.float32]
    looks: Looks

    @property
    def tested(self) -> NDArray[np.int64]:
        """Rows of the photos that were tested, ascending, int64 `[M]`."""
        return np.flatnonzero((self.folds >= 0) & np.isfinite(self.logits).all(axis=1))


@dataclass(frozen=True)
class Suspect:
    """Something about the photos that is probably worth mending.

    `count` is always the number of photos in question. The kinds, their rows and further values:

    - `mislabelled`: photos that look like another class; `classes` are the one they are in and the other, which is
      also `target`. `sure`: the mean probability of the other.
    - `repeated`: nearly the same picture in several classes. Either `classes` are the one that fewer of the copies are
      in and the one that most are in, which is also `target`, and the rows of the former come first: `astray` of them.
      Or none has most of them, `target` is None, and `astray` is `count`. `pictures`: different pictures.
    - `duplicates`: further copies of pictures in other recordings of a class, the first copy not among `rows`.
      `pictures`: different pictures.
    - `blurred`, `dark`, `empty`: of all `classes`, worst first. `empty`: of hardly more than one colour.
    - `small`: `classes` with few photos, the smallest first, without rows. `fewest`: photos of the smallest. `wanted`:
      photos that a class should have at least.
    - `lopsided`: `classes` are the smallest and the largest. `fewest` and `most`: their photos.
    - `single`: `classes` that came from one recording and so cannot be judged, without rows.
    - `background`: the edges of the photos alone give one class away in recordings never seen; the clearest photos
      first. `side`: where it differs most, `top`, `bottom`, `left` or `right`. `red`, `green`, `blue`: its colour
      there, 0 to 255. `others_red`, `others_green`, `others_blue`: of all others there. `recordings`: of the class.
      `found` of `total`: photos of the class told by the edges alone.

    Attributes:
        kind: one of these.
        classes: indices of the classes it is about.
        rows: of the photos it is about, the worst first; may be empty.
        target: index of the class the photos probably belong to, or None.
        values: what was seen, by name.
        weight: how much it matters; ranks suspects of all kinds.
    """

    kind: str
    classes: tuple[int, ...]
    rows: tuple[int, ...] = ()
    target: int | None = None
    values: dict[str, float | int | str] = field(default_factory=dict)
    weight: float = 0.0
