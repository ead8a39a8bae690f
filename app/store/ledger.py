"""The network ledger as it is kept: what the gate counted, one row per action and host."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from app.privacy.ledger import LedgerEntry, Outcome
from app.store.reader import Query, Reader
from app.store.tables import LedgerRow
from app.store.text import storable
from app.store.writer import Writer

KEPT = 50_000
"""Rows that are kept; the oldest go. A search as you type makes a row for each of its questions."""

_NAMES = LedgerEntry.__struct_fields__
_COLUMNS = tuple(getattr(LedgerRow, name) for name in _NAMES)
_TEXTS = ("purpose", "what", "host", "reason")
_NEWEST = (LedgerRow.last_ms.desc(), LedgerRow.id.desc())
_ALL = Query(sa.select(*_COLUMNS).order_by(*_NEWEST).limit(sa.bindparam("limit", 0)))
_REFUSED = Query(
    sa.select(*_COLUMNS)
    .where(LedgerRow.outcome == Outcome.REFUSED.value)
    .order_by(*_NEWEST)
    .limit(sa.bindparam("limit", 0))
)


class Ledger:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def list(self, limit: int = 500, *, refused_only: bool = False) -> list[LedgerEntry]:
        """At most `limit` entries, the newest first."""
        rows = self._reader.rows(_REFUSED if refused_only else _ALL, limit=limit)
        return [_value(row) for row in rows]

    def record(self, entries: Sequence[LedgerEntry]) -> Future[None]:
        """Adds entries or replaces those of the same action and host; an entry carries its totals, not what came since.

        Beyond KEPT rows the oldest are removed."""
        rows = [_row(entry) for entry in entries]

        def work(connection: sa.Connection) -> None:
            if not rows:
                return
            statement = insert(LedgerRow)
            changing = {
                name: statement.excluded[name] for name in _NAMES if name not in ("id", "action_id", "host", "first_ms")
            }
            connection.execute(
                statement.on_conflict_do_update(index_elements=[LedgerRow.action_id, LedgerRow.host], set_=changing),
                rows,
            )
            too_old = sa.select(LedgerRow.last_ms).order_by(LedgerRow.last_ms.desc()).offset(KEPT).limit(1)
            last = connection.scalar(too_old)
            if last is not None:
                connection.execute(sa.delete(LedgerRow).where(LedgerRow.last_ms <= last))

        return self._writer.submit(work)


def _row(entry: LedgerEntry) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(entry, name) for name in _NAMES}
    values |= {name: storable(values[name]) for name in _TEXTS}
    values |= {"outcome": entry.outcome.value, "local": int(entry.local)}
    return values


def _value(row: tuple[Any, ...]) -> LedgerEntry:
    values = dict(zip(_NAMES, row, strict=True))
    values |= {"outcome": Outcome(values["outcome"]), "local": bool(values["local"])}
    return LedgerEntry(**values)
