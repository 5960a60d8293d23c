"""What is known about a model, as page, REST API, command line and the downloaded report show it.

It owns these records and what they mean. Measuring is `teachable.evaluation` and `teachable.study`; putting a report
together and keeping it is `teachable.reports`.
"""

from dataclasses import dataclass, field
from typing import Literal

from teachable.learning import CurvePoint
from teachable.scores import Calibration
from teachable.types import TrainSettings

State = Literal["none", "running", "done", "failed", "cancelled"]
ActionKind = Literal["move", "delete", "test", "record"]


@dataclass(frozen=True)
class Share:
    """How many of how many, and what that says about all others.

    Attributes:
        correct: photos named correctly.
        total: photos tested; 0 where nothing could be.
        share: `correct` of `total`, or None.
        low: lower end of the 95 % interval, or None.
        high: upper end of it, or None.
    """

    correct: int
    total: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ClassReport:
    """What is known about one class of a model.

    Attributes:
        id: of the class.
        name: what it is called now.
        color: `#RRGGBB`.
        samples: photos it was trained on.
        recordings: these came from, near-duplicates counted as one.
        judged: it could be tested; otherwise it has a single recording to learn from.
        recall: of its photos, how many were named correctly.
        precision: of the photos given its name, the share that are of it. None where none were, and where any class
            could not be tested: its photos might have been given this name too.
        f1: harmonic mean of precision and recall, or None.
        advice: what would help it most, one sentence.
    """

    id: str
    name: str
    color: str
    samples: int
    recordings: int
    judged: bool
    recall: Share
    precision: float | None
    f1: float | None
    advice: str


@dataclass(frozen=True)
class Action:
    """What one click does about a finding; each of them can be undone.

    Attributes:
        kind: move the photos to a class, delete them, keep them for testing only, or record more of a class.
        text: on the button.
        class_id: the class to move to or to record, or None.
        samples: ids of the photos it is done to.
    """

    kind: ActionKind
    text: str
    class_id: str | None
    samples: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """Something about the photos that is probably worth mending.

    Attributes:
        id: stable name of it within the report.
        kind: `mislabelled`, `repeated`, `duplicates`, `blurred`, `dark`, `empty`, `small`, `lopsided`, `single` or
            `background`.
        title: a few words.
        text: what was seen and why it matters, one or two sentences.
        class_ids: classes it is about.
        samples: ids of the photos it is about, the worst first; may be empty.
        actions: what can be done about it, the likeliest first.
    """

    id: str
    kind: str
    title: str
    text: str
    class_ids: tuple[str, ...]
    samples: tuple[int, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Learning:
    """What more photos would bring.

    Attributes:
        points: from few photos to many.
        text: the same in a sentence.
    """

    points: tuple[CurvePoint, ...]
    text: str


@dataclass(frozen=True)
class TestReport:
    """How the finished model did on the photos marked never to be trained on.

    Attributes:
        score: on those of them that count.
        per_class: ids of the classes and how each did; without an interval in models of before, which did not keep of
            which recordings the photos were.
        confusion: counts, row true class, column predicted class.
        leaking: photos left out, because others of the same recording, or near-duplicates, were trained on.
        text: the same in a sentence.
    """

    score: Share
    per_class: tuple[tuple[str, Share], ...]
    confusion: tuple[tuple[int, ...], ...]
    leaking: int
    text: str


@dataclass(frozen=True)
class Report:
    """Everything that is known about a model.

    Attributes:
        state: none yet, running, done, failed or cancelled. What follows holds once it is done.
        fraction: how much is done, 0 to 1.
        message: why it failed, in words.
        model: id of the model it is about, or None where nothing was trained.
        trained: when that was, seconds since 1970.
        stale: photos or classes changed since that training.
        project: its name.
        network: under the model, in words.
        settings: of the training.
        samples: photos it was trained on.
        recordings: these came from, near-duplicates counted as one.
        classes: in the order of the model.
        classes_text: why precision and F1 of the classes are not known, in a sentence; empty where they are.
        accuracy: on recordings it never saw.
        headline: the accuracy in a sentence, or why there is none.
        method: how it was measured, in a sentence.
        random_split: what it would look like if photos were split at random, counted on the photos that the fair test
            tested, or None. Reports of before count all photos; then `random_text` says so.
        random_text: why that figure is not to be trusted, in a sentence; empty without one.
        confusion: counts, row true class, column predicted class.
        calibration: of the probabilities, or None.
        calibration_text: the same in a sentence; empty without one.
        test: on the test set, or None where there is none.
        learning: what more photos would bring, or None where that cannot be known.
        learning_text: the same in a sentence, or why it cannot be known; empty until the report is done.
        findings: the few that matter most, the worst first.
        more_findings: how many others there are.
        unknown: what is known about the answer "not sure", in a sentence.
        limits: what the report cannot know, a sentence each.
    """

    state: State = "none"
    fraction: float = 0.0
    message: str | None = None
    model: str | None = None
    trained: float = 0.0
    stale: bool = False
    project: str = ""
    network: str = ""
    settings: TrainSettings = field(default_factory=TrainSettings)
    samples: int = 0
    recordings: int = 0
    classes: tuple[ClassReport, ...] = ()
    classes_text: str = ""
    accuracy: Share = Share(0, 0, None, None, None)
    headline: str = ""
    method: str = ""
    random_split: Share | None = None
    random_text: str = ""
    confusion: tuple[tuple[int, ...], ...] = ()
    calibration: Calibration | None = None
    calibration_text: str = ""
    test: TestReport | None = None
    learning: Learning | None = None
    learning_text: str = ""
    findings: tuple[Finding, ...] = ()
    more_findings: int = 0
    unknown: str = ""
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class TestedPhoto:
    """One photo and what it was named by a model that saw none of its recording.

    Attributes:
        id: of the sample.
        given: id of the class it was in.
        said: id of the class it was named.
        probability: of that name.
        given_probability: of the class it was in.
        present: it is still there, in the same class.
    """

    id: int
    given: str
    said: str
    probability: float
    given_probability: float
    present: bool


@dataclass(frozen=True)
class TestedPhotos:
    """Photos of one cell of the confusion matrix.

    Attributes:
        photos: the most certain answers first.
        total: of the cell.
    """

    photos: tuple[TestedPhoto, ...]
    total: int


@dataclass(frozen=True)
class SampleMap:
    """The photos as points, near each other where the network finds them alike; column by column.

    Attributes:
        method: `pca` or `umap`.
        explained: share of the spread that the two directions of a PCA hold, or None.
        samples: ids.
        classes: index into `class_ids` of each.
        x: across, -1 to 1.
        y: up, -1 to 1.
        class_ids: of the classes.
        umap: whether UMAP is installed.
        command: what installs it; empty if it is.
        ready: there is a report of the newest model; without one there are no points yet.
    """

    method: Literal["pca", "umap"]
    explained: float | None
    samples: tuple[int, ...]
    classes: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    class_ids: tuple[str, ...]
    umap: bool
    command: str
    ready: bool = True


@dataclass(frozen=True)
class Heatmap:
    """What speaks for a class on one photo, place by place.

    Attributes:
        class_id: of the class.
        width: places across.
        height: places down.
        values: row by row from the top left; what is above 0 speaks for the class.
    """

    class_id: str
    width: int
    height: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class SamplePrediction:
    """What the newest model says about a stored photo. If it was trained on the photo, that says little.

    Attributes:
        model: id of the model.
        sample: id of the photo.
        said: id of the most probable class.
        probabilities: of every class by its id, in the order of the model.
        familiarity: how alike it is to the photos trained on, 0 to 1, or None where the model cannot say.
        known: false where the answer is "not sure", or None where the model cannot say.
        heatmap: what speaks for the class that was asked for, or else for the most probable one.
        view: which part of the shorter side of a photo, in its middle, the network sees, above 0, at most 1, or None
            where that is not known.
    """

    model: str
    sample: int
    said: str
    probabilities: dict[str, float]
    familiarity: float | None
    known: bool | None
    heatmap: Heatmap
    view: float | None
