"""Who has joined, what the teacher decided, and that both are there again after a restart."""

import json
import os
import threading
from pathlib import Path

import pytest

from teachable.classroom import passwords, patience
from teachable.classroom.passwords import Hashed, made_up
from teachable.classroom.patience import Patience
from teachable.classroom.register import MOST_VISITORS, SESSION_SECONDS, Register, State
from teachable.errors import Conflict, InvalidInput, NotFound, TooMany


class Clock:
    """A clock that tests can set."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


# Joining


def test_who_joined_is_known_by_the_cookie_also_after_a_restart(tmp_path: Path) -> None:
    register = Register(tmp_path)
    anna, cookie = register.join("  Anna ")
    register.give(anna.id, "p" * 32)
    register.update(anna.id, locked=True, hand=True)
    register.decide(open=False, locked=True, starter="s" * 32, handed=3)
    again = Register(tmp_path)
    assert again.by_cookie(cookie) == again.visitor(anna.id)
    assert again.state == register.state
    assert (again.visitor(anna.id).name, again.visitor(anna.id).locked) == ("Anna", True)
    assert again.owner("p" * 32) == again.visitor(anna.id)
    assert again.by_cookie("x") is again.by_cookie("") is again.owner("q") is None


def test_no_cookie_and_no_password_is_on_disk(tmp_path: Path) -> None:
    register = Register(tmp_path)
    _, cookie = register.join("Anna")
    register.decide(password=Hashed.of("river-lamp-42"))
    session = register.begin_session()
    text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    assert "Anna" in text
    for secret in (cookie, session, "river-lamp-42"):
        assert secret not in text


def test_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    register = Register(tmp_path)
    assert [register.join(name)[0].name for name in ("Anna", "anna", "ANNA")] == ["Anna", "anna 2", "ANNA 3"]


@pytest.mark.parametrize("name", ["", "  ", "a" * 41, "a\nb", "\u202e"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    register = Register(tmp_path)
    with pytest.raises(InvalidInput):
        register.join(name)
    assert register.visitors() == ()


def test_a_closed_or_full_room_takes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register = Register(tmp_path)
    monkeypatch.setattr("teachable.classroom.register.MOST_VISITORS", 1)
    register.join("Anna")
    with pytest.raises(Conflict, match="1 people"):
        register.join("Ben")
    register.decide(open=False)
    with pytest.raises(Conflict, match="Nobody else"):
        register.join("Ben")
    assert MOST_VISITORS >= 30


def test_who_was_removed_is_not_there_until_they_are_back(tmp_path: Path) -> None:
    register = Register(tmp_path)
    anna, cookie = register.join("Anna")
    register.give(anna.id, "p")
    register.update(anna.id, removed=(("p", "token"),))
    again = Register(tmp_path)
    assert again.by_cookie(cookie) is again.owner("p") is None
    with pytest.raises(NotFound):
        again.visitor(anna.id)
    again.update(anna.id, removed=None)
    assert again.owner("p") == again.by_cookie(cookie)


def test_the_project_given_last_is_the_one_shown(tmp_path: Path) -> None:
    register = Register(tmp_path)
    anna, _ = register.join("Anna")
    for project in ("p", "q", "p"):
        register.give(anna.id, project)
    assert register.visitor(anna.id).projects == ("q", "p")


def test_a_change_that_cannot_be_written_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register = Register(tmp_path)
    register.join("Anna")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        register.join("Ben")
    assert [one.name for one in register.visitors()] == ["Anna"]
    monkeypatch.undo()
    assert Register(tmp_path).state == register.state


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"format_version": 2}', b'{"format_version": 1}'])
def test_a_damaged_register_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "room.json").write_bytes(damage)
    register = Register(tmp_path)
    assert register.state == State()
    [aside] = tmp_path.glob("room.json.damaged-*")
    assert aside.read_bytes() == damage
    register.join("Anna")
    assert json.loads((tmp_path / "room.json").read_text(encoding="utf-8"))["format_version"] == 1


def test_many_join_at_once(tmp_path: Path) -> None:
    register = Register(tmp_path)
    threads = [threading.Thread(target=register.join, args=("Anna",)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.name for one in register.visitors()}) == 12
    assert Register(tmp_path).visitors() == register.visitors()


# Sessions


def test_a_session_ends_by_itself_or_when_it_is_ended(tmp_path: Path) -> None:
    clock = Clock()
    register = Register(tmp_path, clock)
    first, second = register.begin_session(), register.begin_session()
    assert Register(tmp_path, clock).is_teacher(first)
    register.end_session(first)
    assert (register.is_teacher(first), register.is_teacher(second), register.is_teacher("")) == (False, True, False)
    clock.now += SESSION_SECONDS + 1
    assert not register.is_teacher(second)


def test_a_session_made_while_the_clock_was_ahead_does_not_last(tmp_path: Path) -> None:
    clock = Clock(10**9)
    register = Register(tmp_path, clock)
    cookie = register.begin_session()
    clock.now = 1000.0
    assert not register.is_teacher(cookie)
    register.begin_session()
    assert len(register.state.sessions) == 1


# Passwords


def test_a_password_fits_as_people_type_it_on_phones() -> None:
    hashed = Hashed.of("river-lamp-goose-42")
    assert hashed.fits("river-lamp-goose-42")
    assert hashed.fits(" River-lamp-goose-42 ")
    assert not hashed.fits("river-lamp-goose-43")
    assert Hashed.of("river-lamp-goose-42") != hashed


def test_made_up_passwords_are_easy_and_all_different() -> None:
    found = {made_up() for _ in range(200)}
    assert len(found) == 200
    for one in found:
        words = one.split("-")
        assert len(words) == 4
        assert all(word.isascii() and word.isalpha() for word in words[:3])
        passwords.check(one)
    with pytest.raises(InvalidInput, match="too short"):
        passwords.check(" abc ")


# Patience


def test_who_tries_too_often_waits_and_nobody_else() -> None:
    clock = Clock()
    tries = Patience(3, 60.0, clock)
    for _ in range(3):
        tries.require("a")
        tries.count("a")
    with pytest.raises(TooMany, match="60 seconds"):
        tries.require("a")
    tries.require("b")
    clock.now += 59.5
    with pytest.raises(TooMany, match="1 seconds"):
        tries.require("a")
    clock.now += 1
    tries.require("a")


def test_attempts_can_be_forgiven_and_old_devices_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_MOST_KNOWN", 2)
    tries = Patience(1, 60.0, Clock())
    for device in "abc":
        tries.count(device)
    assert [tries.over(device) > 0 for device in "abc"] == [False, True, True]
    tries.forgive("b")
    assert tries.over("b") == 0
