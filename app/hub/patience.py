"""How long to go on trying when the network or a server fails, and what a person is told meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.base.errors import InglenookError
from app.hub.errors import HubError, RateLimited, ServerTrouble
from app.hub.failures import DownloadError, LostTouch, ServerUnusable
from app.hub.pace import pause_s
from app.hub.ranges import Busy, Cut, Outdated, Unusable
from app.hub.surroundings import Surroundings
from app.privacy.errors import AnswerUnusable, NetworkError


class Patience:
    """How often and how long one piece of work is tried again. `over` ends the waiting."""

    def __init__(self, around: Surroundings, over: threading.Event, done: Callable[[], int]) -> None:
        """`done` counts the bytes of the whole file: while any come, nobody gives up."""
        self._around = around
        self._over = over
        self._done = done
        self._done_before = done()
        self._failures = 0
        self._unusable = 0
        self._no_ranges = False
        self._since = time.monotonic()

    def seen_before(self) -> bool:
        """Whether ranges were ignored twice in a row."""
        before, self._no_ranges = self._no_ranges, True
        return before

    def failed(self, error: Unusable | HubError | NetworkError) -> None:
        """Waits before the next try, or raises what the person has to know."""
        manner = self._around.manner
        done = self._done()
        if done != self._done_before:
            self._done_before = done
            self._failures = self._unusable = 0
            self._since = time.monotonic()
        self._failures += 1
        asked = 0.0
        if isinstance(error, Busy):
            asked = error.asked_s
        elif isinstance(error, RateLimited):
            asked = error.seconds
        elif isinstance(error, AnswerUnusable):
            self._unusable += 1
            if self._unusable >= manner.tries:
                raise error
        elif isinstance(error, NetworkError):
            if not error.passing:
                raise error
        elif isinstance(error, HubError):
            if not isinstance(error, ServerTrouble):
                raise error
        elif not isinstance(error, Cut):
            self._unusable += 1
            if self._unusable >= manner.tries:
                raise _unusable(error) from error
        if asked > manner.asked_wait_max_s or time.monotonic() + asked - self._since > manner.patience_s:
            raise _lost(error) from error
        pause = pause_s(manner, self._failures, asked)
        if pause >= 2.0:
            self._around.say(_waiting(error, pause))
        deadline = time.monotonic() + pause
        while not self._over.is_set() and not self._around.ended.is_set() and (left := deadline - time.monotonic()) > 0:
            self._over.wait(min(left, 0.1))


def _unusable(error: Unusable) -> DownloadError:
    if isinstance(error, Outdated) and error.status:
        return ServerUnusable(
            f"The server with the file refuses it, although Hugging Face has just sent us there (HTTP {error.status}). "
            "Try again later.",
            detail=error.detail,
        )
    return ServerUnusable(
        "The server with the file answers with something else than what was asked for. Perhaps a filter of this "
        "network is in between.",
        detail=error.detail,
    )


def _lost(error: Unusable | InglenookError) -> DownloadError:
    detail = error.detail or str(error)
    if isinstance(error, Busy | RateLimited | ServerTrouble):
        return LostTouch("The server has been busy for too long. What is here stays; go on later.", detail=detail)
    return LostTouch("The connection has been lost for too long. What is here stays; go on later.", detail=detail)


def _waiting(error: Unusable | InglenookError, pause: float) -> str:
    when = f"It tries again in {pause:.0f} seconds."
    if isinstance(error, Busy | RateLimited | ServerTrouble):
        return f"The server is busy. {when}"
    return f"The connection is lost. {when}"
