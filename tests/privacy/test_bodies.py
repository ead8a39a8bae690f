"""Long bodies are read from their connections: the same bytes, counts and faults as when h11 reads them."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.privacy.bodies import WORTH_BYTES, body_of
from app.privacy.errors import ConnectionFailed, NetworkError, TimedOut
from app.privacy.policy import Purpose, Way
from app.privacy.streams import Backend, Stream
from tests.privacy.conftest import ENDS, Setting
from tests.privacy.servers import Answer, Authority, Proxy, Server, closing
from tests.support.bodies import FIRST_BYTES, read_directly

BODY = random.Random(7).randbytes(100_000)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + BODY
BEGUN = WHOLE[: FIRST_BYTES + 5000]
"""What is read of an answer that then goes wrong: some of its body comes with the head, more after it."""


@pytest.fixture(params=["usual", "direct"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "direct":
        read_directly(monkeypatch)
    return str(request.param)


class Connections:
    """Says `answer` to each request of each connection, then does `then`. `count` of them came."""

    def __init__(self, answer: bytes, then: Callable[[socket.socket], object] = lambda _: None) -> None:
        self.count = 0
        self._answer = answer
        self._then = then
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._start(self._accept)

    def _start(self, run: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._socket.accept()
            except OSError:
                return
            self.count += 1
            self._start(lambda one=one: self._serve(one))  # type: ignore[misc] # bound at once

    def _serve(self, one: socket.socket) -> None:
        with one:
            try:
                while one.recv(65536):
                    one.sendall(self._answer)
                    self._then(one)
            except OSError:
                return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()


def fetched(setting: Setting, url: str, purpose: Purpose = Purpose.DOWNLOAD, **options: Any) -> bytes:
    with setting.gate.action(purpose, "x"), setting.gate.client().stream("GET", url, **options) as response:
        return b"".join(response.iter_bytes())


def test_the_body_comes_whole_and_every_byte_is_counted(setting: Setting, way: str) -> None:
    server = Connections(WHOLE)
    setting.change(hub=server.origin)
    assert fetched(setting, server.origin) == BODY
    (entry,) = setting.entries
    assert entry.received_bytes == len(WHOLE)
    assert fetched(setting, server.origin) == BODY
    assert server.count == (1 if way == "usual" else 2)  # nobody can use a connection again that h11 did not see end
    setting.gate.close()
    server.close()


def test_what_comes_after_the_body_is_not_read(setting: Setting, way: str) -> None:
    server = Connections(WHOLE + b"what nobody asked for")
    setting.change(hub=server.origin)
    assert fetched(setting, server.origin) == BODY
    (entry,) = setting.entries
    assert entry.received_bytes == len(WHOLE)
    setting.gate.close()
    server.close()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        ("Content-Length: 100000\r\nX-Long: " + "x" * FIRST_BYTES, BODY),  # the head comes in pieces
        ("Content-Length: 100\r\nX-Filler: " + "x" * (FIRST_BYTES // 2), BODY[:100]),  # all of it comes with the head
    ],
)
def test_other_bodies_are_read_as_always(
    setting: Setting, head: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_directly(monkeypatch)
    server = Connections(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (head.encode(), body))
    setting.change(hub=server.origin)
    expected = BODY[:100] if len(body) == 100 else BODY
    assert [fetched(setting, server.origin), fetched(setting, server.origin)] == [expected, expected]
    assert server.count == 1
    setting.gate.close()
    server.close()


def test_an_answer_before_the_answer_does_no_harm(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hides how much of the body is still with h11."""
    read_directly(monkeypatch)
    server = Connections(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + WHOLE)
    setting.change(hub=server.origin)
    assert [fetched(setting, server.origin), fetched(setting, server.origin)] == [BODY, BODY]
    assert server.count == 1
    setting.gate.close()
    server.close()


@pytest.mark.parametrize("version", [b"HTTP/2", b"HTTP/1.0"])
def test_another_protocol_is_read_as_always(version: bytes) -> None:
    class Body(httpx2.SyncByteStream):
        pass

    near, far = socket.socketpair()
    with near, far, socket.create_server(("127.0.0.1", 0)) as listening:
        stream = Backend().connect_tcp("127.0.0.1", listening.getsockname()[1])
        extensions = {"network_stream": stream, "http_version": version}
        response = httpx2.Response(
            200, headers={"Content-Length": str(9 * WORTH_BYTES)}, stream=Body(), extensions=extensions
        )
        assert isinstance(stream, Stream)
        assert body_of(response, 1.0) is response.stream
        response.extensions["http_version"] = b"HTTP/1.1"
        assert body_of(response, 1.0) is not response.stream
        stream.close()


def test_short_rests_are_read_as_always(setting: Setting) -> None:
    server = Connections(WHOLE)
    setting.change(hub=server.origin)
    assert [fetched(setting, server.origin), fetched(setting, server.origin)] == [BODY, BODY]
    assert server.count == 1
    setting.gate.close()
    server.close()


def test_long_bodies_are_read_directly_without_being_told(setting: Setting) -> None:
    body = bytes(WORTH_BYTES + (1 << 20))
    server = Connections(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    setting.change(hub=server.origin)
    assert [len(fetched(setting, server.origin)) for _ in range(2)] == [len(body)] * 2
    assert server.count == 2
    setting.gate.close()
    server.close()


def read_on(setting: Setting, url: str, begun: threading.Event, **options: Any) -> None:
    """Reads what comes, and tells when it has all that lies in BEGUN."""
    left = len(BEGUN) - (len(WHOLE) - len(BODY))
    with setting.gate.client().stream("GET", url, **options) as response:
        for block in response.iter_raw():
            left -= len(block)
            if left == 0:
                begun.set()


def reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def end(one: socket.socket) -> None:
    one.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("then", "kind", "words"),
    [
        (end, ConnectionFailed, "ended the connection before its answer was whole"),
        (reset, ConnectionFailed, "broke"),
        (lambda _: None, TimedOut, "did not answer in time"),
    ],
)
def test_faults_are_the_same(
    setting: Setting, way: str, then: Callable[[socket.socket], object], kind: type[NetworkError], words: str
) -> None:
    read = threading.Event()

    def afterwards(one: socket.socket) -> None:
        assert read.wait(10)  # a reset would take away what was not read yet
        then(one)

    server = Connections(BEGUN, afterwards)
    setting.change(hub=server.origin)
    with setting.gate.action(Purpose.DOWNLOAD, "x"), pytest.raises(kind) as caught:
        read_on(setting, server.origin, read, timeout=0.3)
    assert type(caught.value) is kind
    assert words in caught.value.sentence
    (entry,) = setting.entries
    assert (entry.received_bytes, entry.reason) == (len(BEGUN), caught.value.sentence)
    setting.gate.close()
    server.close()


@pytest.mark.parametrize("how", ENDS)
def test_it_ends_at_once(setting: Setting, way: str, how: str) -> None:
    server = Connections(BEGUN)
    setting.change(hub=server.origin)
    arrived = threading.Event()
    errors: list[NetworkError] = []

    def read() -> None:
        try:
            with setting.gate.join(action):
                read_on(setting, server.origin, arrived)
        except NetworkError as error:
            errors.append(error)

    with setting.gate.action(Purpose.DOWNLOAD, "x") as action:
        thread = threading.Thread(target=read)
        thread.start()
        assert arrived.wait(10)
        began = time.monotonic()
        kind = setting.end(how, action)
        thread.join(10)
    assert time.monotonic() - began < 1
    assert [type(error) for error in errors] == [kind]
    setting.gate.close()
    server.close()


@pytest.mark.parametrize("by_proxy", [False, True])
@pytest.mark.parametrize("secure", [False, True])
def test_tls_and_proxies_hold(
    authority: Authority, way: str, secure: bool, by_proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **options: real("127.0.0.1", *more, **options))
    server = Server(authority.context("DNS:hub.test") if secure else None)
    proxy = Proxy(server.port)
    with closing(server, proxy):
        address = f"https://hub.test:{server.port}" if secure else server.origin
        setting = Setting(address)
        setting.way = Way(proxy=proxy.origin if by_proxy else "", ca_file=str(authority.file))
        server.answers["/file"] = server.answers[f"{address}/file"] = Answer(body=BODY)
        assert fetched(setting, f"{address}/file") == BODY
        assert len(proxy.asked) == by_proxy
        (entry,) = setting.entries
        assert len(BODY) < entry.received_bytes < len(BODY) + 300
        server.answers["/file"] = server.answers[f"{address}/file"] = Answer(body=BODY, cut=50_000)
        with pytest.raises(ConnectionFailed, match="ended the connection before its answer was whole"):
            fetched(setting, f"{address}/file")
        setting.gate.close()


def test_reading_is_what_is_counted_of_a_body() -> None:
    """How it is known that h11 keeps nothing back."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stream = Backend().connect_tcp("127.0.0.1", listening.getsockname()[1])
        far, _ = listening.accept()
        assert isinstance(stream, Stream)
        with far:
            for first in (24, 21, 19):
                stream.write(b"GET")
                far.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
                assert len(stream.read(first, 5.0)) == first
                assert stream.body_bytes == first - 19
                assert first == 24 or len(stream.read(24, 5.0)) == 24 - first
                assert stream.body_bytes == 5
            stream.write(b"GET")
            far.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
            assert len(stream.read(18, 5.0) + stream.read(6, 5.0)) == 24
            assert stream.body_bytes < 0  # the head came in pieces
        stream.close()
