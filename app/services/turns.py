"""The thread that keeps the queue of downloads in order: what begins, how far it is, and what becomes of it.

What a person wants is in the store's rows, which other processes share; this is where those of this process are
fetched. The verbs are in `downloading`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import msgspec

from app.base.clock import now_ms
from app.base.errors import InglenookError
from app.hub.downloader import Downloader, Progress, remove_leftovers
from app.hub.pace import Manner, Throttle
from app.hub.surroundings import Surroundings
from app.hub.values import Download, DownloadState
from app.services.changes import DownloadProgressed, DownloadsChanged, Publisher
from app.services.ground import Ground
from app.services.jobs import DOWNLOAD, DOWNLOADS, Jobs
from app.services.network import Network
from app.services.queue import Ending, ending_of, from_row
from app.services.wakefulness import Wakefulness
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)

TELL_S = 0.25
KEEP_S = 1.0
WAITING_TICK_S = 1.0
IDLE_TICK_S = 60.0
RECOVER_S = 5.0
STORE_S = 10.0
CLOSE_S = 3.0

_LIVE = (DownloadState.RUNNING, DownloadState.CHECKING)


class _Run:
    """A download that this process fetches now."""

    def __init__(self, download: Download, downloader: Downloader) -> None:
        self.download = download
        self.downloader = downloader
        self.progress = Progress(done_bytes=download.done_bytes, size_bytes=download.size_bytes)
        self.told = 0.0
        self.kept = 0.0
        self.ended = threading.Event()


class Turns:
    """All methods may be called from any thread and return at once, `close` excepted."""

    def __init__(
        self,
        ground: Ground,
        network: Network,
        settings: SettingsFile,
        publisher: Publisher,
        jobs: Jobs,
        wakefulness: Wakefulness,
        token: Callable[[], str],
        on_done: Callable[[], object],
        manner: Manner,
    ) -> None:
        self._ground = ground
        self._network = network
        self._settings = settings
        self._publisher = publisher
        self._jobs = jobs
        self._wakefulness = wakefulness
        self._token = token
        self._on_done = on_done
        self._manner = manner
        self._throttle = Throttle(lambda: settings.current.downloads.limit_bytes_per_s)
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._runs: dict[str, _Run] = {}
        self._held: dict[str, float] = {}
        self._unkept: dict[str, tuple[_Run, Ending]] = {}  # ends that the disk did not take yet
        self._shown: dict[str, Download] = {}
        self._only: set[str] | None = None
        self._begun = self._closed = False
        self._recovered = 0.0

    def begin(self, *only: str) -> None:
        """Begins to fetch what waits: everything, or only these (a command that gets one model leaves the rest to the
        window). Once the store is open."""
        with self._lock:
            if self._closed or self._ground.open_store is None:
                return
            if not only:
                self._only = None
            elif not self._begun:
                self._only = {*(self._only or ()), *only}
            elif self._only is not None:
                self._only |= set(only)
            begun, self._begun = self._begun, True
        if not begun:
            self._jobs.start(DOWNLOADS, self._schedule)
        self._wake.set()

    def look(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def unhold(self, *ids: str) -> None:
        """These (all by default) need not wait after a failure any longer."""
        with self._lock:
            for one in ids or tuple(self._held):
                self._held.pop(one, None)
        self._wake.set()

    def stop(self, id: str) -> bool:
        """Ends it if this process fetches it; returns whether it does."""
        with self._lock:
            run = self._runs.get(id)
        if run is not None:
            run.downloader.stop()
        return run is not None

    def progress(self, id: str) -> Progress | None:
        """How far it is, if this process fetches it."""
        with self._lock:
            run = self._runs.get(id)
        return None if run is None else run.progress

    def close(self) -> None:
        """Ends what runs; it waits for the next start. Bounded in time, idempotent. Before the gate and the store
        close."""
        with self._lock:
            self._closed = True
            runs = list(self._runs.values())
        self._wake.set()
        for run in runs:
            run.downloader.stop()
        until = time.monotonic() + CLOSE_S
        for run in runs:
            run.ended.wait(max(0.0, until - time.monotonic()))

    def _schedule(self) -> None:
        while not self._jobs.ending.is_set() and not self._closed:
            waiting = True
            try:
                waiting = self._tick()
                self._ground.trouble_over("downloads")
            except InglenookError as error:
                if not self._closed:
                    self._ground.trouble(error, "downloads")
            except TimeoutError:
                log.info("the store is busy; the queue of downloads looks again")
            pause = TELL_S if self._runs else WAITING_TICK_S if waiting else IDLE_TICK_S
            self._wake.wait(pause)
            self._wake.clear()

    def _tick(self) -> bool:
        """Looks at everything once; returns whether something waits for its turn."""
        now = time.monotonic()
        store = self._ground.store
        if now - self._recovered >= RECOVER_S:
            self._recovered = now
            recovering = store.downloads.recover()
            if recovering is not None:
                recovering.result(STORE_S)
        for one, (run, ending) in list(self._unkept.items()):
            self._keep_end(run, ending)
            self._unkept.pop(one, None)
        for run in list(self._runs.values()):
            self._follow(run, now)
        rows = [from_row(row) for row in store.downloads.list()]
        self._tell_difference(rows)
        waiting = [row for row in rows if row.state is DownloadState.WAITING]
        if self._network.state.online:
            for download in waiting:
                if self._may_begin(download, now) and store.downloads.claim(download.id).result(STORE_S):
                    self._start(download)
        others = any(row.state in _LIVE and row.id not in self._runs for row in rows)
        return bool(waiting) or others

    def _may_begin(self, download: Download, now: float) -> bool:
        with self._lock:
            allowed = self._only is None or download.id in self._only
            room = len(self._runs) < self._settings.current.downloads.at_once
            return allowed and room and not self._closed and self._held.get(download.id, 0.0) <= now

    def _follow(self, run: _Run, now: float) -> None:
        """Tells how far it is, keeps it, and stops it when its row says otherwise."""
        before, run.progress = run.progress, run.downloader.progress()
        if run.progress != before and now - run.told >= TELL_S * 0.9:
            run.told = now
            figures = msgspec.structs.asdict(run.progress)
            self._publisher.publish(DownloadProgressed(id=run.download.id, **figures))
            if run.progress.checking != before.checking:
                self._publisher.publish(DownloadsChanged(ids=(run.download.id,)))
        if now - run.kept >= KEEP_S:
            run.kept = now
            state = DownloadState.CHECKING if run.progress.checking else DownloadState.RUNNING
            keeping = self._ground.store.downloads.keep(run.download.id, state.value, run.progress.done_bytes)
            if not keeping.result(STORE_S):
                run.downloader.stop()

    def _tell_difference(self, rows: list[Download]) -> None:
        """Publishes what changed since the last look, for example by another process."""
        shown = {row.id: msgspec.structs.replace(row, done_bytes=0) for row in rows}
        changed = tuple(one for one in {**self._shown, **shown} if self._shown.get(one) != shown.get(one))
        self._shown = shown
        if changed:
            self._publisher.publish(DownloadsChanged(ids=changed))

    def _start(self, download: Download) -> None:
        manner = msgspec.structs.replace(self._manner, connections=self._settings.current.downloads.ranges)
        around = Surroundings(self._network.gate, self._jobs.start, self._token, manner=manner, throttle=self._throttle)
        # The place may have changed since it was chosen (a mirror); the bytes are known by their fingerprint.
        download = msgspec.structs.replace(download, endpoint=self._network.endpoint)
        run = _Run(download, Downloader(around, download))
        with self._lock:
            self._runs[download.id] = run
        self._jobs.start(DOWNLOAD, lambda: self._run(run))

    def _run(self, run: _Run) -> None:
        """The life of one download's thread."""
        error: InglenookError | None = None
        try:
            with self._wakefulness.hold():
                run.downloader.run()
        except InglenookError as caught:
            error = caught
            log.info("a download ended: %s %s", caught.code, caught.detail)
        except Exception as caught:  # the edge of this thread: it must end in a state
            log.exception("a download failed")
            error = InglenookError("The download ended by an error of Inglenook.", detail=type(caught).__name__)
        ending = ending_of(error)
        if ending.hold_s:
            self._held[run.download.id] = time.monotonic() + ending.hold_s
        try:
            self._keep_end(run, ending)
        except (InglenookError, TimeoutError) as caught:
            log.info("the end of a download is kept later: %s", type(caught).__name__)
            self._unkept[run.download.id] = run, ending
        finally:
            with self._lock:
                self._runs.pop(run.download.id, None)
            run.ended.set()
            self._publisher.publish(DownloadsChanged(ids=(run.download.id,)))
            self._wake.set()
        if ending.state is DownloadState.DONE and not self._closed:
            self._on_done()

    def _keep_end(self, run: _Run, ending: Ending) -> None:
        """Writes down what became of it. Raises a StoreError or TimeoutError: on a full disk, for example."""
        downloads = self._ground.store.downloads
        releasing = downloads.release(
            run.download.id,
            ending.state.value,
            run.downloader.progress().done_bytes,
            code=ending.code,
            sentence=ending.sentence,
            finished_ms=now_ms() if ending.state is DownloadState.DONE else 0,
        )
        if not releasing.result(STORE_S) and ending.state is not DownloadState.DONE:
            # cancelled meanwhile, unless it had been released already by a write that took too long
            rows = [from_row(row) for row in downloads.list()]
            if all(row.id != run.download.id for row in rows):
                remove_leftovers(run.download, rows)
