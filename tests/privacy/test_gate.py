"""The gate over real sockets: what leaves, what is counted, what is refused, and how it ends."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.privacy.errors import (
    AnswerTooLarge,
    AnswerUnusable,
    Cancelled,
    ConnectionFailed,
    NetworkError,
    Offline,
    Refused,
    TimedOut,
)
from app.privacy.exchange import Exchange
from app.privacy.ledger import Outcome
from app.privacy.policy import MIB, Purpose, Way
from app.privacy.streams import CONNECTING
from tests.privacy.conftest import ENDS, Setting
from tests.privacy.servers import Answer, Server, Silent, closing, unused_port
from tests.support.application import until

AUTH = {"Authorization": "Bearer hf_secret"}


def test_an_answer_comes_and_everything_is_counted(setting: Setting, hub: Server) -> None:
    hub.answers["/api"] = Answer(body=b"x" * 1000)
    with setting.gate.action(Purpose.SEARCH, "Search for “llama”") as action:
        client = setting.gate.client()
        assert client.get(f"{hub.origin}/api?q=1").content == b"x" * 1000
        client.post(f"{hub.origin}/api", content=b"y" * 500)
    (entry,) = setting.entries
    assert (entry.action_id, entry.purpose, entry.what) == (action.id, "search", "Search for “llama”")
    assert (entry.host, entry.local, entry.outcome, entry.reason) == (
        f"127.0.0.1:{hub.port}",
        True,
        Outcome.ALLOWED,
        "",
    )
    assert entry.requests == 2
    assert 500 + 2 * 50 < entry.sent_bytes < 500 + 2 * 300
    assert 2000 + 2 * 50 < entry.received_bytes < 2000 + 2 * 300
    assert setting.ended == ["Search for “llama”"]


def test_the_count_is_what_travels(setting: Setting) -> None:
    """Compared with the bytes that a bare socket saw."""
    arrived = bytearray()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-Other: yes\r\n\r\nhello world!"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            near, _ = listening.accept()
            with near:
                while not arrived.endswith(b"payload"):
                    arrived.extend(near.recv(65536))
                near.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        setting.change(hub=origin)
        with setting.gate.action(Purpose.SEARCH, "x"):
            setting.gate.client().post(f"{origin}/a/b?c=d", content=b"payload")
        thread.join(10)
    (entry,) = setting.entries
    assert entry.sent_bytes == len(arrived)
    assert entry.received_bytes == len(answer)


def test_offline_opens_nothing(setting: Setting, hub: Server, reached: list[str]) -> None:
    setting.change(online=False, reason="Inglenook is offline.")
    setting.gate.client()
    reached.clear()
    with setting.gate.action(Purpose.DOWNLOAD, "Download"):
        for url in (hub.origin, "https://huggingface.co/x", "https://localhost"):
            with pytest.raises(Offline) as caught:
                setting.gate.client().get(url)
            assert caught.value.sentence == "Inglenook is offline."
    assert reached == []
    assert hub.seen == []
    assert [entry.outcome for entry in setting.entries] == [Outcome.REFUSED] * 3
    assert {entry.sent_bytes + entry.received_bytes for entry in setting.entries} == {0}


def test_what_nobody_asked_for_is_refused(setting: Setting, hub: Server, reached: list[str]) -> None:
    client = setting.gate.client()
    reached.clear()
    with pytest.raises(Refused):
        client.get(hub.origin)
    with setting.gate.action(Purpose.SEARCH, "x"), ThreadPoolExecutor(1) as pool, pytest.raises(Refused):
        pool.submit(client.get, hub.origin).result(10)
    assert reached == []
    assert [(entry.purpose, entry.outcome) for entry in setting.entries] == [("", Outcome.REFUSED)]


def test_an_action_of_another_gate_counts_for_nothing(setting: Setting, hub: Server) -> None:
    other = Setting(hub.origin)
    with other.gate.action(Purpose.SEARCH, "x"), pytest.raises(Refused):
        setting.gate.client().get(hub.origin)
    other.gate.close()


def test_every_connection_belongs_to_an_allowed_host(setting: Setting, hub: Server, reached: list[str]) -> None:
    with closing(cdn := Server()):
        hub.answers["/file"] = Answer(302, headers={"Location": f"{cdn.origin}/bytes"})
        cdn.answers["/bytes"] = Answer(body=b"gguf")
        with setting.gate.action(Purpose.DOWNLOAD, "Download"):
            with pytest.raises(Refused):
                setting.gate.client().get(f"{cdn.origin}/bytes")
            response = setting.gate.client().get(f"{hub.origin}/file", follow_redirects=True, headers=AUTH)
            assert response.content == b"gguf"
            assert setting.gate.client().get(f"{cdn.origin}/bytes", headers=AUTH).content == b"gguf"
        with setting.gate.action(Purpose.DOWNLOAD, "Another"), pytest.raises(Refused):
            setting.gate.client().get(f"{cdn.origin}/bytes")
        connects = {one for one in reached if one.startswith("connect")}
        assert connects == {f"connect 127.0.0.1:{hub.port}", f"connect 127.0.0.1:{cdn.port}"}
        assert len(cdn.seen) == 2
        assert hub.seen[0].headers["authorization"] == "Bearer hf_secret"
        assert all("authorization" not in request.headers for request in cdn.seen)


def test_a_redirect_elsewhere_is_not_followed_for_a_search(setting: Setting, hub: Server) -> None:
    with closing(other := Server()):
        hub.answers["/api"] = Answer(302, headers={"Location": other.origin})
        with setting.gate.action(Purpose.SEARCH, "x"), pytest.raises(Refused):
            setting.gate.client().get(f"{hub.origin}/api", follow_redirects=True)
        assert other.seen == []
        assert [entry.outcome for entry in setting.entries] == [Outcome.ALLOWED, Outcome.REFUSED]


def test_the_token_may_follow_to_a_named_host(setting: Setting, hub: Server) -> None:
    with closing(cdn := Server()):
        setting.change(token_hosts=(f"127.0.0.1:{cdn.port}",))
        hub.answers["/file"] = Answer(302, headers={"Location": f"{cdn.origin}/x"})
        with setting.gate.action(Purpose.DOWNLOAD, "x"):
            setting.gate.client().head(f"{hub.origin}/file")
            setting.gate.client().get(f"{cdn.origin}/x", headers=AUTH)
        assert cdn.seen[0].headers["authorization"] == "Bearer hf_secret"


@pytest.mark.parametrize(
    "location",
    [
        "http://cdn.example/x",
        "ftp://127.0.0.1/x",
        "https://user:word@[",
        "//",
        "\x7f",
        "file:///etc/passwd",
        "http:///",
    ],
)
def test_bad_places_to_go_on_to(setting: Setting, hub: Server, location: str, reached: list[str]) -> None:
    hub.answers["/file"] = Answer(302, headers={"Location": location})
    with setting.gate.action(Purpose.DOWNLOAD, "x"):
        assert setting.gate.client().get(f"{hub.origin}/file").status_code == 302
        with pytest.raises(NetworkError):
            setting.gate.client().get(f"{hub.origin}/file", follow_redirects=True)
    assert {one for one in reached if one.startswith("connect")} == {f"connect 127.0.0.1:{hub.port}"}


def test_circles_end(setting: Setting, hub: Server) -> None:
    hub.answers["/a"] = Answer(302, headers={"Location": "/a"})
    with setting.gate.action(Purpose.MODEL, "x"), pytest.raises(AnswerUnusable, match="circles"):
        setting.gate.client().get(f"{hub.origin}/a", follow_redirects=True)
    assert len(hub.seen) == 11


def test_nothing_is_kept_and_nothing_is_slipped_in(setting: Setting, hub: Server) -> None:
    hub.answers["/a"] = Answer(headers={"Set-Cookie": "id=1; Path=/", "X-Kept": "yes"})
    with setting.gate.action(Purpose.SEARCH, "x"):
        client = setting.gate.client()
        response = client.get(f"{hub.origin}/a", headers={"Cookie": "a=b", "Proxy-Authorization": "Basic x"})
        assert response.headers["X-Kept"] == "yes"
        assert "set-cookie" not in response.headers
        client.get(f"{hub.origin}/a", headers={"Host": "evil.example"}, extensions={"target": b"/other"})
    first, second = hub.seen
    assert first.headers.keys() == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert first.headers["user-agent"].startswith("inglenook/")
    assert "cookie" not in second.headers
    assert (second.path, second.headers["host"]) == ("/a", f"127.0.0.1:{hub.port}")


def test_addresses_are_not_logged(setting: Setting, hub: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with setting.gate.action(Purpose.DOWNLOAD, "x"):
        setting.gate.client().get(f"{hub.origin}/a?Signature=secret")
    assert "secret" not in caplog.text
    assert "Signature" not in caplog.text


# --- time ----------------------------------------------------------------------------------------------------------


def test_there_is_always_a_time_out(setting: Setting, hub: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.privacy import transport

    usual = transport.TIMEOUTS_S
    assert usual == {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 10.0}
    for given in (None, {}, {"read": None}, {"read": -1}, {"read": float("nan")}, {"read": "soon"}, 5):
        assert transport._timeouts(given) == usual
    assert transport._timeouts({"read": 2})["read"] == 2.0
    assert transport._timeouts({"read": float("inf")})["read"] == transport.LONGEST_TIMEOUT_S
    monkeypatch.setitem(usual, "read", 0.2)
    with closing(silent := Silent()):
        setting.change(hub=silent.origin)
        with setting.gate.action(Purpose.SEARCH, "x"):
            for timeout in (None, 0.2):  # huggingface_hub says None explicitly
                with pytest.raises(TimedOut) as caught:
                    setting.gate.client().get(silent.origin, timeout=timeout)
                assert caught.value.passing
                assert f"127.0.0.1:{silent.port}" in caught.value.sentence
    (entry,) = setting.entries
    assert (entry.outcome, entry.received_bytes) == (Outcome.FAILED, 0)
    assert entry.sent_bytes > 0


def test_a_body_that_stalls(setting: Setting) -> None:
    with closing(silent := Silent(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")):
        setting.change(hub=silent.origin)
        with (
            setting.gate.action(Purpose.DOWNLOAD, "x"),
            pytest.raises(TimedOut),
            setting.gate.client().stream("GET", silent.origin, timeout=0.2) as response,
        ):
            for _ in response.iter_raw():
                pass
    (entry,) = setting.entries
    assert entry.received_bytes == len("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") + 4
    assert (entry.outcome, entry.reason) == (Outcome.ALLOWED, f"127.0.0.1:{silent.port} did not answer in time.")


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_nobody_listens(setting: Setting) -> None:
    setting.change(hub=f"http://127.0.0.1:{unused_port()}")
    with setting.gate.action(Purpose.SEARCH, "x"), pytest.raises(ConnectionFailed) as caught:
        setting.gate.client().get(setting.policy.hub)
    assert "does not take connections" in caught.value.sentence
    (entry,) = setting.entries
    assert (entry.outcome, entry.sent_bytes, entry.requests) == (Outcome.FAILED, 0, 1)


def test_a_connection_that_is_cut(setting: Setting, hub: Server) -> None:
    hub.answers["/file"] = Answer(body=b"x" * 10_000, cut=4000)
    with setting.gate.action(Purpose.DOWNLOAD, "x"), pytest.raises(ConnectionFailed):
        setting.gate.client().get(f"{hub.origin}/file")
    (entry,) = setting.entries
    assert 4000 < entry.received_bytes < 4300


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"", ConnectionFailed, "ended the connection"),
        (b"SSH-2.0-OpenSSH\r\n", ConnectionFailed, "ended the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ConnectionFailed, "ended the connection"),
        (b"HTTP/1.1 abc\r\n\r\n", AnswerUnusable, "is broken"),
        (b"HTTP/1.1 200 OK\r\nA" * 9000, AnswerUnusable, "is broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx", AnswerUnusable, "is broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nx", AnswerUnusable, "is broken"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", AnswerUnusable, "is broken"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", AnswerUnusable, "is broken"),
    ],
)
def test_an_answer_that_is_no_http(setting: Setting, answer: bytes, kind: type[NetworkError], words: str) -> None:
    """A line that broke may hold later; an answer that is wrong stays so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            near, _ = listening.accept()
            with near:
                near.recv(65536)
                near.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        setting.change(hub=f"http://127.0.0.1:{listening.getsockname()[1]}")
        with setting.gate.action(Purpose.SEARCH, "x"), pytest.raises(kind) as caught:
            setting.gate.client().get(setting.policy.hub)
        thread.join(10)
    assert words in caught.value.sentence
    (entry,) = setting.entries
    assert entry.reason == caught.value.sentence


# --- packed answers --------------------------------------------------------------------------------------------------


def test_packed_answers_are_unpacked(setting: Setting, hub: Server) -> None:
    packed = gzip.compress(b"[1, 2]" * 1000)
    hub.answers["/a"] = Answer(body=packed, headers={"Content-Encoding": "gzip"})
    with setting.gate.action(Purpose.SEARCH, "x"):
        response = setting.gate.client().get(f"{hub.origin}/a")
        assert response.content == b"[1, 2]" * 1000
        assert "content-encoding" not in response.headers
    assert hub.seen[0].headers["accept-encoding"] == "gzip"
    (entry,) = setting.entries
    assert len(packed) < entry.received_bytes < len(packed) + 300


def test_a_bomb_is_not_unpacked(setting: Setting, hub: Server) -> None:
    bomb = gzip.compress(bytes(200 * MIB), 9)
    assert len(bomb) < MIB
    hub.answers["/a"] = Answer(body=bomb, headers={"Content-Encoding": "gzip"})
    with setting.gate.action(Purpose.SEARCH, "x"):
        with pytest.raises(AnswerTooLarge):
            setting.gate.client().get(f"{hub.origin}/a")
        hub.answers["/a"] = Answer(body=bytes(33 * MIB))
        with pytest.raises(AnswerTooLarge):
            setting.gate.client().get(f"{hub.origin}/a")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x" * 100)[:-12]], ids=["other", "cut"])
def test_a_damaged_packing(setting: Setting, hub: Server, body: bytes) -> None:
    hub.answers["/a"] = Answer(body=body, headers={"Content-Encoding": "gzip"})
    with setting.gate.action(Purpose.SEARCH, "x"), pytest.raises(AnswerUnusable):
        setting.gate.client().get(f"{hub.origin}/a")


@pytest.mark.parametrize(
    ("purpose", "encoding"), [(Purpose.DOWNLOAD, "gzip"), (Purpose.HEADER, "gzip"), (Purpose.SEARCH, "br")]
)
def test_a_form_that_was_not_asked_for(setting: Setting, hub: Server, purpose: Purpose, encoding: str) -> None:
    hub.answers["/a"] = Answer(body=gzip.compress(b"x"), headers={"Content-Encoding": encoding})
    with setting.gate.action(purpose, "x"), pytest.raises(AnswerUnusable):
        setting.gate.client().get(f"{hub.origin}/a")
    with setting.gate.action(Purpose.DOWNLOAD, "x"):
        hub.answers["/a"] = Answer(body=b"x")
        assert setting.gate.client().get(f"{hub.origin}/a").content == b"x"
    assert hub.seen[-1].headers["accept-encoding"] == "identity"


# --- ending from another thread --------------------------------------------------------------------------------------


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


# --- the client ------------------------------------------------------------------------------------------------------


def test_a_client_that_somebody_closed_is_made_anew(setting: Setting, hub: Server) -> None:
    hub.answers["/a"] = Answer(body=b"1")
    with setting.gate.action(Purpose.SEARCH, "x"):
        first = setting.gate.client()
        assert setting.gate.client() is first
        first.get(f"{hub.origin}/a")
        first.close()
        assert setting.gate.client() is not first
        assert setting.gate.client().get(f"{hub.origin}/a").content == b"1"


def test_another_way_out_holds_from_the_next_request_on(setting: Setting, hub: Server) -> None:
    hub.answers["/a"] = Answer(body=b"x" * 200_000)
    action = setting.gate.action(Purpose.DOWNLOAD, "x")
    with action, setting.gate.client().stream("GET", f"{hub.origin}/a") as response:
        chunks = response.iter_raw()
        got = len(next(chunks))
        setting.way = Way(proxy=f"http://127.0.0.1:{unused_port()}")
        with pytest.raises(NetworkError):
            setting.gate.client().get(f"{hub.origin}/a")
        assert got + sum(map(len, chunks)) == 200_000


def test_importing_and_building_a_gate_brings_no_http_library() -> None:
    code = (
        "import sys; from app.privacy.gate import Gate; from app.privacy.policy import Policy; Gate(Policy).close();"
        "print([m for m in ('httpx2', 'ssl', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
