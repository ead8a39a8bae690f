"""A row of the queue of downloads as the outside sees it. Apart from the queries, so that its import costs nothing."""

from __future__ import annotations

import msgspec

WAITING, RUNNING, CHECKING, PAUSED, DONE, FAILED = "waiting", "running", "checking", "paused", "done", "failed"


class QueuedDownload(msgspec.Struct, frozen=True, kw_only=True):
    """A row as the outside sees it. `files` is JSON that nobody reads here; `state` is one of the words above."""

    id: str
    endpoint: str
    repo: str
    commit: str
    label: str
    files: str
    folder: str
    state: str = WAITING
    position: int = 0
    done_bytes: int = 0
    created_ms: int = 0
    finished_ms: int = 0
    code: str = ""
    sentence: str = ""
