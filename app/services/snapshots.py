"""When a conversation's state goes to the disk and comes back, and how much of the disk it may take.

It is kept some seconds after a reply ended and when another conversation is opened; the engine itself keeps it where it
must leave memory. It is brought back when the conversation is opened and its model is loaded, before anybody has typed.
Temporary conversations are never named to the disk. All work is done on one thread of its own; nobody waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection

from app.base.errors import InglenookError
from app.engine.client import EngineClient
from app.engine.snapshots import SnapshotFolder
from app.engine.values import ModelFile
from app.services.changes import Change, EngineChanged, EngineState, Publisher, ReplyChanged
from app.services.ground import Ground
from app.services.jobs import SNAPSHOTS, Jobs
from app.services.loading import Loading
from app.services.lookup import Lookup
from app.services.memory import Memory
from app.settings.file import SettingsFile
from app.store.errors import StoreError

log = logging.getLogger(__name__)

IDLE_S = 20.0
"""So long after a reply nothing is written: who goes on at once would have it written again."""
POLL_S = 0.1
TRIM_AFTER_S = 5.0
"""After a wish to keep something: it is written by then, or the next time will see to it."""


class Snapshots:
    """Public methods return at once, except `size_bytes`, `remove_all` and `end`."""

    def __init__(
        self, engine: EngineClient, folder: SnapshotFolder, loading: Loading, lookup: Lookup, memory: Memory,
        ground: Ground, settings: SettingsFile, publisher: Publisher, jobs: Jobs, *, idle_s: float = IDLE_S,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._folder = folder
        self._loading = loading
        self._lookup = lookup
        self._memory = memory
        self._ground = ground
        self._settings = settings
        self._jobs = jobs
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._wishes: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._running = False
        self._due: dict[str, float] = {}  # when a conversation is to be kept
        self._trim_at = 0.0
        self._opened = ""
        publisher.subscribe(self._changed)

    # --- what fronts and services ask -------------------------------------------------------------------------------

    def place(self, conversation_id: str, model: ModelFile) -> tuple[str, int]:
        """The file of a conversation with a model, and how large it may be; '' for one that has none."""
        if not self.enabled or self._memory.is_temporary(conversation_id):
            return "", 0
        path = self._folder.path_for(conversation_id, model.fingerprint)
        return (str(path), self.budget_bytes) if path is not None else ("", 0)

    @property
    def enabled(self) -> bool:
        """Whether the person lets conversations be kept so."""
        return self._settings.current.cache.snapshots

    @property
    def budget_bytes(self) -> int:
        """What all of them may take."""
        return self._settings.current.cache.snapshots_bytes or self._folder.automatic_budget()

    def size_bytes(self) -> int:
        """What all of them take now."""
        return self._folder.size_bytes()

    def opened(self, conversation_id: str) -> None:
        """A person looks at this conversation now ('' for a new one): it is brought back, others are kept."""
        if conversation_id or self._running:
            self._put(lambda: self._open(conversation_id))

    def deleted(self, conversation_id: str) -> None:
        """Taken off the list: nothing of it is written any more. What lies on the disk stays until it is purged."""
        self._put(lambda: self._delete(conversation_id))

    def purged(self, conversation_ids: Collection[str]) -> None:
        """Removed for good."""
        self._put(lambda: self._folder.remove(conversation_ids))

    def remove_all(self) -> None:
        """Removes every snapshot and returns when that is done; not for the window's thread."""
        done = threading.Event()

        def remove() -> None:
            try:
                self._folder.remove_all()
            finally:
                done.set()

        self._put(remove)
        while not done.wait(POLL_S) and not self._jobs.ending.is_set():
            pass

    def settings_changed(self, names: Collection[str]) -> None:
        """Another budget, or none at all."""
        if any(name.startswith("cache.snapshots") for name in names):
            self._put(self._trim)

    def start(self) -> None:
        """The conversations are open: removes what earlier processes left behind."""
        self._put(self._clean)

    def stop(self) -> None:
        """Ends the thread."""
        self._wishes.put(None)

    def end(self) -> None:
        """The engine has ended: what it wrote last may have been too much."""
        self._trim()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _put(self, wish: Callable[[], None]) -> None:
        with self._lock:
            start, self._running = not self._running, True
        self._wishes.put(wish)
        if start:
            self._jobs.start(SNAPSHOTS, self._work)

    def _work(self) -> None:
        while not self._jobs.ending.is_set():
            try:
                wish = self._wishes.get(timeout=self._pause())
            except queue.Empty:
                wish = self._do_due
            if wish is None:
                return
            try:
                wish()
            except Exception:  # the edge of this thread: snapshots are only for speed
                log.exception("something about snapshots failed")

    def _pause(self) -> float | None:
        times = [*self._due.values(), *([self._trim_at] if self._trim_at else [])]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _do_due(self) -> None:
        now = time.monotonic()
        for conversation_id in [one for one, at in self._due.items() if at <= now]:
            self._keep(conversation_id)
        if self._trim_at and self._trim_at <= now:
            self._trim_at = 0.0
            self._trim()

    def _changed(self, change: Change) -> None:
        if isinstance(change, ReplyChanged):
            self._put(lambda: self._replied(change.conversation_id, live=change.state.live))
        elif isinstance(change, EngineChanged) and change.state is EngineState.READY:
            self._put(lambda: self._restore(self._opened))

    def _replied(self, conversation_id: str, *, live: bool) -> None:
        if live:
            self._due.pop(conversation_id, None)
        elif self.enabled:
            self._due[conversation_id] = time.monotonic() + self._idle_s

    def _open(self, conversation_id: str) -> None:
        self._opened = conversation_id
        for other in [one for one in self._due if one != conversation_id]:
            self._keep(other)
        self._restore(conversation_id)

    def _keep(self, conversation_id: str) -> None:
        self._due.pop(conversation_id, None)
        if self._engine.model is not None and self.enabled:
            self._engine.keep(conversation_id)
            self._trim_at = time.monotonic() + TRIM_AFTER_S

    def _restore(self, conversation_id: str) -> None:
        ready = self._loading.ready
        if not conversation_id or ready is None:
            return
        try:
            conversation = self._lookup.conversation(conversation_id)
        except InglenookError:
            return
        if self._loading.choice(conversation.model_id).id != ready.file.id:
            return  # its next reply will be written with another model
        path, limit_bytes = self.place(conversation_id, ready.file)
        if path and self._folder.has(path):
            self._engine.restore(conversation_id, path, limit_bytes, conversation.adapters)

    def _delete(self, conversation_id: str) -> None:
        self._due.pop(conversation_id, None)
        if self._engine.model is not None:
            self._engine.forget(conversation_id)

    def _trim(self) -> None:
        if self.enabled:
            self._folder.trim(self.budget_bytes)
        else:
            self._folder.remove_all()

    def _clean(self) -> None:
        self._folder.sweep()
        store = self._ground.open_store
        if store is not None:
            try:
                self._folder.remove_others(store.conversations.present)
            except StoreError as error:  # the next start tries again
                log.info("snapshots were not compared with the conversations: %s", error.code)
        self._trim()
