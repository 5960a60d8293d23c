"""The newest model of a project, with the present names of its classes. It owns which model that is and its names.

What is inside a model file is the business of `teachable.export`, running it of `teachable.runtime`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from teachable.errors import NotFound
from teachable.export import with_metadata
from teachable.jobs import metadata
from teachable.loaded import Loaded
from teachable.metadata import ModelMetadata
from teachable.projects import Project
from teachable.projects.classes import COLORS
from teachable.runtime import Classifier, Prediction
from teachable.types import Image, ModelRecord, ProjectInfo

Classifiers = Loaded[tuple[str, tuple[str, ...], float | None], Classifier]
"""Models that are ready to be asked, by id and by what they say that can change without a training."""


@dataclass(frozen=True)
class Trained:
    """A model of a project.

    Attributes:
        record: what is kept of it.
        metadata: what its file says, with the names as they are now.
        colors: `#RRGGBB` of each label; a deleted class has the one that new classes get in its place.
    """

    record: ModelRecord
    metadata: ModelMetadata
    colors: tuple[str, ...]


def newest(project: Project) -> Trained:
    """Return the newest model of a project.

    Raises:
        NotFound: nothing was trained yet.
    """
    record = project.latest_model()
    if record is None:
        raise NotFound("model_not_trained")
    return named(record, project.info())


def named(record: ModelRecord, info: ProjectInfo) -> Trained:
    """Return a model with the names its project and classes have now; deleted classes keep their last one."""
    classes = {one.id: one for one in info.classes}
    labels, colors = [], []
    for index, (id_, old) in enumerate(zip(record.class_ids, record.labels, strict=True)):
        one = classes.get(id_)
        labels.append(one.name if one else old)
        colors.append(one.color if one else COLORS[index % len(COLORS)])
    return Trained(record, metadata(record, labels, info), tuple(colors))


def read(project: Project, model: Trained) -> bytes:
    """Return the file of a model, saying what it is called now.

    Raises:
        NotFound: newer ones took its place.
    """
    return with_metadata(project.model_file(model.record.id).read_bytes(), model.metadata)


def ask(project: Project, photos: Sequence[Image], loaded: Classifiers) -> list[Prediction]:
    """Ask the newest model about photos.

    Args:
        project: the project.
        photos: uint8 `[H, W, 3]` each.
        loaded: models that are ready.

    Raises:
        NotFound: nothing was trained yet.
    """
    return classifier(project, loaded).predict(photos)


def classifier(project: Project, loaded: Classifiers, record: ModelRecord | None = None) -> Classifier:
    """Return a model, ready to be asked.

    Args:
        project: the project.
        loaded: models that are ready.
        record: of the model; the newest if not given.

    Raises:
        NotFound: nothing was trained yet, or the model is gone.
    """
    model = newest(project) if record is None else named(record, project.info())

    def load() -> tuple[Classifier, int]:
        # The same model is of no use any more as it was before a change.
        loaded.drop(lambda key: key[0] == model.record.id)
        data = read(project, model)
        return Classifier.load(data), len(data)

    return loaded.get((model.record.id, model.metadata.labels, model.metadata.unknown_below), load)
