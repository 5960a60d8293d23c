"""What the routes of a classroom take and give that is not a record of `teachable.classroom`."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from teachable.api.records import Body
from teachable.classroom.register import LONGEST_NAME


@dataclass(frozen=True)
class Joined:
    """Where somebody who has joined goes on.

    Attributes:
        project: id of the project that is theirs, or null while the teacher has not let them have their place back.
        waiting: the teacher was asked; `room/me` tells the answer.
    """

    project: str | None
    waiting: bool


@dataclass(frozen=True)
class Answered:
    """What became of an offer.

    Attributes:
        project: id of the copy, or null where it was declined.
    """

    project: str | None


class Joining(Body):
    """Who wants to join."""

    name: str = Field(
        "", description=f"Up to {LONGEST_NAME} characters. Whoever has joined from this browser may leave it out."
    )

    back: bool | None = Field(
        None,
        description="Where somebody of that name is in already: whether that is you. `true` asks the teacher to give "
        "you your place back, `false` joins as somebody else. Left out, it is refused.",
    )


class AnsweringClaims(Body):
    """What to do about those who want their place back."""

    ids: list[Annotated[str, Field(max_length=100)]] = Field(
        description="Of claims; those that are over are passed over.", max_length=200
    )
    allow: bool = Field(description="Let them have it; `false` refuses.")


class LoggingIn(Body):
    """What a teacher knows."""

    password: str = Field(description="Of the classroom.", max_length=1000)


class Locking(Body):
    """Whose changes to pause."""

    visitor: str | None = Field(None, description="Id of a visitor. Left out, everybody.", max_length=100)
    locked: bool = Field(description="Pause their changes; `false` lets them go on.")


class Opening(Body):
    """Whether others can join."""

    open: bool = Field(description="They can.")


class HandingOut(Body):
    """What everybody begins with."""

    project: str | None = Field(description="Id of a project, or null for none.", max_length=100)


class Answering(Body):
    """What to do about a project that is offered."""

    take: bool = Field(description="Take a copy of it; `false` declines.")


class Hand(Body):
    """Whether somebody asks for help."""

    up: bool = Field(description="They do.")
    visitor: str | None = Field(
        None, description="Id of a visitor whose hand the teacher lowers. Left out, one's own.", max_length=100
    )
