"""The store as everyone else sees it: opened once, a few nouns, closed at the end.

Importing this module costs 0.3 s (SQLAlchemy), so it is imported where the store is opened, off the window's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from app.base.paths import Places
from app.store import errors, migrate
from app.store.connect import BUSY_TIMEOUT_S, Database
from app.store.contexts import Contexts
from app.store.conversations import Conversations
from app.store.downloads import Downloads
from app.store.ledger import Ledger
from app.store.messages import Messages
from app.store.models import Models
from app.store.ownership import Owner
from app.store.plans import Plans
from app.store.reader import Reader
from app.store.search import Search
from app.store.writer import Writer

_LIVE_REPLIES = "SELECT 1 FROM messages WHERE owner IS NOT NULL LIMIT 1"


class Store:
    """All that is kept. Reads run on the calling thread, writes on the one writer thread; use from any thread."""

    def __init__(self, places: Places, database: Database, owner: Owner, schema: str) -> None:
        self.schema = schema
        self._owner = owner
        self._reader = Reader(database)
        self._writer = Writer(database)
        self.conversations = Conversations(self._reader, self._writer, places)
        self.messages = Messages(self._reader, self._writer, owner)
        self.contexts = Contexts(self._reader, self._writer)
        self.search = Search(self._reader)
        self.models = Models(self._reader, self._writer, places)
        self.plans = Plans(self._reader, self._writer)
        self.ledger = Ledger(self._reader, self._writer)
        self.downloads = Downloads(self._reader, self._writer, places, owner)
        self.recovered: list[str] = []

    def recover(self) -> None:
        """Closes replies of ended processes as lost; `recovered` names them. Their downloads wait again. Writes nothing
        when there are none."""
        if self._reader.sql(_LIVE_REPLIES):
            self.recovered = self.messages.recover()
        downloads = self.downloads.recover()
        if downloads is not None:
            downloads.result()
        self._owner.sweep()

    def data_version(self) -> int:
        """A number that changes when another process wrote, not when this one did. Waits for the writer: not for the
        window's thread."""

        def work(connection: sa.Connection) -> int:
            driver: Any = connection.connection.driver_connection
            return int(driver.execute("PRAGMA data_version").fetchone()[0])

        return self._writer.submit(work, transaction=False).result()

    def check(self) -> list[str]:
        """What is wrong with the file, its search index included; empty when all is well. Reads all of it.

        Raises a StoreError when it cannot be written to now, though nothing is written.
        """
        try:
            found = [str(row[0]) for row in self._reader.sql("PRAGMA integrity_check")]
            found += [f"a reference is broken: {row}" for row in self._reader.sql("PRAGMA foreign_key_check")]
        except errors.DatabaseCorrupt as error:
            return [error.detail or error.sentence]
        self._writer.submit(lambda connection: None).result()
        return [problem for problem in found if problem != "ok"]

    def others(self) -> bool:
        """Whether another process has these conversations open."""
        return bool(self._owner.others())

    def close(self) -> None:
        """Finishes what was handed in, ends the writer, closes the file. Idempotent."""
        self._writer.close()
        self._reader.close()
        self._owner.close()


def open_store(
    places: Places,
    *,
    key: Callable[[], bytes] | None = None,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    migrate_command: Sequence[str] | None = None,
) -> Store:
    """Opens the conversations, creates them at the first start, brings them up to date after an update.

    `key` gives 32 bytes when the file is to be encrypted. `migrate_command` starts the process that creates or updates
    the file; without one that happens here. Raises a StoreError; then nothing was overwritten.
    """
    try:
        places.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = Owner(places.owners)
    except OSError as error:
        raise errors.from_os_error(error, places.database) from error
    try:
        database = Database(places.database, key=key, busy_timeout_s=busy_timeout_s)
        schema = migrate.prepare(database, places, owner, command=migrate_command)
        owner.entered()
        store = Store(places, database, owner, schema)
    except BaseException:
        owner.close()
        raise
    try:
        store.recover()
    except BaseException:
        store.close()
        raise
    return store
