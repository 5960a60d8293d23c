"""Trainings by project: what is done to one while none may begin concerns no other."""

import threading

import pytest
from making import DEADLINE

from teachable.errors import Conflict
from teachable.trainings import Trainings


def test_what_is_done_to_an_idle_project_keeps_no_other_waiting() -> None:
    trainings, begun, go_on = Trainings(), threading.Event(), threading.Event()
    asked = threading.Event()

    def act() -> None:
        begun.set()
        assert go_on.wait(DEADLINE)

    def ask() -> None:
        trainings.latest("other")
        trainings.while_idle("other", lambda: None)
        asked.set()

    acting = threading.Thread(target=trainings.while_idle, args=("one", act), daemon=True)
    acting.start()
    assert begun.wait(DEADLINE)
    threading.Thread(target=ask, daemon=True).start()
    assert asked.wait(DEADLINE / 2)
    go_on.set()
    acting.join(DEADLINE)
    assert not acting.is_alive()


def test_what_is_done_to_one_project_takes_turns() -> None:
    trainings, begun, go_on = Trainings(), threading.Event(), threading.Event()
    order: list[int] = []

    def act() -> None:
        begun.set()
        assert go_on.wait(DEADLINE)
        order.append(1)

    first = threading.Thread(target=trainings.while_idle, args=("one", act), daemon=True)
    second = threading.Thread(target=trainings.while_idle, args=("one", lambda: order.append(2)), daemon=True)
    first.start()
    assert begun.wait(DEADLINE)
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(DEADLINE)
    assert order == [1, 2]


def test_what_fails_or_comes_too_late_holds_nothing() -> None:
    trainings = Trainings()
    with pytest.raises(ZeroDivisionError):
        trainings.while_idle("one", lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    trainings.require_idle("one")
    trainings.give_up()
    with pytest.raises(Conflict) as caught:
        trainings.require_idle("one")
    assert caught.value.key == "closing"
