"""Writing: what each key does, drafts, the growing field, the one button."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.errors import InglenookError
from app.chat.messages import Message, ReplyState, Role
from app.services.changes import EngineState, ReplyChanged
from app.services.errors import NotOpen
from app.ui.window import Window
from tests.support.fake_application import FakeApplication
from tests.support.fake_conversations import facts, no_model
from tests.support.fake_models import starter


def type_text(window: Window, text: str) -> None:
    QTest.keyClicks(window.conversation.composer.field, text)


def press(window: Window, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.conversation.composer.field, key, modifier)


def test_enter_sends_and_shows_the_conversation(window: Window, application: FakeApplication) -> None:
    type_text(window, "Hello")
    press(window, Qt.Key.Key_Return)
    assert [(where, text) for where, text, _ in application.sending.sent] == [(None, "Hello")]
    page = window.conversation
    assert page.conversation_id
    assert page.composer.text() == ""
    assert page.header.title.text() == "Hello"
    assert page.transcript.isVisible()
    assert not page.greeting.isVisible()
    assert page.composer.send.streaming


def test_shift_enter_breaks_the_line(window: Window, application: FakeApplication) -> None:
    type_text(window, "a")
    press(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    type_text(window, "b")
    assert window.conversation.composer.text() == "a\nb"
    assert not application.sending.sent


def test_enter_during_composition_belongs_to_the_input_method(window: Window, application: FakeApplication) -> None:
    field = window.conversation.composer.field
    QApplication.sendEvent(field, QInputMethodEvent("にほ", []))
    assert field.composing
    press(window, Qt.Key.Key_Return)
    assert not application.sending.sent
    done = QInputMethodEvent("", [])
    done.setCommitString("日本")
    QApplication.sendEvent(field, done)
    assert not field.composing
    assert field.text().strip() == "日本"
    press(window, Qt.Key.Key_Return)
    assert application.sending.sent[0][1] == "日本"


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_nothing_is_not_sent(window: Window, application: FakeApplication, text: str) -> None:
    window.conversation.composer.put(text)
    press(window, Qt.Key.Key_Return)
    assert not application.sending.sent
    assert not window.conversation.composer.send.isEnabled()


def test_escape_stops_and_the_button_too(window: Window, application: FakeApplication) -> None:
    type_text(window, "Hello")
    press(window, Qt.Key.Key_Return)
    reply_id = window.conversation.live_id
    press(window, Qt.Key.Key_Escape)
    assert application.sending.stopped == [reply_id]
    window.conversation.composer.send.click()
    assert application.sending.stopped == [reply_id, reply_id]


def test_a_finished_reply_gives_the_button_back(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.READY, starter())
    type_text(window, "Hello")
    press(window, Qt.Key.Key_Return)
    page = window.conversation
    application.sending.live.clear()
    application.publisher.publish(
        ReplyChanged(
            conversation_id=page.conversation_id,
            message_id=page.live_id,
            state=ReplyState.DONE,
            facts=facts(starter()),
        )
    )
    assert not page.composer.send.streaming


def test_a_second_message_waits_for_the_first(window: Window, application: FakeApplication) -> None:
    type_text(window, "One")
    press(window, Qt.Key.Key_Return)
    type_text(window, "Two")
    press(window, Qt.Key.Key_Return)
    assert len(application.sending.sent) == 1
    assert window.conversation.composer.text() == "Two"


def test_refused_text_stays(window: Window, application: FakeApplication) -> None:
    application.sending.refuse = InglenookError("The disk is full.")
    type_text(window, "Hello")
    press(window, Qt.Key.Key_Return)
    page = window.conversation
    assert page.composer.text() == "Hello"
    assert page.banner.isVisible()
    assert page.banner.detail.text() == "The disk is full."
    application.sending.refuse = None
    press(window, Qt.Key.Key_Return)
    assert not page.banner.isVisible()


def test_without_a_model_the_banner_offers_to_open_one(window: Window, application: FakeApplication) -> None:
    application.sending.refuse = no_model()
    type_text(window, "Hello")
    press(window, Qt.Key.Key_Return)
    assert window.conversation.banner.action.text() == "Open a model"
    assert window.conversation.composer.text() == "Hello"
    application.loading.become(EngineState.LOADING, starter())
    assert not window.conversation.banner.isVisible()


def test_the_field_grows_to_eight_lines(window: Window) -> None:
    field = window.conversation.composer.field
    heights = []
    for lines in (1, 2, 5, 8, 20):
        field.set_text("\n".join(["x"] * lines))
        heights.append(field.height())
    assert heights == [24, 48, 120, 192, 192]
    field.set_text("")
    assert field.height() == 24
    assert field.horizontalScrollBar().maximum() == 0


def test_pasted_text_is_plain(window: Window) -> None:
    data = QMimeData()
    data.setHtml("<b>bold</b>")
    data.setText("bold\r\nand more")
    field = window.conversation.composer.field
    field.insertFromMimeData(data)
    assert field.text() == "bold\nand more"


def test_drafts_are_kept_soon_and_per_conversation(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    drafts = application.conversations.drafts
    one = application.conversations.add("One")
    type_text(window, "for a new one")
    qtbot.waitUntil(lambda: drafts.get("new") == "for a new one")
    window.open(one)
    assert window.conversation.composer.text() == ""
    type_text(window, "for one")
    window.new()  # at once: what was typed a moment ago is kept all the same
    assert drafts[one] == "for one"
    assert window.conversation.composer.text() == "for a new one"
    window.open(one)
    assert window.conversation.composer.text() == "for one"


@pytest.mark.parametrize("last", ["", "c1"])
@pytest.mark.parametrize("draft", ["", "A draft"])
def test_what_is_sent_while_the_conversations_open_waits_for_them(
    make_window: Any, application: FakeApplication, last: str, draft: str
) -> None:
    application.conversations.add("Open the last time")
    if last:
        make_window().open(last)  # and what was open is remembered
    application.sending.refuse = NotOpen("The conversations are still being opened.")
    window: Window = make_window(opened=False)
    type_text(window, "Hello")
    press(window, Qt.Key.Key_Return)
    banner, composer = window.conversation.banner, window.conversation.composer
    assert (banner.title.text(), composer.text()) == ("Your message is sent in a moment", "Hello")
    application.sending.refuse = None
    application.conversations.set_draft(last or "new", draft)  # of the time before
    window.store_settled()
    assert not banner.isVisible()
    if draft:  # which is not sent along unasked
        assert (application.sending.sent, composer.text()) == ([], "A draft\nHello")
    else:
        assert application.sending.sent == [(last or None, "Hello", None)]
        assert composer.text() == ""


def test_what_is_typed_while_the_conversations_open_stays(make_window: Any, application: FakeApplication) -> None:
    last = application.conversations.add("Open the last time")
    make_window().open(last)
    window: Window = make_window(opened=False)
    type_text(window, "half a tho")
    window.store_settled()
    assert (window.conversation.conversation_id, window.conversation.composer.text()) == (last, "half a tho")
    assert application.conversations.drafts == {last: "half a tho"}


def test_closing_keeps_the_draft(window: Window, application: FakeApplication) -> None:
    type_text(window, "half a tho")
    window.close()
    assert application.conversations.drafts["new"] == "half a tho"


def test_typing_warms_the_model(window: Window, application: FakeApplication) -> None:
    type_text(window, "H")
    assert application.loading.warmed


def test_suggestions_put_words_into_the_field(window: Window) -> None:
    page = window.conversation
    QTest.mouseClick(page.suggestions[1], Qt.MouseButton.LeftButton)
    assert page.composer.text().startswith("Explain this error message")
    assert window.conversation.composer.field.hasFocus()


def _with_turn(application: FakeApplication) -> str:
    user = Message(id="u", conversation_id="", parent_id=None, role=Role.USER, text="First wording")
    reply = Message(id="r", conversation_id="", parent_id="u", role=Role.ASSISTANT, text="An answer")
    return application.conversations.add("Turn", [user, reply])


def test_edit_and_send_again(window: Window, application: FakeApplication) -> None:
    window.open(_with_turn(application))
    page = window.conversation
    type_text(window, "my draft")
    page.transcript.edit_requested.emit("u")
    assert page.composer.text() == "First wording"
    type_text(window, "!")
    press(window, Qt.Key.Key_Return)
    assert application.sending.edited == [("u", "First wording!")]
    assert page.composer.text() == "my draft"


def test_escape_ends_editing(window: Window, application: FakeApplication) -> None:
    conversation_id = _with_turn(application)
    window.open(conversation_id)
    type_text(window, "my draft")
    window.conversation.transcript.edit_requested.emit("u")
    press(window, Qt.Key.Key_Escape)
    assert window.conversation.composer.text() == "my draft"
    assert application.conversations.drafts[conversation_id] == "my draft"


def test_what_was_made_of_a_message_waits_until_one_comes_back(window: Window, application: FakeApplication) -> None:
    conversation_id, other = _with_turn(application), application.conversations.add("Other")
    window.open(conversation_id)
    page = window.conversation
    type_text(window, "my draft")
    page.transcript.edit_requested.emit("u")
    type_text(window, ", and more")
    window.open(other)
    assert (page.composer.text(), page.editing) == ("", False)
    window.open(conversation_id)
    assert (page.composer.text(), page.editing) == ("First wording, and more", True)
    press(window, Qt.Key.Key_Escape)
    assert (page.composer.text(), page.editing) == ("my draft", False)
    window.open(other)
    window.open(conversation_id)
    assert (page.composer.text(), page.editing) == ("my draft", False)


def test_the_transcripts_wishes_are_handed_down(window: Window, application: FakeApplication) -> None:
    conversation_id = _with_turn(application)
    window.open(conversation_id)
    page = window.conversation
    page.transcript.copy_requested.emit("r")
    assert QApplication.clipboard().text() == "An answer"
    page.transcript.regenerate_requested.emit("r")
    assert application.sending.regenerated == ["r"]
    press(window, Qt.Key.Key_Escape)
    assert application.sending.stopped == ["r-again"]
    page.transcript.sibling_requested.emit("r")
    assert application.conversations.chosen == [(conversation_id, "r")]
    page.transcript.link_activated.emit("file:///etc/passwd")
    assert "not opened" in page.toast.text


def test_the_field_writes_in_the_size_of_the_conversation(window: Window, application: FakeApplication) -> None:
    field = window.conversation.composer.field
    before = field.height()
    application.settings.change("appearance.text_size", 20)
    assert field.font().pixelSize() == 20
    assert field.height() == 32 > before
