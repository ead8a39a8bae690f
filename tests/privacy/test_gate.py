"""The gate over real sockets: what leaves, what is counted, what is refused, and how it ends."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.privacy.errors import (
    AnswerUnusable,
    NetworkError,
    Offline,
    Refused,
)
from app.privacy.ledger import Outcome
from app.privacy.policy import Purpose, Way
from tests.privacy.conftest import Setting
from tests.privacy.servers import Answer, Server, closing, unused_port

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
