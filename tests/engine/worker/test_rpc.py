"""Who answers where an RPC server is expected; libggml would end the process over each of these."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.engine.errors import WorkerUnreachable
from app.engine.worker.rpc import BUSY, OTHER, address, greet
from tests.support.rpc import rpc_worker

ANSWER, OLDER, NEWER = (struct.pack("<QBBBB24x", 28, *version, 0, 0) for version in ((7, 0), (6, 0), (7, 1)))


@contextmanager
def server(answer: bytes, *, stays: bool = False) -> Iterator[str]:
    """Accepts one client, reads its greeting and answers; it `stays` connected after that."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            received.append(connection.recv(1000))
            connection.sendall(answer)
            if stays:
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
        greet([endpoint])


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", ANSWER[:20], b"\x05" * 36, OLDER, NEWER])
def test_something_else_is_not_taken_for_one(answer: bytes) -> None:
    with server(answer) as endpoint, pytest.raises(WorkerUnreachable) as error:
        greet([endpoint])
    assert (error.value.detail, error.value.numbers) == (endpoint, OTHER)


def test_silence_means_busy() -> None:
    with server(b"", stays=True) as endpoint, pytest.raises(WorkerUnreachable) as error:
        greet([endpoint], 0.05)
    assert error.value.numbers == BUSY


def test_who_answers_in_drops_is_not_waited_for() -> None:
    with server(ANSWER[:5], stays=True) as endpoint, pytest.raises(WorkerUnreachable) as error:
        greet([endpoint], 0.05)
    assert error.value.numbers == OTHER


def test_one_computer_by_two_names_is_busy_for_the_second() -> None:
    """libggml would wait for ever."""
    with rpc_worker() as worker:
        greet([worker.endpoint])
        again = worker.endpoint.replace("127.0.0.1", "localhost")
        with pytest.raises(WorkerUnreachable) as error:
            greet([worker.endpoint, again], 0.2)
    assert (error.value.detail, error.value.numbers) == (again, BUSY)


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(WorkerUnreachable) as error:
            greet([endpoint])
    assert not error.value.numbers


@pytest.mark.parametrize("endpoint", ["", "host", "host:", ":1", "host:0", "host:65536", "[::1]:1", "a:b:1", "host:²"])
def test_an_endpoint_is_host_and_port(endpoint: str) -> None:
    with pytest.raises(WorkerUnreachable):
        address(endpoint)
    assert address("gpu.local:50052") == ("gpu.local", 50052)
