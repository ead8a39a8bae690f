"""The one thread of this process that writes to the database. Everyone else hands it work and gets a Future.

Work is a function of a SQLAlchemy connection inside a transaction; it is committed when the function returns and rolled
back when it raises. An error belongs to the Future of its own work: after a full disk the next work runs as usual.
What the work means does not belong here.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from app.base.errors import InglenookError
from app.base.threads import start_thread
from app.store import errors
from app.store.connect import Database, DriverError

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class _Job:
    work: Callable[[sa.Connection], Any]
    future: Future[Any]
    durable: bool
    transaction: bool


class Writer:
    """Runs work in the order it was handed in, one transaction each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = database.engine()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._synchronous = "NORMAL"
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        start_thread(self._thread)

    def submit(
        self, work: Callable[[sa.Connection], T], *, durable: bool = False, transaction: bool = True
    ) -> Future[T]:
        """Queues `work`. `durable`: the commit survives a power cut (synchronous=FULL); otherwise the database does,
        and the last moments may be missing. Without `transaction` the work opens its own."""
        future: Future[T] = Future()
        with self._lock:  # nothing may slip in behind the end mark
            if self._closed:
                future.set_exception(errors.StoreClosed("The conversations are closed; nothing more can be saved."))
            else:
                self._jobs.put(_Job(work, future, durable, transaction))
        return future

    def close(self) -> None:
        """Finishes what was queued, then ends the thread. Idempotent."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection: sa.Connection | None = None
        while (job := self._jobs.get()) is not None:
            if not job.future.set_running_or_notify_cancel():
                continue
            try:
                connection = connection or self._engine.connect()
                result = self._perform(connection, job)
            except BaseException as error:  # noqa: BLE001 - the edge of this thread: whatever happened belongs to the Future
                if connection is not None and connection.in_transaction():
                    self._roll_back(connection)
                job.future.set_exception(self._mapped(error))
            else:
                job.future.set_result(result)
            finally:
                del job  # its work may hold a whole reply; the thread may now wait for hours
        if connection is not None:
            connection.close()
        self._engine.dispose()

    def _perform(self, connection: sa.Connection, job: _Job) -> Any:
        driver: Any = connection.connection.driver_connection
        wanted = "FULL" if job.durable else "NORMAL"
        if wanted != self._synchronous:  # takes effect only outside a transaction
            driver.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        if not job.transaction:
            return job.work(connection)
        with connection.begin():
            return job.work(connection)

    def _roll_back(self, connection: sa.Connection) -> None:
        try:
            connection.rollback()
        except exc.DBAPIError:
            log.exception("rolling back failed")

    def _mapped(self, error: BaseException) -> BaseException:
        origin = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(origin, InglenookError) or not isinstance(origin, DriverError):
            return error
        return errors.from_sqlite(origin, self._database.path, keyed=self._database.keyed)
