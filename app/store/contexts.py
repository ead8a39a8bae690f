"""What a person decided about single messages, and the notes that stand in place of old turns."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from app.chat.context_view import Mark, Note
from app.store.errors import NotFound
from app.store.reader import Query, Reader
from app.store.tables import ConversationRow, MarkRow, MessageRow, NoteRow
from app.store.text import storable
from app.store.writer import Writer

_M = MessageRow
_N = NoteRow
_AFTER, _UPTO = MessageRow.table.alias(), MessageRow.table.alias()

_MARKS = Query(
    sa.select(_M.id, MarkRow.mark)
    .join(MarkRow, MarkRow.message_row == _M.row)
    .join(ConversationRow, ConversationRow.row == _M.conversation_row)
    .where(ConversationRow.id == sa.bindparam("conversation", ""))
    .order_by(_M.row)
)
_NOTES = Query(
    sa.select(_N.id, ConversationRow.id, _AFTER.c.id, _UPTO.c.id, _N.text, _N.by_person, _N.created_ms)
    .select_from(_N)
    .join(ConversationRow, ConversationRow.row == _N.conversation_row)
    .join(_UPTO, _UPTO.c.row == _N.upto_row)
    .outerjoin(_AFTER, _AFTER.c.row == _N.after_row)
    .where(ConversationRow.id == sa.bindparam("conversation", ""))
    .order_by(_N.created_ms, _N.id)
)


class Contexts:
    """Reads on the caller's thread; every write returns a Future."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def marks(self, conversation_id: str) -> dict[str, Mark]:
        """The marked messages of a conversation, on all its branches, the oldest first."""
        return {message_id: Mark(mark) for message_id, mark in self._reader.rows(_MARKS, conversation=conversation_id)}

    def set_marks(self, message_ids: list[str], mark: Mark | None) -> Future[None]:
        """Marks messages, or takes their marks away."""

        def work(connection: sa.Connection) -> None:
            for message_id in message_ids:
                row = _row(connection, message_id)
                connection.execute(sa.delete(MarkRow).where(MarkRow.message_row == row))
                if mark is not None:
                    connection.execute(sa.insert(MarkRow).values(message_row=row, mark=mark.value))

        return self._writer.submit(work)

    def notes(self, conversation_id: str) -> list[Note]:
        """The notes of a conversation, on all its branches, the oldest first."""
        return [_note(row) for row in self._reader.rows(_NOTES, conversation=conversation_id)]

    def set_note(self, note: Note) -> Future[None]:
        """Keeps a note, in place of the one with the same id."""

        def work(connection: sa.Connection) -> None:
            conversation = connection.scalar(
                sa.select(ConversationRow.row).where(ConversationRow.id == note.conversation_id)
            )
            if conversation is None:
                raise NotFound(f"There is no conversation {note.conversation_id}.")
            values = {
                "conversation_row": conversation,
                "after_row": None if note.after_id is None else _row(connection, note.after_id),
                "upto_row": _row(connection, note.upto_id),
                "text": storable(note.text),
                "by_person": int(note.by_person),
                "created_ms": note.created_ms,
            }
            statement = insert(_N).values(id=note.id, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=[_N.id], set_=values))

        return self._writer.submit(work)

    def remove_note(self, id: str) -> Future[None]:
        """Removes a note; there may be none."""

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(_N).where(_N.id == id))

        return self._writer.submit(work)


def _row(connection: sa.Connection, message_id: str) -> int:
    row = connection.scalar(sa.select(_M.row).where(_M.id == message_id))
    if row is None:
        raise NotFound(f"There is no message {message_id}.")
    return int(row)


def _note(row: tuple[Any, ...]) -> Note:
    note_id, conversation_id, after_id, upto_id, text, by_person, created_ms = row
    return Note(
        id=note_id,
        conversation_id=conversation_id,
        after_id=after_id,
        upto_id=upto_id,
        text=text,
        by_person=bool(by_person),
        created_ms=created_ms,
    )
