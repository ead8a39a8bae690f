"""The gate where something goes wrong: nobody answers in time, or with what cannot be used."""

from __future__ import annotations

import gzip
import socket
import threading

import pytest

from app.privacy.errors import (
    AnswerTooLarge,
    AnswerUnusable,
    ConnectionFailed,
    NetworkError,
    TimedOut,
)
from app.privacy.ledger import Outcome
from app.privacy.policy import MIB, Purpose
from tests.privacy.conftest import Setting
from tests.privacy.servers import Answer, Server, Silent, closing, unused_port


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
