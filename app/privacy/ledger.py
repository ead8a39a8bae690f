"""What was sent and what wanted to be sent: one entry per action and host, counted while it happens.

Bytes are those of HTTP: request line, headers and body out; status line, headers and body in, a body as it travels
(packed, when it is packed). What TLS, TCP, a proxy's CONNECT and the framing of chunks add is not in it. Counting takes
a lock and an addition; nothing here writes anything anywhere.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

import msgspec

from app.base.clock import now_ms
from app.base.ids import new_id
from app.privacy.policy import Action

KEPT_ROWS = 1000
"""Entries of past actions that stay in memory, so that a late byte still finds its entry."""


class Outcome(enum.StrEnum):
    """How it went for one action at one host: once anything was answered it stays allowed, for bytes did travel."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    FAILED = "failed"


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger. `host` has its port where that is unusual; `local`: it is this computer itself.

    `reason` is a sentence, '' when all went well. `purpose` is one of policy.Purpose, or '' when nobody asked.
    """

    id: str
    action_id: str
    purpose: str
    what: str
    host: str
    first_ms: int
    last_ms: int
    requests: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    outcome: Outcome = Outcome.ALLOWED
    local: bool = False
    reason: str = ""


class Row:
    """An entry that still counts. Made by the Ledger; every change makes it wait for being written.

    Bytes are counted with every block that comes, so that is an addition; an entry is put together when it is taken.
    """

    def __init__(self, ledger: Ledger, entry: LedgerEntry) -> None:
        self.key = (entry.action_id, entry.host)
        self._ledger = ledger
        self._begun = entry
        self._last_ms = entry.last_ms
        self._requests = self._sent = self._received = 0
        self._answered = False
        self._outcome, self._reason = entry.outcome, entry.reason

    @property
    def entry(self) -> LedgerEntry:
        """Everything up to now."""
        return msgspec.structs.replace(
            self._begun,
            last_ms=self._last_ms,
            requests=self._requests,
            sent_bytes=self._sent,
            received_bytes=self._received,
            outcome=self._outcome,
            reason=self._reason,
        )

    def began(self) -> None:
        """One more request wants to leave."""
        self._count(1, 0, 0)

    def sent(self, count: int) -> None:
        """So many bytes left."""
        self._count(0, count, 0)

    def received(self, count: int) -> None:
        """So many bytes came."""
        self._count(0, 0, count)

    def answered(self) -> None:
        """The host answered."""
        self._answered = True
        self._judge(Outcome.ALLOWED, "")

    def ended_badly(self, outcome: Outcome, reason: str) -> None:
        """Refused or failed, unless something was answered before; the reason is kept in any case."""
        self._judge(outcome, reason)

    def _count(self, requests: int, sent: int, received: int) -> None:
        with self._ledger.lock:
            self._requests += requests
            self._sent += sent
            self._received += received
            first = self._changed()
        if first:
            self._ledger.on_change()

    def _judge(self, outcome: Outcome, reason: str) -> None:
        with self._ledger.lock:
            self._outcome = Outcome.ALLOWED if self._answered else outcome
            self._reason = reason
            first = self._changed()
        if first:
            self._ledger.on_change()

    def _changed(self) -> bool:
        self._last_ms = now_ms()
        return self._ledger.note(self)


class Ledger:
    """The entries of this run. `on_change` is called, on any thread, when there is something new to take."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.lock = threading.Lock()
        self.on_change = on_change
        self._rows: dict[tuple[str, str], Row] = {}
        self._waiting: dict[tuple[str, str], Row] = {}
        self._nobody = new_id()

    def row(self, action: Action | None, host: str, *, local: bool) -> Row:
        """The entry of an action at a host, made when it is the first of its kind. Without an action nobody asked."""
        key = (self._nobody if action is None else action.id, host)
        with self.lock:
            found = self._rows.pop(key, None)
            if found is None:
                now = now_ms()
                found = Row(
                    self,
                    LedgerEntry(
                        id=new_id(),
                        action_id=key[0],
                        purpose="" if action is None else action.purpose.value,
                        what="Nothing you asked for" if action is None else action.what,
                        host=host,
                        first_ms=now,
                        last_ms=now,
                        local=local,
                    ),
                )
            self._rows[key] = found  # the last ones used stand last
            while len(self._rows) > KEPT_ROWS:
                del self._rows[next(iter(self._rows))]
        return found

    def note(self, row: Row) -> bool:
        """Inside of `lock`: a row has something new. Returns whether `on_change` has to hear of it."""
        first = not self._waiting
        if row.key not in self._waiting:
            self._waiting[row.key] = row
            while len(self._waiting) > KEPT_ROWS:  # nobody takes them
                del self._waiting[next(iter(self._waiting))]
        return first

    def take(self) -> list[LedgerEntry]:
        """Everything that changed since the last time, with its totals up to now."""
        with self.lock:
            rows, self._waiting = list(self._waiting.values()), {}
            return [row.entry for row in rows]

    def waiting(self) -> list[LedgerEntry]:
        """What the next `take` gives; nothing is taken."""
        with self.lock:
            return [row.entry for row in self._waiting.values()]

    def give_back(self, entries: list[LedgerEntry]) -> None:
        """What was taken could not be written; it will be taken again, with what came since."""
        with self.lock:
            for entry in entries:
                key = (entry.action_id, entry.host)
                row = self._rows.get(key)
                if row is not None:
                    self._waiting.setdefault(key, row)
