"""The scripted worker's way out (fake.py): frames, and the scripted ways to stop being a good process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO, NoReturn

from app.engine import protocol, wire
from app.engine.fake_script import Die


class Death(Exception):  # noqa: N818 - not an error: the script says so
    """The way the script ends the thread that meets it, where the process lives on."""


class Wire:
    """Sends frames from any thread, until it is time to die."""

    def __init__(self, out: BinaryIO, die: Die | None) -> None:
        self._out, self._die = out, die
        self._lock = threading.Lock()
        self.hung = threading.Event()

    def send(self, event: protocol.Event) -> None:
        """One frame."""
        with self._lock:
            self._out.write(wire.pack(event))
            self._out.flush()

    def die_if(self, at: str, count: int = 0) -> None:
        """Fails as the script says, if this is the moment it names. Raises Death where the process lives on."""
        die = self._die
        if die is None or die.at != at or count < die.after:
            return
        if die.once:
            with Path(die.once).open("ab") as deaths:
                if deaths.tell() >= die.times:
                    return
                deaths.write(b".")
        if die.stderr:
            sys.stderr.write(die.stderr + "\n")
            sys.stderr.flush()
        self._end(die)

    def _end(self, die: Die) -> NoReturn:
        if die.how == "kill":
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        elif die.how == "abort":
            os.abort()
        elif die.how == "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif die.how == "exit":
            os._exit(die.status)
        elif die.how == "hang":
            self.hung.set()
        elif die.how == "garbage":
            with self._lock:
                self._out.write(b"llama_model_loader: loaded meta data\n" * 4)
                self._out.flush()
        elif die.how == "close":
            self.hung.set()
            with self._lock:
                os.close(self._out.fileno())
        raise Death
