"""A model file handed over from outside becomes the chosen model, or is refused in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtNetwork import QLocalSocket
from pytestqt.qtbot import QtBot

from app.engine.errors import NotGguf
from app.services.changes import TroubleChanged
from app.ui.instance import LONGEST_BYTES, Instance, server_name
from app.ui.opening import OpenedFiles
from app.ui.window import Window
from tests.support.command import ROOT
from tests.support.fake_application import FakeApplication

FILE = Path("/models/a model.gguf")


@pytest.fixture
def files(window: Window) -> OpenedFiles:
    """Of a window whose conversations are not open yet."""
    return OpenedFiles(window)


def test_a_file_is_added_and_chosen_once_the_conversations_are_open(
    files: OpenedFiles, window: Window, application: FakeApplication
) -> None:
    window.show_privacy()
    files.open(FILE)
    assert application.library.added == []
    files.settle()
    assert application.library.added == [FILE]
    assert application.loading.loads == [FILE.stem]
    assert window.pages.currentWidget() is window.conversation
    files.open(FILE.with_name("another.gguf"))
    assert application.loading.loads == [FILE.stem, "another"]


def test_a_bad_file_is_refused_in_words(files: OpenedFiles, window: Window, application: FakeApplication) -> None:
    application.library.refuse = NotGguf("")
    files.settle()
    files.open(FILE)
    banner = window.conversation.banner
    assert banner.isVisible()
    assert banner.title.text() == "a model.gguf was not opened"
    assert banner.detail.text() == NotGguf("").sentence
    assert application.loading.loads == []
    application.library.refuse = None
    files.open(FILE)
    assert not banner.isVisible()


def test_without_conversations_it_waits(make_window: object, application: FakeApplication) -> None:
    window: Window = make_window(opened=False)  # type: ignore[operator]
    files = OpenedFiles(window)
    window.apply(TroubleChanged(code="database_corrupt", sentence="Damaged."))
    files.open(FILE)
    files.settle()
    assert application.library.added == []
    assert window.pages.currentWidget() is window.trouble
    window.retry()
    window.store_settled()
    files.settle()
    assert application.library.added == [FILE]


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Instance]:
    """A window's instance, listening."""
    instance = Instance(tmp_path)
    assert instance.claim()
    instance.listen()
    yield instance
    instance.release()


ASKING = """
import json, pathlib, sys
from PySide6.QtCore import QCoreApplication
from app.ui.instance import Instance
application = QCoreApplication([])
file = json.loads(sys.argv[2])
sys.exit(not Instance(pathlib.Path(sys.argv[1])).ask_first(file and pathlib.Path(file)))
"""


@pytest.mark.parametrize("file", [None, "/models/quite\nödd \udcff.gguf"])
def test_a_later_start_hands_its_file_over(first: Instance, tmp_path: Path, qtbot: QtBot, file: str | None) -> None:
    shown: list[bool] = []
    given: list[Path] = []
    first.show_requested.connect(lambda: shown.append(True))
    first.file_requested.connect(lambda file: given.append(file))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", ASKING, str(tmp_path), json.dumps(file)]
    with subprocess.Popen(words, env=environment) as asking:
        qtbot.waitUntil(lambda: asking.poll() is not None, timeout=30_000)
    assert asking.returncode == 0
    assert shown == [True]
    assert given == ([Path(file)] if file else [])


def test_who_only_talks_is_cut_off(first: Instance, tmp_path: Path, qtbot: QtBot) -> None:
    given: list[Path] = []
    first.file_requested.connect(lambda file: given.append(file))
    socket = QLocalSocket()
    socket.connectToServer(server_name(tmp_path))
    assert socket.waitForConnected(5_000)
    socket.write(b"open " + b"x" * (2 * LONGEST_BYTES))
    qtbot.waitUntil(lambda: socket.state() is QLocalSocket.LocalSocketState.UnconnectedState, timeout=30_000)
    assert given == []


def test_what_macos_wants_opened_is_heard() -> None:
    code = """
from PySide6.QtGui import QFileOpenEvent
from app.ui.opening import Desktop
application = Desktop([])
given = []
application.file_requested.connect(given.append)
Desktop.sendEvent(application, QFileOpenEvent("/models/one.gguf"))
print(*given)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "/models/one.gguf\n"
