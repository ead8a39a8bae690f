"""Who answers where an RPC server is expected; libggml would end the process over each of these."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.engine.worker.rpc import UnreachableError, address, greet

ANSWER = struct.pack("<QBBBB24x", 28, 7, 0, 0, 0)


@contextmanager
def server(answer: bytes | None) -> Iterator[str]:
    """Accepts one client, reads its greeting and answers; None: it stays silent."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            received.append(connection.recv(1000))
            if answer is not None:
                connection.sendall(answer)
            else:
                done.wait(10)

    received: list[bytes] = []
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        done.set()
        thread.join()
    assert received == [struct.pack("<BQ24x", 14, 24)]


def test_a_server_is_greeted() -> None:
    with server(ANSWER) as endpoint:
        greet(endpoint)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", ANSWER[:20], b"\x05" * 36])
def test_something_else_is_not_taken_for_one(answer: bytes) -> None:
    with server(answer) as endpoint, pytest.raises(UnreachableError) as error:
        greet(endpoint)
    assert (error.value.endpoint, error.value.busy) == (endpoint, False)


def test_silence_means_busy() -> None:
    with server(None) as endpoint, pytest.raises(UnreachableError) as error:
        greet(endpoint, 0.05)
    assert error.value.busy


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UnreachableError) as error:
            greet(endpoint)
    assert not error.value.busy


@pytest.mark.parametrize("endpoint", ["", "host", "host:", ":1", "host:0", "host:65536", "[::1]:1", "a:b:1", "host:²"])
def test_an_endpoint_is_host_and_port(endpoint: str) -> None:
    with pytest.raises(UnreachableError):
        address(endpoint)
    assert address("gpu.local:50052") == ("gpu.local", 50052)
