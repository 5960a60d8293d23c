"""What the API takes and gives that is not already a record of `teachable.types`."""

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from teachable.exporting.programs import Program
from teachable.runtime import Prediction
from teachable.settings import MOST_UNKNOWN, TRAINING_RANGES, limits
from teachable.types import AddResult, BackboneRecord, ProjectInfo, TrainSettings

LARGEST_ID = 2**63 - 1
"""Sample ids are what SQLite can count to."""


def _range(setting: str) -> dict[str, JsonValue]:
    low, high = TRAINING_RANGES[setting]
    return {"minimum": low, "maximum": high}


SampleId = Annotated[int, Field(strict=True, ge=0, le=LARGEST_ID)]


@dataclass(frozen=True)
class Health:
    """Which program answers.

    Attributes:
        name: always `teachable`.
        version: of the program.
        backbone: the network that new projects use.
    """

    name: str
    version: str
    backbone: BackboneRecord


@dataclass(frozen=True)
class Projects:
    """All projects.

    Attributes:
        projects: last changed first.
    """

    projects: tuple[ProjectInfo, ...]


@dataclass(frozen=True)
class Undo:
    """How to take a change back.

    Attributes:
        undo: token to send back; it holds for 30 days, also when the server is started again.
    """

    undo: str


@dataclass(frozen=True)
class Freed:
    """What a clean-up freed.

    Attributes:
        freed: bytes.
    """

    freed: int


@dataclass(frozen=True)
class Added(AddResult):
    """What became of an upload.

    Attributes:
        added: new samples, in the order sent.
        repeats: files that were already in the class and were skipped.
        rejected: files that could not be taken, and why.
        undo: token that takes the upload back, together with what was sent of the same recording just before; null if
            nothing was added.
        total: samples of the class afterwards.
    """

    total: int = 0


@dataclass(frozen=True)
class SampleIds:
    """Numbers of samples, newest first.

    Attributes:
        ids: of all of them.
        tests: of those that are only tested with.
    """

    ids: tuple[int, ...]
    tests: tuple[int, ...]


@dataclass(frozen=True)
class Predictions:
    """What the model says about each photo.

    Attributes:
        predictions: in the order of the files.
    """

    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class Programs:
    """Programs that use a model.

    Attributes:
        programs: in the order in which they are shown.
    """

    programs: tuple[Program, ...]


@dataclass(frozen=True)
class PhoneLink:
    """How another device on the same network opens an offline page.

    Attributes:
        address: to open there; it holds as long as the exported file is there, at most until the server is stopped.
        qr: the address as a picture to point a camera at, SVG.
    """

    address: str
    qr: str


@dataclass(frozen=True)
class Restored:
    """What came of going back to a version.

    Attributes:
        undo: token to take it back with.
        gone: photos of then that were deleted for good, and are missing.
        text: the same in words.
        project: as it is now.
    """

    undo: str
    gone: int
    text: str
    project: ProjectInfo


class Body(BaseModel):
    """A JSON body: a misspelt field or a number in quotes is an error, not a surprise."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Naming(Body):
    """A name, or none."""

    name: str | None = Field(None, description="What a person calls it. Left out, a name is chosen.")


class Token(Body):
    """What a removal gave back."""

    undo: str = Field(description="The token.")


class CleanUp(Body):
    """What to delete of a project to make room."""

    removed: bool = Field(False, description="Removed photos, for good: no change so far can be taken back then.")
    caches: bool = Field(False, description="Exported files and others that can be made again.")


class Taking(Body):
    """What to take back."""

    undo: str | None = Field(None, description="Token of a change. Left out, the last one.")


class Settings(Body):
    """Training settings; what is left out stays as it is. The project refuses what is out of range, in words."""

    epochs: int | None = Field(None, description="Passes over all samples.", json_schema_extra=_range("epochs"))
    batch_size: int | None = Field(None, description="Samples per step.", json_schema_extra=_range("batch_size"))
    learning_rate: float | None = Field(
        None, description="Of the optimiser.", allow_inf_nan=False, json_schema_extra=_range("learning_rate")
    )
    hidden_units: int | None = Field(
        None,
        description="0 for a linear head, otherwise the width of one hidden layer.",
        json_schema_extra=_range("hidden_units"),
    )
    seed: int | None = Field(None, description="Same seed and samples, same model.", json_schema_extra=_range("seed"))

    def over(self, settings: TrainSettings) -> TrainSettings:
        """Return `settings` with the fields that were sent."""
        return replace(settings, **self.model_dump(exclude_none=True, exclude={"network"}))


class Start(Settings):
    """What to train with."""

    network: str | None = Field(None, description="Id of the network to switch to. Left out, the project's.")


class NetworkChoice(Body):
    """A network for a project."""

    network: str = Field(description="Id of a network that is present.", max_length=100)


class NetworksChange(Body):
    """What is fetched without being asked for."""

    automatic: bool = Field(description="Fetch the recommended network when the program starts, if it is not here.")


class Speed(Body):
    """How quick a network is."""

    browser_ms: float = Field(description="Milliseconds for one photo.", gt=0, le=600_000, allow_inf_nan=False)


class ProjectChange(Body):
    """What to change of a project; what is left out stays."""

    name: str | None = Field(None, description="New name.")
    settings: Settings | None = Field(None, description="Settings for the next training.")
    unknown_below: float | None = Field(
        None,
        description="A photo whose familiarity is below it gets the answer “not sure”. As large a share of photos"
        " of the classes themselves gets it too.",
        allow_inf_nan=False,
        json_schema_extra={"minimum": 0, "maximum": MOST_UNKNOWN},
    )


class ClassChange(Body):
    """What to change of a class; what is left out stays. None of it needs a new training except `disabled`."""

    name: str | None = Field(None, description="New name; no other class of the project may have it.")
    color: str | None = Field(None, description="`#RRGGBB`.")
    position: Annotated[int, Field(ge=0, le=LARGEST_ID)] | None = Field(None, description="Place in the list, from 0.")
    disabled: bool | None = Field(None, description="Leave the class out of training, keeping its samples.")


class Chosen(Body):
    """Some samples."""

    ids: list[SampleId] = Field(description="Their numbers.", min_length=1, max_length=limits().samples)


class Testing(Chosen):
    """Some samples and whether they are kept for testing."""

    test: bool = Field(True, description="They are never trained on, only tested with; `false` takes that back.")
    recordings: bool = Field(
        True,
        description="All photos of the recordings they are of go with them. Photos of one recording look so alike that"
        " a test with some, after training on the others, says little.",
    )


class ImportInto(Body):
    """One class of a file and where its photos go."""

    key: str = Field(description="Of the class in the plan.", max_length=100)
    into: str | None = Field(None, description="Id of the class of the project they go to. Left out, one is made.")
    name: str = Field(description="What the class that is made is called.")


class ImportStart(Body):
    """What to make of a file."""

    project: str | None = Field(None, description="Id of the project it goes to. Left out, a new one is made.")
    classes: list[ImportInto] = Field(
        default_factory=list,
        description="The classes to take, in their order; others are left out. Of a whole project that becomes a new"
        " one everything is taken.",
        max_length=1000,
    )
    unmirror: list[str] = Field(
        default_factory=list, description="Keys of classes whose photos are turned back.", max_length=1000
    )
    rate: float = Field(2.0, description="Frames from a second of video.", allow_inf_nan=False)
    settings: bool = Field(False, description="Take the settings for training too, if the file has some.")
    independent: bool = Field(False, description="Every photo was taken on its own: each is a recording of its own.")


class Moving(Chosen):
    """Some samples and where they go."""

    class_id: str = Field(description="Class they go to.")


class VersionChange(Body):
    """What to change of a version."""

    name: str | None = Field(description="What a person calls it; `null` takes the name away.")


class Back(Body):
    """How to go back to a version."""

    contents: bool = Field(True, description="Classes, photos and settings go back too, not only the model.")
