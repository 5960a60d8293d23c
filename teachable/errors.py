"""The errors a person can meet. Each says what happened and what to do next, in words from the catalogue.

Raise them with the key of the text (without `error.`) and the values it needs: `raise PhotoError("photo_truncated",
name="cat.jpg")`. The key travels with the error, so that the page can say the same in the reader's language. Each edge
translates them once: exit code, HTTP status, message in the page.
"""

from typing import ClassVar

from teachable.words import say


class TeachableError(Exception):
    """Something a person can understand and act on.

    Attributes:
        key: name of the text in the catalogue, without the leading `error.`.
        values: what fills the places of the text.
        status: the HTTP status this kind of error becomes.
    """

    status: ClassVar[int] = 400

    def __init__(self, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(say(f"error.{key}", **values))


class Cancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """What was being done was given up; whatever was there before stays."""


class InvalidInput(TeachableError):  # noqa: N818 - reads as what it is
    """A value that cannot be used: a name, a number, an id, a body."""

    status = 422


class PhotoError(InvalidInput):
    """Bytes that are no photo we can read."""


class TooLarge(TeachableError):  # noqa: N818
    """More bytes, pixels or files than we take at once."""

    status = 413


class NotFound(TeachableError):  # noqa: N818
    """A project, class, sample or model that is not there."""

    status = 404


class Conflict(TeachableError):  # noqa: N818
    """Something that cannot be done in the present state: a second training, a name already taken."""

    status = 409


class Forbidden(TeachableError):  # noqa: N818
    """A request from a page or host that has no business here."""

    status = 403


class Locked(TeachableError):  # noqa: N818
    """A change that the teacher of a classroom has paused."""

    status = 423


class TooMany(TeachableError):  # noqa: N818
    """Asked too often; it says when to come again."""

    status = 429


class TooSlow(TeachableError):  # noqa: N818
    """A request that stopped arriving."""

    status = 408


class StorageFull(TeachableError):  # noqa: N818
    """The disk has no room."""

    status = 507


class ModelFileError(TeachableError):
    """A file that is no model of ours, or a damaged one."""

    status = 422


class InstallationError(TeachableError):
    """A part of the installation is missing or does not work."""

    status = 500
