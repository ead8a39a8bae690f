"""What somebody who looks around wants now: the newest wish of its kind, and what a search has found so far.

Knows the gate, to cancel what nobody wants any more, and values of the Hub. No threads, no changes.
"""

from __future__ import annotations

import threading

from app.hub.values import ModelSummary, SearchQuery
from app.privacy.gate import Gate
from app.privacy.policy import Action

MAX_RESULTS = 5000


class Newest:
    """Of several wishes only the last one counts: beginning one cancels what the one before has under way."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._number = 0
        self._action: Action | None = None

    def begin(self) -> int:
        """A new wish; its number."""
        with self._lock:
            self._number += 1
            number, action, self._action = self._number, self._action, None
        if action is not None:
            self._gate.cancel(action)
        return number

    def entered(self, number: int, action: Action) -> bool:
        """Remembers what the wish has under way; False when it is outdated."""
        with self._lock:
            if number != self._number:
                return False
            self._action = action
            return True

    def holds(self, number: int) -> bool:
        """Whether this is still the newest."""
        return number == self._number


class Results:
    """What one search has found so far. `busy`: a turn is under way."""

    def __init__(self, number: int, query: SearchQuery) -> None:
        self.number = number
        self.query = query
        self.repos: set[str] = set()
        self.cursors: set[str] = {""}
        self.cursor = ""
        self.begun = False
        self.more = True
        self.busy = True

    def take(self, models: tuple[ModelSummary, ...], cursor: str) -> tuple[ModelSummary, ...]:
        """The models that are new. A next page that was there before is the end."""
        new = tuple(model for model in models if model.repo not in self.repos)
        self.repos.update(model.repo for model in new)
        self.more = cursor not in self.cursors and len(self.repos) < MAX_RESULTS
        self.cursors.add(cursor)
        self.cursor = cursor
        return new
