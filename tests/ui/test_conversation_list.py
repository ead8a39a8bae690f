"""The list at the left: rows follow changes, and only rows that differ are touched."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from app.chat.messages import Conversation, ReplyState, SearchHit
from app.services.changes import ConversationsChanged, ReplyChanged
from app.ui.components.search_results import fitted, shortened
from app.ui.deeds import delete
from app.ui.models.conversations import HEADING_ROLE, LIVE_ROLE, ConversationListModel
from app.ui.theme.theme import Theme
from app.ui.window import Window
from tests.support.fake_application import FakeApplication

NOON = datetime.datetime(2026, 3, 10, 12, 0)
TODAY = NOON.date()


def row(id: str, hours_ago: float, title: str = "") -> Conversation:
    when = round((NOON.timestamp() - hours_ago * 3600) * 1000)
    return Conversation(id=id, title=title or id, created_ms=when, updated_ms=when)


def texts(model: QAbstractItemModel) -> list[str]:
    return [str(model.index(at, 0).data()) for at in range(model.rowCount())]


def test_grouped_by_day(qtbot: QtBot) -> None:
    model = ConversationListModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.show([row("a", 1), row("b", 30), row("c", 80), row("d", 900)], TODAY)
    assert texts(model) == ["Today", "a", "Yesterday", "b", "Earlier", "c", "d"]
    assert [bool(model.index(at).data(HEADING_ROLE)) for at in range(3)] == [True, False, True]
    assert not model.flags(model.index(0)) & Qt.ItemFlag.ItemIsSelectable


@pytest.mark.parametrize(
    "after",
    [
        [],
        [("a", 1), ("b", 2), ("c", 40)],
        [("b", 0), ("a", 1), ("c", 40), ("d", 80)],
        [("x", 0), ("a", 1), ("b", 2), ("c", 40), ("d", 80)],
        [("d", 80)],
        [("c", 1), ("d", 2), ("a", 30), ("b", 50)],
    ],
)
@pytest.mark.parametrize("most_moves", [0, 1, 32])
def test_every_way_from_one_list_to_another(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, after: list[tuple[str, float]], most_moves: int
) -> None:
    monkeypatch.setattr("app.ui.models.conversations.MOST_MOVES", most_moves)
    model = ConversationListModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.show([row("a", 1), row("b", 2), row("c", 40), row("d", 80)], TODAY)
    wanted = [row(key, hours) for key, hours in after]
    model.show(wanted, TODAY)
    fresh = ConversationListModel()
    fresh.show(wanted, TODAY)
    assert texts(model) == texts(fresh)


def test_a_new_title_touches_one_row(qtbot: QtBot) -> None:
    model = ConversationListModel()
    model.show([row("a", 1), row("b", 2)], TODAY)
    touched: list[int] = []
    model.dataChanged.connect(lambda first, last, _roles: touched.append(first.row()))
    model.rowsInserted.connect(lambda *_: touched.append(-1))
    model.modelReset.connect(lambda: touched.append(-2))
    model.show([row("a", 1), row("b", 2, "another")], TODAY)
    assert touched == [2]


def test_a_streaming_conversation_has_a_dot(window: Window, application: FakeApplication) -> None:
    conversation_id = application.conversations.add("One")
    window.sidebar.reload()
    model = window.sidebar.model
    index = model.index(model.row_of(conversation_id))
    for state, dot in ((ReplyState.WRITING, True), (ReplyState.DONE, False)):
        application.publisher.publish(ReplyChanged(conversation_id=conversation_id, message_id="m", state=state))
        assert index.data(LIVE_ROLE) is dot
        assert ("being written" in index.data(Qt.ItemDataRole.AccessibleTextRole)) is dot


def test_the_dot_stays_while_anything_is_being_written_there(window: Window, application: FakeApplication) -> None:
    """Also on a branch that is not shown: the reply that one looks at has ended, the one before has not."""
    conversation_id = application.conversations.add("One")
    window.sidebar.reload()
    model = window.sidebar.model
    index = model.index(model.row_of(conversation_id))
    states = (("a", ReplyState.WRITING), ("b", ReplyState.QUEUED), ("b", ReplyState.DONE), ("a", ReplyState.STOPPED))
    seen = []
    for message_id, state in states:
        application.publisher.publish(ReplyChanged(conversation_id=conversation_id, message_id=message_id, state=state))
        seen.append(index.data(LIVE_ROLE))
    assert seen == [True, True, True, False]


def test_rename_in_place_with_f2(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    conversation_id = application.conversations.add("Old title")
    window.sidebar.reload()
    window.open(conversation_id)
    QTest.keyClick(window, Qt.Key.Key_F2)
    editor = window.sidebar.list.findChild(QLineEdit)
    assert editor is not None
    assert editor.text() == "Old title"
    QTest.keyClicks(editor, "New  title ")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: application.conversations.rows[conversation_id].title == "New title")
    assert window.conversation.header.title.text() == "New title"


def test_escape_leaves_the_title(window: Window, application: FakeApplication) -> None:
    conversation_id = application.conversations.add("Old title")
    window.sidebar.reload()
    window.rename(conversation_id)
    editor = window.sidebar.list.findChild(QLineEdit)
    assert editor is not None
    QTest.keyClicks(editor, "New")
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert application.conversations.rows[conversation_id].title == "Old title"


def test_delete_and_undo(window: Window, application: FakeApplication) -> None:
    keep, gone = application.conversations.add("Keep"), application.conversations.add("Gone")
    window.sidebar.reload()
    window.open(gone)
    listed = window.sidebar.list
    listed.setFocus()
    listed.setCurrentIndex(window.sidebar.model.index(window.sidebar.model.row_of(gone)))
    QTest.keyClick(listed, Qt.Key.Key_Delete)
    assert gone not in application.conversations.rows
    assert window.conversation.conversation_id == ""
    toast = window.conversation.toast
    assert toast.isVisible()
    assert "Gone" in toast.text
    toast._button.click()
    assert set(application.conversations.rows) == {keep, gone}
    assert window.conversation.conversation_id == gone
    assert not toast.isVisible()


def test_several_deletions_are_taken_back_one_by_one(window: Window, application: FakeApplication) -> None:
    one, two, three = (application.conversations.add(title) for title in ("One", "Two", "Three"))
    window.sidebar.reload()
    window.open(three)
    for gone in (one, two, three):
        delete(window, gone)
    toast = window.conversation.toast
    toast._button.click()
    assert set(application.conversations.rows) == {three}
    assert (toast.isVisible(), toast.text) == (True, "“Two” was deleted")
    field = window.conversation.composer.field
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # nothing to undo in the field
    assert set(application.conversations.rows) == {two, three}
    toast.leave()
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert set(application.conversations.rows) == {two, three}, "a person who writes means the text"
    window.sidebar.list.setFocus()
    QTest.keyClick(window.sidebar.list, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert set(application.conversations.rows) == {one, two, three}


def test_deleting_another_one_leaves_the_open_one(window: Window, application: FakeApplication) -> None:
    keep, gone = application.conversations.add("Keep"), application.conversations.add("Gone")
    window.open(keep)
    delete(window, gone)
    assert window.conversation.conversation_id == keep


def test_arrows_and_enter_open(window: Window, application: FakeApplication) -> None:
    first = application.conversations.add("First", age_ms=0)
    second = application.conversations.add("Second", age_ms=1000)
    window.sidebar.reload()
    window.open(first)
    window.sidebar.list.setFocus()
    QTest.keyClick(window.sidebar.list, Qt.Key.Key_Down)
    QTest.keyClick(window.sidebar.list, Qt.Key.Key_Return)
    assert window.conversation.conversation_id == second
    QTest.keyClick(window, Qt.Key.Key_PageUp, Qt.KeyboardModifier.ControlModifier)
    assert window.conversation.conversation_id == first


def _hit(conversation_id: str, message_id: str | None, snippet: str) -> SearchHit:
    return SearchHit(
        conversation_id=conversation_id,
        title="A title",
        message_id=message_id,
        snippet=snippet,
        marks=[(0, 3)],
        updated_ms=0,
    )


def test_search_jumps_to_the_hit(
    window: Window, application: FakeApplication, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation_id = application.conversations.add("A title")
    application.conversations.hits = [_hit(conversation_id, None, "tea"), _hit(conversation_id, "m7", "tea and milk")]
    window.sidebar.reload()
    QTest.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.focusWidget() is window.sidebar.search
    QTest.keyClicks(window.sidebar.search, "tea")
    qtbot.waitUntil(window.sidebar.results.isVisible)
    jumps: list[str] = []
    monkeypatch.setattr(
        type(window.conversation.transcript), "scroll_to", lambda _, message_id: jumps.append(message_id)
    )
    QTest.keyClick(window.sidebar.search, Qt.Key.Key_Down)
    QTest.keyClick(window.sidebar.search, Qt.Key.Key_Down)
    QTest.keyClick(window.sidebar.search, Qt.Key.Key_Return)
    assert window.conversation.conversation_id == conversation_id
    assert jumps == ["m7"]


def test_escape_leaves_the_search(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    application.conversations.add("A title")
    window.sidebar.reload()
    QTest.keyClicks(window.sidebar.search, "zebra")
    qtbot.waitUntil(lambda: window.sidebar.note.isVisible() and "zebra" in window.sidebar.note.text())
    QTest.keyClick(window.sidebar.search, Qt.Key.Key_Escape)
    assert window.sidebar.list.isVisible()


def test_nothing_is_claimed_before_the_store_is_open(make_window: object) -> None:
    window = make_window(opened=False)  # type: ignore[operator]
    assert not window.sidebar.note.isVisible()
    window.store_settled()
    assert window.sidebar.note.isVisible()
    assert window.sidebar.note.text().startswith("Your conversations will be listed here")


def test_f2_renames_the_row_the_keyboard_is_on(window: Window, application: FakeApplication) -> None:
    first = application.conversations.add("First", age_ms=0)
    application.conversations.add("Second", age_ms=1000)
    window.sidebar.reload()
    window.open(first)
    listed = window.sidebar.list
    listed.setFocus()
    QTest.keyClick(listed, Qt.Key.Key_Down)
    QTest.keyClick(window, Qt.Key.Key_F2)
    editor = listed.findChild(QLineEdit)
    assert editor is not None
    assert editor.text() == "Second"


def test_a_title_being_written_outlives_what_happens_meanwhile(
    window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    conversations = application.conversations
    ids = [conversations.add(title, age_ms=age) for age, title in enumerate(("First", "Second", "Third"))]
    window.sidebar.reload()
    window.rename(ids[1])
    editor = window.sidebar.list.findChild(QLineEdit)
    assert editor is not None
    QTest.keyClicks(editor, "A new ")
    for state in (ReplyState.WRITING, ReplyState.DONE):  # the dot comes and goes
        application.publisher.publish(ReplyChanged(conversation_id=ids[1], message_id="m", state=state))
    for moved in (ids[2], ids[1], ids[0]):  # each was written to and is the newest now
        newest = max(row.updated_ms for row in conversations.rows.values()) + 1
        conversations.rows[moved] = msgspec.structs.replace(conversations.rows[moved], updated_ms=newest)
        application.publisher.publish(ConversationsChanged(ids=(moved,)))
    assert editor.isVisible()
    QTest.keyClicks(editor, "title")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: conversations.rows[ids[1]].title == "A new title")


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
@pytest.mark.parametrize("width", [880, 1280])
def test_after_renaming_one_goes_on_writing(
    make_window: Any, application: FakeApplication, qtbot: QtBot, width: int, key: Qt.Key
) -> None:
    conversation_id = application.conversations.add("Old title")
    window: Window = make_window(width)
    window.open(conversation_id)
    window.show_settings("")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    window.conversation.composer.field.setFocus()
    QTest.keyClick(window, Qt.Key.Key_F2)
    editor = window.sidebar.list.findChild(QLineEdit)
    assert editor is not None
    assert editor.isVisible()
    QTest.keyClick(editor, key)
    qtbot.waitUntil(window.conversation.composer.field.hasFocus)
    assert window.sidebar.isVisible() is (width == 1280)


def test_renaming_from_the_settings_shows_the_list(make_window: Any, application: FakeApplication) -> None:
    conversation_id = application.conversations.add("Old title")
    window: Window = make_window(1024)
    window.open(conversation_id)
    window.show_settings("")
    QTest.keyClick(window, Qt.Key.Key_F2)
    editor = window.sidebar.list.findChild(QLineEdit)
    assert editor is not None
    assert editor.isVisible()


def test_what_was_deleted_beside_the_settings_can_be_brought_back(window: Window, application: FakeApplication) -> None:
    gone = application.conversations.add("Gone")
    window.sidebar.reload()
    window.show_settings("")
    window.sidebar.delete_requested.emit(gone)
    toast = window.settings.toast
    assert toast.isVisible()
    window.sidebar.list.setFocus()
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert gone in application.conversations.rows
    assert not toast.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # only once


def test_a_toast_waits_for_the_keyboard(window: Window, application: FakeApplication) -> None:
    gone = application.conversations.add("Gone")
    delete(window, gone)
    toast = window.conversation.toast
    toast._button.setFocus()
    assert not toast._timer.isActive()
    window.conversation.composer.field.setFocus()
    assert toast._timer.isActive()
    toast._button.setFocus()
    QTest.keyClick(toast._button, Qt.Key.Key_Space)
    assert gone in application.conversations.rows
    assert window.conversation.composer.field.hasFocus()


def test_a_change_elsewhere_leaves_the_keyboard_where_it_is(window: Window, application: FakeApplication) -> None:
    first = application.conversations.add("First", age_ms=0)
    second = application.conversations.add("Second", age_ms=1000)
    window.sidebar.reload()
    window.open(first)
    window.sidebar.list.setFocus()
    QTest.keyClick(window.sidebar.list, Qt.Key.Key_Down)
    application.conversations.rename(first, "Another")
    assert window.sidebar.list.pointed_at == second


@pytest.mark.parametrize("listed", [True, False])
def test_the_sidebar_over_the_page_takes_the_focus_and_gives_it_back(
    make_window: Any, application: FakeApplication, listed: bool
) -> None:
    if listed:
        application.conversations.add("One")
    window: Window = make_window(880)
    window.conversation.header.unfold.click()
    side = window.sidebar
    assert (side.list if listed else side.search).hasFocus()
    QTest.keyClick(side.list if listed else side.search, Qt.Key.Key_Escape)
    assert not window.sidebar.isVisible()
    assert window.conversation.composer.field.hasFocus()


@pytest.mark.parametrize("marks", [[], [(0, 3)], [(10, 40)], [(0, 60)]])
def test_a_snippet_ends_in_its_ellipsis_not_in_a_cut_letter(theme: Theme, marks: list[tuple[int, int]]) -> None:
    font = theme.font("caption")
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    cut = shortened("Would a heat pump pay for itself, and in how many years would it do so?", marks, font, 200)
    width, at = 0, 0
    for start, end in [*marks, (len(cut), len(cut))]:
        width += QFontMetrics(font).horizontalAdvance(cut[at:start]) + QFontMetrics(bold).horizontalAdvance(
            cut[start:end]
        )
        at = end
    assert cut.endswith("…")
    assert width <= 200


def test_a_hit_that_fits_is_shown_whole(theme: Theme) -> None:
    font, text, marks = theme.font("row_selected"), "A tale of a dragon.", [(12, 18)]
    wide = QFontMetrics(font).horizontalAdvance(text) + 20
    assert fitted(text, marks, font, wide) == (text, marks)
    assert fitted(text, marks, font, wide // 2)[0].startswith("…")
