"""One process at a time: a file that the operating system locks for as long as the process holds it.

A process that is killed loses its lock at once, so nothing is ever locked by nobody.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


class FileLock:
    """A held lock; `take` makes it."""

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file

    @classmethod
    def take(cls, path: Path) -> FileLock | None:
        """The lock, or None when somebody holds it. Raises OSError when the folder cannot be written."""
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
            kept = False
            try:
                if not _lock(file):
                    return None
                kept = os.path.samestat(os.fstat(file), path.stat())
                if kept:
                    return cls(path, file)
            except FileNotFoundError:
                pass  # whoever held it removed it between our two steps: this one is nobody's
            finally:
                if not kept:
                    os.close(file)

    def release(self) -> None:
        """Gives it up and removes the file. Idempotent."""
        if self._file < 0:
            return
        if sys.platform != "win32":
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1
        if sys.platform == "win32":
            try:
                self._path.unlink(missing_ok=True)
            except PermissionError:
                pass  # another process has just opened it


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
