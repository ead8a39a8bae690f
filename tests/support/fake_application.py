"""An application made of values, with what the window asks for. Verbs are remembered; changes are published by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base.errors import InglenookError
from app.base.paths import Places
from app.engine.values import ModelFile
from app.privacy.ledger import LedgerEntry, Outcome
from app.services.changes import ConversationsChanged, NetworkChanged, NetworkState, Publisher, SettingsChanged
from app.services.leaving import Possession
from app.services.network import NOTHING_LEAVES, ONLINE, ConnectionReport
from app.settings.file import SettingsFile
from tests.support.fake_contexts import FakeContexts
from tests.support.fake_conversations import FakeConversations, FakeSending
from tests.support.fake_hub import FakeAccount, FakeBrowsing, FakeDownloading, FakeFitting, FakePictures
from tests.support.fake_models import FakeAdapters, FakeLibrary, FakeLoading, FakeSnapshots, starter
from tests.support.fake_plans import FakePlans


class FakeNetwork:
    """A switch that turns, and entries that were put there."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.entries: list[LedgerEntry] = []
        self.saved: list[Path] = []
        self.endpoint = "https://huggingface.co"
        self.token_goes_to_hub = True
        self.report = ConnectionReport(
            ok=True, code="ok", sentence="huggingface.co answers.", endpoint=self.endpoint, elapsed_ms=120
        )
        self.refuse: InglenookError | None = None
        self.state = NetworkState(mode="ask", online=False, words=NOTHING_LEAVES)

    def become(self, *, online: bool, forced_by: str = "") -> None:
        """Publishes that the network stands so."""
        words = ONLINE if online else NOTHING_LEAVES
        mode = "online" if online else "offline"
        self.state = NetworkState(mode=mode, online=online, forced_by=forced_by, words=words)
        self._publisher.publish(NetworkChanged(state=self.state))

    def check_connection(self) -> ConnectionReport:
        return self.report

    def go_online(self) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.become(online=True)

    def go_offline(self) -> None:
        self.become(online=False)

    def ledger(self, limit: int = 500, *, refused_only: bool = False) -> list[LedgerEntry]:
        if self.refuse is not None:
            raise self.refuse
        found = [e for e in self.entries if not refused_only or e.outcome is Outcome.REFUSED]
        return found[:limit]

    def save_ledger(self, path: Path) -> int:
        if self.refuse is not None:
            raise self.refuse
        self.saved.append(path)
        return len(self.entries)


class FakeDiagnostics:
    """Two facts."""

    def text(self) -> str:
        return "version: 0\ndata_dir: ~"

    def report(self) -> dict[str, Any]:
        return {"version": "0"}


class FakeJobs:
    """Runs at once, on the calling thread."""

    def __init__(self) -> None:
        self.ending = threading.Event()

    def start(self, name: str, run: Callable[[], None]) -> None:
        run()


class FakeLeaving:
    """Has something of every kind."""

    def __init__(self) -> None:
        self.agreed: bool | None = None
        self.refuse: InglenookError | None = None

    def possessions(self) -> list[Possession]:
        return [
            Possession(what="Conversations", files=("inglenook.db",), size_bytes=12_400_000),
            Possession(what="What the engine remembers of conversations", files=("a", "b"), size_bytes=310_000_000),
            Possession(what="Settings", files=("settings.json", "window.json"), size_bytes=900),
            Possession(what="Models", files=("one.gguf",), size_bytes=4_100_000_000, models=True),
        ]

    def agree(self, *, models: bool) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.agreed = models


class FakeApplication:
    """Everything together, in a folder of its own."""

    def __init__(self, folder: Path, models: list[ModelFile] | None = None) -> None:
        self.places = Places(folder, folder / "logs")
        self.jobs = FakeJobs()
        self.publisher = Publisher()
        self.settings = SettingsFile(
            self.places.settings, on_change=lambda names: self.publisher.publish(SettingsChanged(names=names))
        )
        self.conversations = FakeConversations(self.publisher)
        self.sending = FakeSending(self.conversations, self.publisher)
        self.loading = FakeLoading(self.publisher)
        self.snapshots = FakeSnapshots()
        self.adapters = FakeAdapters()
        self.contexts = FakeContexts(self.conversations, self.publisher, lambda: self.loading.context_limit())
        self.library = FakeLibrary([starter()] if models is None else models)
        self.library.settings = self.settings
        self.network = FakeNetwork(self.publisher)
        self.browsing = FakeBrowsing(self.publisher)
        self.downloading = FakeDownloading(self.publisher)
        self.account = FakeAccount(self.publisher)
        self.pictures = FakePictures(self.publisher)
        self.fitting = FakeFitting()
        self.plans = FakePlans(self.library.list, self.settings, self.fitting.computer)
        self.diagnostics = FakeDiagnostics()
        self.leaving = FakeLeaving()
        self.closed = False

    def open(self) -> None:
        self.publisher.publish(ConversationsChanged())

    def close(self) -> None:
        self.closed = True

    def leave(self) -> str:
        return ""
