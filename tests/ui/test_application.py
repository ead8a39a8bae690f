"""The application as a process: one window per data folder, a clean end; the real services under it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.paths import find_places
from app.bootstrap import build
from app.chat.context_view import Policy, Standing
from app.chat.messages import ReplyState
from app.ui.application import make_window
from app.ui.bridge import Bridge
from app.ui.instance import Instance, server_name
from app.ui.theme import style
from app.ui.theme.theme import Theme
from app.ui.widgets.focus_ring import FocusRing
from tests.support.processes import until

PATIENCE_S = 60.0
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(marks: str, home: str = "home") -> subprocess.Popen[bytes]:
        environment = {**os.environ, "INGLENOOK_MARKS": str(tmp_path / marks), "QT_QPA_PLATFORM": "offscreen"}
        command = [sys.executable, "-m", "app", "--data-dir", str(tmp_path / home)]
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(file: Path, word: str) -> None:
    until(lambda: file.exists() and word in file.read_text(), f"{word} in {file}", PATIENCE_S)


def test_a_second_start_shows_the_first_window_and_leaves(start: Start, tmp_path: Path) -> None:
    first = start("first")
    wait_for(tmp_path / "first", "ready")
    second = start("second")
    assert second.wait(PATIENCE_S) == 0
    assert not (tmp_path / "second").exists()  # it never showed a window of its own
    assert first.poll() is None
    start("other", home="another home")
    wait_for(tmp_path / "other", "ready")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_a_clean_end(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start("marks")
    wait_for(tmp_path / "marks", "ready")
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "home" / "window.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_start_after_a_kill_finds_the_folder_free(start: Start, tmp_path: Path) -> None:
    process = start("killed")
    wait_for(tmp_path / "killed", "ready")
    process.kill()
    process.wait()
    start("after")
    wait_for(tmp_path / "after", "ready")


def test_first_paint_comes_before_the_store(start: Start, tmp_path: Path) -> None:
    start("marks")
    wait_for(tmp_path / "marks", "ready")
    words = [line.split()[0] for line in (tmp_path / "marks").read_text().splitlines()]
    assert words == ["first_paint", "ready"]


def test_the_window_needs_no_store_and_no_network_to_be_imported() -> None:
    code = "import sys, app.bootstrap, app.ui.application; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode().split()
    heavy = {"sqlalchemy", "alembic", "sqlcipher3", "llama_cpp", "pygments", "markdown_it", "jinja2", "ssl"}
    assert not heavy & set(loaded)
    assert "PySide6.QtNetwork" not in loaded


def test_only_one_claims_a_folder(tmp_path: Path) -> None:
    first, second = Instance(tmp_path), Instance(tmp_path)
    assert first.claim()
    assert not second.claim()
    first.release()
    assert second.claim()
    second.release()


def test_names_of_sockets_are_short_and_different(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 200)
    assert server_name(tmp_path) != server_name(deep)
    assert len(server_name(deep)) < 60


class Real:
    """The real services under a real window, in this process."""

    def __init__(self, qapp: QApplication, home: Path) -> None:
        self.places = find_places(home)
        self.application = build(self.places)
        theme = Theme("paper", less_motion=True)
        style.install(qapp, theme)
        self.ring = FocusRing(qapp, theme)
        self.bridge = Bridge(self.application.publisher)
        self.window = make_window(self.application, theme, self.ring, self.places)
        self.bridge.changed.connect(self.window.apply)
        self.window.show()

    def open(self) -> None:
        self.application.open()
        self.bridge.flush()
        self.window.store_settled()

    def close(self) -> None:
        self.window.close()
        self.application.close()
        self.bridge.close()
        self.window.deleteLater()
        self.ring.deleteLater()


@pytest.fixture
def real(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Real]:
    made = Real(qapp, tmp_path / "home")
    yield made
    made.close()


def test_a_message_is_answered_and_everything_is_there_again(
    real: Real, qtbot: QtBot, qapp: QApplication, starter_model: Path
) -> None:
    real.open()
    page = real.window.conversation
    assert "starter model" in page.greeting.sentence.text()
    page.show_panel(True)
    page.panel.sampling.sliders["max_tokens"].setValue(1)
    page.panel.sampling.sliders["temperature"].setValue(0)
    page.composer.put("Say hello to the lighthouse keeper.")
    page.composer.send.click()
    conversation_id = page.conversation_id

    def finished() -> bool:
        path = real.application.conversations.path(conversation_id)
        return len(path) == 2 and path[1].state is ReplyState.DONE and not page.composer.send.streaming

    qtbot.waitUntil(finished, timeout=120_000)
    assert page.header.title.text() == "Say hello to the lighthouse keeper."
    assert page.composer.gauge.text().endswith("of 8k")
    assert not page.composer.gauge.text().startswith("0 ")
    assert page.header.pill.accessibleName() == "Model: SmolLM2-135M-Instruct, loaded"
    page.composer.put("half a thought")
    answer = real.application.conversations.path(conversation_id)[1].length
    assert answer > 0
    real.close()
    again = Real(qapp, real.places.data)
    again.open()
    assert again.window.conversation.conversation_id == conversation_id
    assert again.window.conversation.composer.text() == "half a thought"
    assert again.application.conversations.path(conversation_id)[1].length == answer
    again.close()


def test_what_the_model_sees_is_shown_and_chosen(real: Real, qtbot: QtBot, starter_model: Path) -> None:
    real.application.settings.change("engine.n_ctx", 1024)
    real.application.settings.change("generation.max_tokens", 8)
    real.open()
    page = real.window.conversation
    page.composer.put("Name the largest lighthouse, please.")
    page.composer.send.click()

    def counted() -> bool:
        view = page.seeing.view
        return page.seeing.settled and view is not None and len(view.entries) == 2 and view.exact

    qtbot.waitUntil(counted, timeout=120_000)
    view = page.seeing.view
    assert view is not None
    assert page.composer.gauge.accessibleName().startswith(f"{view.used} of 1,024 tokens")
    page.composer.gauge.click()
    tab = page.panel.context
    assert tab.figure.text() == str(view.used)
    tab.list.setFocus()
    QTest.keyClick(tab.list, Qt.Key.Key_Right)
    QTest.keyClick(tab.list, Qt.Key.Key_Down)
    question = real.application.conversations.path(page.conversation_id)[0].id
    QTest.keyClick(tab.list, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: page.transcript.column.standings.marks == {question: Standing.PINNED})
    tab.policy.segments._buttons["ask"].click()
    qtbot.waitUntil(lambda: page.seeing.view is not None and page.seeing.view.policy is Policy.ASK)
    reply = real.application.conversations.message(real.application.conversations.path(page.conversation_id)[1].id)
    assert reply.facts is not None
    assert reply.facts.generation is not None
    page.transcript.wished.emit("seen", reply.id)
    seen = str(reply.facts.generation.prompt_tokens)
    qtbot.waitUntil(lambda: tab.figure.text() == seen)
    entries = real.application.contexts.seen_by(reply.id).result(PATIENCE_S).entries
    assert [entry.message_id for entry in entries] == [question]


def test_a_plan_is_shown_changed_and_loaded(real: Real, qtbot: QtBot, starter_model: Path) -> None:
    real.open()
    library, loading = real.application.library, real.application.loading
    qtbot.waitUntil(lambda: bool(library.list()), timeout=30_000)
    real.window.visits.show_plan(library.list()[0].id)
    page = real.window.visits.plan
    assert page.plan is not None
    assert page.verdict.text().startswith("Fits, ")
    assert page.pictures.shown[-1].title.text() == "Memory"
    before = page.plan.fit.plan.kv_bytes
    page.controls.context.setValue(page.controls._stops.index(1024))
    assert page.plan.options.n_ctx == 1024
    assert page.plan.fit.plan.kv_bytes < before
    page.footer.load.click()
    qtbot.waitUntil(lambda: page.footer.load.text() == "Chat with SmolLM2-135M-Instruct", timeout=60_000)
    assert loading.state.model is not None
    assert loading.state.model.n_ctx == 1024
    real.window.visits.show_plan(library.list()[0].id)
    assert page.plan.by_person  # it has worked, and is kept for this model
    assert page.controls.rows["context"].value.text() == "1,024"


@pytest.fixture
def expected_warnings() -> list[str]:
    return ["the conversations cannot be opened"]


def test_a_damaged_database_is_a_page_and_stays_as_it_is(real: Real) -> None:
    real.places.data.mkdir(parents=True, exist_ok=True)
    damaged = b"this is not a database, but it is long enough to look like one" * 100
    real.places.database.write_bytes(damaged)
    real.open()
    window = real.window
    assert window.pages.currentWidget() is window.trouble
    assert window.trouble.title.text() == "The conversations cannot be read"
    assert real.places.database.read_bytes() == damaged
    real.places.database.unlink()  # somebody put it right
    window.trouble.retry.click()
    real.open()
    assert window.pages.currentWidget() is window.conversation
