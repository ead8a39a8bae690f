"""The queue of downloads, shared by all processes of one data folder.

A row that is fetched carries its process's mark (`owner`); one whose owner is gone waits again. What a person wants
is written into the row by any process, and the owner sees it with its next `keep`. The bytes are not known here.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from app.base.paths import Places
from app.store.ownership import Owner
from app.store.queued import CHECKING, DONE, FAILED, PAUSED, RUNNING, WAITING, QueuedDownload
from app.store.reader import Query, Reader
from app.store.tables import DownloadRow
from app.store.text import storable
from app.store.writer import Writer

_LIVE = (RUNNING, CHECKING)
_COPIED = (
    "id", "position", "endpoint", "repo", "label", "files", "state", "done_bytes", "created_ms", "finished_ms", "code",
    "sentence",
)  # fmt: skip
_NAMES = (*_COPIED, "revision", "root", "folder")
_COLUMNS = tuple(getattr(DownloadRow, name) for name in _NAMES)
_ALL = Query(sa.select(*_COLUMNS).order_by(DownloadRow.position, DownloadRow.id))
_ONE = Query(sa.select(*_COLUMNS).where(DownloadRow.id == sa.bindparam("one", "")))
_WHAT = ("endpoint", "repo", "revision", "files", "root", "folder")
_OWNED = Query(sa.select(DownloadRow.id, DownloadRow.owner).where(DownloadRow.owner.is_not(None)))


class Downloads:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer, places: Places, owner: Owner) -> None:
        self._reader = reader
        self._writer = writer
        self._models = places.models
        self._owner = owner

    def list(self) -> list[QueuedDownload]:
        """All of them, in the order of the queue."""
        return [self._value(row) for row in self._reader.rows(_ALL)]

    def get(self, id: str) -> QueuedDownload | None:
        """One of them; None when it is gone."""
        row = self._reader.row(_ONE, one=id)
        return None if row is None else self._value(row)

    def add(self, download: QueuedDownload) -> Future[QueuedDownload]:
        """Adds it at the end of the queue. Returns what is in the queue: one that gets the same files to the same
        place and is not done yet is not added a second time, whoever added it."""

        def work(connection: sa.Connection) -> QueuedDownload:
            row = self._row(download)
            same = [getattr(DownloadRow, name) == row[name] for name in _WHAT]
            found = connection.execute(sa.select(*_COLUMNS).where(*same, DownloadRow.state != DONE)).first()
            if found is not None:
                return self._value(tuple(found))
            last = connection.scalar(sa.select(sa.func.max(DownloadRow.position)))
            added = msgspec.structs.replace(download, position=(last or 0) + 1)
            connection.execute(sa.insert(DownloadRow).values(**row | {"position": added.position}))
            return added

        return self._writer.submit(work)

    def claim(self, id: str) -> Future[bool]:
        """Makes a waiting one this process's own; False when another was quicker, or it does not wait any more."""

        def work(connection: sa.Connection) -> bool:
            return _changed(
                connection,
                sa.update(DownloadRow)
                .where(DownloadRow.id == id, DownloadRow.state == WAITING, DownloadRow.owner.is_(None))
                .values(state=RUNNING, owner=self._owner.id, code="", sentence=""),
            )

        return self._writer.submit(work)

    def keep(self, id: str, state: str, done_bytes: int) -> Future[bool]:
        """Notes how far this process's own is. False when somebody wants it otherwise: paused, or gone."""

        def work(connection: sa.Connection) -> bool:
            return _changed(
                connection,
                sa.update(DownloadRow)
                .where(DownloadRow.id == id, DownloadRow.owner == self._owner.id, DownloadRow.state.in_(_LIVE))
                .values(state=state, done_bytes=done_bytes),
            )

        return self._writer.submit(work)

    def release(
        self,
        id: str,
        state: str,
        done_bytes: int,
        *,
        code: str = "",
        sentence: str = "",
        finished_ms: int = 0,
    ) -> Future[bool]:
        """This process is done with it. What a person wanted meanwhile (paused) stays. False when it is gone."""

        def work(connection: sa.Connection) -> bool:
            wanted = connection.scalar(sa.select(DownloadRow.state).where(DownloadRow.id == id))
            paused = wanted == PAUSED and state not in (DONE, FAILED)
            return _changed(
                connection,
                sa.update(DownloadRow)
                .where(DownloadRow.id == id, DownloadRow.owner == self._owner.id)
                .values(
                    state=PAUSED if paused else state,
                    done_bytes=done_bytes,
                    code="" if paused else code,
                    sentence="" if paused else storable(sentence),
                    finished_ms=finished_ms,
                    owner=None,
                ),
            )

        return self._writer.submit(work, durable=state == DONE)

    def pause(self, id: str) -> Future[bool]:
        """A person wants it to rest. Its owner, if there is one, sees it."""
        wanted = (*_LIVE, WAITING)

        def work(connection: sa.Connection) -> bool:
            return _changed(
                connection,
                sa.update(DownloadRow)
                .where(DownloadRow.id == id, DownloadRow.state.in_(wanted))
                .values(state=PAUSED, code="", sentence=""),
            )

        return self._writer.submit(work)

    def resume(self, id: str) -> Future[bool]:
        """A person wants it to go on: from a pause or after a failure."""
        wanted = (PAUSED, FAILED, WAITING)

        def work(connection: sa.Connection) -> bool:
            return _changed(
                connection,
                sa.update(DownloadRow)
                .where(DownloadRow.id == id, DownloadRow.state.in_(wanted))
                .values(state=WAITING, code="", sentence=""),
            )

        return self._writer.submit(work)

    def remove(self, id: str) -> Future[str | None]:
        """Forgets it; its owner, if there is one, sees it. Returns the owner, '' when nobody fetches it, None when it
        was gone."""

        def work(connection: sa.Connection) -> str | None:
            found = connection.execute(sa.select(DownloadRow.owner).where(DownloadRow.id == id)).first()
            connection.execute(sa.delete(DownloadRow).where(DownloadRow.id == id))
            return None if found is None else found[0] or ""

        return self._writer.submit(work)

    def move_up(self, id: str) -> Future[bool]:
        """Changes places with the one before it in the queue. False when there is none."""

        def work(connection: sa.Connection) -> bool:
            place = connection.scalar(sa.select(DownloadRow.position).where(DownloadRow.id == id))
            before = connection.execute(
                sa.select(DownloadRow.id, DownloadRow.position)
                .where(DownloadRow.position < (place or 0), DownloadRow.state != DONE)
                .order_by(DownloadRow.position.desc())
                .limit(1)
            ).first()
            if before is None:
                return False
            for one, position in ((id, before[1]), (before[0], place)):
                connection.execute(sa.update(DownloadRow).where(DownloadRow.id == one).values(position=position))
            return True

        return self._writer.submit(work)

    def recover(self) -> Future[int] | None:
        """Lets those wait again whose process has ended. None when there are none."""
        gone = [one for one, owner in self._reader.rows(_OWNED) if not self._owner.alive(owner)]
        if not gone:
            return None

        def work(connection: sa.Connection) -> int:
            lost = DownloadRow.id.in_(gone)
            live = DownloadRow.state.in_(_LIVE)
            connection.execute(sa.update(DownloadRow).where(lost, live).values(state=WAITING))
            connection.execute(sa.update(DownloadRow).where(lost).values(owner=None))
            return len(gone)

        return self._writer.submit(work)

    def _row(self, download: QueuedDownload) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(download, name) for name in _COPIED}
        folder = Path(download.folder)
        inside = folder.is_relative_to(self._models)
        return values | {
            "label": storable(download.label),
            "sentence": storable(download.sentence),
            "revision": download.commit,
            "root": "models" if inside else "",
            "folder": folder.relative_to(self._models).as_posix() if inside else str(folder),
        }

    def _value(self, row: tuple[Any, ...]) -> QueuedDownload:
        values = dict(zip(_NAMES, row, strict=True))
        root, folder = values.pop("root"), values.pop("folder")
        return QueuedDownload(
            commit=values.pop("revision"), folder=str(self._models / folder) if root else folder, **values
        )


def _changed(connection: sa.Connection, statement: sa.Update) -> bool:
    return connection.execute(statement).rowcount > 0
