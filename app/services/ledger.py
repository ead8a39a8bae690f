"""Keeping the network ledger: what the gate counted goes to the store, off every hot path and at most once a second.

While the store is not open, entries wait in memory. What the disk refuses is tried again with the next write.
"""

from __future__ import annotations

import datetime
import io
import logging
import threading
import time
from collections.abc import Iterable

from app.base.errors import InglenookError
from app.privacy.ledger import Ledger, LedgerEntry, Outcome
from app.services.changes import LedgerChanged, Publisher
from app.services.ground import Ground
from app.services.jobs import LEDGER, Jobs

log = logging.getLogger(__name__)

BETWEEN_WRITES_S = 1.0
LOOK_AGAIN_S = 0.5
WRITE_TIMEOUT_S = 10.0

_COLUMNS = (
    "first",
    "last",
    "where",
    "what_for",
    "purpose",
    "requests",
    "sent_bytes",
    "received_bytes",
    "outcome",
    "this_computer",
    "reason",
)


class LedgerKeeping:
    """One thread, started by the first entry. `close` writes what is left."""

    def __init__(self, ground: Ground, publisher: Publisher, jobs: Jobs) -> None:
        self.ledger = Ledger(self._changed)
        self._ground = ground
        self._publisher = publisher
        self._jobs = jobs
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._started = self._stopped = False
        self._on_the_way: list[LedgerEntry] = []
        self._new = threading.Event()
        self._hurry = threading.Event()

    def action_ended(self) -> None:
        """An action is over: its entries are final, and are written as soon as a write is due."""
        self._hurry.set()

    def entries(self, limit: int, *, refused_only: bool) -> list[LedgerEntry]:
        """The newest entries, those that are not written yet included. Raises a StoreError."""
        with self._lock:  # and before the store is read, so that nothing falls in between
            on_the_way = [*self._on_the_way, *self.ledger.waiting()]
        store = self._ground.open_store
        kept = [] if store is None else store.ledger.list(limit, refused_only=refused_only)
        found = {(entry.action_id, entry.host): entry for entry in kept}
        for entry in on_the_way:
            if not refused_only or entry.outcome is Outcome.REFUSED:
                found[entry.action_id, entry.host] = entry
        return sorted(found.values(), key=lambda entry: (entry.last_ms, entry.id), reverse=True)[:limit]

    def flush(self) -> None:
        """Writes what waits, if there is a store to write to. What cannot be written waits on."""
        with self._writing:
            store = self._ground.open_store
            if store is None:
                return
            with self._lock:
                entries = self._on_the_way = self.ledger.take()
            try:
                store.ledger.record(entries).result(WRITE_TIMEOUT_S)
            except (InglenookError, TimeoutError) as error:
                log.info("the ledger waits with %d entries: %s", len(entries), type(error).__name__)
                self.ledger.give_back(entries)
            self._on_the_way = []

    def stop(self) -> None:
        """Lets the thread end; what comes from now on is written by `close`."""
        self._stopped = True
        self._hurry.set()
        self._new.set()

    def close(self) -> None:
        """Writes what is left, on this thread."""
        if self.ledger.waiting():
            self.flush()

    def _changed(self) -> None:
        self._new.set()
        with self._lock:
            if self._started:
                return
            self._started = True
        self._jobs.start(LEDGER, self._run)

    def _run(self) -> None:
        ending = self._jobs.ending
        written = 0.0
        while True:
            # What an unopened store or a full disk left waiting is tried again; otherwise the thread just sleeps.
            new = self._new.wait(LOOK_AGAIN_S if self.ledger.waiting() else None)
            if new:
                self._hurry.wait(BETWEEN_WRITES_S)
            if self._stopped or ending.wait(max(0.0, written + BETWEEN_WRITES_S - time.monotonic())):
                return
            self._new.clear()
            self._hurry.clear()
            self.flush()
            written = time.monotonic()
            if new:
                self._publisher.publish(LedgerChanged())


def ledger_csv(entries: Iterable[LedgerEntry]) -> str:
    """The entries as CSV with a heading; times in UTC. A text that a spreadsheet would compute begins with a quote."""
    import csv  # only who saves needs it

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_COLUMNS)
    for entry in entries:
        writer.writerow(
            (
                _moment(entry.first_ms),
                _moment(entry.last_ms),
                _harmless(entry.host),
                _harmless(entry.what),
                entry.purpose,
                entry.requests,
                entry.sent_bytes,
                entry.received_bytes,
                entry.outcome.value,
                "yes" if entry.local else "no",
                _harmless(entry.reason),
            )
        )
    return out.getvalue()


def _moment(moment_ms: int) -> str:
    return datetime.datetime.fromtimestamp(moment_ms / 1000, datetime.UTC).isoformat(timespec="seconds")


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
