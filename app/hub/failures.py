"""What can go wrong with a file on its way from the Hub to this disk, in words for the person."""

# ruff: noqa: N818 - named after what happened, which reads better at `except` than another word Error

from __future__ import annotations

import errno
from pathlib import Path

from app.hub.errors import HubError

_GB = 1_000_000_000
_MB = 1_000_000


class DownloadError(HubError):
    """Base of this file. What is on the disk already stays there unless the sentence says otherwise."""

    code = "download"


class Stopped(DownloadError):
    """The person asked for it, or Inglenook is ending."""

    code = "stopped"


class AlreadyRunning(DownloadError):
    """Another process fetches the same file."""

    code = "download_elsewhere"


class NoSpace(DownloadError):
    """The disk has too little room. `needed` and `free` are bytes."""

    code = "no_space"

    def __init__(self, sentence: str, *, detail: str = "", needed: int = 0, free: int = 0) -> None:
        super().__init__(sentence, detail=detail)
        self.needed = needed
        self.free = free


class NotWritten(DownloadError):
    """The disk refused for another reason than its room."""

    code = "not_written"


class FileChanged(DownloadError):
    """The Hub has another file there now than the one that was chosen."""

    code = "file_changed"


class FingerprintMismatch(DownloadError):
    """All bytes came, and they are not the file that was promised."""

    code = "fingerprint_mismatch"


class ServerUnusable(DownloadError):
    """The server answers, and never with what it was asked for."""

    code = "server_unusable"


class LostTouch(DownloadError):
    """The network or the server was away for longer than it is sensible to try."""

    code = "lost_touch"


class BadName(DownloadError):
    """A name from the Hub that cannot be kept safely."""

    code = "bad_name"


def in_words(count: int) -> str:
    """A number of bytes as a person reads it: 9.1 GB, 12 MB."""
    if count >= _GB:
        return f"{count / _GB:.1f} GB"
    return f"{count / _MB:.0f} MB" if count >= _MB else f"{max(0, count) / 1000:.0f} KB"


def no_space(folder: Path, needed: int, free: int) -> NoSpace:
    """The refusal before anything is written."""
    return NoSpace(
        f"The download needs {in_words(needed)} and {in_words(free)} are free in {folder}. Free some space, or choose "
        "another folder.",
        needed=needed,
        free=free,
    )


def from_os_error(error: OSError, path: Path) -> DownloadError:
    """The error for what the system said when `path` was to be written."""
    detail = f"{type(error).__name__}: {error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"The disk with {path.parent} is full. Free some space and go on.", detail=detail)
    if error.errno == errno.EFBIG:
        return NotWritten(
            f"The disk with {path.parent} cannot hold a file as large as {path.name}. Choose a folder on another one.",
            detail=detail,
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotWritten(f"Inglenook may not write in {path.parent}.", detail=detail)
    if error.errno == errno.ELOOP:
        return BadName(f"{path.name} is a link there, so nothing is written to it.", detail=detail)
    return NotWritten(f"{path.name} could not be written in {path.parent}.", detail=detail)
