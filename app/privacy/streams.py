"""Connections that can be ended at any moment of an exchange: while they are made, and from its first byte on.

httpcore2 tells of a connection when it is made, and again with the answer, but not when a kept one is taken for the
next request. So each stream tells the exchange that writes to it.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from app.privacy.exchange import HUNG_UP, Exchange, under_way

CONNECTING = "inglenook-connect"
LOOK_S = 0.05
"""How often somebody who waits for a connection looks whether it is still wanted."""

_END_OF_HEAD = b"\r\n\r\n"
_UNKNOWN = -(1 << 63)


class Stream(httpcore2.NetworkStream):
    """A connection that tells whom it carries, and remembers that the other end hung up.

    `body_bytes`: how much of the current answer's body was read; less than none when its head came in pieces.
    """

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner
        self._hung_up = False
        self._asked = False
        self.body_bytes = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As httpcore2's."""
        got = self._inner.read(max_bytes, timeout)
        if not got:
            self._hung_up = True
        if self._asked:
            head, end, _ = got.partition(_END_OF_HEAD)
            self._asked, self.body_bytes = False, -len(head + end) if end else _UNKNOWN
        self.body_bytes += len(got)
        return got

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As httpcore2's."""
        exchange = under_way.get()
        if exchange is not None:
            exchange.connected(self)
        self._asked = True
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        """As httpcore2's."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """As httpcore2's."""
        return Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """As httpcore2's, and HUNG_UP."""
        return self._hung_up if info == HUNG_UP else self._inner.get_extra_info(info)


class Backend(httpcore2.SyncBackend):
    """Makes the connections."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """As httpcore2's, but given up as soon as the exchange is stopped."""
        exchange = under_way.get()

        def make() -> httpcore2.NetworkStream:
            return super(Backend, self).connect_tcp(host, port, timeout, local_address, socket_options or ())

        return Stream(make() if exchange is None else _Making(make).wait(exchange))


class _Making:
    """A connection in the making. Neither looking up a name nor connecting can be interrupted, so both happen on a
    thread of their own, which closes what it made when nobody wants it any more."""

    def __init__(self, make: Callable[[], httpcore2.NetworkStream]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._given_up = False
        self._made: httpcore2.NetworkStream | None = None
        self._error: BaseException | None = None

    def wait(self, exchange: Exchange) -> httpcore2.NetworkStream:
        """The connection, or what went wrong."""
        threading.Thread(target=self._run, name=CONNECTING, daemon=True).start()
        while not self._ended.wait(LOOK_S):
            if exchange.stopped is not None:
                with self._lock:
                    self._given_up = True
                    late = self._made
                if late is not None:
                    late.close()
                raise httpcore2.ConnectError("given up")
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

    def _run(self) -> None:
        try:
            made = self._make()
        except BaseException as error:  # noqa: BLE001 - it is raised on the thread that waits
            self._error = error
        else:
            with self._lock:
                self._made = made
                unwanted = self._given_up
            if unwanted:
                with contextlib.suppress(OSError):
                    made.close()
        self._ended.set()
