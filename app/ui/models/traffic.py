"""Downloads as the window shows them: the list as it stands, how far and how fast each is, and all of them together."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from PySide6.QtCore import QObject, Signal

from app.hub.values import Download, DownloadState
from app.services.changes import Change, DownloadProgressed, DownloadsChanged

LIVE = (DownloadState.RUNNING, DownloadState.CHECKING)
UNDER_WAY = (*LIVE, DownloadState.WAITING)


class Traffic(QObject):
    """`changed`: other downloads, places or states. `progressed`: only figures of this one.

    `usual_bytes_per_s` is the speed that was seen last, also in an earlier run; 0 when none was.
    """

    changed = Signal()
    progressed = Signal(str)

    def __init__(self, read: Callable[[], list[Download]], parent: QObject | None = None) -> None:
        """`read` gives the list as it stands."""
        super().__init__(parent)
        self._read = read
        self.downloads: list[Download] = []
        self.figures: dict[str, DownloadProgressed] = {}
        self.usual_bytes_per_s = 0.0

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, DownloadsChanged):
            self.reload()
        elif isinstance(change, DownloadProgressed):
            self._progress(change)

    def reload(self) -> None:
        """Reads the list again."""
        self.downloads = self._read()
        known = {download.id for download in self.downloads if download.state in LIVE}
        self.figures = {one: figures for one, figures in self.figures.items() if one in known}
        self.changed.emit()

    def get(self, id: str) -> Download | None:
        """One of them."""
        return next((download for download in self.downloads if download.id == id), None)

    def _progress(self, change: DownloadProgressed) -> None:
        self.figures[change.id] = change
        if change.bytes_per_s > 0:
            self.usual_bytes_per_s = change.bytes_per_s
        state = DownloadState.CHECKING if change.checking else DownloadState.RUNNING
        for place, download in enumerate(self.downloads):
            if download.id == change.id and download.state in UNDER_WAY:
                self.downloads[place] = msgspec.structs.replace(
                    download, state=state, done_bytes=change.done_bytes, sentence=change.said
                )
                if download.state is state:
                    self.progressed.emit(change.id)
                else:
                    self.changed.emit()
                return

    # --- all of them ------------------------------------------------------------------------------------------------

    @property
    def under_way(self) -> list[Download]:
        """Those that run or wait for their turn; none that rests or has ended."""
        return [download for download in self.downloads if download.state in UNDER_WAY]

    @property
    def open(self) -> list[Download]:
        """Those that are not there yet and have not failed, in their order."""
        return [one for one in self.downloads if one.state not in (DownloadState.DONE, DownloadState.FAILED)]

    @property
    def share(self) -> float:
        """How far those under way are together."""
        whole = sum(download.size_bytes for download in self.under_way)
        return sum(download.done_bytes for download in self.under_way) / whole if whole else 0.0
