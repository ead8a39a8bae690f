"""The settings page: shows what holds, changes at once, says what could not be saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.hub.errors import BadToken
from app.services.network import ConnectionReport
from app.ui.pages.settings.page import SECTIONS
from app.ui.window import Window
from tests.support.fake_application import FakeApplication


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
