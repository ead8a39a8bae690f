"""Who is writing a reply: a file per process, locked by the operating system for as long as the process lives.

The file of a process that is still at its start holds a word; it is empty once the process uses the database.

A process that is killed loses its lock at once and without doing anything, so a reply whose owner's lock is free is a
reply that nobody writes any more. Process ids are not used: they are reused, and mean nothing on a shared folder.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from app.base.ids import new_id

_SUFFIX = ".lock"
_AT_ITS_START = b"starting"


class Owner:
    """This process's mark on the replies it writes. Raises OSError when the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.id = new_id()
        self._folder = folder
        self._path = folder / f"{self.id}{_SUFFIX}"
        self._file = _create(self._path)

    def alive(self, owner_id: str) -> bool:
        """Whether the process with this mark still runs."""
        return owner_id == self.id or _held(self._folder / f"{owner_id}{_SUFFIX}")

    def others(self) -> list[str]:
        """The marks of all other processes that still run."""
        return [p.stem for p in self._folder.glob(f"*{_SUFFIX}") if p != self._path and _held(p)]

    def entered(self) -> None:
        """This process uses the database from now on."""
        os.ftruncate(self._file, 0)

    def others_inside(self) -> list[str]:
        """As `others`, without those that are still at their start: they wait for whoever brings it up to date."""
        return [one for one in self.others() if not _size(self._folder / f"{one}{_SUFFIX}")]

    def sweep(self) -> None:
        """Removes what ended processes left behind."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path != self._path and not _held(path):
                _remove(path)

    def close(self) -> None:
        """Gives the mark up. Idempotent."""
        if self._file >= 0:
            if sys.platform != "win32":
                _remove(self._path)
            os.close(self._file)
            self._file = -1
            if sys.platform == "win32":
                _remove(self._path)


def anyone(folder: Path) -> bool:
    """Whether any process has its mark there and still runs."""
    return any(_held(path) for path in folder.glob(f"*{_SUFFIX}"))


def _held(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # another account's, or on Windows one that is just being removed: not ours to judge
    try:
        return not _lock(file, shared=True)  # shared, so that two who ask at the same time do not see each other
    finally:
        os.close(file)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it ended this moment
        return len(_AT_ITS_START)


def _begin(file: int) -> None:
    """Where a full disk has no room for the word, the process counts as inside from its start."""
    with contextlib.suppress(OSError):
        os.write(file, _AT_ITS_START)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        pass  # held open by somebody on Windows; the next start removes it


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int, *, shared: bool) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        if shared:
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
        return True

    def _create(path: Path) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)  # an open file cannot be removed by others here
        if not _lock(file, shared=False):
            raise OSError(f"{path} is locked by somebody else")
        _begin(file)
        return file

else:
    import fcntl

    def _lock(file: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _create(path: Path) -> int:
        # Locked under another name first: a file with the final name is never seen without its lock, so that others
        # may remove every such file that is not locked.
        unready = path.with_suffix(".new")
        file = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if not _lock(file, shared=False):
                raise OSError(f"{unready} is locked by somebody else")
            _begin(file)
            unready.rename(path)
        except BaseException:
            os.close(file)
            unready.unlink(missing_ok=True)
            raise
        return file
