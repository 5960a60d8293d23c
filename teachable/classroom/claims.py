"""Who wants which seat back: a pupil whose browser is not known any more, and whom only the teacher can recognise.

A browser that asks keeps a secret, of which only the digest is known here. All of it is in memory: after a restart,
pages ask again. What a seat is, and who may have it, is not known here; the teacher says so.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from teachable.classroom.register import digest
from teachable.errors import TooMany

LASTING_SECONDS = 15 * 60
"""How long a claim is kept after the page that made it asked last."""
MOST_CLAIMS = 100
MOST_ALIKE = 3
"""Claims to one seat from one address: another browser there takes the place of the one that asked first."""

_MOST_MOVED = 1000

Standing = Literal["waiting", "refused", "allowed"]


@dataclass(frozen=True)
class Claim:
    """That somebody wants a seat.

    Attributes:
        id: by which the teacher names it; worth nothing to anybody else.
        cookie: SHA-256 of what the browser that asks keeps.
        visitor: id of whose seat it is.
        address: of the device.
        asked: when, in seconds since 1970.
        seen: when its page asked last.
        state: what the teacher has said.
    """

    id: str
    cookie: str
    visitor: str
    address: str
    asked: float
    seen: float
    state: Standing = "waiting"


class Claims:
    """All claims, in the order in which they were made; safe to use from any thread.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By the digests of their cookies.
        self._claims: OrderedDict[str, Claim] = OrderedDict()
        self._moved: OrderedDict[str, None] = OrderedDict()

    def ask(self, visitor_id: str, address: str, cookie: str) -> str | None:
        """Claim a seat. A browser has one claim; asking again after a refusal makes it wait once more.

        Args:
            visitor_id: whose seat.
            address: of the device that asks.
            cookie: what its browser keeps of an earlier claim, or "".

        Returns:
            What its browser has to keep, or None where it has that.

        Raises:
            TooMany: there are as many claims as a teacher can look at.
        """
        with self._lock:
            now = self._current()
            kept = digest(cookie)
            known = self._claims.get(kept)
            if known is not None and known.visitor == visitor_id:
                if known.state == "refused":
                    self._claims[kept] = replace(known, asked=now, state="waiting")
                    self._claims.move_to_end(kept)
                return None
            alike = [key for key, one in self._claims.items() if (one.visitor, one.address) == (visitor_id, address)]
            over = {kept} & self._claims.keys() | set(alike[: max(0, len(alike) - MOST_ALIKE + 1)])
            if len(self._claims) - len(over) >= MOST_CLAIMS:
                raise TooMany("room_claims_full")
            for key in over:
                del self._claims[key]
            secret = secrets.token_urlsafe(24)
            made = digest(secret)
            self._claims[made] = Claim(secrets.token_hex(8), made, visitor_id, address, now, now)
            return secret

    def by_cookie(self, cookie: str) -> Claim | None:
        """Return the claim of a browser, which lasts the longer for it."""
        with self._lock:
            now = self._current()
            found = self._claims.get(digest(cookie)) if cookie else None
            if found is not None:
                self._claims[found.cookie] = replace(found, seen=now)
            return found

    def waiting(self) -> tuple[Claim, ...]:
        """Return the claims the teacher has not answered; the newest last."""
        with self._lock:
            self._current()
            return tuple(one for one in self._claims.values() if one.state == "waiting")

    def answer(self, ids: Collection[str], allow: bool) -> None:
        """Allow claims that wait, or refuse them; ids of others are passed over.

        A seat has one place. Allowing one claim to it refuses the others; where several are to be allowed at once,
        nobody has looked at them, and they go on waiting.
        """
        with self._lock:
            self._current()
            chosen = [one for one in self._claims.values() if one.id in ids and one.state == "waiting"]
            if not allow:
                for one in chosen:
                    self._claims[one.cookie] = replace(one, state="refused")
                return
            seats = [one.visitor for one in chosen]
            for one in chosen:
                if seats.count(one.visitor) == 1:
                    self._allow(one)

    def _allow(self, chosen: Claim) -> None:
        for key, one in self._claims.items():
            if one.visitor == chosen.visitor:
                self._claims[key] = replace(one, state="allowed" if one.id == chosen.id else "refused")

    def forget(self, cookie: str) -> None:
        """Forget the claim of a browser."""
        with self._lock:
            self._claims.pop(digest(cookie), None)

    def drop(self, visitor_id: str) -> None:
        """Forget all claims to a seat."""
        with self._lock:
            for key in [key for key, one in self._claims.items() if one.visitor == visitor_id]:
                del self._claims[key]

    # Who had a seat before

    def note_moved(self, cookie_digest: str) -> None:
        """Note that a seat was given to another browser than the one that keeps this cookie."""
        with self._lock:
            self._moved[cookie_digest] = None
            while len(self._moved) > _MOST_MOVED:
                self._moved.popitem(last=False)

    def has_moved(self, cookie: str) -> bool:
        """Say whether a browser keeps the cookie of a seat that another has now."""
        return bool(cookie) and digest(cookie) in self._moved

    def _current(self) -> float:
        """Forget the claims that are over, and return what time it is; with the lock held."""
        now = self._clock()
        # One that was seen later than now was made while the clock was wrong.
        for key in [key for key, one in self._claims.items() if not 0 <= now - one.seen < LASTING_SECONDS]:
            del self._claims[key]
        return now
