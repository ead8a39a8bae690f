"""The tab Context: the list by mouse, keys and menu, policy, note, offers, and what a reply saw."""

from __future__ import annotations

import time

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.errors import InglenookError
from app.chat.context_view import ContextView, Policy
from app.services.changes import EngineState, NoteGrew
from app.ui.components.context.tab import ContextTab
from app.ui.models.context_lines import Line
from app.ui.window import Window
from tests.screenshots import contexts
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter


@pytest.fixture
def tab(window: Window, application: FakeApplication, qtbot: QtBot) -> ContextTab:
    """The panel over the conversation of the pictures, nearly full."""
    application.loading.become(EngineState.READY, starter())
    window.open(application.conversations.add("Heat pump or gas?", contexts.turns()))
    put(window, application, qtbot, contexts.nearly_full())
    qtbot.mouseClick(window.conversation.composer.gauge, Qt.MouseButton.LeftButton)
    return window.conversation.panel.context


def put(window: Window, application: FakeApplication, qtbot: QtBot, view: ContextView) -> None:
    """The service has this view from now on."""
    application.contexts.views["c1"] = view
    window.conversation.seeing.soon()
    qtbot.waitUntil(lambda: window.conversation.seeing.view == view)


def row_of(tab: ContextTab, start: str) -> int:
    for row in range(tab.model.rowCount()):
        line = tab.model.line(row)
        if line is not None and line.title.startswith(start):
            return row
    raise AssertionError(start)


def line(tab: ContextTab, start: str) -> Line:
    found = tab.model.line(row_of(tab, start))
    assert found is not None
    return found


def go_to(tab: ContextTab, start: str) -> None:
    tab.list.setFocus()
    tab.list.setCurrentIndex(tab.model.index(row_of(tab, start)))


def middle(tab: ContextTab, start: str) -> QPoint:
    return tab.list.visualRect(tab.model.index(row_of(tab, start))).center()


def icon(tab: ContextTab, start: str, verb: str) -> QPoint:
    rect = tab.list.visualRect(tab.model.index(row_of(tab, start)))
    boxes = dict(tab.list._rows.verb_boxes(line(tab, start), rect))
    return boxes[verb].center()


def test_numbers_bar_and_legend(tab: ContextTab) -> None:
    assert (tab.figure.text(), tab.limit.text()) == ("2,515", "of 4,096 tokens")
    assert tab.bar.accessibleName() == (
        "4,096 tokens: Pinned 464, Summarised 240, Kept 1,811, For the answer 512, Free 1,069"
    )
    assert tab.legend.accessibleName().endswith("Trimmed 890, Left out 480")
    assert tab.legend.least_width() <= tab.legend.width()


def test_rows_have_names_for_a_screen_reader(tab: ContextTab) -> None:
    said = [tab.model.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(tab.model.rowCount())]
    assert said[1] == "3 · You: Is 45 °C enough for them?, pinned, 152 tokens"
    assert said[3] == "Turn 7, trimmed, 0 of 890 tokens, folded"
    assert said[4] == "Turns 8 to 9, kept, 880 tokens, folded"


def test_pin_and_leave_out_by_keys(tab: ContextTab, application: FakeApplication) -> None:
    go_to(tab, "Turns 8")
    QTest.keyClick(tab.list, Qt.Key.Key_Right)
    QTest.keyClick(tab.list, Qt.Key.Key_Down)
    QTest.keyClick(tab.list, Qt.Key.Key_P)
    assert application.contexts.called == [("pin", "q8")]
    QTest.keyClick(tab.list, Qt.Key.Key_Down)
    QTest.keyClick(tab.list, Qt.Key.Key_Delete)
    assert application.contexts.called[1:] == [("leave_out", "a8")]
    QTest.keyClick(tab.list, Qt.Key.Key_Left)  # to the group
    QTest.keyClick(tab.list, Qt.Key.Key_Left)
    assert not line(tab, "Turns 8").open


def test_the_same_keys_take_it_back(tab: ContextTab, application: FakeApplication) -> None:
    go_to(tab, "3 · You")
    QTest.keyClick(tab.list, Qt.Key.Key_Delete)  # leaves nothing out that is pinned
    QTest.keyClick(tab.list, Qt.Key.Key_P)
    go_to(tab, "Turn 9, reply")
    QTest.keyClick(tab.list, Qt.Key.Key_Delete)
    assert application.contexts.called == [("unmark", "q3"), ("unmark", "a9")]


def test_pin_and_put_back_by_mouse(tab: ContextTab, application: FakeApplication, qtbot: QtBot) -> None:
    view = tab.list.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=middle(tab, "Turn 7"))
    assert line(tab, "Turn 7").open
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=icon(tab, "7 · Reply", "pin"))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=icon(tab, "7 · You", "leave_out"))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=icon(tab, "Turn 9, reply", "unmark"))
    assert application.contexts.called == [("pin", "a7"), ("leave_out", "q7"), ("unmark", "a9")]


def test_a_whole_turn_at_once(tab: ContextTab, application: FakeApplication) -> None:
    go_to(tab, "Turn 7")
    QTest.keyClick(tab.list, Qt.Key.Key_P)
    assert application.contexts.called == [("pin", "q7"), ("pin", "a7")]
    go_to(tab, "Turns 10")
    QTest.keyClick(tab.list, Qt.Key.Key_Delete)  # several turns: first unfold them
    assert len(application.contexts.called) == 2


def test_the_menu_has_the_same_verbs(tab: ContextTab, application: FakeApplication) -> None:
    words = [action.text() for action in tab.list.menu(line(tab, "3 · You")).actions()]
    assert words == ["Unpin this message\tP", "Show it in the conversation"]
    words = [action.text() for action in tab.list.menu(line(tab, "Turn 7")).actions()]
    assert words == ["Pin this turn: it always stays\tP", "Leave this turn out\tDel", "Unfold"]
    tab.list.menu(line(tab, "Turn 9, reply")).actions()[0].trigger()
    assert application.contexts.called == [("unmark", "a9")]


def test_what_was_pinned_goes_up_and_the_cursor_stays(
    window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    application.loading.become(EngineState.READY, starter())
    window.open(application.conversations.add("Heat pump or gas?", contexts.turns()))
    qtbot.mouseClick(window.conversation.composer.gauge, Qt.MouseButton.LeftButton)
    tab = window.conversation.panel.context
    qtbot.waitUntil(lambda: tab.model.rowCount() > 0)
    qtbot.mouseClick(tab.choose, Qt.MouseButton.LeftButton)
    go_to(tab, "4 · You")
    QTest.keyClick(tab.list, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: line(tab, "4 · You").level == 0)
    assert row_of(tab, "4 · You") == 1
    current = tab.model.line(tab.list.currentIndex().row())
    assert current is not None
    assert current.title.startswith("4 · Reply")
    assert window.conversation.transcript.column.standings.marks == {"q4": "pinned"}


def test_enter_shows_the_message_in_the_conversation(tab: ContextTab, window: Window) -> None:
    go_to(tab, "3 · You")
    QTest.keyClick(tab.list, Qt.Key.Key_Return)
    transcript = window.conversation.transcript
    transcript.settle()
    assert transcript.column.heights.find(transcript.top) == transcript.column.numbers["q3"]


def test_tab_leaves_the_list_and_letters_search_nothing(tab: ContextTab, window: Window) -> None:
    go_to(tab, "Instructions")
    QTest.keyClick(tab.list, Qt.Key.Key_T)
    assert tab.list.currentIndex().row() == 0
    window.focusNextPrevChild(True)
    assert QApplication.focusWidget() is tab.summarise


def test_the_instructions_lead_to_their_field(tab: ContextTab, window: Window) -> None:
    go_to(tab, "Instructions")
    QTest.keyClick(tab.list, Qt.Key.Key_Return)
    assert window.conversation.panel.tab == "model"
    assert window.conversation.panel.prompt.hasFocus()


def test_the_policy_is_chosen_by_mouse_and_keys(
    tab: ContextTab, window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    segments = tab.policy.segments
    assert segments.choice() == "summarise"
    assert "writes a note" in tab.policy.line.text()
    qtbot.mouseClick(segments._buttons["ask"], Qt.MouseButton.LeftButton)
    assert application.contexts.policies == {"c1": Policy.ASK}
    segments._buttons["ask"].setFocus()
    QTest.keyClick(segments._buttons["ask"], Qt.Key.Key_Left)
    assert application.contexts.policies == {"c1": Policy.SUMMARISE}
    application.contexts.refuse = InglenookError("The disk is full.")
    qtbot.mouseClick(segments._buttons["rolling"], Qt.MouseButton.LeftButton)
    assert segments.choice() == "summarise"
    assert window.conversation.toast.text == "The disk is full."


def test_summarising_shows_its_progress_and_can_be_cancelled(
    tab: ContextTab, window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    qtbot.mouseClick(tab.summarise, Qt.MouseButton.LeftButton)
    assert application.contexts.called == [("summarise", "c1")]
    put(window, application, qtbot, contexts.summarising())
    assert not tab.summarise.isVisible()
    assert tab.progress.state.text() == "Waiting for the model"
    application.publisher.publish(NoteGrew(conversation_id="c1", text="", done=400, total=2000))
    assert tab.progress.state.text() == "Reading 400 of 2,000 tokens"
    application.publisher.publish(NoteGrew(conversation_id="c1", text="The office has two floors."))
    assert tab.progress.state.text() == "Writing the note: 5 words"
    qtbot.mouseClick(tab.progress.cancel, Qt.MouseButton.LeftButton)
    assert application.contexts.called[-1] == ("stop_summarising", "c1")
    put(window, application, qtbot, contexts.nearly_full())
    assert not tab.progress.isVisible()
    assert tab.summarise.isVisible()


def test_the_note_is_read_and_changed(tab: ContextTab, application: FakeApplication, qtbot: QtBot) -> None:
    go_to(tab, "Turns 1 to 6")
    QTest.keyClick(tab.list, Qt.Key.Key_Return)
    note = tab.note
    assert note.field.hasFocus()
    assert note.field.toPlainText() == contexts.NOTE
    assert note.means.text().startswith("The model reads this instead of turns 1 to 6, in 240 tokens.")
    assert not note.save.isEnabled()
    QTest.keyClicks(note.field, "Budget: 30,000. ")
    assert note.save.isEnabled()
    qtbot.mouseClick(note.save, Qt.MouseButton.LeftButton)
    assert application.contexts.called == [("set_note", "Budget: 30,000. " + contexts.NOTE)]
    assert not note.save.isEnabled()
    QTest.keyClick(note.field, Qt.Key.Key_Escape)
    assert tab.list.isVisible()
    assert len(application.contexts.called) == 1


def test_nothing_typed_into_the_note_is_lost(tab: ContextTab, window: Window, application: FakeApplication) -> None:
    tab.show_note()
    QTest.keyClicks(tab.note.field, "A. ")
    QTest.keyClick(tab.note.field, Qt.Key.Key_Escape)
    assert application.contexts.called == [("set_note", "A. " + contexts.NOTE)]
    tab.show_note()
    tab.note.field.setPlainText("B.")
    window.new()
    assert application.contexts.called[1:] == [("set_note", "B.")]


def test_a_new_view_does_not_take_words_from_under_the_hand(
    tab: ContextTab, window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    tab.show_note()
    QTest.keyClicks(tab.note.field, "Mine. ")
    put(window, application, qtbot, msgspec.structs.replace(contexts.nearly_full(), cached=7))
    assert tab.note.field.toPlainText() == "Mine. " + contexts.NOTE
    qtbot.mouseClick(tab.note.remove, Qt.MouseButton.LeftButton)
    assert application.contexts.called[-1] == ("remove_note", "c1")


def test_offers_are_taken(tab: ContextTab, window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    put(window, application, qtbot, contexts.overflowing())
    assert not tab.summarise.isVisible()  # it is in the offer
    for key in ("grow", "summarise", "leave_out_oldest"):
        qtbot.mouseClick(tab.offer.buttons[key], Qt.MouseButton.LeftButton)
    assert application.contexts.called == [("grow", 8192), ("summarise", "c1"), ("leave_out_oldest", "c1")]
    put(window, application, qtbot, contexts.roomy())
    assert not tab.offer.isVisible()


def test_every_word_of_an_offer_has_room(tab: ContextTab, window: Window, application: FakeApplication,
                                         qtbot: QtBot) -> None:  # fmt: skip
    window.resize(880, 600)
    put(window, application, qtbot, contexts.overflowing())
    QApplication.processEvents()
    text = tab.offer.text
    assert text.height() >= text.heightForWidth(text.width())
    assert all(button.geometry().bottom() <= tab.offer._flow.height() for button in tab.offer.buttons.values())
    assert tab.middle.height() >= 120
    assert tab.policy.line.height() >= tab.policy.line.heightForWidth(tab.policy.line.width())


def test_what_a_reply_saw_is_read_only(
    tab: ContextTab, window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    application.contexts.seen["m2"] = contexts.seen()
    window.conversation.transcript.wished.emit("seen", "m2")
    assert tab.figure.text() == "3,546"
    assert tab.back.isVisible()
    assert tab.seen_of.text().startswith("Probably yes, in about nine years at")
    assert not tab.policy.isVisible()
    assert not tab.summarise.isVisible()
    go_to(tab, "Turns 1 to 5")
    QTest.keyClick(tab.list, Qt.Key.Key_Right)
    QTest.keyClick(tab.list, Qt.Key.Key_Down)
    QTest.keyClick(tab.list, Qt.Key.Key_P)
    assert application.contexts.called == []
    qtbot.mouseClick(tab.back, Qt.MouseButton.LeftButton)
    assert tab.figure.text() == "2,515"
    assert tab.policy.isVisible()


def test_what_is_not_known_is_said(tab: ContextTab, window: Window, application: FakeApplication) -> None:
    application.contexts.refuse = InglenookError("Nothing is known of what the model saw.")
    window.conversation.transcript.wished.emit("seen", "m2")
    assert window.conversation.toast.text == "Nothing is known of what the model saw."
    window.conversation.transcript.wished.emit("pin", "m2")
    assert application.contexts.marks == {}


def test_a_new_conversation_begins_with_the_tab_model(window: Window, application: FakeApplication) -> None:
    window.conversation.show_panel(True)
    panel = window.conversation.panel
    assert panel.tab == "model"
    panel.tabs._buttons["model"].setFocus()
    QTest.keyClick(panel.tabs._buttons["model"], Qt.Key.Key_Left)
    assert panel.tab == "context"
    assert not panel.context.policy.isVisible()


def test_ten_thousand_messages_fill_in_time(
    tab: ContextTab, window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    view = contexts.endless()
    put(window, application, qtbot, view)
    qtbot.mouseClick(tab.choose, Qt.MouseButton.LeftButton)
    assert tab.model.rowCount() == 10_004
    began = time.perf_counter()
    tab.show_view(msgspec.structs.replace(view, cached=1))
    QApplication.processEvents()
    assert time.perf_counter() - began < 0.5  # a guard; measured: 15 to 45 ms
    QTest.keyClick(tab.list, Qt.Key.Key_End)
    current = tab.model.line(tab.list.currentIndex().row())
    assert current is not None
    assert current.title == "5,000 · Reply: Answer 5000"
    assert window.height() == 800
