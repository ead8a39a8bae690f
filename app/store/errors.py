"""What can go wrong with the database, in two families, and how SQLite's codes become these errors.

`StoreError` is the environment's fault (disk, folder, another program, the file itself): shown to the person as it is.
`StoreMisuse` is our own fault (an id that does not exist, a reply finished twice): shown too, but worth a bug report.
Nothing here reads an error's message: only codes count.
"""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from app.base.errors import InglenookError

# SQLite's primary result codes (https://sqlite.org/rescode.html); extended codes carry them in the low byte.
_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 3, 5, 6, 8, 10, 11, 13, 14, 26

# Below this much free space an unspecific input/output error is taken for a full disk: SQLite reports a shared-memory
# file that cannot grow as an I/O error, not as a full disk.
_NEARLY_FULL_BYTES = 256 * 1024


class StoreError(InglenookError):
    """The database's surroundings failed. Nothing was overwritten, and what was being written is not stored."""

    code = "store_failed"


class DatabaseCorrupt(StoreError):
    """The file is not a database, or parts of it are damaged."""

    code = "database_corrupt"


class DatabaseNewer(StoreError):
    """The database was made by a newer version."""

    code = "database_newer"


class DatabaseLocked(StoreError):
    """Another program holds the database for longer than the busy timeout."""

    code = "database_locked"


class KeyRefused(StoreError):
    """The database is encrypted with another key."""

    code = "database_key"


class DiskFull(StoreError):
    """No space is left. The store stays usable: a later write may succeed."""

    code = "disk_full"


class FolderReadOnly(StoreError):
    """The folder or the file may not be written."""

    code = "folder_read_only"


class MigrationFailed(StoreError):
    """The database could not be brought up to date and is as it was."""

    code = "migration_failed"


class StoreClosed(StoreError):
    """The store was closed before this could be written."""

    code = "store_closed"


class StoreMisuse(InglenookError):
    """The caller's mistake, never the environment's."""

    code = "store_misuse"


class NotFound(StoreMisuse):
    """No such conversation, message or model."""

    code = "not_found"


class AlreadyFinished(StoreMisuse):
    """The reply has its final text; nothing that is written is ever overwritten."""

    code = "already_finished"


def disk_full(path: Path, detail: str) -> DiskFull:
    """The error for a full disk under `path`."""
    return DiskFull(
        f"The disk is full, so nothing more can be saved in {path.parent}. Free some space and try again.",
        detail=detail,
    )


def read_only(path: Path, detail: str) -> FolderReadOnly:
    """The error for a folder that may not be written."""
    return FolderReadOnly(
        f"Inglenook may not write in {path.parent}. Allow writing there, or choose another data folder.", detail=detail
    )


def from_os_error(error: OSError, path: Path) -> StoreError:
    """The store's error for what the operating system said about the file or folder at `path`."""
    detail = f"{type(error).__name__}: {error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path, detail)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return read_only(path, detail)
    return StoreError(f"The folder {path.parent} cannot be used for the conversations.", detail=detail)


def from_sqlite(error: BaseException, path: Path, *, keyed: bool = False) -> StoreError:
    """The store's error for a driver error about the database at `path`; `keyed`: it was opened with a key."""
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    detail = f"{name}: {error}"
    primary = code & 0xFF if isinstance(code, int) else 0
    if primary == _FULL or (primary in (_IOERR, _CANTOPEN) and _free_bytes(path) < _NEARLY_FULL_BYTES):
        return disk_full(path, detail)
    if primary in (_BUSY, _LOCKED):
        return DatabaseLocked(
            "Another program is holding Inglenook's database. Close it and try again; nothing was changed.",
            detail=detail,
        )
    if primary in (_READONLY, _PERM, _CANTOPEN):
        return read_only(path, detail)
    if primary == _NOTADB and keyed:
        return KeyRefused(f"The conversations in {path} cannot be opened with this key.", detail=detail)
    if primary in (_CORRUPT, _NOTADB):
        return DatabaseCorrupt(
            f"The database {path} is damaged or is not Inglenook's. It was left as it is; restore it from a backup, "
            "or move it away to start with an empty one.",
            detail=detail,
        )
    return StoreError(f"The database {path} could not be used.", detail=detail)


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _NEARLY_FULL_BYTES
