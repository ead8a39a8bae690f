"""The folder of snapshots: whose they are, how much they take, and how they go. Needs no engine process.

A file is named by its conversation and by the model's fingerprint: `<conversation>.<16 digits>.kv`. While it is written
it is called `<name>.<process>.part`. What is in a file is the engine's alone (worker/snapshot_file.py); nothing here
opens one. Every method may be called from any thread; what the disk refuses is as if it were not there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from app.engine.gguf import is_text

SUFFIX = ".kv"
AUTOMATIC_SHARE = 0.1
AUTOMATIC_MOST_BYTES = 16 * 1024**3
_NAME = re.compile(r"([0-9a-zA-Z-]{1,64})\.([0-9a-f]{1,16})\.kv")


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the folder. `used_ns`: when it was written or brought back last."""

    conversation_id: str
    path: Path
    size_bytes: int
    used_ns: int


class SnapshotFolder:
    """The files below one folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_for(self, conversation_id: str, fingerprint: str) -> Path | None:
        """Where the snapshot of a conversation with a model belongs; None when it cannot be named to the engine."""
        name = f"{conversation_id}.{fingerprint[:16]}{SUFFIX}"
        return self.folder / name if _NAME.fullmatch(name) and is_text(str(self.folder)) else None

    def has(self, path: str) -> bool:
        """Whether this snapshot is there."""
        try:
            return Path(path).is_file()
        except OSError:
            return False

    def all(self) -> list[Snapshot]:
        """All of them, those unused for longest first."""
        found = []
        for entry in self._entries():
            name = _NAME.fullmatch(entry.name)
            if name is None:
                continue
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                found.append(
                    Snapshot(
                        conversation_id=name[1],
                        path=Path(entry.path),
                        size_bytes=status.st_size,
                        used_ns=status.st_mtime_ns,
                    )
                )
        return sorted(found, key=lambda snapshot: (snapshot.used_ns, snapshot.path.name))

    def size_bytes(self) -> int:
        """What all of them take."""
        return sum(snapshot.size_bytes for snapshot in self.all())

    def automatic_budget(self) -> int:
        """A sensible share of what the disk has free, what the snapshots take already counted as free."""
        there = self.folder
        while not there.exists() and there != there.parent:
            there = there.parent
        try:
            free = shutil.disk_usage(there).free
        except OSError:
            return 0
        return min(int((free + self.size_bytes()) * AUTOMATIC_SHARE), AUTOMATIC_MOST_BYTES)

    def trim(self, budget_bytes: int) -> None:
        """Removes those unused for longest until the rest fits; one that is larger than all there may be goes first."""
        snapshots = self.all()
        for snapshot in [one for one in snapshots if one.size_bytes > budget_bytes]:
            _remove(snapshot.path)
            snapshots.remove(snapshot)
        total = sum(snapshot.size_bytes for snapshot in snapshots)
        for snapshot in snapshots:
            if total <= budget_bytes:
                return
            _remove(snapshot.path)
            total -= snapshot.size_bytes

    def remove(self, conversation_ids: Collection[str]) -> None:
        """Removes all of these conversations."""
        self._remove_if(lambda conversation_id: conversation_id in conversation_ids)

    def remove_others(self, present: Callable[[Collection[str]], Collection[str]]) -> None:
        """Removes those of conversations that are not there: `present(ids)` says which of them are."""
        ids = {snapshot.conversation_id for snapshot in self.all()}
        gone = ids - set(present(ids)) if ids else ids
        self._remove_if(lambda conversation_id: conversation_id in gone)

    def remove_all(self) -> None:
        """Removes every one."""
        self._remove_if(lambda conversation_id: True)

    def sweep(self) -> None:
        """Removes what savings left behind that were cut off; those that are being written stay."""
        for entry in self._entries():
            if entry.name.endswith(".part") and f"{SUFFIX}." in entry.name:
                _remove_unless_written(entry.path)

    def _remove_if(self, goes: Callable[[str], bool]) -> None:
        for snapshot in self.all():
            if goes(snapshot.conversation_id):
                _remove(snapshot.path)

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder) as entries:
                return list(entries)
        except OSError:
            return []


def _remove(path: str | Path) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - a name as scandir gives it, or a Path


if sys.platform == "win32":
    _remove_unless_written = _remove  # an open file cannot be removed there

else:
    import fcntl

    def _remove_unless_written(path: str) -> None:
        """Who writes holds a lock, which goes with the process."""
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(file)
