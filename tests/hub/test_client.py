"""One bounded request after another: limits, time, redirects, the token's way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from app.hub.client import HubClient
from app.hub.errors import NotUnderstood, ServerTrouble
from app.privacy.errors import Cancelled
from app.privacy.gate import Gate
from app.privacy.policy import Policy, Purpose
from tests.support.hub.files import Answer
from tests.support.hub.server import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub  # type: ignore[misc]


@pytest.fixture
def gate(hub: Hub) -> Iterator[Gate]:
    gate = Gate(lambda: Policy(online=True, hub=hub.url, token_hosts=(hub.url.removeprefix("http://"),)))
    with gate.action(Purpose.MODEL, "Test"):
        yield gate
    gate.close()


def _client(gate: Gate, hub: Hub, token: Callable[[], str] = str, total_s: float = 5.0) -> HubClient:
    return HubClient(gate, lambda: hub.url, token, total_s=total_s)


def test_a_body_over_the_limit_is_cut_or_an_error(gate: Gate, hub: Hub) -> None:
    hub.always["/x"] = Answer(200, {}, b"a" * 300_000)
    client = _client(gate, hub)
    assert client.get("/x", limit_bytes=300_000).whole
    cut = client.get("/x", limit_bytes=1000, cut=True)
    assert (len(cut.body), cut.whole) == (1000, False)
    with pytest.raises(NotUnderstood):
        client.get("/x", limit_bytes=299_999)


def test_a_body_that_takes_too_long_ends(gate: Gate, hub: Hub) -> None:
    hub.always["/x"] = Answer(200, {}, b"a" * 300_000)
    with pytest.raises(ServerTrouble):
        _client(gate, hub, total_s=0).get("/x", limit_bytes=10**9)


def test_redirects_within_the_hub_are_followed(gate: Gate, hub: Hub) -> None:
    hub.always |= {"/a": Answer(307, {"Location": "/b?x=1"}), "/b": Answer(301, {"Location": f"{hub.url}/c"})}
    hub.always["/c"] = Answer(200, {}, b"here")
    answer = _client(gate, hub).get("/a", [("q", "1 2")], limit_bytes=100)
    assert answer.body == b"here"
    assert hub.asked("/") == ["/a?q=1+2", "/b?x=1", "/c"]


def test_the_token_goes_along_when_there_is_one(gate: Gate, hub: Hub) -> None:
    hub.always["/x"] = Answer(200, {}, b"{}")
    given = ["hf_one", ""]
    client = _client(gate, hub, lambda: given.pop(0))
    client.get("/x", limit_bytes=100)
    client.get("/x", limit_bytes=100)
    sent = [{name.title(): value for name, value in seen.headers.items()}.get("Authorization") for seen in hub.seen]
    assert sent == ["Bearer hf_one", None]


def test_a_changed_endpoint_holds_at_once(gate: Gate, hub: Hub) -> None:
    hub.always |= {"/x": Answer(200, {}, b"one"), "/mirror/x": Answer(200, {}, b"two")}
    where = [hub.url, f"{hub.url}/mirror/"]
    client = HubClient(gate, lambda: where[0])
    assert client.get("/x", limit_bytes=100).body == b"one"
    del where[0]
    assert client.get("/x", limit_bytes=100).body == b"two"
    assert client.page("o/n") == f"{hub.url}/mirror/o/n"


def test_a_silent_server_is_given_up_when_the_action_is_cancelled(hub: Hub) -> None:
    gate = Gate(lambda: Policy(online=True, hub=hub.url, token_hosts=(hub.url.removeprefix("http://"),)))
    with hub.hold("/x"), gate.action(Purpose.MODEL, "Test") as action:
        thread = threading.Thread(target=lambda: (hub.wait_for(lambda one: bool(one.seen)), gate.cancel(action)))
        thread.start()
        with pytest.raises(Cancelled):
            _client(gate, hub).get("/x", limit_bytes=100)
        thread.join(10)
    gate.close()
