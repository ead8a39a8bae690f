"""Where something is in a conversation, and where conversations come from. Only types."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from app.chat.messages import Message, PathEntry


class ConversationsLike(Protocol):
    """Where messages come from."""

    def path(self, conversation_id: str) -> list[PathEntry]: ...
    def message(self, message_id: str) -> Message: ...
    def body(self, message_id: str) -> tuple[str, str]: ...
    def siblings(self, message_id: str) -> list[str]: ...


class Place(NamedTuple):
    """A chunk: row, part (0 thinking, 1 answer) and number of the chunk."""

    row: int
    part: int
    chunk: int


class Anchor(NamedTuple):
    """A place on the screen and its distance from the top of the view. `place.chunk` -1 is the top of the row."""

    place: Place
    below_top: int
