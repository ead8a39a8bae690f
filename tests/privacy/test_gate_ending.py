"""What is under way through the gate ends at once, from any thread, and nothing else does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.privacy.errors import (
    Cancelled,
    ConnectionFailed,
    NetworkError,
    Offline,
)
from app.privacy.exchange import Exchange
from app.privacy.policy import Purpose
from app.privacy.streams import CONNECTING
from tests.privacy.conftest import ENDS, Setting
from tests.privacy.servers import Answer, Server, Silent, closing
from tests.support.processes import until


def _reading(setting: Setting, origin: str, outcome: list[Any], action: Any = None) -> threading.Thread:
    def run() -> None:
        try:
            within = setting.gate.join(action) if action else setting.gate.action(Purpose.DOWNLOAD, "Download")
            with within, setting.gate.client().stream("GET", origin) as response:
                for _ in response.iter_raw():
                    pass
        except NetworkError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "first", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_going_offline_ends_what_is_under_way_at_once(setting: Setting, first: bytes) -> None:
    outcome: list[Any] = []
    with closing(silent := Silent(first)):
        setting.change(hub=silent.origin)
        thread = _reading(setting, silent.origin, outcome)
        assert silent.arrived.acquire(timeout=10)
        began = time.monotonic()
        setting.change(online=False)
        setting.gate.shut()
        thread.join(10)
        assert time.monotonic() - began < 5
    (error,) = outcome
    assert isinstance(error, Offline)


def test_going_offline_hangs_up(setting: Setting) -> None:
    """A connection that is kept for the next request is a connection too."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near: list[socket.socket] = []

        def serve() -> None:
            one, _ = listening.accept()
            near.append(one)
            one.recv(65536)
            one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        setting.change(hub=f"http://127.0.0.1:{listening.getsockname()[1]}")
        with setting.gate.action(Purpose.SEARCH, "x"):
            assert setting.gate.client().get(setting.policy.hub).content == b"ok"
        thread.join(10)
        with near[0] as kept:
            kept.settimeout(0.2)
            with pytest.raises(TimeoutError):
                kept.recv(1)
            setting.change(online=False)
            setting.gate.shut()
            kept.settimeout(10)
            assert kept.recv(1) == b""
    setting.change(online=True)
    with setting.gate.action(Purpose.SEARCH, "x"), pytest.raises(ConnectionFailed):
        setting.gate.client().get(setting.policy.hub)


@pytest.mark.parametrize("end", ENDS)
def test_a_connection_that_is_used_again_ends_at_once_too(
    setting: Setting, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while nothing but the answer is waited for, of which httpcore2 has told nothing yet."""
    outcome: list[Any] = []
    waits = threading.Event()
    trace = Exchange.trace

    def watched(exchange: Exchange, name: str, info: dict[str, Any]) -> None:
        trace(exchange, name, info)
        if first_is_over.is_set() and name == "http11.receive_response_headers.started":
            waits.set()

    first_is_over = threading.Event()
    monkeypatch.setattr(Exchange, "trace", watched)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            one, _ = listening.accept()
            with one:
                one.recv(65536)
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                one.recv(65536)
                one.recv(65536)  # until they hang up

        server = threading.Thread(target=serve)
        server.start()
        setting.change(hub=f"http://127.0.0.1:{listening.getsockname()[1]}")
        with setting.gate.action(Purpose.SEARCH, "x"):
            assert setting.gate.client().get(setting.policy.hub).content == b"ok"
        first_is_over.set()
        with setting.gate.action(Purpose.DOWNLOAD, "Download") as action:
            thread = _reading(setting, setting.policy.hub, outcome, action)
            assert waits.wait(10)
            began = time.monotonic()
            kind = setting.end(end, action)
            thread.join(10)
        assert time.monotonic() - began < 1
        server.join(10)
    assert [type(error) for error in outcome] == [kind]


def test_a_connection_in_the_making_is_given_up_at_once(setting: Setting) -> None:
    """A host that does not even say no: its waiting room is full, so that it answers nobody."""
    outcome: list[Any] = []
    with socket.socket() as listening, contextlib.ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        setting.change(hub=f"http://127.0.0.1:{address[1]}")
        with setting.gate.action(Purpose.DOWNLOAD, "Download") as action:
            thread = _reading(setting, setting.policy.hub, outcome, action)
            until(lambda: any(one.name == CONNECTING for one in threading.enumerate()))
            began = time.monotonic()
            setting.gate.cancel(action)
            thread.join(10)
        assert time.monotonic() - began < 1
    assert [type(error) for error in outcome] == [Cancelled]
    (entry,) = setting.entries
    assert (entry.sent_bytes, entry.received_bytes) == (0, 0)


def test_cancelling_an_action_ends_all_its_threads_and_no_other(setting: Setting) -> None:
    outcome: list[Any] = []
    other: list[Any] = []
    with closing(silent := Silent(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")):
        setting.change(hub=silent.origin)
        with setting.gate.action(Purpose.DOWNLOAD, "Download") as action:
            threads = [_reading(setting, silent.origin, outcome, action) for _ in range(3)]
            bystander = _reading(setting, silent.origin, other)
            for _ in range(4):
                assert silent.arrived.acquire(timeout=10)
            setting.gate.cancel(action)
            for thread in threads:
                thread.join(10)
            assert [type(error) for error in outcome] == [Cancelled] * 3
            with pytest.raises(Cancelled):
                setting.gate.client().get(silent.origin)
            assert bystander.is_alive()
        setting.gate.close()
        bystander.join(10)
        assert [type(error) for error in other] == [Cancelled]


def test_one_action_on_many_threads_is_one_entry(setting: Setting, hub: Server) -> None:
    hub.answers["/file"] = Answer(body=b"x" * 100_000)

    def get(action: Any) -> int:
        with setting.gate.join(action):
            return len(setting.gate.client().get(f"{hub.origin}/file").content)

    with setting.gate.action(Purpose.DOWNLOAD, "Download") as action, ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(get, [action] * 24)) == 2_400_000
    (entry,) = setting.entries
    assert entry.requests == 24
    assert 2_400_000 < entry.received_bytes < 2_410_000
    assert setting.ended == ["Download"]
