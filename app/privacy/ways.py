"""The connections themselves: pools that go out directly or by a proxy, made anew when the options change.

A proxy from the settings carries everything. Without one, HTTP_PROXY, HTTPS_PROXY and NO_PROXY hold (on Windows and
macOS the system's own proxy too), except for this computer itself. Certificates: the system's, or SSL_CERT_FILE and
SSL_CERT_DIR, and in any case those of the person's own file.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import weakref
from functools import lru_cache
from urllib.request import getproxies, proxy_bypass

import httpx2

from app.privacy.errors import ProxyFailed, TlsFailed
from app.privacy.exchange import hang_up
from app.privacy.policy import Target, Way, target_of_url
from app.privacy.streams import Backend

MAX_CONNECTIONS = 64
KEPT_CONNECTIONS = 20
KEPT_S = 30.0


class Out:
    """One pool of connections. `proxy` is the name of the proxy it goes through, '' for none."""

    def __init__(self, transport: httpx2.HTTPTransport, proxy: str) -> None:
        self.transport = transport
        self.proxy = proxy
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def take(self) -> Out:
        """One more exchange uses it."""
        with self._lock:
            self._users += 1
        return self

    def release(self) -> None:
        """One less. The last one closes a pool that is not wanted any more."""
        with self._lock:
            self._users -= 1
            close = self._retired and self._users == 0
        if close:
            self.transport.close()

    def carries(self, connection: socket.socket) -> None:
        """One of its connections was made."""
        with self._lock:
            self._sockets.add(connection)

    def hang_up(self) -> None:
        """Ends every connection, also one that was made for an earlier exchange and carries another one now."""
        with self._lock:
            sockets = list(self._sockets)
        for connection in sockets:
            hang_up(connection)

    def retire(self) -> None:
        """No new exchange comes; what is under way ends in peace."""
        with self._lock:
            self._retired = True
            close = self._users == 0
        if close:
            self.transport.close()


class Ways:
    """The pools that hold for the options of now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._way = Way()
        self._pools: dict[str, Out] = {}
        self._all: weakref.WeakSet[Out] = weakref.WeakSet()

    def out(self, way: Way, target: Target) -> Out:
        """The pool to `target`, taken; release it. Raises ProxyFailed or TlsFailed when an option cannot be used."""
        address = way.proxy or _environment_proxy(target)
        retired: list[Out] = []
        with self._lock:
            if way != self._way:
                retired, self._way, self._pools = list(self._pools.values()), way, {}
            found = self._pools.get(address)
            try:
                if found is None:
                    found = self._pools[address] = _made(way, address)
                    self._all.add(found)
                return found.take()
            finally:
                for pool in retired:
                    pool.retire()

    def hang_up(self) -> None:
        """Ends every connection, in use or not."""
        with self._lock:
            pools = list(self._all)
        for pool in pools:
            pool.hang_up()
        self.close()

    def close(self) -> None:
        """Closes every connection that is not in use; the others follow with their exchanges."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.retire()


def _made(way: Way, address: str) -> Out:
    proxy = target_of_url(address) if address else None
    if address and (proxy is None or proxy.scheme not in ("http", "https")):
        raise ProxyFailed(
            f"The proxy address “{_without_password(address)}” cannot be used; it looks like http://proxy.example:8080."
        )
    context = _system_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    if way.ca_file:
        context = httpx2.create_ssl_context()
        try:
            context.load_verify_locations(way.ca_file)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise TlsFailed(f"The certificate file {way.ca_file} cannot be used.", detail=str(error)) from error
    limits = httpx2.Limits(
        max_connections=MAX_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEPT_S
    )
    transport = httpx2.HTTPTransport(verify=context, limits=limits, proxy=address or None)
    # httpx2 does not hand httpcore2's own option on; a test of cancelling fails when this name is another one.
    transport._pool._network_backend = Backend()
    return Out(transport, proxy.name if proxy is not None else "")


@lru_cache(maxsize=1)
def _system_context(file: str | None, folder: str | None) -> ssl.SSLContext:
    """The certificates that hold without a file of one's own, for these values of SSL_CERT_FILE and SSL_CERT_DIR, which
    httpx2 reads itself. Kept, because reading them takes 40 ms."""
    return httpx2.create_ssl_context()


def _environment_proxy(target: Target) -> str:
    if target.local or proxy_bypass(target.name):
        return ""
    found = getproxies()
    address = found.get(target.scheme) or found.get("all") or ""
    return address if not address or "://" in address else f"http://{address}"


def _without_password(address: str) -> str:
    before, at, after = address.rpartition("@")
    return f"{before.partition('//')[0]}//…@{after}" if at else address
