"""The settings page: shows what holds, changes at once, says what could not be saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.engine.errors import NotGguf
from app.engine.values import Origin
from app.hub.errors import BadToken
from app.services.changes import EngineState
from app.services.errors import InUse
from app.services.network import ConnectionReport
from app.ui.pages.settings.models import AWAY, LEFT_OUT, NONE_FOUND, ModelsSection
from app.ui.pages.settings.page import SECTIONS
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter


def test_appearance(window: Window, application: FakeApplication) -> None:
    window.show_settings("appearance")
    section = window.settings.appearance
    section.cards._cards["night"].click()
    assert application.settings.current.appearance.theme == "night"
    assert window._theme.dark
    section.cards._cards["paper"].click()
    assert not window._theme.dark
    section.text_size.setValue(18)
    assert application.settings.current.appearance.text_size == 18
    section.column_width.chosen.emit("wide")
    assert application.settings.current.appearance.column == "wide"
    assert window.conversation.composer.maximumWidth() == 792
    section.line_height.chosen.emit("airy")
    assert application.settings.current.appearance.line_height == 1.8
    section.less_motion.click()
    assert not application.settings.current.appearance.less_motion
    assert not window._theme.less_motion


def test_what_holds_is_shown(window: Window, application: FakeApplication) -> None:
    application.settings.change("appearance.column", "narrow")
    application.settings.change("generation.temperature", 1.1)
    application.settings.change("engine.auto_load", True)
    window.show_settings("general")
    assert window.settings.appearance.column_width.choice() == "narrow"
    assert window.settings.general.auto_load.isChecked()
    assert window.settings.general.sampling.sliders["temperature"].accessibleName() == "Temperature: 1.10"
    application.settings.change("generation.temperature", 0.2)
    assert window.settings.general.sampling.sliders["temperature"].accessibleName() == "Temperature: 0.20"


def test_defaults(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    window.show_settings("general")
    general = window.settings.general
    QTest.keyClicks(general.prompt, "Answer in verse.")
    general.sampling.sliders["top_p"].setValue(general.sampling.sliders["top_p"].maximum())
    qtbot.waitUntil(lambda: application.settings.current.generation.top_p == 1.0)
    QTest.keyClick(window.settings, Qt.Key.Key_Escape)  # at once: what was typed is kept all the same
    assert application.settings.current.generation.system_prompt == "Answer in verse."
    assert window.pages.currentWidget() is window.conversation


def test_network(window: Window, application: FakeApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window.show_settings("network")
    section = window.settings.network
    assert section.endpoint.placeholderText() == "https://huggingface.co"
    section.proxy.setFocus()
    QTest.keyClicks(section.proxy, " http://proxy.example:8080 ")
    assert application.settings.current.network.proxy == ""
    QTest.keyClick(section.proxy, Qt.Key.Key_Return)
    assert application.settings.current.network.proxy == "http://proxy.example:8080"
    section.hosts.setFocus()
    QTest.keyClicks(section.hosts, "cdn.example, files.example:8443,")
    QTest.keyClick(window.settings, Qt.Key.Key_Escape)
    assert application.settings.current.network.token_hosts == ("cdn.example", "files.example:8443")
    window.show_settings("network")
    section.images.click()
    assert application.settings.current.network.card_images
    certificates = tmp_path / "ca.pem"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(certificates), ""))
    assert not section.forget.isVisible()
    section._choose_file()
    assert application.settings.current.network.ca_file == str(certificates)
    section.forget.click()
    assert application.settings.current.network.ca_file == ""


@pytest.fixture
def places(window: Window, application: FakeApplication) -> ModelsSection:
    """The section with two folders, one of them away, and a single file."""
    application.library.models = content.shelf()
    application.settings.change("models.folders", ("/home/me/office", "/media/archive"))
    application.settings.change("models.files", ("/home/me/Downloads/phi-4-mini.gguf",))
    window.show_settings("models")
    return window.settings.models


def test_where_models_are_looked_for(places: ModelsSection, application: FakeApplication) -> None:
    assert [(row.entry.shown, row.entry.words) for row in places.folders.rows] == [
        ("/home/me/office", "No model in it yet"),
        ("/media/archive", AWAY),
    ]
    assert [(row.entry.shown, row.entry.words) for row in places.files.rows] == [
        ("/home/me/Downloads/phi-4-mini.gguf", "1.2 GB")
    ]
    assert places.own.text() == "/home/me/.local/share/inglenook/models"
    assert [switch.accessibleName() for switch in places.switches.values()] == [
        "Models of LM Studio", "Models of Ollama", "Models in the Hugging Face cache",
    ]  # fmt: skip
    assert places.folders.rows[1].remove.accessibleName() == "Take /media/archive off the list"
    assert not places.folders.nothing.isVisible()


def test_other_programs_can_be_left_out(places: ModelsSection, application: FakeApplication) -> None:
    switch = places.switches[Origin.OLLAMA]
    meaning = places._helps["Models of Ollama"]
    assert switch.isChecked()
    assert meaning.text() == "1 model, 2.0 GB, in /home/me/.ollama/models"
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert not application.settings.current.models.ollama
    assert meaning.text() == LEFT_OUT
    application.settings.change("models.ollama", True)
    assert switch.isChecked()
    assert places._helps["Models in the Hugging Face cache"].text() == NONE_FOUND


def test_a_place_is_added_and_taken_off_by_keyboard(
    window: Window, places: ModelsSection, application: FakeApplication, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/elsewhere/one.gguf", ""))
    places.add_folder.setFocus()
    QTest.keyClick(places.add_folder, Qt.Key.Key_Space)
    assert application.settings.current.models.folders[-1] == str(tmp_path)
    assert window.settings.toast.text == f"{tmp_path.name} was added, with 2 models"
    QTest.keyClick(places.add_file, Qt.Key.Key_Space)
    assert application.settings.current.models.files[-1] == "/elsewhere/one.gguf"
    assert window.settings.toast.text == "one was added"
    QTest.keyClick(places.add_file, Qt.Key.Key_Space)
    assert window.settings.toast.text == "one.gguf is in the list of models already"
    places.folders.rows[1].remove.setFocus()
    QTest.keyClick(places.folders.rows[1].remove, Qt.Key.Key_Space)
    assert application.settings.current.models.folders == ("/home/me/office", str(tmp_path))
    assert places.folders.rows[1].remove.hasFocus(), "the next one has the focus now"
    assert window.settings.toast.text == "archive is off the list. Nothing was deleted."
    window.settings.toast.take_back()
    assert application.settings.current.models.folders == ("/home/me/office", "/media/archive", str(tmp_path))
    application.settings.change("models.folders", ())
    assert places.folders.nothing.isVisible()


def test_a_place_that_is_refused_is_said(
    window: Window, places: ModelsSection, application: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/elsewhere/no.gguf", ""))
    application.library.refuse = NotGguf("This is not a GGUF file.")
    places.add_file.click()
    assert "not a GGUF model" in window.settings.toast.text
    assert len(application.settings.current.models.files) == 1


def test_the_own_folder_is_chosen_and_looked_through(
    places: ModelsSection, application: FakeApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.library.refreshed.clear()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    places.choose.click()
    assert application.settings.current.general.models_dir == str(tmp_path)
    assert application.library.refreshed.is_set()


def test_what_is_kept_of_conversations(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    window.show_settings("conversations")
    section = window.settings.conversations
    qtbot.waitUntil(lambda: "377 MB are reserved for 16,384 tokens" in section.costs.text())
    assert section.length.choice() == "0"
    section.length.chosen.emit("16384")
    section.cells.chosen.emit("32768")
    section.types.chosen.emit("q8_0")
    section.at_once.chosen.emit("2")
    section.room.chosen.emit("2000000000")
    settings = application.settings.current
    assert settings.engine.n_ctx == 16_384
    assert (settings.cache.cells, settings.cache.parallel, settings.cache.snapshots_bytes) == (32_768, 2, 2_000_000_000)
    assert (settings.cache.type_k, settings.cache.type_v) == ("q8_0", "q8_0")
    assert (section.length.choice(), section.types.choice()) == ("16384", "q8_0")
    application.settings.change("cache.type_v", "f16")
    assert section.types.choice() == "", "keys and values differ"
    section.kept.click()
    assert not application.settings.current.cache.snapshots
    assert section.ahead.isChecked()
    section.ahead.click()
    assert not application.settings.current.engine.guess_ahead


def test_what_is_kept_ready_is_removed(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    window.show_settings("conversations")
    section = window.settings.conversations
    qtbot.waitUntil(lambda: section.taken.text() == "1.2 GB are taken now, 16 GB at most.")
    section.remove.click()
    qtbot.waitUntil(lambda: section.taken.text() == "Nothing is taken now, 16 GB at most.")
    assert not section.remove.isEnabled()


def test_settings_that_are_not_in_use_yet(window: Window, application: FakeApplication) -> None:
    window.show_settings("conversations")
    section = window.settings.conversations
    assert not section.again.isVisible()
    application.loading.become(EngineState.READY, starter())
    application.loading.outdated = True
    application.settings.change("cache.parallel", 8)
    assert section.again.isVisible()
    section.again.click()
    assert application.loading.loads == [starter().id]
    assert not section.again.isVisible()


def test_logging_in(window: Window, application: FakeApplication) -> None:
    window.show_settings("network")
    rows = window.settings.network.account
    assert rows.state.text() == "Not logged in."
    assert not rows.leave_button.isVisible()
    rows.field.setFocus()
    QTest.keyClicks(rows.field, "hf_secret")
    QTest.keyClick(rows.field, Qt.Key.Key_Return)
    assert application.account.entered == [("hf_secret", True)]
    assert rows.field.text() == "", "it is never shown again"
    assert "keyring" in rows.state.text()
    rows.leave_button.click()
    assert rows.state.text() == "Not logged in."
    rows.keep.click()
    QTest.keyClicks(rows.field, "hf_other")
    rows.enter.click()
    assert application.account.entered[-1] == ("hf_other", False)
    application.account.refuse = BadToken("This is not an access token.")
    QTest.keyClicks(rows.field, "wrong")
    rows.enter.click()
    assert rows.state.text().endswith("This is not an access token.")
    application.account.refuse = None
    application.account.origin = "environment"
    rows.reload()
    assert not rows.field.isEnabled()


def test_the_connection_is_checked_with_what_was_typed(window: Window, application: FakeApplication) -> None:
    window.show_settings("network")
    section = window.settings.network
    section.endpoint.setFocus()
    QTest.keyClicks(section.endpoint, "https://mirror.example")
    section.check.click()
    assert application.settings.current.network.endpoint == "https://mirror.example"
    assert section.report.text() == "huggingface.co answers. It took 120 ms."
    sentence = "The name mirror.example could not be looked up. Look at your network connection."
    application.network.report = ConnectionReport(ok=False, code="name_not_found", sentence=sentence, endpoint="")
    section.check.click()
    assert section.report.text() == sentence
    assert section.check.isEnabled()


def test_every_section_can_be_reached(window: Window) -> None:
    window.show_settings("")
    for key in SECTIONS:
        window.settings.rows[key].click()
        assert window.settings._scrolls[key].isVisible()
        assert sum(scroll.isVisible() for scroll in window.settings._scrolls.values()) == 1


def test_a_folder_that_cannot_be_written_is_said(window: Window, application: FakeApplication, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    application.settings._path = blocked / "settings.json"
    window.show_settings("appearance")
    window.settings.appearance.column_width.chosen.emit("wide")
    assert "could not be saved" in window.settings.toast.text
    assert window.settings.toast.isVisible()
    assert application.settings.current.appearance.column == "wide"


def test_leaving_is_listed_before_it_is_agreed_to(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    window.show_settings("about")
    rows = window.settings.about.leaving
    assert rows.remove_row.isHidden()
    rows.show_button.click()
    qtbot.waitUntil(lambda: not rows.remove_row.isHidden())
    assert rows.list.lines[0] == "Conversations 12 MB"
    assert not [line for line in rows.list.lines if "Models" in line]
    assert not rows.models.isChecked()
    assert application.leaving.agreed is None
    rows.models.click()
    application.leaving.refuse = InUse("Another one uses it. Quit it, then try again.")
    rows.remove.click()
    assert rows.refusal.text() == "Another one uses it. Quit it, then try again."
    assert rows.refusal.isVisible()
    assert window.isVisible()
    application.leaving.refuse = None
    with qtbot.waitSignal(window.settings.quit_requested):
        rows.remove.click()
    assert application.leaving.agreed is True
    assert not window.isVisible()
