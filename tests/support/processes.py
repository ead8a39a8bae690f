"""Processes as /proc shows them: who descends from whom, and who is still there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

GUARD_S = 60.0
TICK_S = 0.02


def until(look: Callable[[], T], what: str = "it", guard_s: float = GUARD_S, tick_s: float = TICK_S) -> T:
    """Looks again and again, the longer it lasts the less often, until there is something true; returns it. For states
    that no signal tells of."""
    begun = time.monotonic()
    waiter = threading.Event()
    while not (found := look()):
        waited_s = time.monotonic() - begun
        assert waited_s < guard_s, f"waited in vain for {what}"
        waiter.wait(tick_s * (1 + waited_s))
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    state = _stat(pid)
    return state is None or state[0] in "ZX"


def descendants(pid: int) -> list[int]:
    """Children, their children and so on, those that have ended left out."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None and stat[0] not in "ZX":
            parents.setdefault(int(stat[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def engine_of(pid: int) -> int | None:
    """The engine process of an application."""
    for child in descendants(pid):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--engine-worker" in words:
            return child
    return None


def reads(pid: int, name: str) -> bool:
    """Whether a process has a file of this name open, or mapped into its memory."""
    try:
        opened = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        return any(path.endswith(name) for path in opened) or name in Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # it ended, or a file was closed meanwhile
        return False


def _stat(pid: int) -> list[str] | None:
    """State, parent and so on; None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
