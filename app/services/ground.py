"""Where the services find the store: not there at first, then open, or refused with a reason. And what of the ground
is in trouble.

The store is opened off the window's thread, after the first paint; until then nothing here imports it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from app.base.errors import InglenookError
from app.services.changes import Publisher, TroubleChanged
from app.services.errors import NotOpen

if TYPE_CHECKING:
    from app.store.store import Store


class Ground:
    """One store, or none. `open_store` is None while there is none."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._settled = threading.Event()
        self._troubles: dict[str, TroubleChanged] = {}
        self._lock = threading.Lock()
        self.open_store: Store | None = None
        self.refusal: InglenookError | None = None

    @property
    def store(self) -> Store:
        """The open store. Raises NotOpen with the reason in words."""
        if self.open_store is not None:
            return self.open_store
        if self.refusal is not None:
            raise NotOpen(self.refusal.sentence, detail=self.refusal.detail) from self.refusal
        raise NotOpen("The conversations are still being opened.")

    def opened(self, store: Store) -> None:
        """The store is there."""
        self.open_store = store
        self._settled.set()

    def refused(self, error: InglenookError) -> None:
        """The store could not be opened; the application goes on without it."""
        self.refusal = error
        self._settled.set()
        self.trouble(error)

    def closed(self) -> None:
        """The store was closed."""
        self.open_store = None

    def wait(self, timeout_s: float) -> bool:
        """Waits until the store is open or refused."""
        return self._settled.wait(timeout_s)

    def trouble(self, error: InglenookError, code: str = "") -> None:
        """Publishes what is wrong, once per code until it is over."""
        change = TroubleChanged(code=code or error.code, sentence=error.sentence, detail=error.detail)
        with self._lock:
            if self._troubles.get(change.code) == change:
                return
            self._troubles[change.code] = change
        self._publisher.publish(change)

    def trouble_over(self, code: str) -> None:
        """Publishes that this trouble is over, if there was any."""
        with self._lock:
            known = self._troubles.pop(code, None)
        if known is not None:
            self._publisher.publish(TroubleChanged(code=code))

    @property
    def troubles(self) -> list[TroubleChanged]:
        """Everything that is wrong now."""
        with self._lock:
            return list(self._troubles.values())
