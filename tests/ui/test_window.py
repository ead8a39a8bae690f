"""Navigation, keys, sizes, and what the window remembers."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot

from app.chat.messages import Message, Role
from app.services.changes import ConversationsChanged, EngineState, TroubleChanged
from app.ui import window_state
from app.ui.menus import ACTIONS
from app.ui.theme import tokens
from app.ui.window import Window
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def _conversation(application: FakeApplication, title: str = "One") -> str:
    user = Message(id=f"u{title}", conversation_id="", parent_id=None, role=Role.USER, text="the question")
    reply = Message(id=f"r{title}", conversation_id="", parent_id=user.id, role=Role.ASSISTANT, text="the answer, the")
    return application.conversations.add(title, [user, reply])


def test_a_window_begins_with_a_greeting(window: Window) -> None:
    page = window.conversation
    assert page.greeting.isVisible()
    assert all(row.isVisible() for row in page.suggestions)
    assert page.header.title.text() == ""
    assert window.focusWidget() is page.composer.field


def test_parts_that_nobody_saw_are_not_built(window: Window) -> None:
    page = window.conversation
    assert not any(page.has(part) for part in ("transcript", "panel", "picker", "find_bar", "toast"))
    assert not {"settings", "privacy", "trouble"} & window.visits.__dict__.keys()


@pytest.mark.parametrize(
    ("key", "modifiers", "seen"),
    [
        (Qt.Key.Key_Comma, CONTROL, lambda w: w.pages.currentWidget() is w.settings),
        (Qt.Key.Key_K, CONTROL, lambda w: w.sidebar.search.hasFocus()),
        (Qt.Key.Key_F, CONTROL, lambda w: w.conversation.find_bar.field.hasFocus()),
        (Qt.Key.Key_B, CONTROL, lambda w: not w.sidebar.isVisible()),
        (Qt.Key.Key_I, CONTROL, lambda w: w.conversation.panel.isVisible()),
        (Qt.Key.Key_M, CONTROL, lambda w: w.conversation.picker.isVisible()),
        (Qt.Key.Key_N, CONTROL, lambda w: w.conversation.conversation_id == ""),
    ],
)
def test_keys(window: Window, application: FakeApplication, key: Qt.Key, modifiers: Any, seen: Any) -> None:
    window.open(_conversation(application))
    QTest.keyClick(window, key, modifiers)
    assert seen(window)


def test_diagnostics_are_copied(window: Window) -> None:
    QTest.keyClick(window, Qt.Key.Key_C, CONTROL | SHIFT)
    assert "data_dir: ~" in QApplication.clipboard().text()
    assert "Diagnostics copied" in window.conversation.toast.text


def test_quit_closes(window: Window) -> None:
    QTest.keyClick(window, Qt.Key.Key_Q, CONTROL)
    assert not window.isVisible()


def test_no_key_is_taken_twice() -> None:
    keys = [keys for _, _, keys in ACTIONS.values() if keys]
    assert len(keys) == len(set(keys))


def test_the_menu_offers_only_what_can_be_done(window: Window, application: FakeApplication) -> None:
    def words() -> list[str]:
        return [action.text() for action in window.actions_.menu().actions() if action.text()]

    assert "Delete this conversation" not in words()
    window.open(_conversation(application))
    assert "Delete this conversation" in words()


def test_find_in_the_conversation(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    window.open(_conversation(application))
    QTest.keyClick(window, Qt.Key.Key_F, CONTROL)
    bar = window.conversation.find_bar
    QTest.keyClicks(bar.field, "the")
    qtbot.waitUntil(lambda: bar.count.text() == "3 places")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    bar.field.setText("nowhere")
    qtbot.waitUntil(lambda: bar.count.text() == "Nothing found")
    QTest.keyClick(bar.field, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    assert window.conversation.composer.field.hasFocus()


def test_geometry_panel_and_conversation_come_back(make_window: Any, application: FakeApplication) -> None:
    conversation_id = _conversation(application)
    first: Window = make_window(880, 640)
    first.open(conversation_id)
    first.conversation.show_panel(True)
    kept = first.height()
    first.close()
    second: Window = make_window(None, opened=False)
    assert second.height() == kept
    assert second.conversation.panel_shown
    assert not second.conversation.greeting.isVisible()  # its place is kept for the conversation that comes back
    second.store_settled()
    assert second.conversation.conversation_id == conversation_id


def test_a_remembered_conversation_that_is_gone(make_window: Any, application: FakeApplication) -> None:
    window_state.write(application.places.window_state, window_state.WindowState(conversation_id="gone"))
    window = make_window()
    assert window.conversation.conversation_id == ""
    assert window.conversation.greeting.isVisible()


@pytest.mark.parametrize("state", [Qt.WindowState.WindowNoState, Qt.WindowState.WindowMaximized])
def test_a_later_start_brings_the_window_to_where_the_person_is(
    window: Window, monkeypatch: pytest.MonkeyPatch, state: Qt.WindowState
) -> None:
    """Some managers of X11 take a window of another desktop off the screen; it is shown anew, as it was, and stays."""
    shown: list[bool] = []
    handle = window.windowHandle()
    handle.visibleChanged.connect(shown.append)
    window.setWindowState(state | Qt.WindowState.WindowMinimized)
    monkeypatch.setattr(QGuiApplication, "platformName", lambda: "xcb")
    monkeypatch.setattr(type(handle), "isExposed", lambda _handle: False)
    monkeypatch.setattr(Window, "raise_", lambda _window: None)  # which this platform has not
    window.come_forward()
    assert shown == [False, True]
    assert window.windowState() & ~Qt.WindowState.WindowActive == state
    monkeypatch.setattr(type(handle), "isExposed", lambda _handle: True)
    window.come_forward()
    assert shown == [False, True]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"sidebar": "x"}', b"\xff\xfe"])
def test_a_damaged_window_file_is_as_good_as_none(
    make_window: Any, application: FakeApplication, content: bytes
) -> None:
    application.places.window_state.write_bytes(content)
    assert make_window().isVisible()


@pytest.mark.parametrize(
    ("width", "panel", "sidebar"), [(1280, True, True), (1100, True, False), (1100, False, True), (880, False, False)]
)
def test_the_sidebar_gives_way(
    make_window: Any, application: FakeApplication, width: int, panel: bool, sidebar: bool
) -> None:
    window: Window = make_window(width)
    window.open(_conversation(application))
    window.conversation.show_panel(panel)
    assert window.sidebar.isVisible() is sidebar
    assert window.conversation.header.unfold.isVisible() is not sidebar
    if not sidebar:
        window.conversation.header.unfold.click()
        assert window.sidebar.isVisible()
        assert window.pages.x() == 0  # it lies over the page
        QTest.mouseClick(window.frame._shade, Qt.MouseButton.LeftButton, pos=window.frame._shade.rect().center())
        assert not window.sidebar.isVisible()


def test_settings_take_the_rail_where_it_is_narrow(make_window: Any) -> None:
    window: Window = make_window(1024)
    window.show_settings("about")
    assert window.rail.isVisible()
    assert not window.sidebar.isVisible()
    window.resize(1300, 800)
    assert not window.rail.isVisible()
    assert window.sidebar.isVisible()


def test_a_refused_store_is_a_page_of_its_own(make_window: Any, qtbot: QtBot) -> None:
    window: Window = make_window(opened=False)
    window.apply(TroubleChanged(code="database_newer", sentence="Made by a newer version.", detail="schema 9"))
    window.store_settled()
    assert window.pages.currentWidget() is window.trouble
    assert not window.sidebar.isVisible()
    assert window.trouble.sentence.text() == "Made by a newer version."
    QTest.keyClick(window, Qt.Key.Key_N, CONTROL)
    assert window.pages.currentWidget() is window.trouble
    with qtbot.waitSignal(window.retry_requested):
        window.trouble.retry.click()
    window.store_settled()
    assert window.pages.currentWidget() is window.conversation
    assert window.sidebar.isVisible()


def test_trouble_while_running_is_a_banner(window: Window) -> None:
    window.apply(TroubleChanged(code="disk_full", sentence="The disk is full."))
    assert window.conversation.banner.title.text() == "The disk is full."
    assert window.conversation.banner.isVisible()
    window.apply(TroubleChanged(code="another"))
    assert window.conversation.banner.isVisible()
    window.apply(TroubleChanged(code="disk_full"))
    assert not window.conversation.banner.isVisible()


def test_an_engine_that_died_and_came_back(window: Window, application: FakeApplication) -> None:
    banner = window.conversation.banner
    application.loading.become(EngineState.READY, starter())
    assert not banner.isVisible()
    application.loading.become(EngineState.STARTING, starter(), sentence="It ran out of memory.", restarted=True)
    assert banner.detail.text() == "It ran out of memory."
    application.loading.become(EngineState.LOADING, starter(), restarted=True)
    application.loading.become(EngineState.READY, starter(), restarted=True)
    assert (banner.title.text(), banner.isVisible()) == ("The model is back", True)
    window.conversation.show_sent("r")
    assert not banner.isVisible()


def test_the_window_follows_a_title(window: Window, application: FakeApplication) -> None:
    conversation_id = _conversation(application)
    window.open(conversation_id)
    assert window.windowTitle() == "One – Inglenook"
    application.conversations.rename(conversation_id, "Two")
    application.publisher.publish(ConversationsChanged())
    assert window.conversation.header.title.text() == "Two"
    assert window.windowTitle() == "Two – Inglenook"


def test_the_theme_follows_the_settings(window: Window, application: FakeApplication) -> None:
    page = window.palette().window().color().name()
    application.settings.change("appearance.theme", "night")
    assert window.palette().window().color().name() == "#1c1a17"
    application.settings.change("appearance.theme", "paper")
    assert window.palette().window().color().name() == page == "#fcfaf6"


def test_the_focus_ring_is_for_the_keyboard(window: Window, qtbot: QtBot) -> None:
    ring = window._ring
    QTest.mouseClick(window.conversation.header.panel, Qt.MouseButton.LeftButton)
    assert ring.target is None
    window.conversation.composer.field.setFocus()
    for _ in range(12):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        if ring.target is not None:
            break
    assert ring.target is not None
    window.conversation.composer.field.setFocus()
    assert ring.target is None


def test_the_focus_ring_is_never_cut_off(window: Window, application: FakeApplication) -> None:
    window.open(application.conversations.add("Bees"))
    window.conversation.show_panel(True)
    window.conversation.panel.show_tab("model")
    window.conversation.panel.tabs.setFocus()
    ring, seen = window._ring, set()
    for _ in range(40):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        if ring.target is not None and ring._ring is not None:
            seen.add(ring.target.accessibleName())
            assert ring._ring.place.rect().contains(ring._ring.geometry()), ring.target.accessibleName()
    assert {"Add an adapter", "New conversation"} <= seen


def test_what_gets_the_focus_comes_into_sight(make_window: Any, application: FakeApplication) -> None:
    window: Window = make_window(1280, 600)
    window.open(application.conversations.add("Bees"))
    panel = window.conversation.panel
    window.conversation.show_panel(True)
    panel.show_tab("model")
    assert panel.adapters.add.visibleRegion().isEmpty()
    window.sidebar.search.setFocus()
    while not panel.adapters.add.hasFocus():
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Backtab)
        assert not window.conversation.composer.field.hasFocus()
    assert not panel.adapters.add.visibleRegion().isEmpty()


def test_escape_means_the_same_beside_the_page(window: Window, application: FakeApplication) -> None:
    window.open(application.conversations.add("Bees"))
    row = next(one for one in window.sidebar.findChildren(QAbstractButton) if one.text() == "Settings")
    row.setFocus()
    QTest.keyClick(row, Qt.Key.Key_Return)
    assert window.pages.currentWidget() is window.settings
    QTest.keyClick(row, Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.conversation
    assert window.conversation.composer.field.hasFocus()
    window.conversation.show_sent("r")
    row.setFocus()
    QTest.keyClick(row, Qt.Key.Key_Escape)
    assert application.sending.stopped == ["r"]


def test_settings_have_a_way_back_while_the_sidebar_is_folded(make_window: Any) -> None:
    window: Window = make_window(1300)
    window.frame.set_wanted(False)
    window.show_settings("")
    assert window.rail.isVisible()
    assert window.pages.x() == tokens.RAIL + 1
    QTest.keyClick(window, Qt.Key.Key_B, CONTROL)
    assert window.sidebar.isVisible()
    assert not window.rail.isVisible()


def test_a_word_said_beside_the_greeting_covers_nothing_one_needs(window: Window) -> None:
    window.conversation.say("Something was done")
    page, toast = window.conversation, window.conversation.toast
    said = QRect(toast.mapTo(page, QPoint()), toast.size())
    for other in (page.greeting, page.composer, *page.suggestions):
        assert not said.intersects(QRect(other.mapTo(page, QPoint()), other.size()))


def test_a_word_is_said_on_the_page_that_is_shown(window: Window) -> None:
    window.show_settings("about")
    window.settings.about.diagnostics_requested.emit()
    assert window.pages.currentWidget() is window.settings
    assert window.settings.toast.isVisible()
    assert "Diagnostics copied" in window.settings.toast.text
    window.resize(1000, 700)
    assert window.settings.toast.geometry().center().x() == pytest.approx(window.settings.width() / 2, abs=2)


@pytest.mark.parametrize("width", [1024, 1280])
def test_after_the_settings_one_goes_on_writing(make_window: Any, application: FakeApplication, width: int) -> None:
    conversation_id = _conversation(application)
    window: Window = make_window(width)
    window.open(conversation_id)
    window.show_settings("about")
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.conversation
    assert window.conversation.conversation_id == conversation_id
    assert window.conversation.composer.field.hasFocus()


def test_the_focus_ring_goes_along_from_choice_to_choice(window: Window) -> None:
    window.show_settings("appearance")
    rows = window.settings.rows
    rows["appearance"].setFocus()
    ring = window._ring
    window.focusNextPrevChild(True)
    window.focusNextPrevChild(False)
    assert ring.target is rows["appearance"]
    QTest.keyClick(rows["appearance"], Qt.Key.Key_Down)
    assert ring.target is rows["conversations"]
