"""Another computer's devices over llama.cpp's RPC protocol: the greeting that comes before libggml is let loose on one.

libggml ends the process when an endpoint does not answer, so it is greeted here first, with a time-out. A server of
llama.cpp has one client at a time: one that accepts and stays silent is busy with somebody else.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable

from app.engine.errors import WorkerUnreachable

TIMEOUT_S = 2.0
BUSY, OTHER = {"busy": 1}, {"other": 1}  # why there is none of ours
VERSION = 7, 0  # of the protocol (ggml-rpc.h): libggml talks to no other major and to no later minor

# ggml-rpc.cpp and transport.h: | command (1 byte) | size (8 bytes) | what the client's transport can do |, answered by
# | size | major, minor, patch, padding (1 byte each) | what the server's transport can do |
_HELLO, _CAPABILITIES = 14, 24
_GREETING = struct.pack(f"<BQ{_CAPABILITIES}x", _HELLO, _CAPABILITIES)
_ANSWER = struct.Struct(f"<QBBBx{_CAPABILITIES}x")


def address(endpoint: str) -> tuple[str, int]:
    """Host and port of HOST:PORT. Raises WorkerUnreachable for anything else; libggml reads IPv4 and names only."""
    host, _, port = endpoint.rpartition(":")
    if not host or ":" in host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise WorkerUnreachable(endpoint)
    return host, int(port)


def greet(endpoints: Iterable[str], timeout_s: float = TIMEOUT_S) -> None:
    """Returns if an RPC server answers at each of these, within that time each. Raises WorkerUnreachable for the first
    that does not.

    All are held until the last one has answered: a computer that is named twice, in two ways, is busy the second time,
    as it would be for libggml, which would wait for ever.
    """
    with contextlib.ExitStack() as held:
        for endpoint in endpoints:
            until = time.monotonic() + timeout_s
            _greet(endpoint, held.enter_context(_connect(endpoint, timeout_s)), until)


def _greet(endpoint: str, connection: socket.socket, until: float) -> None:
    answer = b""
    try:
        connection.sendall(_GREETING)
        while len(answer) < _ANSWER.size:
            connection.settimeout(max(until - time.monotonic(), 0.001))
            part = connection.recv(_ANSWER.size - len(answer))
            if not part:
                raise WorkerUnreachable(endpoint, OTHER)
            answer += part
    except TimeoutError as error:
        raise WorkerUnreachable(endpoint, OTHER if answer else BUSY) from error
    except OSError as error:
        raise WorkerUnreachable(endpoint) from error
    size, major, minor, _ = _ANSWER.unpack(answer)
    if size != _ANSWER.size - 8 or major != VERSION[0] or minor > VERSION[1]:
        raise WorkerUnreachable(endpoint, OTHER)


def _connect(endpoint: str, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address(endpoint))
    except OSError as error:
        connection.close()
        raise WorkerUnreachable(endpoint) from error
    except BaseException:
        connection.close()
        raise
    return connection
