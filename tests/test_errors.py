"""Errors carry their key and values, say it in words, and become one HTTP status each."""

import pytest

from teachable import errors
from teachable.errors import PhotoError, TeachableError, TooLarge
from teachable.words import say

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TeachableError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_status_of_its_own_range_and_says_what_it_is(kind: type[TeachableError]) -> None:
    assert 400 <= kind.status < 600
    assert kind.__doc__


def test_an_error_is_its_text_and_keeps_key_and_values() -> None:
    error = PhotoError("photo_truncated", name="“{cat}”.jpg")
    assert str(error) == say("error.photo_truncated", name="“{cat}”.jpg")
    assert "“{cat}”.jpg" in str(error)
    assert (error.key, error.values) == ("photo_truncated", {"name": "“{cat}”.jpg"})
    assert (error.status, TooLarge.status) == (422, 413)


def test_counted_errors_choose_their_form() -> None:
    one, many = (str(TeachableError("too_many_files", count=count, allowed=64)) for count in (1, 65))
    assert "65" in many
    assert one != many


def test_an_error_without_its_words_or_values_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        TeachableError("there_is_no_such_text")
    with pytest.raises(KeyError):
        TeachableError("photo_truncated")


def test_one_except_catches_them_all() -> None:
    for kind in KINDS:
        with pytest.raises(TeachableError):
            raise kind("project_unknown")
