"""Finds conversations, messages and paths, wherever they are: in the store, or in memory."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.base.clock import now_ms
from app.base.ids import new_id
from app.chat.messages import Conversation, Message, PathStep, ReplyState, Role
from app.services.errors import NoSuchThing
from app.services.ground import Ground
from app.services.memory import Memory

FIRST_READ = 64


class Lookup:
    """Reads only. Raises NoSuchThing, NotOpen and the store's errors."""

    def __init__(self, ground: Ground, memory: Memory) -> None:
        self._ground = ground
        self._memory = memory

    def conversation(self, conversation_id: str) -> Conversation:
        """The conversation with this id."""
        held = self._memory.conversation(conversation_id)
        found = held or self._ground.store.conversations.get(conversation_id)
        if found is None:
            raise NoSuchThing("This conversation is no longer there.", detail=conversation_id)
        return found

    def message(self, message_id: str) -> Message:
        """The message with this id, as it is kept."""
        return self._memory.message(message_id) or self._ground.store.messages.get(message_id)

    def path(self, conversation_id: str, leaf_id: str | None) -> list[Message]:
        """The messages from the root to `leaf_id`; none for None."""
        if leaf_id is None:
            return []
        tree = self._memory.tree(conversation_id)
        return tree.path_to(leaf_id) if tree is not None else self._ground.store.messages.prompt_path(leaf_id)

    def recent(self, conversation_id: str, leaf_id: str, characters: int) -> tuple[list[PathStep], list[Message]]:
        """The end of the path to `leaf_id`, from a question on and with at least so many characters if the path has
        them; and what lies before it, without text. That costs next to nothing, however much it is."""
        tree = self._memory.tree(conversation_id)
        if tree is not None:
            return [], tree.path_to(leaf_id)
        messages = self._ground.store.messages
        last = FIRST_READ
        while len(path := messages.prompt_path(leaf_id, last=last)) == last:
            if sum(len(message.text) for message in path) >= characters:
                first = next((place for place, message in enumerate(path) if message.role is Role.USER), 0)
                steps = messages.steps_to(leaf_id)
                return steps[: len(steps) - len(path) + first], path[first:]
            last *= 4
        return [], path

    def many(self, conversation_id: str, message_ids: Sequence[str]) -> list[Message]:
        """Messages of one conversation by their ids."""
        if not message_ids:
            return []
        tree = self._memory.tree(conversation_id)
        if tree is None:
            return self._ground.store.messages.get_many(list(message_ids))
        return [message for one in message_ids if (message := tree.get(one)) is not None]

    def reply_before(self, conversation_id: str, reply_id: str) -> str | None:
        """The reply asked for before this one, on whatever branch: what the engine wrote last for the conversation."""
        tree = self._memory.tree(conversation_id)
        return tree.reply_before(reply_id) if tree is not None else self._ground.store.messages.reply_before(reply_id)


def new_message(conversation_id: str, parent_id: str | None, role: Role, text: str = "") -> Message:
    """A message of this moment: a person's, or a reply that has not begun."""
    return Message(
        id=new_id(),
        conversation_id=conversation_id,
        parent_id=parent_id,
        role=role,
        text=text,
        state=ReplyState.DONE if role is Role.USER else ReplyState.QUEUED,
        created_ms=now_ms(),
    )


def copied(path: Sequence[Message], conversation_id: str) -> list[Message]:
    """The same path with ids of its own, so that it shares nothing with the stored one."""
    copies: list[Message] = []
    for message in path:
        parent_id = copies[-1].id if copies else None
        copies.append(
            msgspec.structs.replace(message, id=new_id(), conversation_id=conversation_id, parent_id=parent_id)
        )
    return copies
