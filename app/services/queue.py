"""The store's rows of downloads as everyone else knows them, and how a run that ended is put into words."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.hub.errors import RateLimited, ServerTrouble
from app.hub.failures import AlreadyRunning, LostTouch, Stopped
from app.hub.names import local_path
from app.hub.values import Download, DownloadState, RemoteFile
from app.privacy.errors import Cancelled, NetworkError, Offline
from app.store.queued import QueuedDownload

RETRY_S = 300.0
"""A download whose server or network was away for too long tries again by itself after this."""

ELSEWHERE_S = 5.0
_SAME = ("id", "endpoint", "repo", "commit", "label", "folder", "position", "done_bytes", "created_ms", "finished_ms")


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a download whose run has ended. `hold_s`: it waits at least so long."""

    state: DownloadState
    code: str = ""
    sentence: str = ""
    hold_s: float = 0.0


def from_row(row: QueuedDownload) -> Download:
    """The value of a row."""
    return Download(
        files=msgspec.json.decode(row.files, type=tuple[RemoteFile, ...]),
        state=DownloadState(row.state),
        code=row.code,
        sentence=row.sentence,
        **{name: getattr(row, name) for name in _SAME},
    )


def to_row(download: Download) -> QueuedDownload:
    """The row of a value."""
    return QueuedDownload(
        files=msgspec.json.encode(download.files).decode(),
        state=download.state.value,
        code=download.code,
        sentence=download.sentence,
        **{name: getattr(download, name) for name in _SAME},
    )


def place_of(download: Download) -> Path:
    """Where the first file of a download comes to lie: what the library calls the model by."""
    return local_path(Path(download.folder), download.repo, download.files[0].path)


def ending_of(error: InglenookError | None) -> Ending:
    """What becomes of a download that ended with `error`; None: all is there."""
    if error is None:
        return Ending(state=DownloadState.DONE)
    if isinstance(error, Stopped | Cancelled):
        return Ending(state=DownloadState.WAITING)
    if isinstance(error, AlreadyRunning):
        return Ending(state=DownloadState.WAITING, code=error.code, sentence=error.sentence, hold_s=ELSEWHERE_S)
    if isinstance(error, Offline):
        return Ending(state=DownloadState.WAITING, code=error.code, sentence=error.sentence)
    passing = isinstance(error, LostTouch | ServerTrouble | RateLimited)
    if passing or (isinstance(error, NetworkError) and error.passing):
        hold = max(RETRY_S, float(getattr(error, "seconds", 0)))
        return Ending(state=DownloadState.WAITING, code=error.code, sentence=error.sentence, hold_s=hold)
    return Ending(state=DownloadState.FAILED, code=error.code, sentence=error.sentence)
