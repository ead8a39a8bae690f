"""Which replies begin when: several conversations' at the same time, one conversation's one after the other.

One thread decides, and each reply runs on a thread of its own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from app.base.threads import NoRoom
from app.services.attempt import Turn
from app.services.jobs import REPLIES, REPLY, Jobs


class Dispatch:
    """Thread-safe; `add`, `take_back` and `close` return at once."""

    def __init__(
        self, write: Callable[[Turn], None], model_of: Callable[[Turn], str], parallel: Callable[[], int], jobs: Jobs
    ) -> None:
        """`write` writes a reply, `model_of` the id of its model, `parallel` how many may be written at a time."""
        self._write = write
        self._model_of = model_of
        self._parallel = parallel
        self._jobs = jobs
        self._signal: queue.SimpleQueue[bool] = queue.SimpleQueue()  # something changed; False: end
        self._waiting: dict[str, Turn] = {}  # in the order in which they were asked for
        self._under_way: dict[str, str] = {}  # conversation: model
        self._lock = threading.Lock()
        self._running = False

    def add(self, turn: Turn) -> None:
        """A reply that waits for its turn. Raises NoRoom."""
        with self._lock:
            self._waiting[turn.live.message_id] = turn
            start, self._running = not self._running, True
        self._signal.put(True)
        if start:
            try:
                self._jobs.start(REPLIES, self._work)
            except NoRoom:
                with self._lock:
                    self._running = False
                    self._waiting.pop(turn.live.message_id, None)
                raise

    def take_back(self, reply_id: str) -> Turn | None:
        """The reply, if it has not begun; it does not begin then."""
        with self._lock:
            return self._waiting.pop(reply_id, None)

    def close(self) -> None:
        """No further reply begins."""
        self._signal.put(False)

    def _work(self) -> None:
        while self._signal.get():
            for turn in self._take():
                try:
                    self._jobs.start(REPLY, lambda turn=turn: self._run(turn))  # type: ignore[misc] # bound at once
                except NoRoom:  # then it is written here, and the next ones after it
                    self._run(turn)

    def _take(self) -> list[Turn]:
        """Takes what can begin now: one a conversation, and only what the model of those under way is asked for.

        Nothing overtakes a turn that waits for another model, so that each gets its own.
        """
        with self._lock:
            waiting = list(self._waiting.items())
        models = [self._model_of(turn) for _, turn in waiting]  # looks at files: nobody waits for the lock meanwhile
        taken: list[Turn] = []
        with self._lock:
            for (reply_id, turn), model in zip(waiting, models, strict=True):
                if len(self._under_way) >= self._parallel():
                    break
                if turn.conversation.id in self._under_way or reply_id not in self._waiting:
                    continue
                if any(other != model for other in self._under_way.values()):
                    break
                del self._waiting[reply_id]
                self._under_way[turn.conversation.id] = model
                taken.append(turn)
        return taken

    def _run(self, turn: Turn) -> None:
        try:
            self._write(turn)
        finally:
            with self._lock:
                self._under_way.pop(turn.conversation.id, None)
            self._signal.put(True)
