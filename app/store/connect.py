"""The one place where a connection to the database comes from: driver, key, and what every connection is told.

The driver is sqlcipher3 with a key and without, so that every machine runs the same recent SQLite (FTS5 secure-delete
needs 3.42). The journal mode is not set here: changing it writes to the file, and a file is written only after its
version is known (migrate.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlcipher3 import dbapi2 as driver

DriverError: type[Exception] = driver.Error

KEY_BYTES = 32
BUSY_TIMEOUT_S = 5.0

_READER_CACHE_KIB = 2048  # per thread that reads; the tree of 10,000 messages is 1.3 MB
_WRITER_CACHE_KIB = 4096
_WAL_KEPT_BYTES = 4 * 1024 * 1024


class DriverConnection(Protocol):
    """What is used of the driver's connection; autocommit, so that no read leaves a transaction open."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any: ...
    def backup(self, target: Any, /) -> None: ...
    def close(self) -> None: ...


class Database:
    """A database file, how to unlock it, and how long to wait for others. Opens nothing by itself."""

    def __init__(
        self, path: Path, *, key: Callable[[], bytes] | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        self.path = path
        self._key = key
        self.busy_timeout_s = busy_timeout_s

    @property
    def keyed(self) -> bool:
        """Whether the file is encrypted."""
        return self._key is not None

    def key_hex(self) -> str | None:
        """The key as another process of ours is told it; None when the file is not encrypted."""
        return None if self._key is None else self._key().hex()

    def connect(self, *, read_only: bool = False, path: Path | None = None) -> DriverConnection:
        """A new connection, to be used by one thread at a time. `path` opens another file with the same key."""
        connection: Any = driver.connect(str(path or self.path), isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection, read_only)
        except BaseException:
            connection.close()
            raise
        return connection  # type: ignore[no-any-return] # the driver has no types

    def _prepare(self, connection: DriverConnection, read_only: bool) -> None:
        if self._key is not None:
            key = self._key()
            if len(key) != KEY_BYTES:
                raise ValueError(f"a database key has {KEY_BYTES} bytes, this one {len(key)}")
            connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")  # a raw key: no slow derivation at every connection
        connection.execute(f"PRAGMA busy_timeout = {round(self.busy_timeout_s * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB if read_only else _WRITER_CACHE_KIB}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")

    def engine(self) -> sa.Engine:
        """A SQLAlchemy engine for the writer and for migrations; each transaction starts as BEGIN IMMEDIATE."""
        engine = sa.create_engine("sqlite+pysqlite://", module=driver, creator=self.connect, poolclass=sa.NullPool)

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            # It never upgrades a read lock, so it can wait instead of failing.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine
