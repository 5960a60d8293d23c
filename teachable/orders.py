"""A queue of work somebody asked for, and the thread that does it: in turns, one piece at a time.

It owns waiting, taking turns, pausing, giving up and ending; what is done is handed in. Studies, exports and imports
are each one such queue. With many people on one computer nobody's work keeps the others waiting: who was served longest
ago comes next, and work that is long is done piece by piece.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from teachable.errors import Cancelled, Conflict, TeachableError

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Order:
    """Something somebody asked for.

    Attributes:
        owner: whose turn it is on; the id of a project for one.
        state: as a person sees it; `running`, `done`, `failed`, `cancelled` and `paused` are set by the queue.
        cancelled: set when it is given up.
        ended: set when nothing is done about it any more.
        fraction: how much is done, 0 to 1.
        started: when work on it began, in seconds of a clock that never goes back, or None.
        error: what went wrong.
        held: it is paused, or will be after the piece in hand.
    """

    owner: str
    state: str = field(default="waiting", kw_only=True)
    cancelled: threading.Event = field(default_factory=threading.Event, kw_only=True)
    ended: threading.Event = field(default_factory=threading.Event, kw_only=True)
    fraction: float = field(default=0.0, kw_only=True)
    started: float | None = field(default=None, kw_only=True)
    error: TeachableError | None = field(default=None, kw_only=True)
    held: bool = field(default=False, kw_only=True)

    @property
    def elapsed(self) -> float | None:
        """How long ago work on it began, in seconds, or None while it waits."""
        return None if self.started is None else time.monotonic() - self.started

    def report(self, done: float) -> None:
        """Note how much is done; it never goes back."""
        self.fraction = max(self.fraction, min(1.0, done))


Ordered = TypeVar("Ordered", bound=Order)


class Orders(Generic[Ordered]):
    """One thread that works on orders as long as there are any; safe to use from any thread.

    Args:
        name: of the thread.
        work: does one piece of an order. It returns the state the order ended in, or None where there is more to do:
            then others have their turn first.
        died: name of the text for a failure nobody foresaw, below `error`.
        closing: name of the text for an order that comes when everything is being closed, below `error`.
        stop: called with the event of an order that was given up while it is worked on, to wake whoever waits.
        rest: called with an order that was paused, once nothing is done about it.
        tidy: called with an order just before it ends, however it does.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Ordered], str | None],
        *,
        died: str,
        closing: str,
        stop: Callable[[threading.Event], None] = lambda cancelled: None,
        rest: Callable[[Ordered], None] = lambda order: None,
        tidy: Callable[[Ordered], None] = lambda order: None,
    ) -> None:
        self._name = name
        self._work = work
        self._died = died
        self._closing = closing
        self._stop = stop
        self._rest = rest
        self._tidy = tidy
        self.lock = threading.RLock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._live: list[Ordered] = []
        self._waiting: list[Ordered] = []
        self._working: Ordered | None = None
        self._served: dict[str, int] = {}
        self._turn = 0

    def put(self, order: Ordered) -> None:
        """Have an order worked on as soon as it is its turn.

        Raises:
            Conflict: everything is being closed.
        """
        with self.lock:
            self.require_open()
            self._waiting.append(order)
            if order not in self._live:
                self._live.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def require_open(self) -> None:
        """Go on only while orders are taken.

        Raises:
            Conflict: everything is being closed.
        """
        if self._closed:
            raise Conflict(self._closing)

    def hold(self, order: Ordered) -> None:
        """Pause an order; the piece in hand is finished. One that ended stays as it is."""
        with self.lock:
            if order.ended.is_set():
                return
            order.held = True
            if order in self._waiting:
                self._waiting.remove(order)
            order.state = "paused"
            if order is not self._working:
                self._rest(order)

    def release(self, order: Ordered) -> None:
        """Go on with an order that was paused; others stay as they are.

        Raises:
            Conflict: everything is being closed.
        """
        with self.lock:
            if order.ended.is_set() or not order.held:
                return
            self.require_open()
            order.held = False
            order.state = "waiting" if order.started is None else "running"
            if order is not self._working:
                self.put(order)

    def give_up(self, orders: Iterable[Ordered], *, wait: bool = True) -> None:
        """Give orders up, and wait until nothing is done about them any more; those that ended stay as they are."""
        orders = list(orders)
        for order in orders:
            with self.lock:
                order.cancelled.set()
                idle = order in self._waiting or (order.held and order is not self._working)
                order.held = False
                self._waiting = [one for one in self._waiting if one is not order]
            if idle:
                self._end(order, "cancelled", None)
            elif not order.ended.is_set():
                self._stop(order.cancelled)
        for order in orders if wait else []:
            order.ended.wait()

    def close(self) -> list[threading.Thread]:
        """Tell all orders to stop, let none begin any more, and return what is to be joined."""
        with self.lock:
            self._closed = True
            thread, orders = self._thread, list(self._live)
        self.give_up(orders, wait=False)
        return [] if thread is None else [thread]

    # The thread

    def _run(self) -> None:
        while True:
            with self.lock:
                if not self._waiting:
                    self._thread, self._working = None, None
                    self._served.clear()
                    return
                order = self._next()
            state, error = self._outcome(order)
            with self.lock:
                if state is None and order.cancelled.is_set():
                    state = "cancelled"
                if state is None:
                    self._working = None
                    if order.held:
                        self._rest(order)
                    else:
                        self._waiting.append(order)
            if state is not None:
                self._end(order, state, error)

    def _next(self) -> Ordered:
        """Take the order whose owner was served longest ago; of those alike, the one that came first."""
        order = min(self._waiting, key=lambda one: self._served.get(one.owner, 0))
        self._waiting.remove(order)
        self._turn += 1
        self._served[order.owner] = self._turn
        self._working = order
        order.state = "running"
        if order.started is None:
            order.started = time.monotonic()
        return order

    def _outcome(self, order: Ordered) -> tuple[str | None, TeachableError | None]:
        """Do one piece of an order, and say how it ended, if it did."""
        try:
            return self._work(order), order.error
        except Cancelled:
            return "cancelled", None
        except TeachableError as error:
            # Closing and deleting cancel first; whatever breaks on the way out of that is no failure.
            return ("cancelled", None) if order.cancelled.is_set() else ("failed", error)
        except Exception:
            if order.cancelled.is_set():
                return "cancelled", None
            log.exception("%s failed for %s", self._name, order.owner)
            return "failed", TeachableError(self._died)

    def _end(self, order: Ordered, state: str, error: TeachableError | None) -> None:
        try:
            self._tidy(order)
        except Exception:
            # Whoever waits for the end of it must not wait for ever, nor those whose turn it is next.
            log.exception("%s left something behind for %s", self._name, order.owner)
        with self.lock:
            if self._working is order:
                self._working = None
            if order in self._live:
                self._live.remove(order)
            order.state, order.error = state, error
            order.ended.set()


class Precedence:
    """Lets what a person waits for go before what can wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ahead = 0

    @contextmanager
    def first(self) -> Iterator[None]:
        """Go before: while this lasts, others are asked to wait."""
        with self._changed:
            self._ahead += 1
        try:
            yield
        finally:
            with self._changed:
                self._ahead -= 1
                self._changed.notify_all()

    def give_way(self, seconds: float) -> None:
        """Wait until nobody goes before, but no longer than so many seconds: what can wait must come to an end too."""
        with self._changed:
            self._changed.wait_for(lambda: not self._ahead, seconds)
