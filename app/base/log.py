"""The one log file: rotating, levelled, and without a word of any message.

Callers log counts, ids, codes and durations. Lines of the engine process arrive through the logger
`app.engine.child`. Nothing is sent anywhere.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import threading
from pathlib import Path
from types import TracebackType

FILE_NAME = "inglenook.log"
MAX_BYTES = 1_000_000
BACKUPS = 3
LEVEL_VARIABLE = "INGLENOOK_LOG"

log = logging.getLogger(__name__)


def start_log(folder: Path, *, level: str | None = None) -> Path | None:
    """Writes the log below `folder` from now on; returns the file, or None when it cannot be written (which is no
    error).

    `level` (or the variable INGLENOOK_LOG) is debug, info, warning or error; info by default.
    """
    name = (level or os.environ.get(LEVEL_VARIABLE, "") or "info").upper()
    root = logging.getLogger()
    root.setLevel(getattr(logging, name) if name in ("DEBUG", "INFO", "WARNING", "ERROR") else logging.INFO)
    for noisy in ("PIL", "asyncio", "urllib3", "sqlalchemy", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _catch_what_nobody_caught()
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _SharedRotatingFile(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=False)
    except OSError:
        # Else the last resort prints warnings into a terminal that wants an answer.
        root.addHandler(logging.NullHandler())
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)-7s %(name)s: %(message)s"))
    root.addHandler(handler)
    return path


def stop_log() -> None:
    """Closes the file that start_log opened."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _SharedRotatingFile):
            root.removeHandler(handler)
            handler.close()


class _SharedRotatingFile(logging.handlers.RotatingFileHandler):
    """Rotation for a file that several processes append to: who rotated last is noticed, a failure never interrupts
    work."""

    def emit(self, record: logging.LogRecord) -> None:
        self._follow()
        super().emit(record)

    def _follow(self) -> None:
        if self.stream is None:
            return
        try:
            there = Path(self.baseFilename).stat()
            if os.fstat(self.stream.fileno()).st_ino == there.st_ino:
                return
        except OSError:
            pass
        try:
            self.stream.close()
        except OSError:
            pass  # what it still held does not fit on the disk
        try:
            self.stream = self._open()
        except OSError:
            self.stream = None  # the base class opens it again when it can

    def close(self) -> None:
        """Also on a full disk, where the last lines are lost."""
        try:
            super().close()
        except OSError:
            self.stream = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        """A log that cannot be written (disk full) is lost in silence: it must not print into the person's terminal."""


def _catch_what_nobody_caught() -> None:
    """Exceptions at the edge of the process and of threads go to the log."""

    def at_process_edge(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("nobody caught this", exc_info=(kind, error, trace))
        sys.__excepthook__(kind, error, trace)

    def at_thread_edge(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            name = args.thread.name if args.thread else "?"
            log.critical(
                "thread %s ended by an error", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
            )

    sys.excepthook = at_process_edge
    threading.excepthook = at_thread_edge
