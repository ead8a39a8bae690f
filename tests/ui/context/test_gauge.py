"""The gauge by the composer: what it says, and what it follows."""

from __future__ import annotations

import sys

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import EngineState, ReplyChanged, ReplyGrew, ReplyProgressed
from app.ui.window import Window
from tests.screenshots import content, contexts
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter


@pytest.fixture
def opened(window: Window, application: FakeApplication, qtbot: QtBot) -> Window:
    """A conversation with a loaded model."""
    application.loading.become(EngineState.READY, starter())
    window.open(application.conversations.add("Heat pump or gas?", content.done()))
    qtbot.waitUntil(lambda: window.conversation.seeing.view is not None)
    return window


def gauge(window: Window) -> str:
    return window.conversation.composer.gauge.text()


def test_it_says_how_full_the_window_is(opened: Window, application: FakeApplication, qtbot: QtBot) -> None:
    view = contexts.nearly_full()
    application.contexts.views["c1"] = msgspec.structs.replace(view, used=7373, limit=8192)
    opened.conversation.seeing.soon()
    qtbot.waitUntil(lambda: gauge(opened) == "7.2k of 8k")
    button = opened.conversation.composer.gauge
    assert button.nearly_full
    assert button.accessibleName() == "7,373 of 8,192 tokens of the model's window are used; nearly full"


def test_an_estimate_says_so(opened: Window, application: FakeApplication, qtbot: QtBot) -> None:
    application.contexts.views["c1"] = msgspec.structs.replace(contexts.nearly_full(), exact=False)
    opened.conversation.seeing.soon()
    qtbot.waitUntil(lambda: gauge(opened) == "~2.5k of 4k")
    assert opened.conversation.composer.gauge.accessibleName().startswith("About 2,515 of 4,096 tokens")


def test_without_a_window_there_is_none(window: Window) -> None:
    assert not window.conversation.composer.gauge.isVisible()


def test_an_empty_window_is_not_worth_a_word(opened: Window) -> None:
    button = opened.conversation.composer.gauge
    button.show_fill(0, 8192, exact=False)
    assert button.isHidden()
    button.show_fill(12, 8192, exact=False)
    assert not button.isHidden()
    assert gauge(opened) == "~12 of 8k"


def test_it_follows_the_draft_after_a_pause(opened: Window, application: FakeApplication, qtbot: QtBot) -> None:
    before, asked = gauge(opened), len(application.contexts.asked)
    QTest.keyClicks(opened.conversation.composer.field, "And what about the garage? " * 30)
    assert len(application.contexts.asked) == asked  # nothing is counted while keys are pressed
    qtbot.waitUntil(lambda: gauge(opened) != before)
    assert application.contexts.asked[-1] == ("c1", opened.conversation.composer.text())
    assert len(application.contexts.asked) == asked + 1


def test_a_key_costs_next_to_nothing(opened: Window, application: FakeApplication) -> None:
    """Keys only put off the moment at which the draft is counted, however long it is."""
    seeing = opened.conversation.seeing
    opened.conversation.composer.put("word " * 20_000)
    asked, calls = len(application.contexts.asked), 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        for _ in range(100):
            seeing.soon()
    finally:
        sys.setprofile(None)
    assert len(application.contexts.asked) == asked
    assert calls <= 300


def test_one_view_is_asked_for_at_a_time(opened: Window, application: FakeApplication, qtbot: QtBot) -> None:
    contexts_ = application.contexts
    contexts_.hold = True
    page, asked = opened.conversation, len(contexts_.asked)
    page.seeing.soon()
    qtbot.waitUntil(lambda: len(contexts_.asked) == asked + 1)
    for _ in range(3):
        page.seeing.soon()
        qtbot.waitUntil(lambda: not page.seeing._soon.isActive())
    assert len(contexts_.asked) == asked + 1
    contexts_.hold = False
    contexts_.waiting.pop().set_result(contexts_.now("c1"))
    qtbot.waitUntil(lambda: len(contexts_.asked) == asked + 2)


def test_an_answer_for_another_conversation_is_not_shown(
    opened: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    other = application.conversations.add("Other")
    application.contexts.hold = True
    opened.conversation.seeing.soon()
    qtbot.waitUntil(lambda: bool(application.contexts.waiting))
    opened.open(other)
    application.contexts.hold = False
    late = msgspec.structs.replace(contexts.nearly_full(), used=4000)
    application.contexts.waiting.pop().set_result(late)
    qtbot.waitUntil(lambda: gauge(opened) == "32 of 8k")


def test_it_grows_with_the_reply(opened: Window, application: FakeApplication, qtbot: QtBot) -> None:
    page = opened.conversation
    QTest.keyClicks(page.composer.field, "More")
    QTest.keyClick(page.composer.field, Qt.Key.Key_Return)
    where, reply = page.conversation_id, page.live_id
    application.publisher.publish(ReplyProgressed(conversation_id=where, message_id=reply, done=1, total=2000))
    qtbot.waitUntil(lambda: gauge(opened) == "2k of 8k")
    grown = ReplyGrew(conversation_id=where, message_id=reply, offset=0, text="word " * 1000)
    application.publisher.publish(grown)
    qtbot.waitUntil(lambda: gauge(opened) == "~3.2k of 8k")
    assert page.composer.gauge.accessibleName().startswith("About 3,250")
    application.sending.live.clear()
    application.publisher.publish(ReplyChanged(conversation_id=where, message_id=reply, state=ReplyState.DONE))
    qtbot.waitUntil(lambda: not gauge(opened).startswith("~"))


def test_a_click_and_the_keyboard_open_what_fills_it(opened: Window, qtbot: QtBot) -> None:
    page = opened.conversation
    qtbot.mouseClick(page.composer.gauge, Qt.MouseButton.LeftButton)
    assert page.panel_shown
    assert page.panel.tab == "context"
    assert page.panel.context.figure.text() == f"{page.seeing.view.used:,}" if page.seeing.view else False
    qtbot.mouseClick(page.composer.gauge, Qt.MouseButton.LeftButton)
    assert not page.panel_shown
    page.panel.show_tab("model")
    page.composer.gauge.setFocus()
    QTest.keyClick(page.composer.gauge, Qt.Key.Key_Space)
    assert page.panel.tab == "context"
