"""What looking for other programs' models needs to know of this computer, and what comes of it.

Files that describe models were written by others: they are read up to a size, decoded strictly, and whatever does not
fit is as if it were not there.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

SMALL_BYTES = 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class System:
    """A home folder, an environment and a platform as sys.platform names it."""

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    platform: str = sys.platform

    @classmethod
    def here(cls) -> System:
        """This computer, as it is now. An account without a home folder has nothing there."""
        try:
            home = Path.home()
        except RuntimeError:
            home = Path(os.devnull)
        return cls(home, dict(os.environ), sys.platform)

    def folder(self, variable: str) -> Path | None:
        """The folder that an environment variable names, if it does."""
        return self.whole(self.environment.get(variable, ""))

    def whole(self, text: str) -> Path | None:
        """A folder as a person wrote it, with ~ for the home folder; None for nothing, or what is not absolute."""
        text = text.strip().strip('"')
        if not text or "\0" in text:
            return None
        path = self.home / text[1:].lstrip("/\\") if text == "~" or text.startswith(("~/", "~\\")) else Path(text)
        return path if path.is_absolute() else None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A model, by its first file, and what is known of it without reading it. Only `path` is always known."""

    path: str
    name: str = ""
    projector: str = ""
    repo: str = ""
    commit: str = ""
    remote_path: str = ""
    sha256: tuple[str, ...] = ()
    problem: str = ""


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that models are found in. `chosen`: the person pointed there, so it may lie on a drive that comes and
    goes; otherwise its absence only says that the program is not used."""

    folder: str
    chosen: bool
    models: tuple[Found, ...]


def read_small(path: Path, limit_bytes: int = SMALL_BYTES) -> bytes | None:
    """The bytes of a regular file, or None when it is none, cannot be read or is larger than `limit_bytes`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
            return None
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except (OSError, ValueError):
        return None
    return data if len(data) <= limit_bytes else None


def read_json(path: Path, kind: type[T]) -> T | None:
    """A small file of JSON as `kind`, or None."""
    data = read_small(path)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def is_file(path: Path) -> bool:
    """Whether a file is there, also where nobody may look."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there, also where nobody may look."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
