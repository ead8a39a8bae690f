"""A conversation as a tree of messages held in memory: siblings are other wordings or other replies to the same parent.

Used where there is no database behind a conversation. The rules (order of siblings, which leaf a choice leads to)
are the same as the store's.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.chat.messages import Message, PathEntry, Role


class Tree:
    """Messages by id, the children of each parent in order of age, and the leaf of the path that is shown."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._messages: dict[str, Message] = {}
        self._children: dict[str | None, list[str]] = {}
        self.leaf_id: str | None = None
        for message in messages:
            self.add(message)

    def add(self, message: Message) -> None:
        """Adds a child of an existing message (or a root); the shown path ends with it from now on."""
        self._messages[message.id] = message
        self._children.setdefault(message.parent_id, []).append(message.id)
        self.leaf_id = message.id

    def replace(self, message: Message) -> None:
        """The same message with another state or text."""
        self._messages[message.id] = message

    def get(self, message_id: str) -> Message | None:
        """The message, or None."""
        return self._messages.get(message_id)

    def siblings(self, message_id: str) -> list[str]:
        """All children of the message's parent, itself included, oldest first."""
        return list(self._children[self._messages[message_id].parent_id])

    def reply_before(self, message_id: str) -> str | None:
        """The newest reply older than this message, on whatever branch; ids ascend with age."""
        older = (m.id for m in self._messages.values() if m.role is Role.ASSISTANT and m.id < message_id)
        return max(older, default=None)

    def path_to(self, leaf_id: str | None) -> list[Message]:
        """From the root to `leaf_id`."""
        path: list[Message] = []
        while leaf_id is not None:
            message = self._messages[leaf_id]
            path.append(message)
            leaf_id = message.parent_id
        path.reverse()
        return path

    def choose(self, message_id: str) -> None:
        """Shows the path through this message, down to its newest descendant without children."""
        below = [message_id]
        for one in below:
            below += self._children.get(one, ())
        self.leaf_id = max(below)  # ids ascend with age, and the newest has no children

    def entries(self) -> list[PathEntry]:
        """The shown path as the screen wants it."""
        entries: list[PathEntry] = []
        for message in self.path_to(self.leaf_id):
            siblings = self._children[message.parent_id]
            entries.append(
                PathEntry(
                    id=message.id,
                    role=message.role,
                    state=message.state,
                    length=len(message.text),
                    newlines=message.text.count("\n"),
                    sibling=siblings.index(message.id),
                    siblings=len(siblings),
                )
            )
        return entries
