"""One engine process from its creation to its end: pipes, the two threads that belong to it, and how it is ended.

Used by the supervisor alone, which decides when; this file knows how. `engine writer` writes queued frames, so that
nobody who sends ever waits for a child that does not read; `engine stderr` forwards the child's lines to the log.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO, cast

from app.engine import protocol, wire
from app.engine.command import engine_environment
from app.engine.outcome import Cause

_child_log = logging.getLogger("app.engine.child")

STDERR_LINES = 50
STDERR_LINE_BYTES = 4000


class Run:
    """A running process. Raises OSError if it cannot be created."""

    def __init__(self, command: Sequence[str]) -> None:
        # A group of its own: Ctrl-C in a terminal is for the parent, which then stops the engine in order.
        windows_flags = 0
        group: int | None = 0
        if sys.platform == "win32":
            windows_flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            group = None
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=engine_environment(),
            creationflags=windows_flags,
            process_group=group,
        )
        self._input = cast(BinaryIO, self._process.stdin)
        self._errors = cast(BinaryIO, self._process.stderr)
        self.events = cast(BinaryIO, self._process.stdout)
        self.pid = self._process.pid
        self.ready = False
        self.asked = False
        self.condemned: Cause | None = None
        self.note = ""
        self.ticks = 0
        self._pinged = 0
        self._ponged = 0
        self._late = 0
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._tail: collections.deque[str] = collections.deque(maxlen=STDERR_LINES)
        self._writer = threading.Thread(target=self._write, name="engine writer", daemon=True)
        self._stderr = threading.Thread(target=self._forward, name="engine stderr", daemon=True)
        try:
            self._writer.start()
            self._stderr.start()
        except RuntimeError as error:  # there is no memory for another thread
            self._process.kill()
            self._process.wait()
            self.send(None)
            for stream in (self._input, self.events, self._errors):
                with contextlib.suppress(OSError, ValueError):
                    stream.close()
            raise OSError(errno.ENOMEM, str(error)) from error

    def send(self, frame: bytes | None) -> None:
        """Queue a packed frame; None closes the child's input after what was queued before."""
        self._outbox.put(frame)

    def tick(self) -> int:
        """One tick has passed: how many ticks the oldest ping is unanswered. A new ping is sent when there is none."""
        self.ticks += 1
        if not self.ready:
            return 0
        if self._ponged < self._pinged:
            self._late += 1
        else:
            self._late = 0
            self._pinged += 1
            self.send(wire.pack(protocol.Ping(n=self._pinged)))
        return self._late

    def pong(self, n: int) -> None:
        """The child answered ping `n`."""
        self._ponged = n

    def condemn(self, cause: Cause, note: str) -> None:
        """Kill the process for a reason of ours; the first reason stays."""
        if self.condemned is None and not self.asked:
            self.condemned, self.note = cause, note
        self._process.kill()

    def stop(self, shutdown_s: float, terminate_s: float, kill_s: float) -> None:
        """The ladder: ask, terminate, kill. Returns when the process is gone, or after the last step's time-out."""
        self.asked = True
        self.send(wire.pack(protocol.Shutdown()))
        self.send(None)
        for step, timeout_s in (
            (None, shutdown_s),
            (self._process.terminate, terminate_s),
            (self._process.kill, kill_s),
        ):
            if step is not None:
                step()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
                return

    def reap(self, patience_s: float) -> int | None:
        """After the last event: see the process end (kill one that only closed its output), join threads, close pipes.

        The exit status as subprocess gives it; None for a process that not even kill could end.
        """
        returncode: int | None = None
        for last_try in (False, True):
            try:
                returncode = self._process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                if not last_try and not self.asked:
                    self.condemn(Cause.BAD_FRAME, "its output ended while it ran on")
        self.send(None)
        self._writer.join(patience_s)
        self._stderr.join(patience_s)
        with contextlib.suppress(OSError):
            self.events.close()
        return returncode

    def stderr_tail(self) -> tuple[str, ...]:
        """The last lines the child wrote to stderr."""
        return tuple(self._tail)

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # a broken pipe: the reader sees the end of the process
            while (frame := self._outbox.get()) is not None:
                self._input.write(frame)
                self._input.flush()
        with contextlib.suppress(OSError, ValueError):
            self._input.close()

    def _forward(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._errors as stream:
            while line := stream.readline(STDERR_LINE_BYTES):
                text = line.decode("utf-8", errors="replace").rstrip()
                if text:
                    self._tail.append(text)
                    level = logging.INFO if text.startswith(protocol.NOTE) else logging.DEBUG
                    _child_log.log(level, "engine: %s", text.removeprefix(protocol.NOTE))
