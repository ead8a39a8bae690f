"""Words and bars that several verbs on models share."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from app.base.sizes import size_words
from app.cli.front import harmless
from app.engine.values import Origin

ORIGINS = {
    Origin.OWN: "",
    Origin.FOLDER: "in a further folder",
    Origin.FILE: "a single file",
    Origin.LM_STUDIO: "of LM Studio",
    Origin.OLLAMA: "of Ollama",
    Origin.HUGGING_FACE: "in the Hugging Face cache",
    Origin.STARTER: "comes with Inglenook",
}
_TELL_S = 0.1
_USUAL_COLUMNS = 80
_BAR_LEAST, _BAR_MOST = 6, 36
_AROUND = len("  []  100%  ")
_WORDS = len("999 MB/s, 99 h 59 min left")


def count_words(count: int) -> str:
    """A count of parameters as people write it: 7.6 B, 135 M, 183 K; '' for 0."""
    if not count:
        return ""
    if count >= 1e9:
        return f"{count / 1e9:.1f} B"
    return f"{count / 1e6:.0f} M" if count >= 1e6 else f"{count / 1e3:.0f} K"


def time_words(seconds: float) -> str:
    """A length of time: 40 s, 3 min, 2 h 5 min."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


class Bar:
    """A progress bar on standard error when that is a terminal, otherwise nothing. It keeps to one line."""

    def __init__(self, label: str, size_bytes: int, *, shown: bool = True) -> None:
        self._label = harmless(label)
        self._bar = click.progressbar(
            length=max(size_bytes, 1),
            label=self._label,
            file=sys.stderr,
            hidden=not shown or not sys.stderr.isatty(),
            show_eta=False,
            item_show_func=lambda item: item,
        )
        self._said = 0.0

    def __enter__(self) -> Bar:
        self._fit("")
        self._bar.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.render_finish()

    def of(self, size_bytes: int) -> None:
        """Sets how far it goes."""
        self._bar.length = max(size_bytes, 1)

    def at(self, done_bytes: int, words: str = "") -> None:
        """Moves it, some ten times a second at most."""
        now = time.monotonic()
        if now - self._said >= _TELL_S or done_bytes >= (self._bar.length or 0):
            self._said = now
            self._bar.update(done_bytes - self._bar.pos, self._fit(harmless(words)))

    def _fit(self, words: str) -> str:
        """Shares the terminal's line out as it is now; a longer one would leave its rest behind at every step."""
        columns = _columns() - 1
        most = max(8, columns * 2 // 5)
        label = self._label if len(self._label) <= most else f"…{self._label[1 - most :]}"
        self._bar.label = label
        left = columns - len(label) - _AROUND
        self._bar.width = max(_BAR_LEAST, min(_BAR_MOST, left - _WORDS))
        room = left - self._bar.width
        return words if len(words) <= room else f"{words[: max(0, room - 1)]}…" if room > 8 else ""


def _columns() -> int:
    """How wide the terminal on standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


class Pace:
    """How fast something is and how long it will still take, from how far it is now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def words(self, done_bytes: int, size_bytes: int) -> str:
        """`500 MB/s, 4 s left`."""
        elapsed = time.monotonic() - self._began
        speed = done_bytes / elapsed if elapsed > 0 else 0.0
        return speed_words(speed, (size_bytes - done_bytes) / speed if speed else None)


def speed_words(bytes_per_s: float, remaining_s: float | None) -> str:
    """A speed and what is left of the time."""
    words = f"{size_words(round(bytes_per_s))}/s" if bytes_per_s else ""
    return f"{words}, {time_words(remaining_s)} left" if remaining_s is not None and words else words


@contextmanager
def ending_at_a_signal() -> Iterator[tuple[threading.Event, list[int]]]:
    """An event that Ctrl+C and its like set, and the numbers of the signals that came. The second one ends at once."""
    ended = threading.Event()
    came: list[int] = []

    def interrupted(number: int, frame: FrameType | None) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)
        ended.set()

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupted) for number in names}
    try:
        yield ended, came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
