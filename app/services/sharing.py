"""A lock that many may hold together and one may hold alone, such as an engine that writes replies or loads a model.

Who wants it alone is not overtaken for ever: while one waits so, no further one is let in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Shared:
    """Not reentrant. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._alone = False
        self._wanted = 0
        self._left = time.monotonic()

    def quiet_s(self) -> float:
        """Seconds since one of many held it or was about to, or somebody alone; 0 while many do."""
        with self._changed:
            return 0.0 if self._users else time.monotonic() - self._left

    def touch(self) -> None:
        """It is about to be held: the quiet begins anew."""
        with self._changed:
            self._left = time.monotonic()

    @property
    def shared(self) -> bool:
        """Whether one of many holds it."""
        with self._changed:
            return self._users > 0

    @contextmanager
    def use(self) -> Iterator[None]:
        """Held together with others; waits while somebody holds it alone or waits for that."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._wanted)
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._left = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def alone(self, give_up: threading.Event, *more: threading.Event, poll_s: float = 0.05) -> Iterator[bool]:
        """Held by this one only, once all others are gone. False, and not held, when one of the events was set
        before."""
        events = (give_up, *more)
        with self._changed:
            self._wanted += 1
            try:
                while (self._alone or self._users) and not any(event.is_set() for event in events):
                    self._changed.wait(poll_s)
                held = not self._alone and not self._users
                self._alone = self._alone or held
            finally:
                self._wanted -= 1
                self._changed.notify_all()
        try:
            yield held
        finally:
            if held:
                with self._changed:
                    self._alone = False
                    self._left = time.monotonic()
                    self._changed.notify_all()
