import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from making import DEADLINE, until

from teachable.errors import Cancelled, Conflict, NotFound
from teachable.orders import Order, Orders, Precedence


@dataclass(eq=False)
class Pieces(Order):
    """Work in pieces; each is noted, and begins when it may."""

    left: int = 1


class Desk:
    """A queue whose pieces wait at a gate, and a list of whose piece was done."""

    def __init__(self, act: Callable[[Pieces], None] = lambda order: None) -> None:
        self.done: list[str] = []
        self.tidied: list[Pieces] = []
        self.stopped: list[threading.Event] = []
        self.gate = threading.Semaphore(0)
        self._act = act
        self.orders = Orders[Pieces](
            "tests",
            self._work,
            died="report_died",
            closing="report_closing",
            stop=self._stop,
            tidy=self.tidied.append,
        )

    def _work(self, order: Pieces) -> str | None:
        assert self.gate.acquire(timeout=DEADLINE)
        if order.cancelled.is_set():
            raise Cancelled
        self._act(order)
        self.done.append(order.owner)
        order.left -= 1
        return None if order.left else "done"

    def _stop(self, cancelled: threading.Event) -> None:
        self.stopped.append(cancelled)
        self.gate.release()

    def open(self, pieces: int = 1) -> None:
        for _ in range(pieces):
            self.gate.release()


@contextmanager
def desk(act: Callable[[Pieces], None] = lambda order: None) -> Iterator[Desk]:
    one = Desk(act)
    try:
        yield one
    finally:
        threads = one.orders.close()
        one.open(100)
        for thread in threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()


def put(one: Desk, owner: str, pieces: int = 1) -> Pieces:
    order = Pieces(owner, left=pieces)
    one.orders.put(order)
    return order


def test_owners_take_turns_however_much_one_of_them_asks_for() -> None:
    with desk() as one:
        orders = [put(one, "busy", 3), put(one, "busy", 2), put(one, "quiet", 2)]
        one.open(7)
        for order in orders:
            assert order.ended.wait(DEADLINE)
            assert order.state == "done"
        # The first piece may begin before the others were there.
        assert one.done[:4] in (["busy", "quiet", "busy", "quiet"], ["busy", "busy", "quiet", "busy"])
        assert one.done.index("quiet") <= 2
        assert one.tidied == sorted(orders, key=one.tidied.index)


def test_a_paused_order_lets_others_go_on_and_goes_on_itself_when_it_may() -> None:
    with desk() as one:
        long, short = put(one, "a", 3), put(one, "b", 1)
        one.open(1)
        until(lambda: one.done)
        one.orders.hold(long)
        assert long.state == "paused"
        one.open(2)
        assert short.ended.wait(DEADLINE)
        until(lambda: one.orders._working is None)
        done = one.done.count("a")
        assert done < 3
        assert not long.ended.is_set()
        one.open(3)
        one.orders.release(long)
        assert long.ended.wait(DEADLINE)
        assert one.done.count("a") == 3
        one.orders.release(long)
        one.orders.hold(long)
        assert long.state == "done"


def test_a_paused_order_that_is_given_up_ends_and_is_tidied_once() -> None:
    with desk() as one:
        held = put(one, "a", 2)
        one.orders.hold(held)
        one.open(1)
        until(lambda: one.orders._working is None)
        one.orders.give_up([held])
        one.orders.give_up([held])
        assert held.state == "cancelled"
        assert one.tidied == [held]


def test_giving_up_wakes_the_one_that_is_worked_on_and_takes_out_the_one_that_waits() -> None:
    with desk() as one:
        running, waiting = put(one, "a"), put(one, "b")
        until(lambda: running.started is not None)
        one.orders.give_up([waiting, running])
        assert running.state == waiting.state == "cancelled"
        assert one.stopped == [running.cancelled]
        assert not one.done


def test_what_goes_wrong_is_told_and_the_next_is_done_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def act(order: Pieces) -> None:
        if order.owner == "known":
            raise NotFound("class_unknown")
        if order.owner == "unknown":
            raise ZeroDivisionError

    with desk(act) as one:
        known, unknown, fine = put(one, "known"), put(one, "unknown"), put(one, "fine")
        one.open(3)
        assert fine.ended.wait(DEADLINE)
        assert (known.state, known.error and known.error.key) == ("failed", "class_unknown")
        assert (unknown.state, unknown.error and unknown.error.key) == ("failed", "report_died")
        assert fine.state == "done"
        assert "ZeroDivisionError" in caplog.text


def test_closing_gives_up_what_waits_and_what_is_paused_and_takes_nothing_more() -> None:
    with desk() as one:
        orders = [put(one, "a", 2), put(one, "b"), put(one, "c")]
        one.orders.hold(orders[2])
        for thread in one.orders.close():
            thread.join(DEADLINE)
        assert {order.state for order in orders} == {"cancelled"}
        with pytest.raises(Conflict) as caught:
            put(one, "d")
        assert caught.value.key == "report_closing"


def test_progress_never_goes_back() -> None:
    order = Order("a")
    for part in (0.5, 0.2, 7.0):
        order.report(part)
    assert order.fraction == 1.0


def test_what_can_wait_waits_for_what_people_wait_for_but_not_for_ever() -> None:
    precedence = Precedence()
    passed = threading.Event()

    def later() -> None:
        precedence.give_way(DEADLINE)
        passed.set()

    thread = threading.Thread(target=later)
    with precedence.first():
        precedence.give_way(0.01)
        with precedence.first():
            thread.start()
        assert not passed.is_set()
    assert passed.wait(DEADLINE)
    thread.join()
    precedence.give_way(DEADLINE)


def test_what_cannot_be_tidied_up_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    def tidy(order: Pieces) -> None:
        if order.owner == "a":
            raise OSError("in use")

    orders = Orders[Pieces]("tests", lambda order: "done", died="report_died", closing="report_closing", tidy=tidy)
    first, second = Pieces("a"), Pieces("b")
    orders.put(first)
    orders.put(second)
    assert first.ended.wait(DEADLINE)
    assert second.ended.wait(DEADLINE)
    assert (first.state, second.state) == ("done", "done")
    assert "left something behind for a" in caplog.text
    for thread in orders.close():
        thread.join(DEADLINE)
