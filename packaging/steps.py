"""What every script in this folder does: say a line, run a command, keep a virtual environment, find the cache.

Standard library only. Nothing here knows what is built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"


def say(text: str) -> None:
    """One line of progress."""
    print(f"inglenook: {text}", flush=True)


def refuse(text: str) -> int:
    """One sentence on stderr; the exit status of a failure."""
    print(f"inglenook: {text}", file=sys.stderr, flush=True)
    return 1


def run(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
    """Runs a command to its end, showing what it prints. Raises CalledProcessError."""
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, env=env)


def output(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Runs a command to its end; returns what it printed. Raises CalledProcessError."""
    words = [str(part) for part in command]
    return subprocess.run(words, check=True, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True).stdout


def pinned(distribution: str) -> str:
    """The version of a distribution that everything is tested with."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{distribution}=="))


def digest(paths: Iterable[Path], *words: str) -> str:
    """What tells one state of some files, and some words, from another."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in sorted(paths):
        found.update(b"\0" + path.read_bytes())
    return found.hexdigest()


def build_cache(key: str) -> Path:
    """Where the build for `key` is kept between checkouts: the user's cache folder."""
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "inglenook-build" / hashlib.sha256(key.encode()).hexdigest()[:16]


class Environment:
    """A virtual environment in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / ("python.exe" if os.name == "nt" else "python")

    def make(self) -> None:
        """Creates it where there is none. Raises CalledProcessError; half of one is not left behind."""
        if self.python.exists():
            return
        try:
            run(sys.executable, "-m", "venv", self.folder)
        except subprocess.CalledProcessError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def pip(self, command: str, *words: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Runs a pip command in it. Raises CalledProcessError."""
        run(self.python, "-m", "pip", "--disable-pip-version-check", command, "--quiet", *words, env=env)
