"""Conversations as they are listed, their settings and drafts, and how they go: first hidden, then removed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType

from app.base.clock import now_ms
from app.base.paths import Places
from app.chat.context_view import Policy
from app.chat.messages import Conversation
from app.engine.values import Adapter, Sampling
from app.store.errors import NotFound
from app.store.migrate import remove_backups
from app.store.reader import Query, Reader
from app.store.tables import BodyRow, ConversationRow, DraftRow, FactsRow, GrowthRow, MarkRow, MessageRow, NoteRow
from app.store.text import read_json, storable
from app.store.writer import Writer

Ids = list[str]

NEW = "new"  # the place of the draft that belongs to no conversation yet

_C = ConversationRow
_COLUMNS = (
    _C.id, _C.title, _C.created_ms, _C.updated_ms, MessageRow.id, _C.model_id, _C.system_prompt, _C.sampling,
    _C.title_by_person, _C.policy, _C.adapters,
)  # fmt: skip
_SHOWN = (
    sa.select(*_COLUMNS)
    .select_from(_C)
    .outerjoin(MessageRow, MessageRow.row == _C.leaf_row)
    .where(_C.deleted_ms.is_(None))
)
_NEWEST_FIRST = _SHOWN.order_by(_C.updated_ms.desc(), _C.row.desc()).limit(sa.bindparam("most", 0))
_LIST = Query(_NEWEST_FIRST)
_ONE = Query(_SHOWN.where(_C.id == sa.bindparam("one", "")))
_BETWEEN = Query(
    sa.select(_C.id)
    .where(_C.deleted_ms.is_(None), _C.id >= sa.bindparam("low", ""), _C.id < sa.bindparam("high", ""))
    .limit(2)
)
_THERE = Query(sa.select(_C.id).where(_C.id == sa.bindparam("one", "")))
_DRAFT = Query(sa.select(DraftRow.text).where(DraftRow.place == sa.bindparam("at", "")))
_EDIT = Query(
    sa.select(DraftRow.place, DraftRow.text)
    .join(MessageRow, MessageRow.id == DraftRow.place)
    .join(_C, _C.row == MessageRow.conversation_row)
    .where(_C.id == sa.bindparam("within", ""))
    .order_by(DraftRow.updated_ms.desc())
    .limit(1)
)


class Conversations:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer, places: Places) -> None:
        self._reader = reader
        self._writer = writer
        self._places = places

    def list(self, limit: int | None = None) -> list[Conversation]:
        """Those not deleted, the last updated first."""
        return [_value(row) for row in self._reader.rows(_LIST, most=-1 if limit is None else limit)]

    def get(self, id: str) -> Conversation | None:
        """The conversation with this id, unless it is deleted."""
        row = self._reader.row(_ONE, one=id)
        return None if row is None else _value(row)

    def present(self, ids: Iterable[str]) -> set[str]:
        """Those of these conversations that are there, the hidden ones too."""
        return {one for one in ids if self._reader.row(_THERE, one=one) is not None}

    def find(self, what: str) -> Ids:
        """The ids that begin so, two at most; for 'last' that of the one updated last."""
        wanted = what.strip().lower()
        if wanted == "last":
            return [found.id for found in self.list(limit=1)]
        if not wanted:
            return []
        return [found for (found,) in self._reader.rows(_BETWEEN, low=wanted, high=wanted + "\U0010ffff")]

    def create(self, conversation: Conversation) -> Future[None]:
        """Stores a conversation without messages; its leaf is not looked at."""

        def work(connection: sa.Connection) -> None:
            insert(connection, conversation)

        return self._writer.submit(work)

    def rename(self, id: str, title: str, by_person: bool) -> Future[None]:
        """A title that a person gave is replaced only by another one from a person."""

        def work(connection: sa.Connection) -> None:
            given = connection.scalar(sa.select(_C.title_by_person).where(_C.id == id))
            if given is None:
                raise NotFound(f"There is no conversation {id}.")
            if by_person or not given:
                _update(connection, id, title=storable(title), title_by_person=int(by_person))

        return self._writer.submit(work)

    def touch(self, id: str) -> Future[None]:
        """Moves it to the top of the list."""
        return self._writer.submit(lambda connection: _update(connection, id, updated_ms=now_ms()))

    def set_deleted(self, id: str, deleted: bool) -> Future[None]:
        """Hides it from lists and search, or brings it back. Nothing is removed before `purge`."""
        return self._writer.submit(lambda connection: _update(connection, id, deleted_ms=now_ms() if deleted else None))

    def configure(
        self,
        id: str,
        *,
        model_id: str | UnsetType = UNSET,
        system_prompt: str | UnsetType = UNSET,
        sampling: Sampling | UnsetType | None = UNSET,
        policy: Policy | UnsetType = UNSET,
        adapters: tuple[Adapter, ...] | UnsetType = UNSET,
    ) -> Future[None]:
        """Changes what is given and leaves the rest. `sampling` None: the settings' defaults again."""
        changes: dict[str, Any] = {}
        if model_id is not UNSET:
            changes["model_id"] = model_id
        if system_prompt is not UNSET:
            changes["system_prompt"] = storable(system_prompt)
        if sampling is not UNSET:
            changes["sampling"] = sampling_text(sampling)
        if policy is not UNSET:
            changes["policy"] = policy.value
        if adapters is not UNSET:
            changes["adapters"] = _adapters_text(adapters)
        return self._writer.submit(lambda connection: _update(connection, id, **changes))

    def draft(self, place: str) -> str:
        """What stands unsent in a conversation's composer or in that of 'new', or as another wording of a message."""
        row = self._reader.row(_DRAFT, at=place)
        return "" if row is None else str(row[0])

    def edit_draft(self, id: str) -> tuple[str, str] | None:
        """The message of this conversation that is being edited, and its wording so far."""
        row = self._reader.row(_EDIT, within=id)
        return None if row is None else (str(row[0]), str(row[1]))

    def set_draft(self, place: str, text: str) -> Future[None]:
        """Keeps an unsent text; an empty one removes the draft."""
        return self._writer.submit(lambda connection: write_draft(connection, place, text))

    def purge(self, deleted_before_ms: int) -> Future[Ids]:
        """Removes what was deleted before that moment for good: rows, search index, backups, traces in the files.

        Returns the ids. The text may survive outside the database (file system snapshots, worn flash cells).
        """

        def work(connection: sa.Connection) -> Ids:
            rows = connection.execute(sa.select(_C.row, _C.id).where(_C.deleted_ms < deleted_before_ms)).all()
            for row, conversation_id in rows:
                _remove(connection, row, conversation_id)
            return [conversation_id for _, conversation_id in rows]

        def clean(connection: sa.Connection) -> Ids:
            with connection.begin():
                removed = work(connection)
            if removed:
                # secure_delete has overwritten the pages; now shrink the file and empty the journal of older images.
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA incremental_vacuum").fetchall()
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                remove_backups(self._places)
            return removed

        return self._writer.submit(clean, transaction=False)


def insert(connection: sa.Connection, conversation: Conversation) -> int:
    """Stores a new conversation and returns its row."""
    result = connection.execute(
        sa.insert(_C).values(
            id=conversation.id,
            title=storable(conversation.title),
            title_by_person=int(conversation.title_by_person),
            created_ms=conversation.created_ms,
            updated_ms=conversation.updated_ms,
            model_id=conversation.model_id,
            system_prompt=storable(conversation.system_prompt),
            sampling=sampling_text(conversation.sampling),
            policy=conversation.policy.value,
            adapters=_adapters_text(conversation.adapters),
        )
    )
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


def write_draft(connection: sa.Connection, place: str, text: str) -> None:
    """Replaces or, with an empty text, removes a draft."""
    connection.execute(sa.delete(DraftRow).where(DraftRow.place == place))
    if text:
        connection.execute(sa.insert(DraftRow).values(place=place, text=storable(text), updated_ms=now_ms()))


def sampling_text(sampling: Sampling | None) -> str | None:
    """JSON with every field, also those that have their default today."""
    return None if sampling is None else msgspec.json.encode(msgspec.structs.asdict(sampling)).decode()


def sampling_value(text: str | None) -> Sampling | None:
    """The sampling from its JSON; the settings' own in place of one that cannot be read."""
    found: Sampling | None = None if text is None else read_json(text, Sampling, None)
    return found


def _adapters_text(adapters: tuple[Adapter, ...]) -> str:
    return msgspec.json.encode(adapters).decode()


def _update(connection: sa.Connection, id: str, **changes: Any) -> None:
    if not changes:
        return
    if connection.execute(sa.update(_C).where(_C.id == id).values(**changes)).rowcount == 0:
        raise NotFound(f"There is no conversation {id}.")


def _remove(connection: sa.Connection, row: int, id: str) -> None:
    messages = sa.select(MessageRow.row).where(MessageRow.conversation_row == row)
    connection.execute(sa.delete(NoteRow).where(NoteRow.conversation_row == row))
    for table in (BodyRow, GrowthRow, FactsRow, MarkRow):
        connection.execute(sa.delete(table).where(table.message_row.in_(messages)))
    edited = sa.select(MessageRow.id).where(MessageRow.conversation_row == row)
    connection.execute(sa.delete(DraftRow).where(sa.or_(DraftRow.place == id, DraftRow.place.in_(edited))))
    connection.execute(sa.delete(MessageRow).where(MessageRow.conversation_row == row))
    connection.execute(sa.delete(_C).where(_C.row == row))


def _value(row: tuple[Any, ...]) -> Conversation:
    conversation_id, title, created_ms, updated_ms, leaf_id, model_id, system_prompt, sampling, by_person = row[:9]
    policy, adapters = row[9:]
    return Conversation(
        id=conversation_id,
        title=title,
        created_ms=created_ms,
        updated_ms=updated_ms,
        leaf_id=leaf_id,
        model_id=model_id,
        system_prompt=system_prompt,
        sampling=sampling_value(sampling),
        title_by_person=bool(by_person),
        policy=Policy(policy),
        adapters=read_json(adapters, tuple[Adapter, ...], ()),
    )
