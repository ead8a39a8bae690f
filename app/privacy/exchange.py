"""Requests that are under way, so that they can be ended from another thread: by the switch, or by a cancelled action.

An action's state lives as long as a thread is inside of it: which other origins the Hub sent us to, and whether it was
cancelled. Nothing here decides what is allowed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

from app.privacy.errors import Cancelled, NetworkError
from app.privacy.ledger import Ledger
from app.privacy.policy import Action, Purpose, Target


class Out(Protocol):
    """The connections that carry an exchange."""

    def carries(self, connection: socket.socket) -> None: ...
    def release(self) -> None: ...


class ActionState:
    """What is known of an action while threads are inside of it. `owner` is whose action it is."""

    def __init__(self, action: Action, owner: Exchanges) -> None:
        self.action = action
        self.owner = owner
        self.threads = 0
        self.granted: set[str] = set()
        self.cancelled = False


_current: ContextVar[ActionState | None] = ContextVar("inglenook_action", default=None)
under_way: ContextVar[Exchange | None] = ContextVar("inglenook_exchange", default=None)
"""The exchange that this thread asks for now, until its answer begins."""

HUNG_UP = "inglenook_hung_up"
"""What a connection is asked to know whether its other end hung up."""


class Exchange:
    """One request and its answer."""

    def __init__(self, target: Target, state: ActionState | None, ledger: Ledger) -> None:
        self.target = target
        self.action = None if state is None else state.action
        self.granted: set[str] = set() if state is None else state.granted
        self.row = ledger.row(self.action, target.name, local=target.local)
        self.stopped: NetworkError | None = None
        self.out: Out | None = None
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._stream: Any = None

    @property
    def hung_up(self) -> bool:
        """Whether the other end hung up."""
        return bool(self._stream is not None and self._stream.get_extra_info(HUNG_UP))

    @property
    def purpose(self) -> Purpose:
        """What it is for; a check, where nobody asked (which is refused before anything is sent)."""
        return Purpose.CHECK if self.action is None else self.action.purpose

    def raise_if_stopped(self) -> None:
        """Raises why this must not go on, if it must not."""
        if self.stopped is not None:
            raise self.stopped

    def stop(self, error: NetworkError) -> None:
        """Ends it from any thread: whoever waits for its socket wakes up at once."""
        self.stopped = self.stopped or error
        self._shut()

    def connected(self, stream: Any) -> None:
        """Told the connection that carries it: an httpcore2 network stream."""
        self._stream = stream
        found = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(found, socket.socket):
            with self._lock:
                self._socket = found
            if self.out is not None:
                self.out.carries(found)
            if self.stopped is not None:
                self._shut()

    def let_go(self) -> None:
        """Its connection goes back to the others, and may carry another exchange next."""
        with self._lock:
            self._socket = None

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """httpcore2's `trace` extension: the only way to hear of a connection before its first answer."""
        if name in ("connection.connect_tcp.started", "http11.send_request_headers.started"):
            self.raise_if_stopped()
        elif name in ("connection.connect_tcp.complete", "connection.start_tls.complete", "proxy.start_tls.complete"):
            self.connected(info.get("return_value"))

    def _shut(self) -> None:
        with self._lock:
            if self._socket is not None:
                hang_up(self._socket)


def hang_up(connection: socket.socket) -> None:
    """Ends both directions; whoever waits for it wakes up. Closing it is left to its owner."""
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown, which takes the TLS state away under a thread that is reading.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Exchanges:
    """All of them, and the actions they belong to."""

    def __init__(self, on_action_ended: Callable[[Action], None] = lambda _: None) -> None:
        self._lock = threading.Lock()
        self._open: set[Exchange] = set()
        self._actions: dict[str, ActionState] = {}
        self._on_action_ended = on_action_ended

    @contextlib.contextmanager
    def within(self, action: Action) -> Iterator[None]:
        """Requests of this thread belong to `action` until the end of the block."""
        with self._lock:
            state = self._actions.setdefault(action.id, ActionState(action, self))
            state.threads += 1
        token = _current.set(state)
        try:
            yield
        finally:
            _current.reset(token)
            with self._lock:
                state.threads -= 1
                last = state.threads == 0
                if last:
                    self._actions.pop(action.id, None)
            if last:
                self._on_action_ended(action)

    def begin(self, target: Target, ledger: Ledger) -> Exchange:
        """A new exchange of this thread's action."""
        state = _current.get()
        if state is not None and state.owner is not self:
            state = None
        exchange = Exchange(target, state, ledger)
        with self._lock:
            self._open.add(exchange)
            if state is not None and state.cancelled:
                exchange.stopped = _cancelled(target)
        return exchange

    def end(self, exchange: Exchange) -> None:
        """It is over, one way or another."""
        with self._lock:
            self._open.discard(exchange)
            out, exchange.out = exchange.out, None
        if out is not None:
            out.release()

    def cancel(self, action: Action) -> None:
        """Ends what the action has under way, and lets nothing more of it begin."""
        with self._lock:
            state = self._actions.get(action.id)
            if state is not None:
                state.cancelled = True
            hit = [one for one in self._open if one.action is not None and one.action.id == action.id]
        for exchange in hit:
            exchange.stop(_cancelled(exchange.target))

    def stop_all(self, error: Callable[[Exchange], NetworkError]) -> None:
        """Ends everything that is under way."""
        with self._lock:
            everything = list(self._open)
        for exchange in everything:
            exchange.stop(error(exchange))


def _cancelled(target: Target) -> Cancelled:
    return Cancelled("This was cancelled.", host=target.name)
