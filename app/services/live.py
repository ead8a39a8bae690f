"""The replies of this process that are not finished yet, readable from any thread while one thread writes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from app.chat.messages import ReplyState
from app.chat.reply import Growth, ReplyFold
from app.engine.values import GenerationFacts


class LiveReply(msgspec.Struct, frozen=True, kw_only=True):
    """How far a reply is. `done` of `total` prompt tokens were read; both 0 before that began."""

    conversation_id: str
    message_id: str
    state: ReplyState
    text: str
    thinking: str
    done: int = 0
    total: int = 0


class Live:
    """One unfinished reply. `ended` is set once its last word is stored and told."""

    def __init__(self, conversation_id: str, message_id: str) -> None:
        self.conversation_id = conversation_id
        self.message_id = message_id
        self.stop = threading.Event()
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._fold = ReplyFold()
        self._progress = (0, 0)
        self._cancel: Callable[[], None] | None = None

    def snapshot(self) -> LiveReply:
        """Everything at this moment."""
        with self._lock:
            return LiveReply(
                conversation_id=self.conversation_id,
                message_id=self.message_id,
                state=self._fold.state,
                text=self._fold.text,
                thinking=self._fold.thinking,
                done=self._progress[0],
                total=self._progress[1],
            )

    def ask_to_stop(self) -> None:
        """Stops the reply as soon as possible; what was written is kept."""
        self.stop.set()
        with self._lock:
            cancel = self._cancel
        if cancel is not None:
            cancel()

    def cancel_with(self, cancel: Callable[[], None] | None) -> None:
        """What stops the engine's part from now on; called at once when stopping was asked for before."""
        with self._lock:
            self._cancel = cancel
        if cancel is not None and self.stop.is_set():
            cancel()

    def reading(self) -> None:
        with self._lock:
            self._fold.reading()

    def progressed(self, done: int, total: int) -> None:
        self._progress = (done, total)

    def started(self, thinking_open: bool) -> None:
        with self._lock:
            self._fold.started(thinking_open)

    def delta(self, text: str, token_ids: Sequence[int], now_s: float) -> list[Growth]:
        with self._lock:
            return self._fold.delta(text, token_ids, now_s)

    def finish(self, state: ReplyState, facts: GenerationFacts | None, now_s: float) -> list[Growth]:
        with self._lock:
            return self._fold.ended(state, facts, now_s)

    def facts(self) -> dict[str, Any]:
        """The fields of ReplyFacts that come from the engine's events."""
        with self._lock:
            return {
                "generation": self._fold.facts,
                "token_ids": list(self._fold.token_ids),
                "thinking_s": round(self._fold.thinking_s, 3),
            }


class LiveReplies:
    """All unfinished replies of this process, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, Live] = {}

    def add(self, live: Live) -> None:
        with self._lock:
            self._by_id[live.message_id] = live

    def remove(self, live: Live) -> None:
        with self._lock:
            self._by_id.pop(live.message_id, None)

    def get(self, message_id: str) -> Live | None:
        """The unfinished reply of this id."""
        return self._by_id.get(message_id)

    def of(self, conversation_id: str) -> Live | None:
        """The unfinished reply of a conversation: the one being written, else the first in the queue."""
        return next((live for live in self.all() if live.conversation_id == conversation_id), None)

    def all(self) -> list[Live]:
        """Oldest first."""
        with self._lock:
            return list(self._by_id.values())
