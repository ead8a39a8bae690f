"""Scrolling and laying out: little of much, and the reader's place stays."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QPoint
from pytestqt.qtbot import QtBot

from app.services.changes import PathChanged
from app.ui.components.transcript import canvas
from app.ui.components.transcript.column import KEPT_ROWS
from app.ui.components.transcript.pieces import KEPT_PIECES
from app.ui.components.transcript.places import Place
from app.ui.components.transcript.transcript import Transcript
from app.ui.theme.theme import Theme
from benchmarks.texts import markdown
from tests.support.transcripts import Conversations
from tests.ui.transcript.conftest import Show


@pytest.fixture
def long(conversations: Conversations) -> Conversations:
    for number in range(300):
        conversations.ask(f"Question {number}")
        conversations.answer(markdown(random.Random(number), 2500))
    return conversations


def idle(qtbot: QtBot, transcript: Transcript) -> None:
    qtbot.waitUntil(lambda: not transcript.idle.busy and not transcript._sync_later.isActive(), timeout=10_000)


def test_an_empty_transcript_paints_only_the_page(show: Show, theme: Theme) -> None:
    image = show().viewport().grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert colours == {theme.colour("page").name()}


def test_opening_reads_and_lays_out_only_the_end(show: Show, long: Conversations) -> None:
    transcript = show()
    assert len(set(long.read)) < 12
    assert transcript.column.laid_out < 20
    assert transcript.following


def test_documents_are_few_however_far_one_scrolls(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    for _ in range(120):
        transcript.scroll_by(-400)
        transcript.viewport().repaint()
    idle(qtbot, transcript)
    assert len(transcript.column.pieces) <= KEPT_PIECES


def test_a_fast_drag_paints_what_it_can_and_the_rest_when_it_rests(
    show: Show, qtbot: QtBot, long: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = show()
    column, bar = transcript.column, transcript.verticalScrollBar()
    monkeypatch.setattr(canvas, "FAST_S", 0.0)
    monkeypatch.setattr(canvas, "FAST_MS", 60_000)
    made = column.laid_out
    for share in (0.7, 0.5, 0.3):
        bar.setValue(round(bar.maximum() * share))
        transcript.viewport().repaint()
        assert not column.complete
    assert column.laid_out == made
    top = transcript.top
    qtbot.waitUntil(lambda: column.complete)
    assert column.laid_out > made
    for _number, row, y in column.rows_between(top, top + transcript.viewport().height()):
        for part, index, _inside in column.chunks_between(row, top - y, top + transcript.viewport().height() - y):
            assert row.parts[part].known[index]


def test_texts_that_are_far_away_are_let_go(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    unfolded = transcript.column.row(599)
    unfolded.unfolded = True
    seen = 0
    while transcript.top > 0:
        transcript.scroll_by(-550)
        transcript.settle()
        place, before = place_on_screen(transcript)
        seen = max(seen, len(transcript.column.rows))
        transcript.settle()
        assert transcript.column.y_of(place) - transcript.top == before
    assert set(transcript.column.rows) >= {0, 1, 2}
    assert len(set(long.read)) == 600
    assert seen <= KEPT_ROWS
    assert transcript.column.rows[599] is unfolded
    transcript.scroll_to_end()
    transcript.settle()
    assert transcript.column.row(599) is unfolded


def place_on_screen(transcript: Transcript) -> tuple[Place, int]:
    anchor = transcript.column.anchor(transcript.top, transcript.top + transcript.viewport().height())
    assert anchor is not None
    return anchor.place, anchor.below_top


def test_scrolling_moves_what_is_read_by_exactly_that(
    show: Show, long: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "STEP_S", 60.0)  # what comes into view is laid out at once, however slow that is
    transcript, draw = show(), random.Random(2)
    transcript.scroll_pixels(transcript.column.total // 2)
    transcript.settle()
    for _ in range(150):
        place, before = place_on_screen(transcript)
        step = draw.choice((-300, -60, 60, 300))
        transcript.scroll_by(step)
        transcript.settle()
        assert transcript.column.y_of(place) - transcript.top == before - step


def test_idle_work_moves_nothing(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    transcript.scroll_pixels(transcript.column.total // 3)
    transcript.settle()
    place, before = place_on_screen(transcript)
    made = transcript.column.laid_out
    idle(qtbot, transcript)
    assert transcript.column.laid_out > made
    assert transcript.column.y_of(place) - transcript.top == before


def test_heights_are_the_sum_of_their_parts(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    for _ in range(20):
        transcript.scroll_by(-350)
        transcript.settle()
    column = transcript.column
    for number, row in column.rows.items():
        assert column.heights[number] == row.height(transcript.looks)
    assert column.heights.total == sum(column.heights[i] for i in range(len(column.entries)))


@pytest.mark.parametrize("change", ["column", "text", "theme", "window"])
def test_another_look_keeps_the_place(show: Show, qtbot: QtBot, long: Conversations, theme: Theme, change: str) -> None:
    transcript = show()
    transcript.scroll_pixels(transcript.column.total // 2)
    transcript.settle()
    place, before = place_on_screen(transcript)
    if change == "column":
        transcript.set_column(640)
    elif change == "text":
        transcript.set_text_size(18)
    elif change == "theme":
        theme.set_preference("night")
    else:
        transcript.resize(600, 600)
    transcript.settle()
    assert transcript.column.y_of(place) - transcript.top == before


def test_the_text_stands_in_the_middle_with_and_without_a_scroll_bar(show: Show, conversations: Conversations) -> None:
    conversations.ask("Hello")
    transcript = show(1000)
    assert transcript.left == (1000 - 688) // 2
    conversations.answer(markdown(random.Random(1), 9000))
    transcript.apply(PathChanged(conversation_id="c"))
    transcript.settle()
    assert transcript.left == (1000 - 688) // 2


def test_a_narrow_view_has_a_narrow_column(show: Show, conversations: Conversations) -> None:
    conversations.answer(markdown(random.Random(1), 2000))
    transcript = show(500)
    assert transcript.column.width == 500 - 40 - 32


def test_scroll_to_a_message(show: Show, long: Conversations) -> None:
    transcript = show()
    message = long.messages[101]
    transcript.scroll_to(message.id)
    assert transcript.column.heights.top(101) == transcript.top
    assert not transcript.following


def test_coming_back_shows_the_same_place(show: Show, long: Conversations) -> None:
    transcript = show()
    transcript.scroll_to(long.messages[101].id)
    transcript.scroll_by(40)
    transcript.settle()
    transcript.open(None)
    transcript.open("c")
    transcript.settle()
    assert transcript.column.heights.top(101) == transcript.top - 40


def test_another_branch_keeps_the_rows_before_it(show: Show, long: Conversations) -> None:
    transcript = show()
    transcript.scroll_to(long.messages[299].id)
    row = transcript.column.row(299)
    del long.messages[301:]
    long.ask("Another way")
    transcript.apply(PathChanged(conversation_id="c"))
    transcript.settle()
    assert transcript.column.row(299) is row
    assert len(transcript.column.entries) == 302


def test_folding_keeps_the_head_where_it_is(show: Show, conversations: Conversations) -> None:
    for _ in range(6):
        conversations.ask("Why?")
        conversations.answer(markdown(random.Random(2), 3000), thinking=markdown(random.Random(4), 3000))
    transcript = show()
    transcript.scroll_to(conversations.messages[5].id)
    y = transcript.column.heights.top(5) - transcript.top
    before = transcript.column.heights[5]
    transcript.deeds.fold(5)
    transcript.settle()
    assert transcript.column.heights[5] > before
    assert transcript.column.heights.top(5) - transcript.top == y
    transcript.deeds.fold(5)
    transcript.settle()
    assert transcript.column.heights[5] == before


def test_wide_code_scrolls_sideways_and_nothing_else(show: Show, conversations: Conversations) -> None:
    conversations.answer("```python\n" + "x = 1 + " * 60 + "1\n```")
    transcript = show()
    transcript.settle()
    column, row = transcript.column, transcript.column.row(0)
    assert transcript.horizontalScrollBar().maximum() == 0
    assert column.code_width(row, 1, 0) > column.width
    assert column.set_shift(row, 1, 0, 100_000)
    assert column.shift(row, 1, 0) == column.code_width(row, 1, 0) - column.width
    point = transcript.pointing.point_at(QPoint(transcript.left + column.width, 60))
    assert point is not None
    assert point.position > 400
