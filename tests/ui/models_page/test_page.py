"""The page itself: ways to it and back, by pointer and by keyboard; names from strangers."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.hub.values import ModelSummary
from app.ui.models.versions import VERSION
from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication


def test_ways_to_the_page_and_back(window: Window, page: ModelsPage) -> None:
    assert window.sidebar.models.isChecked()
    assert QApplication.focusWidget() is page.find_tab.search.field
    assert page.place.text().startswith("Kept in")
    QTest.keyClick(page.find_tab.search.list, Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.conversation
    window.actions_["find_models"].trigger()
    assert window.pages.currentWidget() is page
    window.resize(1000, 700)
    window.go(window.conversation)
    window.rail.models.click()
    assert window.pages.currentWidget() is page
    assert "Kept in" not in page.place.text()


def test_the_list_of_loaded_models_leads_here(window: Window) -> None:
    window.conversation.toggle_picker()
    window.conversation.picker._find.click()
    assert not window.conversation.picker.isVisible()
    assert window.pages.currentWidget() is window.visits.models
    assert window.visits.models.tab == "find"


def test_the_list_is_walked_from_the_field(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    QTest.keyClick(search.field, Qt.Key.Key_Down)
    QTest.keyClick(search.field, Qt.Key.Key_Down)
    assert search.list.currentIndex().row() == 1
    QTest.keyClick(search.field, Qt.Key.Key_Return)
    application.browsing.show(content.repository(), repo=search.model.rows[1].repo)
    search.list.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(search.list, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is online.find_tab.detail.getting.table
    assert online.find_tab.detail.getting.table.currentIndex().column() == VERSION


def test_names_from_strangers_stay_text(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    search.field.setText("x")
    search.look()
    hostile = ModelSummary(repo="evil/<b>bold</b>-GGUF", license="<i>own</i>", base_model="<img src=x>")
    application.browsing.answer(hostile)
    search.list.step(1)
    head = online.find_tab.detail.head
    for label in (head.title, head.about_it, head.terms):
        assert label.textFormat() is Qt.TextFormat.PlainText
    widgets: list[Any] = [online.find_tab.detail.getting.why, search.status]
    assert all(widget.textFormat() is Qt.TextFormat.PlainText for widget in widgets)
