"""A gate that is open to a server on loopback, and what this process connects to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from app.privacy.errors import Cancelled, NetworkError, Offline
from app.privacy.gate import Gate
from app.privacy.ledger import LedgerEntry
from app.privacy.policy import Action, Policy, Way
from tests.privacy.servers import Authority, Server

ENDS = ["shut", "close", "cancel"]

_watching: list[list[str]] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not _watching:
        return
    if event == "socket.connect":
        address = arguments[1]
        where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
        _watching[-1].append(f"connect {where}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        _watching[-1].append(f"look up {arguments[0]}")
    elif event == "socket.__new__":
        _watching[-1].append("socket")


sys.addaudithook(_watch)


@pytest.fixture
def reached() -> Iterator[list[str]]:
    """Every socket, name look-up and connection of this process while the test runs."""
    _watching.append([])
    yield _watching[-1]
    _watching.pop()


class Setting:
    """A gate whose policy and way a test may change at any time."""

    def __init__(self, hub: str) -> None:
        self.policy = Policy(online=True, hub=hub, token_hosts=(hub.partition("://")[2],))
        self.way = Way()
        self.ended: list[str] = []
        self.gate = Gate(
            lambda: self.policy, lambda: self.way, on_action_ended=lambda action: self.ended.append(action.what)
        )
        self._rows: dict[tuple[str, str], LedgerEntry] = {}

    def change(self, **values: object) -> None:
        """Another policy from now on."""
        self.policy = msgspec.structs.replace(self.policy, **values)

    def end(self, how: str, action: Action) -> type[NetworkError]:
        """Ends what is under way, in one of ENDS; returns the error that its requests get."""
        if how == "cancel":
            self.gate.cancel(action)
        else:
            self.change(online=False)
            getattr(self.gate, how)()
        return Offline if how == "shut" else Cancelled

    @property
    def entries(self) -> list[LedgerEntry]:
        """The ledger so far, in order of their beginning."""
        for entry in self.gate.ledger.take():
            self._rows[entry.action_id, entry.host] = entry
        return sorted(self._rows.values(), key=lambda entry: entry.id)


@pytest.fixture
def hub() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def setting(hub: Server) -> Iterator[Setting]:
    made = Setting(hub.origin)
    yield made
    made.gate.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("tls")) / "ca")


@pytest.fixture(autouse=True)
def _no_proxy_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
