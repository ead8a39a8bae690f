"""Marks on messages and notes of old turns, wherever they are kept: in the store, or with a temporary conversation.

Writes are followed by ContextChanged; a write that the disk refuses is told as a trouble.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from app.base.errors import InglenookError
from app.chat.context_view import Mark, Note
from app.services.changes import ContextChanged, Publisher
from app.services.ground import Ground
from app.services.keeping import TROUBLE
from app.services.memory import Memory

log = logging.getLogger(__name__)

T = TypeVar("T")


class Marking:
    """Thread-safe. What was written is seen at once, before the disk has it; what the disk refuses is not seen any
    more."""

    def __init__(self, ground: Ground, memory: Memory, publisher: Publisher) -> None:
        self._ground = ground
        self._memory = memory
        self._publisher = publisher
        self._lock = threading.Lock()
        self._marking: list[tuple[str, list[str], Mark | None]] = []  # under way, oldest first
        self._noting: list[tuple[str, str, Note | None]] = []

    def marks(self, conversation_id: str) -> dict[str, Mark]:
        """The marked messages of a conversation, on all its branches."""
        if (held := self._memory.held(conversation_id)) is not None:
            return dict(held.marks)
        with self._lock:
            fresh = [one for one in self._marking if one[0] == conversation_id]
        store = self._ground.open_store
        found = store.contexts.marks(conversation_id) if store is not None else {}
        for _, ids, mark in fresh:
            found = _marked(found, ids, mark)
        return found

    def notes(self, conversation_id: str) -> list[Note]:
        """The notes of a conversation, on all its branches."""
        if (held := self._memory.held(conversation_id)) is not None:
            return list(held.notes)
        with self._lock:
            fresh = [one for one in self._noting if one[0] == conversation_id]
        store = self._ground.open_store
        found = store.contexts.notes(conversation_id) if store is not None else []
        for _, note_id, note in fresh:
            found = _noted(found, note_id, note)
        return found

    def mark(self, conversation_id: str, message_ids: Sequence[str], mark: Mark | None) -> Future[None]:
        """Marks messages, or takes their marks away."""
        ids = list(message_ids)
        if (held := self._memory.held(conversation_id)) is not None:
            held.marks = _marked(held.marks, ids, mark)
            return self._held(conversation_id)
        store = self._ground.store
        return self._written(conversation_id, self._marking, (conversation_id, ids, mark),
                             lambda: store.contexts.set_marks(ids, mark))  # fmt: skip

    def set_note(self, note: Note) -> Future[None]:
        """Keeps a note, in place of the one with the same id."""
        where = note.conversation_id
        if (held := self._memory.held(where)) is not None:
            held.notes = _noted(held.notes, note.id, note)
            return self._held(where)
        store = self._ground.store
        return self._written(where, self._noting, (where, note.id, note), lambda: store.contexts.set_note(note))

    def remove_note(self, note: Note) -> Future[None]:
        """Removes a note."""
        where = note.conversation_id
        if (held := self._memory.held(where)) is not None:
            held.notes = _noted(held.notes, note.id, None)
            return self._held(where)
        store = self._ground.store
        return self._written(where, self._noting, (where, note.id, None), lambda: store.contexts.remove_note(note.id))

    def copy(self, source_id: str, target_id: str, ids: dict[str, str]) -> None:
        """Takes marks and notes along to a temporary copy; `ids` maps the messages of its path."""
        held = self._memory.held(target_id)
        if held is not None:
            held.marks = {ids[one]: mark for one, mark in self.marks(source_id).items() if one in ids}
            held.notes = [
                Note(
                    id=note.id,
                    conversation_id=target_id,
                    upto_id=ids[note.upto_id],
                    text=note.text,
                    after_id=ids.get(note.after_id or ""),
                    by_person=note.by_person,
                    created_ms=note.created_ms,
                )
                for note in self.notes(source_id)
                if note.upto_id in ids
            ]

    def _held(self, conversation_id: str) -> Future[None]:
        """What is in memory is done at once."""
        self._publisher.publish(ContextChanged(conversation_id=conversation_id))
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _written(
        self, conversation_id: str, fresh: list[T], entry: T, write: Callable[[], Future[None]]
    ) -> Future[None]:
        """`fresh` holds `entry` until the disk has it."""

        def done(future: Future[None]) -> None:
            with self._lock:
                fresh.remove(entry)
            error = future.exception() if not future.cancelled() else None
            if isinstance(error, InglenookError):
                log.info("a mark or a note was not stored: %s", error.code)
                self._ground.trouble(error, TROUBLE)
            self._publisher.publish(ContextChanged(conversation_id=conversation_id))

        with self._lock:
            fresh.append(entry)
        future = write()
        future.add_done_callback(done)
        return future


def _marked(marks: dict[str, Mark], ids: Sequence[str], mark: Mark | None) -> dict[str, Mark]:
    others = {message_id: one for message_id, one in marks.items() if message_id not in ids}
    return others if mark is None else {**others, **dict.fromkeys(ids, mark)}


def _noted(notes: Sequence[Note], id: str, note: Note | None) -> list[Note]:
    others = [one for one in notes if one.id != id]
    return others if note is None else [*others, note]
