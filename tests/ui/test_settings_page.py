"""The settings page: shows what holds, changes at once, says what could not be saved."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

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
