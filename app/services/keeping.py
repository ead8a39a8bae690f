"""Keeps a reply's text in the store while it grows and once at its end. What the disk refuses is kept in memory and
tried again.

Nothing here waits for the disk while text is streaming.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from app.base.errors import InglenookError
from app.chat.messages import Conversation, Message, ReplyFacts, ReplyState
from app.services.errors import NotYetSaved
from app.services.ground import Ground
from app.services.live import Live, LiveReplies
from app.services.memory import Memory, Write
from app.store.errors import NotFound

if TYPE_CHECKING:
    from app.store.store import Store

log = logging.getLogger(__name__)

GROWTH_S = 1.0
"""A growing reply is appended to the store this often; a killed process loses at most this, and the commit's own
time."""

FINISH_TIMEOUT_S = 15.0

TROUBLE = "not_saved"


class Growing:
    """What of one live reply is in the store already."""

    def __init__(self, store: Store, live: Live) -> None:
        self._store = store
        self._live = live
        self._kept = {False: 0, True: 0}
        self._under_way: dict[bool, tuple[Future[None], int]] = {}

    def append(self) -> InglenookError | None:
        """Hands what is new to the writer. A refused piece goes again with the next; returns why it was refused."""
        refused: InglenookError | None = None
        now = self._live.snapshot()
        for thinking, text in ((True, now.thinking), (False, now.text)):
            if (before := self._under_way.get(thinking)) is not None:
                future, end = before
                if not future.done():
                    continue
                error = future.exception()
                if error is None:
                    self._kept[thinking] = end
                elif isinstance(error, InglenookError):
                    refused = error
                else:
                    raise error
                del self._under_way[thinking]
            kept = self._kept[thinking]
            if len(text) > kept:
                future = self._store.messages.append(self._live.message_id, kept, text[kept:], thinking)
                self._under_way[thinking] = (future, len(text))
        return refused


class Keeping:
    """Stores turns, states and final texts; falls back to memory, and says so."""

    def __init__(self, ground: Ground, memory: Memory, live_replies: LiveReplies) -> None:
        self._ground = ground
        self._memory = memory
        self._live_replies = live_replies

    def growing(self, live: Live) -> Growing | None:
        """The growth of a reply that is in the store; None when it is only in memory."""
        store = self._ground.open_store
        return None if store is None or self._memory.holds(live.conversation_id) else Growing(store, live)

    def refused(self, error: InglenookError) -> None:
        """Says that the disk refuses."""
        log.info("not saved for now: %s", error.code)
        self._ground.trouble(error, TROUBLE)

    def saved(self) -> None:
        """Says that everything is on the disk again."""
        if not self._memory.unsaved:
            self._ground.trouble_over(TROUBLE)

    def state(self, live: Live, state: ReplyState) -> None:
        """Notes a live state; not waited for, and not worth a word when it fails."""
        store = self._ground.open_store
        if store is not None and not self._memory.holds(live.conversation_id):
            store.messages.set_state(live.message_id, state).add_done_callback(_quietly)

    def turn_refused(
        self, error: InglenookError, conversation: Conversation, added: Sequence[Message], write: Write
    ) -> None:
        """The disk refused `write`, which adds a new turn or another reply: the conversation goes on in memory."""
        self.refused(error)
        if self._memory.add(conversation.id, added, write):
            return
        parent_id = added[0].parent_id
        path = self._ground.store.messages.prompt_path(parent_id) if parent_id is not None else []
        self._memory.hold(conversation, [*path, *added], temporary=False, pending=[write])

    def finish(self, message: Message, facts: ReplyFacts) -> None:
        """The whole reply, once. Returns when it is stored, or is safe in memory to be tried again."""

        def write(store: Store) -> Future[None]:
            return store.messages.finish(message.id, message.text, message.thinking, message.state, facts)

        if self._memory.replace(message, write):
            self.retry()
            return
        store = self._ground.open_store
        if store is None:
            return
        try:
            write(store).result(FINISH_TIMEOUT_S)
        except NotFound:
            log.info("a reply of a conversation that is gone is not kept")
        except InglenookError as error:
            self._take_over(error, message, write)
        except TimeoutError:  # the write still waits, and may fail yet: finishing twice does no harm
            self._take_over(NotYetSaved(), message, write)
        else:
            self.saved()

    def retry(self) -> None:
        """Tries the refused writes again."""
        store = self._ground.open_store
        if store is None or not self._memory.unsaved:
            return
        error = self._memory.save(store, lambda conversation_id: self._live_replies.of(conversation_id) is not None)
        if error is not None:
            self.refused(error)
        else:
            self.saved()

    def settle(self, conversation_id: str) -> None:
        """Nothing is written in this conversation now: it is read from the store again if all of it is there."""
        if self._live_replies.of(conversation_id) is None:
            self._memory.release(conversation_id)

    def _take_over(self, error: InglenookError, message: Message, write: Write) -> None:
        self.refused(error)
        store = self._ground.store
        conversation = store.conversations.get(message.conversation_id)
        if conversation is None or message.parent_id is None:
            return  # deleted meanwhile: there is nothing to be kept
        path = store.messages.prompt_path(message.parent_id)
        self._memory.hold(conversation, [*path, message], temporary=False, pending=[write])


def _quietly(future: Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.info("a state was not stored: %s", type(error).__name__)
