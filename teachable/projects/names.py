"""What people may call things, and the ids nobody can guess. Text that comes from outside is checked here first."""

import re
import secrets
import unicodedata
from collections.abc import Collection

from teachable.errors import InvalidInput
from teachable.settings import limits

_ID = re.compile(r"[0-9a-f]{16,64}")
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}")


def new_id() -> str:
    """Return a name with 128 random bits, fit for a folder on every system."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Return whether a text could be an id from `new_id`, and so is safe in a path and a query."""
    return _ID.fullmatch(text) is not None


def is_model_id(text: str) -> bool:
    """Return whether a text can name a model file; those ids are made by whoever trains."""
    return _MODEL_ID.fullmatch(text) is not None


def clean_name(name: str) -> str:
    """Return a project or class name in its one stored form: stripped, NFC.

    Any writing, emoji and markup is welcome; a name is only ever text, never a path.

    Raises:
        InvalidInput: nothing visible in it, too long, or control characters.
    """
    longest = limits().name_length
    name = name.strip()
    if len(name) <= 10 * longest:  # a longer one is refused in any case, and normalising a book takes a while
        name = unicodedata.normalize("NFC", name)
    if not _visible(name):
        raise InvalidInput("name_empty")
    if len(name) > longest:
        raise InvalidInput("name_long", length=len(name), allowed=longest)
    if _has_controls(name):
        raise InvalidInput("name_control")
    return name


def clean_group(group: str) -> str:
    """Return the id of a capture group, which the page makes.

    Raises:
        InvalidInput: empty, too long, or control characters.
    """
    if not group.strip() or len(group) > limits().name_length or _has_controls(group):
        raise InvalidInput("group_invalid", allowed=limits().name_length)
    return group


def name_key(name: str) -> str:
    """Return what two names have in common if a person would call them the same."""
    return unicodedata.normalize("NFC", name.casefold())


def free_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, or with ` (2)`, ` (3)` … behind it, so that its key is not among `taken`."""
    number, free = 1, name
    while name_key(free) in taken:
        number += 1
        ending = f" ({number})"
        free = name[: limits().name_length - len(ending)].rstrip() + ending
    return free


def _visible(name: str) -> bool:
    return any(unicodedata.category(letter)[0] not in "CZ" or unicodedata.category(letter) == "Co" for letter in name)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)
