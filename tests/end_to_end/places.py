"""Data folders on disks that are full, or that cannot be written."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SMALL_BYTES = 6_000_000
CRAMPED_BYTES = 4096


def mount(*words: str) -> bool:
    """Whether this account may mount, and did."""
    return os.geteuid() == 0 and subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    """Takes the mount away, even while something still uses it."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class SmallDisk:
    """A file system of its own where one may be mounted, else a folder whose writers' files may not grow."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.mounted = mount("-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(folder))
        self._ballast = folder / "ballast"

    def fill(self, pid: int = 0) -> None:
        """No more room. Without a mount only for the process `pid`."""
        if not self.mounted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (CRAMPED_BYTES, resource.RLIM_INFINITY))
            return
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self, pid: int = 0) -> None:
        """Room again."""
        if self.mounted:
            self._ballast.unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """A small disk at `folder`, gone at the end."""
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        if disk.mounted:
            unmount(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """A data folder that nobody may write, root included: `folder` itself, or one below /sys."""
    if os.geteuid() != 0:
        modes = {path: path.stat().st_mode for path in [*folder.rglob("*"), folder]}
        for path, mode in modes.items():
            path.chmod(mode & 0o555)
        try:
            yield folder
        finally:
            for path, mode in modes.items():
                path.chmod(mode)
    elif mount("--bind", str(folder), str(folder)):
        try:
            assert mount("-o", "remount,ro,bind", str(folder))
            yield folder
        finally:
            unmount(folder)
    else:
        yield Path("/sys/inglenook")
