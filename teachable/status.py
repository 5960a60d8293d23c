"""How a project stands, as page, REST API and command line show it. It owns these records and what they say.

Finding out is the business of `teachable.standing`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from teachable.backlog import Progress
from teachable.jobs import Training
from teachable.types import Agreement, ModelRecord, ProjectInfo
from teachable.words import say


@dataclass(frozen=True)
class Ready:
    """Whether training can start.

    Attributes:
        ok: it can.
        key: of the reason why it cannot, without the leading `error.`.
        values: what fills the places of the reason.
        message: the reason, in words.
    """

    ok: bool
    key: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    message: str | None = None


@dataclass(frozen=True)
class BackboneName:
    """The network under a model.

    Attributes:
        id: short name.
        title: in words.
    """

    id: str
    title: str


@dataclass(frozen=True)
class BeforeStatus:
    """How the network before did, on the same held-out photos.

    Attributes:
        backbone: that network.
        accuracy: share of held-out photos named correctly.
        low: lower end of its 95 % interval.
        high: upper end of it.
        held_out: held-out photos.
        correct: how many of them were named correctly.
    """

    backbone: BackboneName
    accuracy: float
    low: float
    high: float
    held_out: int
    correct: int


@dataclass(frozen=True)
class Offer:
    """A network that would serve a project better than the one it has.

    Attributes:
        id: short name.
        title: in words.
        seconds: switching will take, training included, as far as that can be known.
        retrain: there is a model, and switching trains a new one.
    """

    id: str
    title: str
    seconds: float | None
    retrain: bool


@dataclass(frozen=True)
class NetworkStatus:
    """The network a project is taught with.

    Attributes:
        id: short name.
        title: in words.
        fingerprint: of its graph.
        present: it is on this computer; without it nothing new can be trained, and the model still works.
        renewed: its graph is another one than before, and the person has not taken note of that.
        offer: a better one that is present, or None.
    """

    id: str
    title: str
    fingerprint: str
    present: bool
    renewed: bool
    offer: Offer | None


@dataclass(frozen=True)
class ModelStatus:
    """What the page says about the newest model.

    Attributes:
        id: unguessable name.
        created: seconds since 1970.
        class_ids: the class behind each output, in order.
        samples: photos it was trained on.
        seconds: from the click to the written file.
        stale: samples or classes changed since.
        checking: the written file is being compared with the preview.
        agreement: the result of that comparison, or None where there is none.
        accuracy: share of held-out photos named correctly, or None if it could not be measured.
        low: lower end of its 95 % interval.
        high: upper end of it.
        held_out: held-out photos.
        correct: how many of them were named correctly.
        unjudged: ids of classes with a single group, which could not be tested.
        merged: ids of those among them that had several, which count as one because their pictures are nearly the same.
        backbone: the network under it.
        other_network: the project is taught with another one by now.
        before: how the network before it did, if this training switched networks.
        familiar: held-out photos that its "not sure" is measured against; 0 where it always names a class.
        view: part of the shorter side of a photo that it sees, where its heat maps lie, or None if that is not known.
    """

    id: str
    created: float
    class_ids: tuple[str, ...]
    samples: int
    seconds: float
    stale: bool
    checking: bool
    agreement: Agreement | None
    accuracy: float | None
    low: float | None
    high: float | None
    held_out: int
    correct: int
    unjudged: tuple[str, ...]
    merged: tuple[str, ...]
    backbone: BackboneName
    other_network: bool
    before: BeforeStatus | None
    familiar: int
    view: float | None


@dataclass(frozen=True)
class Status:
    """How a project stands.

    Attributes:
        embedding: photos prepared for training.
        ready: whether training can start.
        training: the present or last training.
        model: the newest model, or None.
        network: it is taught with.
        updated: seconds since 1970, last change of the project.
    """

    embedding: Progress
    ready: Ready
    training: Training
    model: ModelStatus | None
    network: NetworkStatus
    updated: float


def ready(info: ProjectInfo, absent: str | None = None) -> Ready:
    """Say whether a project can be trained, and if not, why.

    Args:
        info: of the project.
        absent: title of its network, if that is not on this computer.
    """
    if absent is not None:
        key = "network_absent"
        return Ready(False, key, {"network": absent}, say(f"error.{key}", network=absent))
    enabled = [one for one in info.classes if not one.disabled]
    if len(enabled) < 2:
        return Ready(ok=False, key="training_one_class", message=say("error.training_one_class"))
    for one in enabled:
        if one.tests == one.samples:
            key = "training_class_only_tests" if one.samples else "training_class_without_samples"
            return Ready(False, key, {"name": one.name}, say(f"error.{key}", name=one.name))
    return Ready(ok=True)


def model_status(
    record: ModelRecord,
    title: Callable[[str], str],
    *,
    network: str,
    stale: bool,
    checking: bool,
    view: float | None,
) -> ModelStatus:
    """Say how a model stands.

    Args:
        record: of the model.
        title: returns what a network is called.
        network: fingerprint of the one the project is taught with.
        stale: samples or classes changed since.
        checking: a file of this project is being compared with the preview.
        view: part of the shorter side of a photo that the model sees, or None.
    """
    score = record.evaluation
    return ModelStatus(
        id=record.id,
        created=record.created,
        class_ids=record.class_ids,
        samples=record.samples,
        seconds=record.seconds,
        stale=stale,
        checking=checking and record.agreement is None,
        agreement=record.agreement,
        accuracy=score.accuracy,
        low=score.low,
        high=score.high,
        held_out=score.held_out,
        correct=score.correct,
        unjudged=tuple(record.class_ids[index] for index in score.unjudged),
        merged=tuple(record.class_ids[index] for index in score.unjudged if index in score.merged),
        backbone=BackboneName(record.backbone_id, title(record.backbone_id)),
        other_network=record.backbone != network,
        before=_before(record, title),
        familiar=record.familiar,
        view=view,
    )


def _before(record: ModelRecord, title: Callable[[str], str]) -> BeforeStatus | None:
    one = record.before
    if one is None:
        return None
    name = BackboneName(one.backbone_id, title(one.backbone_id))
    return BeforeStatus(name, one.accuracy, one.low, one.high, one.held_out, one.correct)
