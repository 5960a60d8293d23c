"""Connections of the servers: plain HTTP/1.1, in which the head of a request has to come in time and be of a sane size.

uvicorn waits for the rest of a head as long as it takes, so that a few hundred connections on which a letter comes now
and then would keep everybody else out. How slowly a body may come is decided in `guards`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""For the head of a request, and for the first byte of a connection."""

IDLE_SECONDS = 30
"""Between two requests. Greeting each other anew takes longer than most requests do, where it is encrypted."""


class Connection(H11Protocol):
    """One connection. A head has at most 64 KB, the bound of h11; the other reader that uvicorn knows has none."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; between two requests, time runs from the first byte."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._wait()

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.transport.close()


def options() -> dict[str, Any]:
    """Return what `uvicorn.Config` is told about connections: these, and no sockets, which nothing here uses."""
    return {"http": Connection, "ws": "none", "timeout_keep_alive": IDLE_SECONDS}
