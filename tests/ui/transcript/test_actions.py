"""Actions by mouse and keyboard, the menu, notes and their words."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.ui.components.transcript.spots import (
    AGAIN,
    COPY,
    COPY_CODE,
    EARLIER,
    EDIT,
    FOLDING,
    LATER,
    REGENERATE,
    Spot,
    spots,
)
from app.ui.components.transcript.transcript import Transcript
from tests.support.transcripts import FACTS, Conversations
from tests.ui.transcript.conftest import Show

MARKING = ["Pin: the model always sees it", "Leave out of what the model sees"]


def spot_of(transcript: Transcript, number: int, kind: str) -> Spot:
    transcript.settle()
    return next(spot for spot in spots(transcript.column.row(number), transcript.column) if spot.kind == kind)


def centre(transcript: Transcript, number: int, kind: str) -> QPoint:
    spot = spot_of(transcript, number, kind)
    y = transcript.column.heights.top(number) - transcript.top
    return spot.rect.center() + QPoint(transcript.left, y)


def click(qtbot: QtBot, transcript: Transcript, number: int, kind: str) -> None:
    where = centre(transcript, number, kind)
    qtbot.mouseMove(transcript.viewport(), where)
    qtbot.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=where)


@pytest.fixture
def pair(conversations: Conversations) -> tuple[str, str]:
    question = conversations.ask("What?")
    reply = conversations.answer("This.\n\n```python\nx = 1\ny = 2\n```\n", thinking="Hm.")
    conversations.siblings_of[reply] = ["older", reply, "newer"]
    return question, reply


@pytest.mark.parametrize(
    ("number", "kind", "signal"),
    [
        (0, COPY, "copy_requested"),
        (0, EDIT, "edit_requested"),
        (1, COPY, "copy_requested"),
        (1, REGENERATE, "regenerate_requested"),
    ],
)
def test_a_click_wishes(show: Show, qtbot: QtBot, pair: tuple[str, str], number: int, kind: str, signal: str) -> None:
    transcript = show()
    with qtbot.waitSignal(getattr(transcript, signal)) as wish:
        click(qtbot, transcript, number, kind)
    assert wish.args == [pair[number]]


@pytest.mark.parametrize(("kind", "wanted"), [(EARLIER, "older"), (LATER, "newer")])
def test_arrows_ask_for_siblings(show: Show, qtbot: QtBot, pair: tuple[str, str], kind: str, wanted: str) -> None:
    transcript = show()
    with qtbot.waitSignal(transcript.sibling_requested) as wish:
        click(qtbot, transcript, 1, kind)
    assert wish.args == [wanted]


def test_there_is_no_arrow_beyond_the_last_version(show: Show, conversations: Conversations) -> None:
    question = conversations.ask("What?")
    conversations.siblings_of[question] = ["older", question]
    transcript = show()
    kinds = [spot.kind for spot in spots(transcript.column.row(0), transcript.column)]
    assert kinds == [EARLIER, COPY, EDIT]


def test_the_code_alone_is_copied(show: Show, qtbot: QtBot, pair: tuple[str, str]) -> None:
    transcript = show()
    click(qtbot, transcript, 1, COPY_CODE)
    assert QGuiApplication.clipboard().text() == "x = 1\ny = 2\n"
    assert transcript.state.copied is not None
    qtbot.waitUntil(lambda: transcript.state.copied is None)


def test_long_code_is_copied_whole(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    code = "".join(f"line {i}\n" for i in range(150))
    conversations.answer(f"```\n{code}```\n")
    transcript = show()
    transcript.scroll_pixels(0)
    click(qtbot, transcript, 0, COPY_CODE)
    assert QGuiApplication.clipboard().text() == code


def test_code_in_a_list_is_copied_alone(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.answer("1. one\n\n   ```\n   a = 1\n       b\n   ```\n2. two\n   - ```sh\n     ls\n     ```\n")
    transcript = show()
    row = transcript.column.row(0)
    places = [spot for spot in spots(row, transcript.column) if spot.kind == COPY_CODE]
    for spot, code in zip(places, ["a = 1\n    b\n", "ls\n"], strict=True):
        where = spot.rect.center() + QPoint(transcript.left, -transcript.top)
        qtbot.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=where)
        assert QGuiApplication.clipboard().text() == code
        assert transcript.state.copied == (row.id, spot.key)
        line = QPoint(transcript.left + spot.rect.left() - 60, where.y() + 26)
        assert "Copy code" in [action.text() for action in transcript.deeds.menu(line).actions()]
    assert "Copy code" not in [action.text() for action in transcript.deeds.menu(QPoint(transcript.left, 20)).actions()]


def test_thinking_folds(show: Show, qtbot: QtBot, pair: tuple[str, str]) -> None:
    transcript = show()
    click(qtbot, transcript, 1, FOLDING)
    assert transcript.column.row(1).unfolded
    click(qtbot, transcript, 1, FOLDING)
    assert not transcript.column.row(1).unfolded


@pytest.mark.parametrize("state", [ReplyState.FAILED, ReplyState.LOST])
def test_trouble_says_what_happened_and_can_be_tried_again(
    show: Show, qtbot: QtBot, conversations: Conversations, state: ReplyState
) -> None:
    facts = msgspec.structs.replace(FACTS, error_sentence="The model needs 9.1 GB and 6.4 GB are free.")
    reply = conversations.answer("Part", state=state, facts=facts)
    transcript = show()
    (note,) = transcript.column.row(0).notes
    assert " ".join(line.strip() for line in note.lines) == facts.error_sentence
    with qtbot.waitSignal(transcript.regenerate_requested) as wish:
        click(qtbot, transcript, 0, AGAIN)
    assert wish.args == [reply]


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 earlier message did not fit"), (1203, "1,203 earlier messages did not fit")]
)
def test_what_was_left_out_is_said(show: Show, conversations: Conversations, count: int, words: str) -> None:
    conversations.answer("Yes", facts=msgspec.structs.replace(FACTS, left_out=["x"] * count))
    transcript = show()
    assert transcript.column.row(0).notes[0].text.startswith(words)


def test_tab_goes_through_the_actions_and_then_on(show: Show, qtbot: QtBot, pair: tuple[str, str]) -> None:
    transcript = show()
    seen: list[tuple[int, str]] = []
    while transcript.keys.tab(True):
        assert transcript.state.focused is not None
        seen.append((transcript.state.focused_row, transcript.state.focused.kind))
    assert seen == [
        (0, COPY), (0, EDIT), (1, FOLDING), (1, COPY_CODE), (1, EARLIER), (1, LATER), (1, COPY), (1, REGENERATE),
    ]  # fmt: skip
    assert transcript.state.focused is None
    assert transcript.keys.tab(False)
    assert transcript.state.focused is not None
    assert transcript.state.focused.kind == REGENERATE


def test_enter_uses_what_has_the_ring(show: Show, qtbot: QtBot, pair: tuple[str, str]) -> None:
    transcript = show()
    qtbot.keyClick(transcript, Qt.Key.Key_Tab)
    qtbot.keyClick(transcript, Qt.Key.Key_Right)
    with qtbot.waitSignal(transcript.edit_requested):
        qtbot.keyClick(transcript, Qt.Key.Key_Return)
    qtbot.keyClick(transcript, Qt.Key.Key_Escape)
    assert transcript.state.focused is None


def test_control_and_arrows_step_through_messages(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    for i in range(30):
        conversations.ask(f"Question {i}")
    transcript = show()
    transcript.scroll_pixels(0)
    for _ in range(20):
        qtbot.keyClick(transcript, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert transcript.state.focused_row == 19
    y = transcript.column.heights.top(19)
    assert transcript.top <= y < transcript.top + transcript.viewport().height()


def test_keys_scroll(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    for i in range(60):
        conversations.ask(f"Question {i}")
    transcript = show()
    qtbot.keyClick(transcript, Qt.Key.Key_Home)
    transcript.settle()
    assert transcript.top == 0
    qtbot.keyClick(transcript, Qt.Key.Key_Down)
    qtbot.keyClick(transcript, Qt.Key.Key_PageDown)
    transcript.settle()
    assert transcript.top == 48 + transcript.viewport().height() - 48
    qtbot.keyClick(transcript, Qt.Key.Key_End)
    transcript.settle()
    assert transcript.following


def test_the_menu_fits_the_place(show: Show, pair: tuple[str, str]) -> None:
    transcript = show()
    transcript.settle()
    on_question = [a.text() for a in transcript.deeds.menu(QPoint(transcript.left + 5, 35)).actions() if a.text()]
    assert on_question == ["Copy", "Copy message", "Edit and send again", *MARKING, "Select all"]
    code = centre(transcript, 1, COPY_CODE) + QPoint(-200, 30)
    on_code = [a.text() for a in transcript.deeds.menu(code).actions() if a.text()]
    again = ["Write the reply again", *MARKING, "What the model saw"]
    assert on_code == ["Copy", "Copy code", "Copy message", *again, "Select all"]


def test_icons_show_under_the_mouse_and_nothing_moves(show: Show, qtbot: QtBot, pair: tuple[str, str]) -> None:
    transcript = show()
    transcript.settle()
    before = [transcript.column.heights[i] for i in range(2)]
    away = transcript.viewport().grab().toImage()
    qtbot.mouseMove(transcript.viewport(), centre(transcript, 0, EDIT))
    assert transcript.state.hovered is not None
    assert transcript.viewport().cursor().shape() is Qt.CursorShape.PointingHandCursor
    assert transcript.viewport().grab().toImage() != away
    assert [transcript.column.heights[i] for i in range(2)] == before


def test_the_way_to_the_end(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    for i in range(60):
        conversations.ask(f"Question {i}")
    transcript = show()
    transcript.scroll_pixels(0)
    transcript.settle()
    where = transcript.canvas.jump_centre()
    assert where is not None
    qtbot.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=where.toPoint())
    assert transcript.following


def test_the_keyboard_passes_replies_without_an_answer(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.ask("Why?")
    conversations.answer("", thinking="Well", state=ReplyState.STOPPED)
    conversations.ask("And?")
    conversations.answer("", state=ReplyState.QUEUED, facts=None)
    conversations.ask("So?")
    transcript = show()
    transcript.scroll_pixels(0)
    visited = []
    for _ in range(5):
        qtbot.keyClick(transcript, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
        visited.append((transcript.state.focused_row, transcript.state.focused and transcript.state.focused.kind))
    assert visited == [(0, COPY), (1, FOLDING), (2, COPY), (3, None), (4, COPY)]
