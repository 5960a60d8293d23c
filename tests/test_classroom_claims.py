"""Who wants which seat back: how long that is kept, how many there are, and what the teacher's answer means."""

import pytest
from test_classroom_register import Clock

from teachable.classroom import claims
from teachable.classroom.claims import LASTING_SECONDS, MOST_ALIKE, MOST_CLAIMS, Claims
from teachable.errors import TooMany


def ids(found: Claims) -> list[str]:
    return [one.id for one in found.waiting()]


def ask(found: Claims, visitor: str, address: str = "10.0.0.1", cookie: str = "") -> str:
    secret = found.ask(visitor, address, cookie)
    assert secret is not None
    return secret


def state(found: Claims, cookie: str) -> str | None:
    claim = found.by_cookie(cookie)
    return claim.state if claim else None


def test_a_claim_lasts_while_its_page_asks() -> None:
    clock = Clock()
    found = Claims(clock)
    kept, left = ask(found, "anna"), ask(found, "ben")
    for _ in range(3):
        clock.now += LASTING_SECONDS - 1
        assert state(found, kept) == "waiting"
    assert state(found, left) is None
    assert [one.visitor for one in found.waiting()] == ["anna"]
    assert found.waiting()[0].asked == 1000
    clock.now += LASTING_SECONDS
    assert found.waiting() == ()


def test_a_claim_of_a_clock_that_was_ahead_is_over() -> None:
    clock = Clock()
    found = Claims(clock)
    kept = ask(found, "anna")
    clock.now -= 1
    assert state(found, kept) is None


def test_a_browser_has_one_claim() -> None:
    clock = Clock()
    found = Claims(clock)
    kept = ask(found, "anna")
    before = ids(found)
    assert found.ask("anna", "10.0.0.1", kept) is None
    assert ids(found) == before
    other = ask(found, "ben", cookie=kept)
    assert [one.visitor for one in found.waiting()] == ["ben"]
    assert (state(found, kept), state(found, other)) == (None, "waiting")
    found.forget(other)
    assert found.waiting() == ()


def test_from_one_address_only_some_can_ask_for_one_seat() -> None:
    found = Claims(Clock())
    asked = [ask(found, "anna") for _ in range(MOST_ALIKE + 2)]
    assert [state(found, one) for one in asked] == [None, None, *["waiting"] * MOST_ALIKE]
    ask(found, "anna", "10.0.0.2")
    ask(found, "ben")
    assert len(found.waiting()) == MOST_ALIKE + 2


def test_there_are_never_more_than_a_teacher_can_look_at() -> None:
    clock = Clock()
    found = Claims(clock)
    kept = [ask(found, f"pupil{number}", f"10.0.0.{number}") for number in range(MOST_CLAIMS)]
    with pytest.raises(TooMany):
        found.ask("late", "10.0.1.1", "")
    assert len(found.waiting()) == MOST_CLAIMS
    # Whoever waits already may think better of it; and what is over makes room.
    ask(found, "pupil1", "10.0.0.0", kept[0])
    assert len(found.waiting()) == MOST_CLAIMS
    clock.now += LASTING_SECONDS
    ask(found, "late", "10.0.1.1")
    assert len(found.waiting()) == 1


def test_a_refused_claim_can_be_made_again_and_waits_behind_the_others() -> None:
    clock = Clock()
    found = Claims(clock)
    anna, ben = ask(found, "anna"), ask(found, "ben")
    found.answer(ids(found)[:1], allow=False)
    assert (state(found, anna), state(found, ben)) == ("refused", "waiting")
    clock.now += 60
    assert found.ask("anna", "10.0.0.1", anna) is None
    assert [(one.visitor, one.asked) for one in found.waiting()] == [("ben", 1000), ("anna", 1060)]


def test_an_answer_holds_once_and_unknown_ids_are_passed_over() -> None:
    found = Claims(Clock())
    anna = ask(found, "anna")
    [one] = ids(found)
    found.answer([one, "unknown", ""], allow=True)
    found.answer([one], allow=True)
    found.answer([one], allow=False)
    assert state(found, anna) == "allowed"
    assert found.waiting() == ()
    # Allowed, and asked again by the same browser: it is still allowed.
    assert found.ask("anna", "10.0.0.1", anna) is None
    assert state(found, anna) == "allowed"


def test_a_seat_that_two_want_is_given_to_nobody_unseen() -> None:
    found = Claims(Clock())
    first, second, ben = ask(found, "anna"), ask(found, "anna", "10.0.0.2"), ask(found, "ben")
    found.answer(ids(found), allow=True)
    assert [state(found, one) for one in (first, second, ben)] == ["waiting", "waiting", "allowed"]
    found.answer(ids(found)[1:], allow=True)
    assert [state(found, one) for one in (first, second)] == ["refused", "allowed"]


def test_nobody_can_guess_a_claim() -> None:
    found = Claims(Clock())
    secret = ask(found, "anna")
    [one] = found.waiting()
    assert len(secret) >= 32
    # What a teacher sees, and what is kept, opens nothing.
    for guess in (one.id, one.cookie, one.visitor, secret[:-1], secret.swapcase(), "", "\udc80"):
        assert found.by_cookie(guess) is None
    assert secret not in repr(one)
    assert len({ask(found, "ben", f"10.0.0.{number}") for number in range(50)}) == 50


def test_browsers_that_lost_their_seat_are_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_MOST_MOVED", 2)
    found = Claims(Clock())
    for cookie in "abc":
        found.note_moved(claims.digest(cookie))
    assert [found.has_moved(cookie) for cookie in ("a", "b", "c", "")] == [False, True, True, False]
