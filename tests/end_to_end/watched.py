"""Starts the application as `python -m app` does, with two windows into it: what it publishes, and what it shows.

Every change is appended to a file at once, with the moment of the machine's monotonic clock, so it survives a kill.
What stands on the screen is told on request, as a screen reader would get it. Nothing else is different, but that the
supervisor of the engine can be made less patient.

    python -m tests.end_to_end.watched FILE_DESCRIPTOR CHANGES_FILE [arguments of the application]
"""

from __future__ import annotations

import functools
import json
import os
import socket
import sys
import time
from typing import Any

import msgspec
from PySide6.QtCore import QSocketNotifier
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QApplication

from app import __main__, bootstrap
from app.engine import supervisor
from app.services.changes import Change
from app.ui import application

TIMING_VARIABLE = "INGLENOOK_TEST_TIMING"


def main() -> int:
    """Returns the application's exit code."""
    line = socket.socket(fileno=int(sys.argv[1]))
    changes = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    build, make_window = bootstrap.build, application.make_window

    def note(change: Change) -> None:
        fields = msgspec.to_builtins(change)
        told = {"at_s": time.monotonic(), "change": type(change).__name__, **fields}
        os.write(changes, json.dumps(told).encode() + b"\n")

    def building(*places: Any, **options: Any) -> bootstrap.Application:
        made = build(*places, **options)
        made.publisher.subscribe(note)
        return made

    def making(*parts: Any) -> Any:
        QAccessible.setActive(True)  # lists keep what they told of their rows up to date only while somebody listens
        window = make_window(*parts)
        notifier = QSocketNotifier(line.fileno(), QSocketNotifier.Type.Read, window)
        notifier.activated.connect(lambda: answer(line))
        return window

    if timing := os.environ.get(TIMING_VARIABLE):
        supervisor.Timing = functools.partial(supervisor.Timing, **json.loads(timing))  # type: ignore[assignment,misc]
    bootstrap.build, application.make_window = building, making  # type: ignore[assignment]
    return __main__.main(sys.argv[3:])


def answer(line: socket.socket) -> None:
    """Tells what is on the screen, as one line of JSON: words and the middle of where they stand."""
    line.recv(1)
    shown: dict[str, tuple[int, int]] = {}
    for widget in QApplication.topLevelWidgets():
        if widget.isVisible():
            read(QAccessible.queryAccessibleInterface(widget), shown)
    line.sendall(json.dumps(shown).encode() + b"\n")


def read(interface: QAccessibleInterface | None, shown: dict[str, tuple[int, int]]) -> None:
    """Adds the words of everything visible below."""
    if interface is None or not interface.isValid() or interface.state().invisible:
        return
    middle = interface.rect().center()
    for kind in (QAccessible.Text.Name, QAccessible.Text.Value, QAccessible.Text.Description):
        if words := interface.text(kind):
            shown.setdefault(words, (middle.x(), middle.y()))
    for index in range(interface.childCount()):
        read(interface.child(index), shown)


if __name__ == "__main__":
    sys.exit(main())
