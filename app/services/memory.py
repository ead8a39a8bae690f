"""Conversations that are read from memory: temporary ones, and those whose newest turns the disk refused so far.

Temporary ones are never handed to the store. Refused writes are kept in order and tried again; once all of a
conversation's are through, it is read from the store again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec

from app.base.errors import InglenookError
from app.chat.context_view import Mark, Note
from app.chat.messages import Conversation, Message
from app.chat.tree import Tree
from app.services.errors import NotYetSaved
from app.store.errors import StoreMisuse

if TYPE_CHECKING:
    from app.store.store import Store

log = logging.getLogger(__name__)

Write = Callable[["Store"], Future[None]]

RETRY_TIMEOUT_S = 10.0


class Held(msgspec.Struct):
    """A conversation in memory. `pending` are the refused writes; a temporary one never has any. `hidden`: deleted.
    `marks` and `notes` are those of a temporary one; others' are in the store."""

    conversation: Conversation
    tree: Tree
    temporary: bool
    pending: list[Write] = []
    hidden: bool = False
    marks: dict[str, Mark] = {}
    notes: list[Note] = []


class Memory:
    """Thread-safe holder of such conversations."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._saving = threading.Lock()
        self._held: dict[str, Held] = {}
        self._where: dict[str, str] = {}

    def hold(
        self, conversation: Conversation, messages: Sequence[Message], *, temporary: bool, pending: Sequence[Write] = ()
    ) -> None:
        """Reads this conversation from memory from now on; `messages` is a path, root first."""
        with self._lock:
            self._held[conversation.id] = Held(conversation, Tree(messages), temporary, list(pending))
            self._where.update({message.id: conversation.id for message in messages})

    def holds(self, conversation_id: str) -> bool:
        """Whether the conversation is read from memory."""
        return conversation_id in self._held

    def is_temporary(self, conversation_id: str) -> bool:
        """Whether the conversation must never be stored."""
        held = self._held.get(conversation_id)
        return held is not None and held.temporary

    def conversation(self, conversation_id: str) -> Conversation | None:
        """The conversation, unless it is deleted, with the leaf that is shown."""
        with self._lock:
            held = self._held.get(conversation_id)
            if held is None or held.hidden:
                return None
            return msgspec.structs.replace(held.conversation, leaf_id=held.tree.leaf_id)

    def unsaved_conversations(self) -> list[Conversation]:
        """Those that are neither temporary nor deleted, the newest first."""
        with self._lock:
            held = [held.conversation for held in self._held.values() if not held.temporary and not held.hidden]
        return sorted(held, key=lambda conversation: conversation.updated_ms, reverse=True)

    def change(self, conversation: Conversation) -> None:
        """Another title or other choices."""
        with self._lock:
            if (held := self._held.get(conversation.id)) is not None:
                held.conversation = conversation

    def held(self, conversation_id: str) -> Held | None:
        """All that is held of a temporary conversation."""
        held = self._held.get(conversation_id)
        return held if held is not None and held.temporary else None

    def hide(self, conversation_id: str, hidden: bool) -> None:
        """A deleted conversation is not listed, until that is undone."""
        with self._lock:
            if (held := self._held.get(conversation_id)) is not None:
                held.hidden = hidden

    def defer(self, conversation_id: str, write: Write) -> bool:
        """Puts a write behind the refused ones of its conversation; False when none of those wait."""
        with self._lock:
            held = self._held.get(conversation_id)
            if held is None or not held.pending:
                return False
            held.pending.append(write)
            return True

    def tree_of(self, message_id: str) -> Tree | None:
        """The tree that holds this message."""
        with self._lock:
            held = self._held.get(self._where.get(message_id, ""))
            return held.tree if held is not None else None

    def tree(self, conversation_id: str) -> Tree | None:
        """The tree of this conversation."""
        held = self._held.get(conversation_id)
        return held.tree if held is not None else None

    def message(self, message_id: str) -> Message | None:
        """A message of any conversation in memory."""
        tree = self.tree_of(message_id)
        return tree.get(message_id) if tree is not None else None

    def add(self, conversation_id: str, messages: Sequence[Message], pending: Write) -> bool:
        """More messages at the shown end or as siblings; `pending` is the write that would store them. False when the
        conversation is not read from memory."""
        with self._lock:
            held = self._held.get(conversation_id)
            if held is None:
                return False
            for message in messages:
                held.tree.add(message)
                self._where[message.id] = conversation_id
            if not held.temporary:
                held.pending.append(pending)
            return True

    def replace(self, message: Message, pending: Write) -> bool:
        """The same message, finished. False when its conversation is not read from memory."""
        with self._lock:
            held = self._held.get(message.conversation_id)
            if held is None:
                return False
            held.tree.replace(message)
            if not held.temporary:
                held.pending.append(pending)
            return True

    def release(self, conversation_id: str) -> None:
        """Drops the conversation if the store has all of it."""
        with self._lock:
            held = self._held.get(conversation_id)
            if held is not None and not held.temporary and not held.pending:
                self.forget(conversation_id)

    def forget(self, conversation_id: str) -> None:
        """Drops the conversation from memory."""
        with self._lock:
            if self._held.pop(conversation_id, None) is not None:
                self._where = {m: c for m, c in self._where.items() if c != conversation_id}

    @property
    def unsaved(self) -> bool:
        """Whether refused writes wait."""
        with self._lock:
            return any(held.pending for held in self._held.values())

    def save(self, store: Store, keep: Callable[[str], bool]) -> InglenookError | None:
        """Tries the refused writes again; returns what still refuses, else None.

        Conversations whose writes are through are forgotten, except those that `keep` names (a reply is still
        written there).
        """
        with self._saving:
            with self._lock:
                waiting = [(held.conversation.id, held) for held in self._held.values() if not held.temporary]
            for conversation_id, held in waiting:
                while held.pending:
                    try:
                        held.pending[0](store).result(RETRY_TIMEOUT_S)
                    except StoreMisuse as error:  # it was deleted meanwhile: trying again would never help
                        log.info("a write is given up: %s", error.code)
                    except InglenookError as error:
                        return error
                    except TimeoutError:
                        return NotYetSaved()
                    with self._lock:
                        held.pending.pop(0)
                with self._lock:
                    if not held.pending and not keep(conversation_id):
                        self.forget(conversation_id)
        return None
