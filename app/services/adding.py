"""Adds a turn, or another reply, to where its conversation is kept: the store, or memory, which holds temporary
conversations and those whose turns the disk refuses.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from app.base.errors import InglenookError
from app.chat.messages import Conversation, Message
from app.services.changes import ConversationsChanged, PathChanged, Publisher
from app.services.errors import NoSuchThing
from app.services.ground import Ground
from app.services.jobs import Jobs
from app.services.keeping import Keeping
from app.services.memory import Memory, Write
from app.store.errors import StoreError

if TYPE_CHECKING:
    from app.store.store import Store


class Adding:
    """Returns at once, with a future that is done when the turn can be read where it is kept, and was told of."""

    def __init__(self, ground: Ground, memory: Memory, keeping: Keeping, publisher: Publisher, jobs: Jobs) -> None:
        self._ground = ground
        self._memory = memory
        self._keeping = keeping
        self._publisher = publisher
        self._jobs = jobs

    def add(self, conversation: Conversation, user: Message | None, reply: Message, *, new: bool) -> Future[None]:
        """`new`: the conversation is added with its first turn. Raises NotOpen, and NoSuchThing for a temporary
        conversation that was deleted at this very moment."""
        store = None if self._memory.is_temporary(conversation.id) else self._ground.store
        stored: Future[None] = Future()
        added = [reply] if user is None else [user, reply]

        def write(store: Store) -> Future[None]:
            if user is None:
                return store.messages.add_reply(reply)
            return store.messages.add_turn(conversation if new else None, user, reply)

        if self._memory.add(conversation.id, added, write):
            self._settled(conversation.id, stored)
        elif store is not None:
            write(store).add_done_callback(lambda done: self._stored(done, conversation, added, write, stored))
        else:
            raise NoSuchThing("This conversation is no longer there.", detail=conversation.id)
        return stored

    def _stored(
        self, done: Future[None], conversation: Conversation, added: list[Message], write: Write, stored: Future[None]
    ) -> None:
        """On the store's writer thread: the turn is stored, or was refused."""
        error = done.exception()
        if error is None:
            self._settled(conversation.id, stored)
        elif isinstance(error, StoreError):
            refusal: StoreError = error

            def hold() -> None:
                try:
                    self._keeping.turn_refused(refusal, conversation, added, write)
                except InglenookError as worse:  # it cannot even be read
                    stored.set_exception(worse)
                else:
                    self._settled(conversation.id, stored)

            self._jobs.submit(hold)  # it reads, which this thread must not wait for
        else:
            stored.set_exception(error)

    def _settled(self, conversation_id: str, stored: Future[None]) -> None:
        if not self._memory.is_temporary(conversation_id):
            self._publisher.publish(ConversationsChanged(ids=(conversation_id,)))
        self._publisher.publish(PathChanged(conversation_id=conversation_id))
        stored.set_result(None)
