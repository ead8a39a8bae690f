"""The switch, what forces it, the ledger on its way to the store, and naming what is wrong with a connection."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base.clock import now_ms
from app.base.paths import find_places
from app.bootstrap import Application, build
from app.engine.command import fake_command
from app.privacy.errors import NetworkError, Offline
from app.privacy.ledger import LedgerEntry, Outcome
from app.privacy.policy import PUBLIC_HUB, Purpose
from app.services.changes import LedgerChanged, NetworkChanged, SettingsChanged
from app.services.errors import ServiceError
from app.services.ledger import ledger_csv
from app.services.network import NOTHING_LEAVES, ONLINE
from app.settings.errors import NotSaved
from app.store.store import open_store
from tests.privacy.servers import Answer, Server, Silent, closing, unused_port
from tests.support.application import Recorder, running
from tests.support.processes import until


@pytest.fixture
def hub() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INGLENOOK_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def started(**options: Any) -> tuple[Application, Recorder]:
    application = build(find_places(), engine_command=fake_command("{}"), **options)
    recorder = Recorder()
    application.publisher.subscribe(recorder)
    return application, recorder


# --- the switch ------------------------------------------------------------------------------------------------------


def test_the_first_start_is_offline_and_the_choice_is_kept() -> None:
    application, recorder = started()
    network = application.network
    assert (network.state.mode, network.state.online, network.state.words) == ("ask", False, NOTHING_LEAVES)
    network.go_online()
    network.go_online()
    assert network.state.words == ONLINE
    assert [change.state.online for change in recorder.of(NetworkChanged)] == [True]
    assert build(find_places()).network.state.online
    network.go_offline()
    assert [change.state.online for change in recorder.of(NetworkChanged)] == [True, False]
    assert build(find_places()).network.state.mode == "offline"
    assert recorder.of(SettingsChanged)


def test_a_command_is_consent_for_this_run_unless_offline_was_chosen() -> None:
    application, recorder = started()
    application.network.consent()
    assert application.network.state.online
    assert len(recorder.of(NetworkChanged)) == 1
    again = build(find_places())
    assert not again.network.state.online
    again.network.go_offline()
    with pytest.raises(Offline, match="work offline"):
        again.network.consent()


@pytest.mark.parametrize(
    ("options", "variables", "forced_by"),
    [
        ({"offline": True}, {}, "--offline"),
        ({}, {"INGLENOOK_OFFLINE": "1"}, "INGLENOOK_OFFLINE"),
        ({}, {"HF_HUB_OFFLINE": "true"}, "HF_HUB_OFFLINE"),
        ({}, {"INGLENOOK_OFFLINE": "0", "HF_HUB_OFFLINE": "no"}, ""),
    ],
)
def test_what_forces_offline(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], variables: dict[str, str], forced_by: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    application, _ = started(**options)
    application.settings.change("network.mode", "online")
    assert application.network.state.forced_by == forced_by
    assert application.network.state.online == (not forced_by)
    if forced_by:
        for turn in (application.network.go_online, application.network.consent):
            with pytest.raises(Offline) as caught:
                turn()
            assert forced_by in caught.value.sentence
        assert application.network.check_connection().code == "offline"


def test_going_offline_holds_even_when_it_cannot_be_saved(hub: Server) -> None:
    application, _ = started()
    application.settings.change("network.endpoint", hub.origin)
    application.network.go_online()
    application.places.settings.unlink()
    application.places.settings.mkdir()
    with pytest.raises(NotSaved):
        application.network.go_offline()
    assert not application.network.state.online
    assert application.network.check_connection().code == "offline"
    assert hub.seen == []


def test_going_offline_ends_what_is_under_way() -> None:
    with closing(silent := Silent()), running() as (application, _):
        application.settings.change("network.endpoint", silent.origin)
        application.network.go_online()
        failures: list[NetworkError] = []

        def get() -> None:
            try:
                with application.gate.action(Purpose.DOWNLOAD, "Download"):
                    application.gate.client().get(silent.origin)
            except NetworkError as error:
                failures.append(error)

        thread = threading.Thread(target=get)
        thread.start()
        assert silent.arrived.acquire(timeout=10)
        application.network.go_offline()
        thread.join(10)
        assert [error.code for error in failures] == ["offline"]


@pytest.mark.parametrize(
    ("setting", "variable", "endpoint"),
    [
        ("", "", PUBLIC_HUB),
        ("", "https://mirror.example/", "https://mirror.example"),
        ("https://own.example/hf/ ", "https://mirror.example", "https://own.example/hf"),
    ],
)
def test_the_endpoint(monkeypatch: pytest.MonkeyPatch, setting: str, variable: str, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", variable)
    application, _ = started()
    application.settings.change("network.endpoint", setting)
    assert application.network.endpoint == endpoint


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_what_was_sent_is_in_the_store_and_told(hub: Server) -> None:
    hub.answers["/api"] = Answer(body=b"x" * 1000)
    with running() as (application, recorder):
        application.settings.change("network.endpoint", hub.origin)
        application.network.go_online()
        with application.gate.action(Purpose.SEARCH, "Search for “llama”"):
            application.gate.client().get(f"{hub.origin}/api")
            with pytest.raises(NetworkError):
                application.gate.client().get("https://elsewhere.example")
        assert [entry.outcome for entry in application.network.ledger()] == [Outcome.REFUSED, Outcome.ALLOWED]
        recorder.wait_for(LedgerChanged)
        store = application.ground.store
        until(lambda: len(store.ledger.list()) == 2, "the ledger to be written")
        assert application.network.ledger() == store.ledger.list()
        (refused,) = application.network.ledger(refused_only=True)
        assert (refused.host, refused.sent_bytes) == ("elsewhere.example", 0)
        assert len(application.network.ledger(1)) == 1


def test_a_busy_line_is_written_at_most_once_a_second(hub: Server) -> None:
    hub.answers["/api"] = Answer(body=b"x" * 1000)
    with running() as (application, recorder):
        application.settings.change("network.endpoint", hub.origin)
        application.network.go_online()
        began = now_ms()
        with application.gate.action(Purpose.DOWNLOAD, "Download"):
            while now_ms() - began < 2500:
                application.gate.client().get(f"{hub.origin}/api")
        assert 1 <= len(recorder.of(LedgerChanged)) <= 4


def test_the_rest_is_written_at_the_end(hub: Server) -> None:
    with running() as (application, _):
        application.settings.change("network.endpoint", hub.origin)
        application.network.go_online()
        with application.gate.action(Purpose.SEARCH, "Search"):
            application.gate.client().get(hub.origin)
    store = open_store(find_places())
    assert [entry.what for entry in store.ledger.list()] == ["Search"]
    store.close()


def test_entries_wait_until_the_store_is_open() -> None:
    with running(open_it=False) as (application, _):
        with application.gate.action(Purpose.SEARCH, "Too early"), pytest.raises(Offline):
            application.gate.client().get(PUBLIC_HUB)
        assert [entry.what for entry in application.network.ledger()] == ["Too early"]
        application.open()
        until(lambda: len(application.ground.store.ledger.list()) == 1, "the ledger to be written")


def test_the_ledger_as_csv(tmp_path: Path, hub: Server) -> None:
    entry = LedgerEntry(
        id="1",
        action_id="2",
        purpose="search",
        what='=HYPERLINK("http://evil")',
        host="huggingface.co",
        first_ms=0,
        last_ms=1_000,
        requests=2,
        sent_bytes=600,
        received_bytes=42_000,
        reason='Line\nand "quote"',
    )
    rows = list(csv.DictReader(io.StringIO(ledger_csv([entry]), newline="")))
    assert rows == [
        {
            "first": "1970-01-01T00:00:00+00:00",
            "last": "1970-01-01T00:00:01+00:00",
            "where": "huggingface.co",
            "what_for": '\'=HYPERLINK("http://evil")',
            "purpose": "search",
            "requests": "2",
            "sent_bytes": "600",
            "received_bytes": "42000",
            "outcome": "allowed",
            "this_computer": "no",
            "reason": 'Line\nand "quote"',
        }
    ]
    with running() as (application, _):
        with application.gate.action(Purpose.SEARCH, "Search"), pytest.raises(Offline):
            application.gate.client().get(hub.origin)
        assert application.network.save_ledger(tmp_path / "ledger.csv") == 1
        assert "Search" in (tmp_path / "ledger.csv").read_text()
        with pytest.raises(ServiceError):
            application.network.save_ledger(tmp_path)


# --- is anybody there ------------------------------------------------------------------------------------------------

MODELS = json.dumps([{"id": "acme/model", "modelId": "acme/model"}]).encode()


def checked(endpoint: str, **settings: str) -> Any:
    application, _ = started()
    application.settings.change("network.endpoint", endpoint)
    application.settings.change("network.token_hosts", (endpoint.partition("://")[2],))
    for name, value in {"proxy": "", "ca_file": "", **settings}.items():
        application.settings.change(f"network.{name}", value)
    application.network.go_online()
    try:
        return application.network.check_connection(token="hf_x")
    finally:
        application.close()


@pytest.mark.parametrize(
    ("answer", "code", "part"),
    [
        (Answer(body=MODELS), "ok", "answers"),
        (Answer(body=b"[]"), "ok", "answers"),
        (Answer(401), "unauthorized", "log in"),
        (Answer(403), "forbidden", "does not let you in"),
        (Answer(407), "proxy_failed", "proxy wants a name"),
        (Answer(429), "rate_limited", "too often"),
        (Answer(503), "server_error", "trouble of its own"),
        (Answer(302, headers={"Location": "http://login.example/"}), "led_away", "log in with a browser"),
        (Answer(404), "not_a_hub", "not a hub"),
        (Answer(body=b"<html>Welcome</html>"), "not_a_hub", "not a hub"),
        (Answer(body=b'{"id": 1}'), "not_a_hub", "not a hub"),
        (Answer(body=b"[" * 100_000), "not_a_hub", "not a hub"),
        (Answer(body=b"\xff\xfe"), "not_a_hub", "not a hub"),
        (Answer(body=b"x" * 1000, cut=10), "connection_failed", "ended the connection"),
    ],
)
def test_what_is_wrong_is_named(hub: Server, answer: Answer, code: str, part: str) -> None:
    hub.answers["/api/models"] = answer
    report = checked(hub.origin)
    assert (report.ok, report.code, report.endpoint) == (code == "ok", code, hub.origin)
    assert part in report.sentence
    (seen,) = hub.seen
    assert seen.path == "/api/models?limit=1"
    assert seen.headers["authorization"] == "Bearer hf_x"


def test_what_is_wrong_before_anybody_answers(hub: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import app.services.network as room

    assert checked("nonsense").code == "bad_endpoint"
    assert checked("http://mirror.example").code == "refused"
    assert checked(f"http://127.0.0.1:{unused_port()}").code == "connection_failed"
    assert checked(f"https://127.0.0.1:{hub.port}").code == "tls_failed"
    assert checked(hub.origin, proxy=f"http://127.0.0.1:{unused_port()}").code == "proxy_failed"
    assert checked(hub.origin, ca_file=str(tmp_path / "missing.pem")).code == "tls_failed"
    monkeypatch.setattr(room, "CHECK_TIMEOUT_S", 0.2)
    with closing(silent := Silent()):
        assert checked(silent.origin).code == "timed_out"
    assert hub.seen == []


def test_building_the_network_reads_no_http_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from app.base.paths import find_places; from app.bootstrap import build; build(find_places());"
        "print([m for m in ('httpx2', 'ssl', 'huggingface_hub', 'csv') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
