"""Code that is wider than the column, scrolled by its bar, by a selection and by the keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from pytestqt.qtbot import QtBot

from app.ui.components.transcript.selection import Point
from app.ui.components.transcript.sideways import STRIP
from app.ui.components.transcript.transcript import Transcript
from tests.support.transcripts import Conversations
from tests.ui.transcript.conftest import Show

LEFT = Qt.MouseButton.LeftButton
CODE = Point(0, 1, 0, 0)


def move(transcript: Transcript, where: QPoint) -> None:
    viewport, point = transcript.viewport(), QPointF(where)
    event = QMouseEvent(
        QEvent.Type.MouseMove, point, QPointF(viewport.mapToGlobal(where)), LEFT, LEFT, Qt.KeyboardModifier.NoModifier
    )
    QGuiApplication.sendEvent(viewport, event)


@pytest.fixture
def wide(show: Show, conversations: Conversations) -> Transcript:
    conversations.answer(f"```\nx = {'1 + ' * 100}2\ny\n```\n")
    transcript = show()
    transcript.settle()
    return transcript


def shift(transcript: Transcript) -> int:
    return transcript.column.shift(transcript.column.row(0), 1, 0)


def most(transcript: Transcript) -> int:
    return transcript.column.code_width(transcript.column.row(0), 1, 0) - transcript.column.width


def bar(transcript: Transcript, x: int) -> QPoint:
    row = transcript.column.row(0)
    bottom = row.part_top(1) + row.parts[1].heights[0] - transcript.top
    return QPoint(transcript.left + x, bottom - STRIP // 2)


def test_the_bar_is_dragged(wide: Transcript, qtbot: QtBot) -> None:
    qtbot.mouseMove(wide.viewport(), bar(wide, 10))
    assert wide.viewport().cursor().shape() is Qt.CursorShape.ArrowCursor
    qtbot.mousePress(wide.viewport(), LEFT, pos=bar(wide, 10))
    assert shift(wide) == 0
    move(wide, bar(wide, 60) + QPoint(0, 90))
    assert 0 < shift(wide) < most(wide)
    move(wide, bar(wide, 5000))
    assert shift(wide) == most(wide)
    qtbot.mouseRelease(wide.viewport(), LEFT, pos=bar(wide, 5000))
    assert wide.selection.bounds is None
    qtbot.mouseClick(wide.viewport(), LEFT, pos=bar(wide, 0))
    assert shift(wide) == 0


def test_code_that_fits_has_no_bar(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.answer("```\nx\n```\n")
    transcript = show()
    transcript.settle()
    qtbot.mousePress(transcript.viewport(), LEFT, pos=bar(transcript, 10))
    assert transcript.pointing.sideways.released() is False


def test_a_selection_takes_the_code_along(wide: Transcript, qtbot: QtBot) -> None:
    start = wide.keys.caret_rect(CODE).center().toPoint()
    qtbot.mousePress(wide.viewport(), LEFT, pos=start + QPoint(2, 0))
    move(wide, QPoint(wide.left + wide.column.width + 40, start.y()))
    assert shift(wide) > 0
    qtbot.mouseRelease(wide.viewport(), LEFT, pos=start)
    wide.selection.set(CODE, CODE)
    qtbot.keyClick(wide, Qt.Key.Key_End, Qt.KeyboardModifier.ShiftModifier)
    assert shift(wide) == most(wide)
    assert wide.selected_text().endswith("+ 2")
    qtbot.keyClick(wide, Qt.Key.Key_Home, Qt.KeyboardModifier.ShiftModifier)
    assert shift(wide) == 0
