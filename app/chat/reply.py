"""Folds what the engine tells of one generation into a reply: text, thinking, tokens and ONE state.

Pure: it is told of events by method calls and of time by numbers. Storing and publishing are for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.chat.messages import ReplyState
from app.chat.thinking import Piece, ThinkingSplitter
from app.engine.values import GenerationFacts


class Growth(NamedTuple):
    """`text` came at character `offset` of the answer, or of the thinking."""

    offset: int
    text: str
    thinking: bool


class ReplyFold:
    """One reply while it is written. Not for several threads at once; `text` and `thinking` are joined on demand."""

    def __init__(self) -> None:
        self.state = ReplyState.QUEUED
        self.token_ids: list[int] = []
        self.facts: GenerationFacts | None = None
        self.thinking_s = 0.0
        self._splitter = ThinkingSplitter()
        self._text = _Growing()
        self._thinking = _Growing()
        self._thinking_since: float | None = None

    @property
    def text(self) -> str:
        """The answer so far."""
        return self._text.joined()

    @property
    def thinking(self) -> str:
        """The thinking so far, without its tags."""
        return self._thinking.joined()

    def reading(self) -> None:
        """The prompt was handed to the engine."""
        self.state = ReplyState.READING

    def started(self, thinking_open: bool) -> None:
        """The prompt is rendered. Anything from an attempt before (none can have text) is forgotten."""
        self._splitter = ThinkingSplitter(thinking_open)
        self._thinking_since = None

    def delta(self, text: str, token_ids: Sequence[int], now_s: float) -> list[Growth]:
        """More text and tokens; `now_s` is any monotonic clock."""
        self.state = ReplyState.WRITING
        self.token_ids.extend(token_ids)
        if self._splitter.thinking and self._thinking_since is None:
            self._thinking_since = now_s
        grown = self._grow(self._splitter.feed(text))
        if self._splitter.thinking and self._thinking_since is None:
            self._thinking_since = now_s
        elif not self._splitter.thinking and self._thinking_since is not None:
            self.thinking_s += now_s - self._thinking_since
            self._thinking_since = None
        return grown

    def ended(self, state: ReplyState, facts: GenerationFacts | None, now_s: float) -> list[Growth]:
        """The last word: `state` is terminal. Text that was held back comes out."""
        grown = self._grow(self._splitter.finish())
        if self._thinking_since is not None:
            self.thinking_s += now_s - self._thinking_since
            self._thinking_since = None
        self.state = state
        self.facts = facts
        return grown

    def _grow(self, pieces: list[Piece]) -> list[Growth]:
        return [
            Growth((self._thinking if thinking else self._text).add(text), text, thinking) for text, thinking in pieces
        ]


class _Growing:
    """A text that grows by pieces without being copied each time."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0

    def add(self, text: str) -> int:
        """Appends; returns the offset at which `text` begins."""
        offset = self._length
        self._parts.append(text)
        self._length += len(text)
        return offset

    def joined(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""
