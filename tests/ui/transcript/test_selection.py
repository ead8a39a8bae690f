"""Selecting with mouse and keyboard across messages, copying, links, and finding."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent
from PySide6.QtWidgets import QToolTip
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import PathChanged, ReplyChanged, ReplyGrew
from app.ui.components.transcript.places import Place
from app.ui.components.transcript.pointing import LONGEST_TIP
from app.ui.components.transcript.selection import Point
from app.ui.components.transcript.transcript import Transcript
from benchmarks.texts import markdown
from tests.support.transcripts import Conversations
from tests.ui.transcript.conftest import Show

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def talk(conversations: Conversations) -> Conversations:
    conversations.ask("First question here")
    conversations.answer("A **bold** answer.\n\n- one\n- two")
    conversations.ask("Second question")
    conversations.answer("See [the page](https://example.org/page) now.")
    return conversations


def at(transcript: Transcript, point: Point) -> QPoint:
    transcript.settle()
    rect = transcript.keys.caret_rect(point)
    return QPoint(round(rect.x()), round(rect.center().y()))


def drag(qtbot: QtBot, transcript: Transcript, start: Point, end: Point) -> None:
    viewport = transcript.viewport()
    qtbot.mousePress(viewport, LEFT, pos=at(transcript, start))
    # pytest-qt moves without a pressed button, so the move is made by hand
    from PySide6.QtCore import QEvent, QPointF
    from PySide6.QtGui import QMouseEvent

    where = QPointF(at(transcript, end))
    move = QMouseEvent(
        QEvent.Type.MouseMove, where, QPointF(viewport.mapToGlobal(where)), LEFT, LEFT, Qt.KeyboardModifier.NoModifier
    )
    QGuiApplication.sendEvent(viewport, move)
    qtbot.mouseRelease(viewport, LEFT, pos=at(transcript, end))


def test_a_drag_within_a_message_copies_plain_text(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    drag(qtbot, transcript, Point(1, 1, 0, 2), Point(1, 1, 0, 13))
    assert transcript.selected_text() == "bold answer"
    qtbot.keyClick(transcript, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "bold answer"


def test_a_drag_across_messages_copies_markdown_between(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    drag(qtbot, transcript, Point(0, 1, 0, 6), Point(2, 1, 0, 6))
    assert transcript.selected_text() == "question here\n\nA **bold** answer.\n\n- one\n- two\n\nSecond"


def test_upwards_is_the_same(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    drag(qtbot, transcript, Point(2, 1, 0, 6), Point(0, 1, 0, 6))
    assert transcript.selected_text().startswith("question here\n\nA **bold**")


def test_everything(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    qtbot.keyClick(transcript, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert transcript.selected_text() == "\n\n".join(message.text for message in talk.messages)
    qtbot.keyClick(transcript, Qt.Key.Key_Escape)
    assert transcript.selected_text() == ""


def test_everything_of_a_long_conversation_is_not_laid_out(show: Show, conversations: Conversations) -> None:
    for number in range(100):
        conversations.answer(markdown(random.Random(number), 2000))
    transcript = show()
    made = transcript.column.laid_out
    transcript.select_all()
    assert transcript.selected_text() == "\n\n".join(message.text for message in conversations.messages)
    assert transcript.column.laid_out == made


def test_two_clicks_take_a_word_three_a_block(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    where = at(transcript, Point(1, 1, 0, 4))
    qtbot.mouseClick(transcript.viewport(), LEFT, pos=where)
    qtbot.mouseDClick(transcript.viewport(), LEFT, pos=where)
    assert transcript.selected_text() == "bold"
    qtbot.mouseClick(transcript.viewport(), LEFT, pos=where)
    assert transcript.selected_text() == "A bold answer."


def test_shift_and_arrows_select_across_messages(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    shift, control = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
    point = Point(0, 1, 0, 15)
    transcript.selection.set(point, point)
    for _ in range(4):
        qtbot.keyClick(transcript, Qt.Key.Key_Right, shift)
    assert transcript.selected_text() == "here"
    qtbot.keyClick(transcript, Qt.Key.Key_Right, shift)
    qtbot.keyClick(transcript, Qt.Key.Key_End, shift)
    assert transcript.selected_text() == "here\n\nA bold answer."
    qtbot.keyClick(transcript, Qt.Key.Key_Home, shift | control)
    assert transcript.selected_text() == "First question "
    qtbot.keyClick(transcript, Qt.Key.Key_End, shift | control)
    assert transcript.selected_text().endswith(talk.messages[-1].text)


def test_selecting_by_keys_begins_at_the_message_one_has_stepped_to(
    show: Show, qtbot: QtBot, talk: Conversations
) -> None:
    transcript = show()
    for _ in range(3):
        qtbot.keyClick(transcript, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert transcript.state.focused_row == 2
    for _ in range(6):
        qtbot.keyClick(transcript, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert transcript.selected_text() == "Second"
    qtbot.keyClick(transcript, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(transcript, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert transcript.selected_text() == "Second ", "what is selected goes on"


def test_the_view_scrolls_while_a_selection_is_dragged_out(
    show: Show, qtbot: QtBot, conversations: Conversations
) -> None:
    for number in range(30):
        conversations.answer(markdown(random.Random(number), 1500))
    transcript = show()
    transcript.scroll_pixels(0)
    transcript.settle()
    drag_start = QPoint(transcript.left + 5, 100)
    qtbot.mousePress(transcript.viewport(), LEFT, pos=drag_start)
    from PySide6.QtCore import QEvent, QPointF
    from PySide6.QtGui import QMouseEvent

    below = QPointF(transcript.left + 50, transcript.viewport().height() + 80)
    move = QMouseEvent(
        QEvent.Type.MouseMove, below, QPointF(transcript.viewport().mapToGlobal(below)), LEFT, LEFT,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QGuiApplication.sendEvent(transcript.viewport(), move)
    qtbot.waitUntil(lambda: transcript.top > 300)
    qtbot.mouseRelease(transcript.viewport(), LEFT, pos=QPoint(transcript.left + 50, 300))
    top = transcript.top
    bounds = transcript.selection.bounds
    assert bounds is not None
    assert bounds[1] > Point(0, 1, 0, 0)
    qtbot.waitUntil(lambda: not transcript.pointing._dragging.isActive())
    assert transcript.top == top


def test_a_link_is_a_wish(show: Show, qtbot: QtBot, talk: Conversations) -> None:
    transcript = show()
    where = at(transcript, Point(3, 1, 0, 8)) + QPoint(2, 0)
    qtbot.mouseMove(transcript.viewport(), where)
    assert transcript.viewport().cursor().shape() is Qt.CursorShape.PointingHandCursor
    with qtbot.waitSignal(transcript.link_activated) as wish:
        qtbot.mouseClick(transcript.viewport(), LEFT, pos=where)
    assert wish.args == ["https://example.org/page"]


def test_hovering_shows_where_a_link_leads(
    show: Show, qtbot: QtBot, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "https://example.org/" + "way/" * 100 + "the-end"
    conversations.answer(f"See [here]({long}) and <https://example.org/short>.")
    transcript = show()
    shown: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda _where, words, *_more: shown.append(words))
    for position in (5, 14):
        where = at(transcript, Point(0, 1, 0, position)) + QPoint(2, 0)
        transcript.pointing.tool_tip(QHelpEvent(QEvent.Type.ToolTip, where, transcript.mapToGlobal(where)))
    assert shown[0].startswith("https://example.org/way/")
    assert shown[0].endswith("way/the-end")
    assert len(shown[0]) <= LONGEST_TIP + 1
    assert shown[1] == "https://example.org/short"


# -- finding ---------------------------------------------------------------------------------------------------------


def test_finding_counts_in_all_messages(show: Show, talk: Conversations) -> None:
    transcript = show()
    assert transcript.find("QUESTION") == 2
    assert transcript.find("no such words") == 0
    assert transcript.find("") == 0


def test_next_and_previous_go_around_and_show_the_hit(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    for number in range(60):
        conversations.answer(markdown(random.Random(number), 1500))
    for number in (3, 30, 55):
        conversations.change(
            conversations.messages[number].id, text=f"{markdown(random.Random(number), 3000)}\n\nThe needle is here."
        )
    transcript = show()
    transcript.scroll_pixels(0)
    assert transcript.find("needle") == 3
    visited = []
    for step in ("next", "next", "next", "next", "previous"):
        (transcript.find_next if step == "next" else transcript.find_previous)()
        hit = transcript.finding.hits[transcript.finding.current]
        visited.append(hit.row)
        y = transcript.column.y_of(transcript.finding.place(hit)) - transcript.top
        assert -1200 < y < transcript.viewport().height()
        row = transcript.column.row(hit.row)
        place: Place = transcript.finding.place(hit)
        piece = transcript.column.piece(row, place.part, place.chunk)
        roles = [role for _a, _b, role in transcript.finding.marks(hit.row, row, place.part, place.chunk, piece)]
        assert "selection" in roles
    assert visited == [3, 30, 55, 3, 55]
    transcript.clear_find()
    assert transcript.finding.hits == []


def test_a_very_long_conversation_is_searched_in_slices(
    show: Show, qtbot: QtBot, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ui.components.transcript import finding

    monkeypatch.setattr(finding, "FIRST_SLICE_S", 0.0)
    monkeypatch.setattr(finding, "SLICE_S", 0.0)
    for _ in range(40):
        conversations.ask("needle")
    transcript = show()
    assert transcript.find("needle") == 1
    with qtbot.waitSignal(transcript.hits_changed, check_params_cb=lambda total, _current: total == 40):
        pass
    qtbot.waitUntil(lambda: transcript.finding.complete)


def test_words_are_found_as_they_are_read(show: Show, conversations: Conversations) -> None:
    conversations.answer(
        "It is **about nine** years, with `cop` near\n3; a_b and f(x). See [the *page*](https://example.org)."
    )
    transcript = show()
    for words in ("is about nine years, with", "with cop near 3; a_b", "a_b and f(x)", "See", "page", "**about nine**"):
        assert transcript.find(words) == 1, words
    transcript.find("nine years, with cop near 3")
    row = transcript.column.row(0)
    piece = transcript.column.piece(row, 1, 0)
    (mark,) = transcript.finding.marks(0, row, 1, 0, piece)
    assert piece.copied(mark[0], mark[1]) == "nine years, with cop near\n3"


def test_thinking_is_found_while_it_is_unfolded(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.answer("An answer", thinking="First the needle, then the answer")
    transcript = show()
    assert transcript.find("needle") == 0
    with qtbot.waitSignal(transcript.hits_changed, check_params_cb=lambda total, _current: total == 1):
        transcript.deeds.fold(0)
    transcript.find_next()
    row = transcript.column.row(0)
    assert [role for _a, _b, role in transcript.finding.marks(0, row, 0, 0, transcript.column.piece(row, 0, 0))] == [
        "selection"
    ]
    assert transcript.find("answer") == 2
    transcript.deeds.fold(0)
    assert len(transcript.finding.hits) == 1


def test_what_is_written_meanwhile_is_found_too(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.ask("A needle?")
    conversations.answer("", state=ReplyState.WRITING)
    transcript = show()
    assert transcript.find("needle") == 1
    transcript.find_next()
    text = "A needle, and another needle."
    transcript.apply(ReplyGrew(conversation_id="c", message_id="m00001", offset=0, text=text, thinking=False))
    conversations.change("m00001", text=text, state=ReplyState.DONE)
    with qtbot.waitSignal(transcript.hits_changed) as told:
        transcript.apply(ReplyChanged(conversation_id="c", message_id="m00001", state=ReplyState.DONE))
    assert told.args == [3, 1]
    conversations.ask("One more needle")
    with qtbot.waitSignal(transcript.hits_changed) as told:
        transcript.apply(PathChanged(conversation_id="c"))
    assert told.args == [4, 1]
