"""Getting models: a queue that outlives the process, a few at a time, in the order the person wants.

Rows are the store's and shared by all processes; each process fetches those that it claimed. A wish (pause, cancel) is
written into the row, and whoever fetches it sees that; what this process fetches itself stops at once. How bytes come
is `hub`'s, and whose turn it is `turns`'.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from app.base.clock import now_ms
from app.base.errors import InglenookError
from app.base.ids import new_id
from app.hub import disk
from app.hub.downloader import remove_leftovers
from app.hub.names import local_path
from app.hub.pace import Manner
from app.hub.parts import taken_bytes
from app.hub.projectors import projector_for
from app.hub.values import Download, DownloadState, ModelPage, Variant
from app.services.changes import Change, DownloadsChanged, NetworkChanged, Publisher
from app.services.ground import Ground
from app.services.jobs import Jobs
from app.services.library import Library
from app.services.network import Network
from app.services.queue import from_row, to_row
from app.services.turns import Turns
from app.services.wakefulness import Wakefulness
from app.settings.file import SettingsFile

WAITS_FOR_NETWORK = "Waits until Inglenook may go online."

_LIVE = (DownloadState.RUNNING, DownloadState.CHECKING)


class Downloading:
    """All methods may be called from any thread and return at once; `Future`s tell when a wish is written down."""

    def __init__(
        self,
        ground: Ground,
        network: Network,
        library: Library,
        settings: SettingsFile,
        publisher: Publisher,
        jobs: Jobs,
        wakefulness: Wakefulness,
        token: Callable[[], str] = str,
        *,
        manner: Manner | None = None,
    ) -> None:
        self._ground = ground
        self._network = network
        self._library = library
        self._publisher = publisher
        self._jobs = jobs
        self._turns = Turns(
            ground, network, settings, publisher, jobs, wakefulness, token, library.refresh, manner or Manner()
        )
        publisher.subscribe(self._changed)

    # --- looking ----------------------------------------------------------------------------------------------------

    def list(self) -> list[Download]:
        """All downloads in their order, as they stand now. Empty while the store is not open."""
        store = self._ground.open_store
        if store is None:
            return []
        return [self._with_figures(from_row(row)) for row in store.downloads.list()]

    def get(self, id: str) -> Download | None:
        """One of them, as it stands now; None when it is gone."""
        store = self._ground.open_store
        row = None if store is None else store.downloads.get(id)
        return None if row is None else self._with_figures(from_row(row))

    def free_bytes(self, *, when_done: bool = False) -> int:
        """What is free where downloads go, `when_done` once all that wait, run or rest are there (negative: it is not
        enough). Looks at the disk, not for long; -1 when it cannot be known."""
        try:
            free = disk.free_bytes(self._library.folder)
        except OSError:
            return -1
        if not when_done:
            return free
        to_come = (one for one in self.list() if one.state not in (DownloadState.DONE, DownloadState.FAILED))
        return free - sum(_not_taken(one) for one in to_come)

    # --- wishing ----------------------------------------------------------------------------------------------------

    def add(
        self, page: ModelPage, variant: Variant, *, with_projector: bool = True, mine: bool = False
    ) -> Future[Download]:
        """Puts a variant into the queue, with its shards and a projector where there is one. What is in the queue
        already goes on instead. `mine`: this process fetches it at once, whatever else waits. Raises NotOpen."""
        store = self._ground.store
        projector = projector_for(variant, page.projectors) if with_projector else None
        wanted = Download(
            id=new_id(),
            endpoint=self._network.endpoint,
            repo=page.summary.repo,
            commit=page.commit,
            label=variant.label or variant.name,
            files=(*variant.files, *((projector,) if projector is not None else ())),
            folder=str(self._library.folder),
            created_ms=now_ms(),
        )
        adding = store.downloads.add(to_row(wanted))
        added: Future[Download] = Future()

        def tell(done: Future[Any]) -> None:
            error = done.exception()
            if error is not None:
                added.set_exception(error)
                return
            download = from_row(adding.result())
            if mine:
                self.begin(download.id)
            if download.id == wanted.id:
                self._tell(download.id)
            else:
                self.resume(download.id)
            added.set_result(download)

        adding.add_done_callback(tell)
        return added

    def pause(self, id: str) -> Future[bool]:
        """Lets it rest; what came stays."""
        pausing = self._ground.store.downloads.pause(id)  # before it ends, so that its end finds the wish
        self._turns.stop(id)
        return self._wish(id, pausing)

    def resume(self, id: str) -> Future[bool]:
        """Lets it go on, from a pause or after a failure, when it is its turn."""
        self._turns.unhold(id)
        return self._wish(id, self._ground.store.downloads.resume(id))

    def cancel(self, id: str) -> Future[bool]:
        """Forgets it and removes what came of it. One that is done is only forgotten: its files are the library's."""
        download = self.get(id)
        removing = self._ground.store.downloads.remove(id)
        here = self._turns.stop(id)

        def clean(done: Future[Any]) -> None:
            if download is None or here or done.exception() is not None or removing.result() != "":
                return
            if download.state is not DownloadState.DONE:
                self._jobs.submit(lambda: remove_leftovers(download, self.list()))

        removing.add_done_callback(clean)
        return self._wish(id, removing)

    def move_up(self, id: str) -> Future[bool]:
        """Puts it before the one that comes before it."""
        return self._wish(id, self._ground.store.downloads.move_up(id))

    def pause_all(self) -> None:
        """Lets everything rest that waits or runs."""
        for download in self.list():
            if download.state in (*_LIVE, DownloadState.WAITING):
                self.pause(download.id)

    def resume_all(self) -> None:
        """Lets everything go on that rests or failed."""
        for download in self.list():
            if download.state in (DownloadState.PAUSED, DownloadState.FAILED):
                self.resume(download.id)

    def clear_finished(self) -> None:
        """Forgets those that are done; their files stay."""
        for download in self.list():
            if download.state is DownloadState.DONE:
                self.cancel(download.id)

    # --- doing ------------------------------------------------------------------------------------------------------

    def begin(self, *only: str) -> None:
        """Begins to fetch what waits: everything, or only these (a command that gets one model leaves the rest to the
        window). Once the store is open."""
        self._turns.begin(*only)

    def others_wrote(self) -> None:
        """Another process wrote into the store."""
        self._turns.look()

    def close(self) -> None:
        """Ends what runs; it waits for the next start. Bounded in time, idempotent. Before the gate and the store
        close."""
        self._turns.close()

    def _changed(self, change: Change) -> None:
        if isinstance(change, NetworkChanged):
            self._turns.unhold()
            self._publisher.publish(DownloadsChanged())

    def _wish(self, id: str, writing: Future[bool] | Future[str | None]) -> Future[bool]:
        written: Future[bool] = Future()

        def tell(done: Future[Any]) -> None:
            error = done.exception()
            if error is not None:
                written.set_exception(error)
                if isinstance(error, InglenookError):
                    self._ground.trouble(error)
                return
            result = done.result()
            written.set_result(result is True or isinstance(result, str))
            self._tell(id)

        writing.add_done_callback(tell)
        return written

    def _tell(self, id: str) -> None:
        self._publisher.publish(DownloadsChanged(ids=(id,)))
        self._turns.look()

    def _with_figures(self, download: Download) -> Download:
        progress = self._turns.progress(download.id)
        if progress is not None and download.state in _LIVE:
            state = DownloadState.CHECKING if progress.checking else DownloadState.RUNNING
            return msgspec.structs.replace(
                download, state=state, done_bytes=progress.done_bytes, sentence=progress.said
            )
        if download.state is DownloadState.WAITING and not self._network.state.online:
            return msgspec.structs.replace(download, code="offline", sentence=WAITS_FOR_NETWORK)
        return download


def _not_taken(download: Download) -> int:
    """What this download has not taken of the disk yet; a file that runs has its whole size from the beginning."""
    return sum(
        max(0, file.size_bytes - taken_bytes(local_path(Path(download.folder), download.repo, file.path)))
        for file in download.files
    )
