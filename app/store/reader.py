"""Reading: one read-only connection per thread, and queries written with SQLAlchemy that run on the bare driver.

A query is compiled once, when its module is imported; running it costs what SQLite costs. Rows are plain tuples and
never leave the store. Nothing here writes.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from app.store import errors
from app.store.connect import Database, DriverConnection, DriverError
from app.store.text import storable

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Query:
    """A statement compiled to SQL text; its bound parameters are given by name when it runs."""

    def __init__(self, statement: sa.Select[*tuple[Any, ...]]) -> None:
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self.sql = str(compiled)
        defaults = dict(compiled.params)
        self._names = [(name, defaults.get(name)) for name in compiled.positiontup or []]

    def bind(self, given: dict[str, Any]) -> list[Any]:
        """The positional parameters: the given ones, else the constants of the statement."""
        return [given.get(name, default) for name, default in self._names]


class _Connection:
    """One thread's connection. The lock matters only when the store closes while a thread still reads."""

    def __init__(self, connection: DriverConnection) -> None:
        self.driver = connection
        self.lock = threading.Lock()

    def __del__(self) -> None:  # the thread ended
        self.driver.close()


class Reader:
    """Runs queries for any thread. Errors are the store's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._local = threading.local()
        self._all: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closed = False

    def rows(self, query: Query, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        return self.sql(query.sql, query.bind(parameters))

    def row(self, query: Query, **parameters: Any) -> tuple[Any, ...] | None:
        """The first row of the answer, or None."""
        rows = self.sql(query.sql, query.bind(parameters))
        return rows[0] if rows else None

    def sql(self, text: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows that `text` answers: for PRAGMA and full-text statements, which SQLAlchemy has no words for."""
        try:
            connection = self._connection()
            with connection.lock:
                self._refuse_when_closed()
                given = [storable(value) if isinstance(value, str) else value for value in parameters or ()]
                found: list[tuple[Any, ...]] = connection.driver.execute(text, given).fetchall()
                return found
        except DriverError as error:
            raise errors.from_sqlite(error, self._database.path, keyed=self._database.keyed) from error

    def close(self) -> None:
        """Closes every thread's connection, after the query it is running. Idempotent."""
        with self._lock:
            self._closed = True
            connections = list(self._all)
        for connection in connections:
            with connection.lock:
                connection.driver.close()

    def _connection(self) -> _Connection:
        found: _Connection | None = getattr(self._local, "connection", None)
        if found is None:
            self._refuse_when_closed()
            found = _Connection(self._database.connect(read_only=True))
            with self._lock:
                self._all.add(found)
            self._local.connection = found
        return found

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise errors.StoreClosed("The conversations are closed.")
