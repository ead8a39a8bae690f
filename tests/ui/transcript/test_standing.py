"""How the conversation shows what the model no longer sees, what was marked, and the ways on after a refusal."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.chat.context_view import Standing
from app.chat.messages import ReplyState
from app.services.changes import EngineState
from app.ui.components.transcript.spots import spots
from app.ui.components.transcript.standing import Standings, standings_of
from app.ui.components.transcript.transcript import Transcript
from app.ui.window import Window
from tests.screenshots import content, contexts
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter
from tests.support.transcripts import FACTS, Conversations
from tests.ui.transcript.conftest import Show


def test_what_a_view_means_for_the_conversation() -> None:
    found = standings_of(contexts.nearly_full())
    assert found.marks == {"q3": Standing.PINNED, "a9": Standing.OUTSIDE}
    assert found.first_seen == "q8"
    assert found.line == "The model reads a note of what is above, and what is pinned"
    assert standings_of(contexts.roomy()) == Standings()
    assert standings_of(None) == Standings()
    seen = standings_of(contexts.seen())
    assert (seen.first_seen, seen.line) == ("q6", "The model no longer sees what is above")


def test_the_line_and_the_marks_change_no_height(show: Show, conversations: Conversations) -> None:
    pairs = [(conversations.ask(f"Question {i}"), conversations.answer("An answer.")) for i in range(4)]
    transcript = show()
    transcript.settle()
    heights = [transcript.column.heights[i] for i in range(8)]
    before = transcript.viewport().grab().toImage()
    question, reply = pairs[1]
    transcript.show_standings(
        Standings(first_seen=pairs[1][0], marks={reply: Standing.OUTSIDE, question: Standing.PINNED})
    )
    after = transcript.viewport().grab().toImage()
    assert [transcript.column.heights[i] for i in range(8)] == heights
    changed = [
        y for y in range(after.height()) if any(after.pixel(x, y) != before.pixel(x, y) for x in range(after.width()))
    ]
    top = transcript.column.heights.top(2) - transcript.top
    assert any(top <= y < top + 24 for y in changed)  # the line stands in the free space above the question
    ember = QColor(transcript.looks.colour("ember"))
    actions = transcript.column.heights.top(3) - 32 - transcript.top
    assert any(
        after.pixelColor(x, y) == ember for x in range(after.width()) for y in range(actions, actions + 32)
    )  # the pin


def test_a_screen_reader_is_told(show: Show, conversations: Conversations) -> None:
    pairs = [(conversations.ask(f"Question {i}"), conversations.answer("An answer.")) for i in range(2)]
    transcript = show()
    transcript.show_standings(Standings(first_seen=pairs[1][0], marks={pairs[0][1]: Standing.OUTSIDE}))
    said = [transcript.items.get(transcript, i).text(QAccessible.Text.Description) for pair in pairs for i in pair]
    assert said == ["", "Left out", "The model no longer sees what is above", ""]


def test_the_menu_of_a_message(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    question, reply = conversations.ask("Question"), conversations.answer("An answer.")
    transcript = show()
    transcript.settle()
    heard: list[tuple[str, str]] = []
    transcript.wished.connect(lambda what, message_id: heard.append((what, message_id)))

    def use(row: int, word: str) -> None:
        y = transcript.column.heights.top(row) - transcript.top + (30 if row == 0 else 10)
        menu = transcript.deeds.menu(QPoint(transcript.left + 5, y))
        next(action for action in menu.actions() if action.text().startswith(word)).trigger()

    use(0, "Pin")
    use(0, "Leave out")
    use(1, "What the model saw")
    transcript.show_standings(Standings(marks={question: Standing.PINNED, reply: Standing.OUTSIDE}))
    use(0, "Unpin")
    use(1, "Put back")
    assert heard == [
        ("pin", question),
        ("leave_out", question),
        ("seen", reply),
        ("unmark", question),
        ("unmark", reply),
    ]


def _refused(conversations: Conversations, code: str) -> str:
    facts = msgspec.structs.replace(FACTS, error_code=code, error_sentence="It no longer fits. " * 6)
    conversations.ask("Question")
    return conversations.answer("", state=ReplyState.FAILED, facts=facts)


def kinds(transcript: Transcript) -> list[str]:
    return [spot.kind for spot in spots(transcript.column.row(1), transcript.column)]


@pytest.mark.parametrize("width", [900, 420])
def test_the_ways_on_stand_inside_of_the_block(show: Show, conversations: Conversations, width: int) -> None:
    _refused(conversations, "context_full")
    transcript = show(width)
    transcript.show_standings(Standings(can_grow=True))
    transcript.settle()
    row = transcript.column.row(1)
    assert kinds(transcript)[:4] == ["grow", "summarise", "leave_out_oldest", "again"]
    rects = [spot.rect for spot in spots(row, transcript.column)[:4]]
    bottom = row.notes_top(transcript.looks) + 8 + row.notes[0].height
    assert all(rect.bottom() < bottom - 8 and rect.right() <= transcript.column.width for rect in rects)
    assert not any(a.intersects(b) for a in rects for b in rects if a is not b)
    transcript.show_standings(Standings(can_grow=False))
    assert kinds(transcript)[:3] == ["summarise", "leave_out_oldest", "again"]


def test_the_ways_on_by_keyboard(show: Show, conversations: Conversations) -> None:
    reply = _refused(conversations, "message_too_large")
    transcript = show()
    transcript.show_standings(Standings(can_grow=True))
    transcript.settle()
    heard: list[tuple[str, str]] = []
    transcript.wished.connect(lambda what, message_id: heard.append((what, message_id)))
    number, spot = next((1, spot) for spot in spots(transcript.column.row(1), transcript.column) if spot.kind == "grow")
    transcript.keys.enter_spot(number, spot)
    QTest.keyClick(transcript, Qt.Key.Key_Return)
    assert heard == [("grow", reply)]
    assert spot.name == "Use a longer context"


@pytest.fixture
def refused(window: Window, application: FakeApplication, qtbot: QtBot) -> Window:
    """A reply that waits for a choice."""
    application.loading.become(EngineState.READY, starter())
    application.contexts.views["c1"] = contexts.overflowing()
    messages = contexts.refused("context_full", "It no longer fits.")
    window.open(application.conversations.add("Full", messages))
    qtbot.waitUntil(lambda: window.conversation.seeing.view == contexts.overflowing())
    return window


@pytest.mark.parametrize(("way", "called"), [("grow", 8192), ("leave_out_oldest", "c1")])
def test_a_way_on_is_taken_and_the_reply_asked_for_again(
    refused: Window, application: FakeApplication, qtbot: QtBot, way: str, called: object
) -> None:
    transcript = refused.conversation.transcript
    transcript.settle()
    row = transcript.column.row(1)
    spot = next(spot for spot in spots(row, transcript.column) if spot.kind == way)
    where = spot.rect.center() + QPoint(transcript.left, transcript.column.heights.top(1) - transcript.top)
    qtbot.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert application.contexts.called == [(way, called)]
    assert application.sending.regenerated == ["m2"]


def test_after_a_note_the_reply_is_asked_for_again(refused: Window, application: FakeApplication, qtbot: QtBot) -> None:
    page = refused.conversation
    page.verbs.wish("summarise", "m2")
    assert page.panel_shown
    for view in (contexts.summarising(), contexts.nearly_full()):
        assert application.sending.regenerated == []
        application.contexts.views["c1"] = view
        page.seeing.soon()
        qtbot.waitUntil(lambda view=view: page.seeing.view == view)
    assert application.sending.regenerated == ["m2"]


def test_a_note_that_was_given_up_asks_for_nothing(refused: Window, application: FakeApplication, qtbot: QtBot) -> None:
    page = refused.conversation
    page.verbs.wish("summarise", "m2")
    for view in (contexts.summarising(), contexts.overflowing()):
        application.contexts.views["c1"] = view
        page.seeing.soon()
        qtbot.waitUntil(lambda view=view: page.seeing.view == view)
    assert application.sending.regenerated == []


def test_a_conversation_without_a_view_is_shown_plainly(window: Window, application: FakeApplication) -> None:
    window.open(application.conversations.add("Plain", content.done()))
    assert window.conversation.transcript.column.standings == Standings()
