"""Keeps the computer from falling asleep while a reply is written. The screen may go dark.

Whatever holds it ends with this process, also when that is killed. Where the platform offers nothing, nothing happens.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from app.services.jobs import WAKEFULNESS, Jobs

if sys.platform == "win32":
    import ctypes

log = logging.getLogger(__name__)

LINGER_S = 5.0
"""The hold outlasts a reply by this long, so that a quick exchange starts one helper and not twenty."""

END_S = 2.0

_ES_CONTINUOUS = 0x80000000
_ES_SYSTEM_REQUIRED = 0x00000001


def inhibit_command(platform: str = sys.platform) -> list[str] | None:
    """The helper program that holds the computer awake until its standard input ends, or None."""
    if platform.startswith("linux") and (program := shutil.which("systemd-inhibit")):
        return [
            program,
            "--what=sleep:idle",
            "--who=Inglenook",
            "--why=A reply is being written",
            "--mode=block",
            "cat",
        ]
    if platform == "darwin" and (program := shutil.which("caffeinate")):
        return [program, "-i", "cat"]
    return None


class Wakefulness:
    """Counts who needs the computer awake. All methods are quick and never raise for want of a platform's help."""

    def __init__(
        self, jobs: Jobs, command: Callable[[], list[str] | None] = inhibit_command, linger_s: float = LINGER_S
    ) -> None:
        self._jobs = jobs
        self._command = command
        self._linger_s = linger_s
        self._lock = threading.Lock()
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._call_off: Callable[[], None] | None = None
        self._useless = False

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Awake inside this block."""
        self._begin()
        try:
            yield
        finally:
            self._finish()

    @property
    def held(self) -> bool:
        """Whether a helper of this process is holding the computer awake now."""
        process = self._process
        return process is not None and process.poll() is None

    def close(self) -> None:
        """Lets go at once."""
        with self._lock:
            self._stop_timer()
            self._release()

    def _begin(self) -> None:
        with self._lock:
            self._count += 1
            self._stop_timer()
            if self._count > 1:
                return
            if sys.platform == "win32":
                ctypes.windll.kernel32.SetThreadExecutionState(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED)
            elif not self._useless and not self.held and (command := self._command()) is not None:
                self._release()
                try:
                    self._process = subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )  # fmt: skip
                except OSError as error:
                    log.info("nothing keeps the computer awake: %s", error)

    def _finish(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count > 0:
                return
            if sys.platform == "win32":
                ctypes.windll.kernel32.SetThreadExecutionState(_ES_CONTINUOUS)
            elif self._process is not None:
                self._call_off = self._jobs.later(WAKEFULNESS, self._linger_s, self._let_go)

    def _let_go(self) -> None:
        with self._lock:
            if self._count == 0:
                self._release()

    def _stop_timer(self) -> None:
        if self._call_off is not None:
            self._call_off()
            self._call_off = None

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is not None:  # it ended by itself: this machine has nothing that it could ask
            self._useless = True
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
