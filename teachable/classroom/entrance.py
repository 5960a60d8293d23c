"""One door for encrypted and plain connections, so that the short address that people type always leads somewhere.

The first byte of a connection says which it is: 22 begins a TLS handshake (RFC 8446, 5.1), and no request of HTTP. It
is looked at and left where it is. Whoever says nothing is let go after a while, and keeps nobody else waiting.
"""

import asyncio
import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_HANDSHAKE = 22
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.5
# Fewer than what `select` can watch on Windows.
_MOST_WAITING = 400


class Entrance:
    """Takes connections in its own thread and hands each to the event loop, encrypted or plain.

    Args:
        listening: the socket that connections come to; closed by whoever opened it.
        protocol: makes what speaks on a connection.
        context: encrypts.
        loop: that connections are handed to.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._listening = listening
        self._protocol = protocol
        self._context = context
        self._loop = loop
        self._closed = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._work, name="entrance", daemon=True)
        listening.setblocking(False)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections; those that were handed on go on."""
        self._closed.set()
        self._thread.join()

    def _work(self) -> None:
        waiting: dict[socket.socket, float] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            while not self._closed.is_set():
                for key, _ in selector.select(_LOOK_SECONDS):
                    if key.fileobj is self._listening:
                        self._accept(selector, waiting)
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in waiting:
                        # One that made room for another in this very moment is not there any more.
                        selector.unregister(key.fileobj)
                        del waiting[key.fileobj]
                        self._admit(key.fileobj)
                now = time.monotonic()
                for connection in [one for one, since in waiting.items() if now - since > _PATIENCE_SECONDS]:
                    selector.unregister(connection)
                    del waiting[connection]
                    connection.close()
        for connection in waiting:
            connection.close()

    def _accept(self, selector: selectors.BaseSelector, waiting: dict[socket.socket, float]) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionError):
            return  # whoever knocked is gone
        except OSError:
            # Too many open files, for one: it is tried again, and until then others are served.
            log.warning("a connection could not be taken", exc_info=True)
            self._closed.wait(_LOOK_SECONDS)
            return
        connection.setblocking(False)
        if len(waiting) >= _MOST_WAITING:
            oldest = min(waiting, key=lambda one: waiting[one])
            selector.unregister(oldest)
            del waiting[oldest]
            oldest.close()
        waiting[connection] = time.monotonic()
        selector.register(connection, selectors.EVENT_READ)

    def _admit(self, connection: socket.socket) -> None:
        """Hand on a connection on which something came."""
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except OSError:
            first = b""
        if not first:
            connection.close()
            return
        encrypted = first[0] == _HANDSHAKE
        try:
            self._loop.call_soon_threadsafe(self._hand_on, connection, encrypted)
        except RuntimeError:  # the loop has ended
            connection.close()

    def _hand_on(self, connection: socket.socket, encrypted: bool) -> None:
        task = self._loop.create_task(self._connect(connection, encrypted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket, encrypted: bool) -> None:
        try:
            if encrypted:
                await self._loop.connect_accepted_socket(
                    self._protocol, connection, ssl=self._context, ssl_handshake_timeout=_PATIENCE_SECONDS
                )
            else:
                await self._loop.connect_accepted_socket(self._protocol, connection)
        except (TimeoutError, OSError, EOFError):
            # Every browser that warns about the certificate hangs up in the middle of this.
            log.debug("a connection ended before it began", exc_info=True)
            connection.close()
