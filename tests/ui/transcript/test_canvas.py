"""What is painted again: what only moves is moved, and no frame takes on much."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterator
from time import perf_counter

import pytest
from markdown_it import MarkdownIt
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QImage, QPaintEvent
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import PathChanged, ReplyGrew
from app.ui.components.transcript import canvas
from app.ui.components.transcript.chunks import split
from app.ui.components.transcript.parsing import parse
from app.ui.components.transcript.pieces import FIRST_PACE_S, Pieces, weight
from app.ui.components.transcript.rows import ANSWER
from app.ui.components.transcript.transcript import Transcript
from app.ui.components.transcript.warming import warm_up
from benchmarks.texts import markdown
from tests.support.transcripts import FACTS, Conversations
from tests.ui.transcript.conftest import Show


@pytest.fixture
def long(conversations: Conversations) -> Conversations:
    for number in range(60):
        conversations.ask(f"Question {number}")
        conversations.answer(markdown(random.Random(number), 2500))
    return conversations


class Painted(QObject):
    """The heights of the regions that a transcript was asked to paint, in pixels of its whole width."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self.heights: list[float] = []
        self._width = transcript.viewport().width()
        transcript.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.heights.append(sum(r.width() * r.height() for r in iter(event.region())) / self._width)  # type: ignore[call-overload]
        return False


def rest(qtbot: QtBot, transcript: Transcript) -> None:
    """Nothing is to be made, painted or told any more."""
    qtbot.waitUntil(
        lambda: transcript.column.complete and not transcript.idle.busy and not transcript._sync_later.isActive(),
        timeout=10_000,
    )
    qtbot.wait(1)  # what was asked to be painted is painted


def shown(transcript: Transcript) -> QImage:
    return transcript.screen().grabWindow(transcript.winId()).toImage()


def steps(transcript: Transcript) -> Iterator[None]:
    """All ways of moving a little, and some of moving far."""
    bar, draw = transcript.verticalScrollBar(), random.Random(1)
    for step in (-48, -120, 120, -300, 37, -1, 240, -460, 460):
        transcript.scroll_by(step)
        yield
        bar.setValue(bar.value() + step)
        yield
        for _ in range(3):  # several before they are painted
            bar.setValue(bar.value() + draw.randint(-200, 200))
        yield
    bar.setValue(bar.maximum() // 2)
    yield
    bar.setValue(bar.value() - 90)
    yield


def test_what_is_moved_is_what_would_be_painted(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    transcript.select_all()
    rest(qtbot, transcript)
    painted = Painted(transcript)
    for _ in steps(transcript):
        rest(qtbot, transcript)
        moved = shown(transcript)
        transcript.viewport().repaint()
        assert shown(transcript) == moved
    assert min(painted.heights) < 100


def test_an_end_that_goes_far_away_at_once_leaves_nothing_behind(
    show: Show, qtbot: QtBot, conversations: Conversations
) -> None:
    conversations.ask("Tell me")
    live = conversations.answer("", state=ReplyState.QUEUED, facts=None)
    transcript = show()
    text, more = "```\n" + "x = 1\n" * 40 + "y", " = 2\n" * 200
    transcript.apply(ReplyGrew(conversation_id="c", message_id=live, offset=0, text=text))
    rest(qtbot, transcript)
    transcript.scroll_by(-8)  # it is not followed any more
    rest(qtbot, transcript)
    transcript.apply(ReplyGrew(conversation_id="c", message_id=live, offset=len(text), text=more))
    transcript.streaming.flush()
    rest(qtbot, transcript)
    painted = shown(transcript)
    transcript.viewport().repaint()
    assert shown(transcript) == painted


@pytest.mark.parametrize("fence", ["```\n", "Look:\n\n```python\n"])
def test_the_first_letters_of_code_are_seen(show: Show, qtbot: QtBot, conversations: Conversations, fence: str) -> None:
    conversations.ask("Tell me")
    live = conversations.answer("", state=ReplyState.QUEUED, facts=None)
    transcript = show()
    for at, more in ((0, fence), (len(fence), "d")):
        transcript.apply(ReplyGrew(conversation_id="c", message_id=live, offset=at, text=more))
        transcript.streaming.flush()
        rest(qtbot, transcript)
    painted = shown(transcript)
    transcript.viewport().repaint()
    assert shown(transcript) == painted


def test_the_way_back_comes_though_another_part_is_painted(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    rest(qtbot, transcript)
    transcript.scroll_by(10 - canvas.JUMP_FROM)
    rest(qtbot, transcript)
    without = shown(transcript)
    transcript.column.end_gap += 20  # heights beyond the screen became true
    transcript.viewport().repaint(0, 0, 8, 8)
    rest(qtbot, transcript)
    painted = shown(transcript)
    assert painted != without
    transcript.viewport().repaint()
    assert shown(transcript) == painted


def test_what_was_left_out_comes_though_a_part_is_painted_before(
    show: Show, qtbot: QtBot, long: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the way back to the end, or the caret, while a reply grows."""
    transcript = show()
    rest(qtbot, transcript)
    monkeypatch.setattr(canvas, "STEP_S", 0.0)
    monkeypatch.setattr(canvas, "FAST_S", 0.0)
    transcript.verticalScrollBar().setValue(transcript.verticalScrollBar().maximum() // 2)
    transcript.viewport().repaint()
    assert not transcript.column.complete
    monkeypatch.setattr(canvas, "STEP_S", 10.0)
    transcript.viewport().repaint(0, 0, 8, 8)
    assert transcript.column.complete
    rest(qtbot, transcript)
    qtbot.waitUntil(lambda: not transcript.canvas._rest.isActive())
    qtbot.wait(1)
    painted = shown(transcript)
    transcript.viewport().repaint()
    assert shown(transcript) == painted


def test_a_small_step_paints_what_comes_in(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    rest(qtbot, transcript)
    transcript.scroll_by(-400)
    rest(qtbot, transcript)
    painted = Painted(transcript)
    transcript.scroll_by(-50)
    qtbot.waitUntil(lambda: bool(painted.heights))
    assert 50 <= sum(painted.heights) < 60  # and the way back to the end


def test_new_lines_of_code_are_all_that_is_painted(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.ask("Tell me")
    live = conversations.answer("", state=ReplyState.QUEUED, facts=None)
    transcript = show()
    text = "```\n" + "x = 1\n" * 15
    for at, end in ((0, len(text)), (len(text), len(text) + 6)):
        rest(qtbot, transcript)
        painted = Painted(transcript)
        more = (text + "y = 2\n")[at:end]
        transcript.apply(ReplyGrew(conversation_id="c", message_id=live, offset=at, text=more))
        qtbot.waitUntil(lambda painted=painted: bool(painted.heights))  # type: ignore[misc]
    row = transcript.column.row(1)
    bottom = row.part_top(ANSWER) + row.parts[ANSWER].height + transcript.column.heights.top(1)
    assert painted.heights[0] <= transcript.viewport().height() - bottom + 4 * transcript.looks.code_line


def test_a_document_that_was_let_go_waits_for_a_frame_with_time(
    show: Show, qtbot: QtBot, long: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = show()
    rest(qtbot, transcript)
    column = transcript.column
    monkeypatch.setattr(canvas, "STEP_S", 0.0)
    column.pieces.clear()
    made = column.laid_out
    transcript.scroll_by(-40)
    transcript.viewport().repaint()
    assert not column.complete
    assert column.laid_out == made
    monkeypatch.undo()
    rest(qtbot, transcript)
    number = column.heights.find(transcript.top)
    row, y = column.row(number), column.heights.top(number)
    assert all(
        column.ready(row, part, index) for part, index, _y in column.chunks_between(row, transcript.top - y, 9999)
    )


def test_settling_late_makes_one_document_and_then_stops(show: Show, qtbot: QtBot, long: Conversations) -> None:
    transcript = show()
    column = transcript.column
    transcript.scroll_to(long.messages[41].id)
    rest(qtbot, transcript)
    column.pieces.clear()
    column.pieces._pace = 1.0
    made = column.laid_out
    transcript.settle(perf_counter() + 60)
    assert column.laid_out == made + 1
    assert not column.complete


def test_tables_are_expected_to_take_longer() -> None:
    prose, table = "word " * 40, "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 18
    (first,), (second,) = split(prose), split(table)
    assert len(prose) == len(table)
    assert weight(second, table) > 3 * weight(first, prose)


def test_the_pace_follows_what_was_measured_but_not_one_interruption() -> None:
    pieces = Pieces()
    pieces._learn(10.0)
    assert pieces._pace < 2 * FIRST_PACE_S
    for _ in range(60):
        pieces._learn(FIRST_PACE_S / 2)
    assert pieces._pace == pytest.approx(FIRST_PACE_S / 2, rel=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, nothing else.",
        "",
        "two\nlines  \nand a break",
        "a*b* `c` ~~d~~ [e](https://f.org) ![g](h) <https://i.org> &amp; \\* _j_",
        "A $100 question: {x} = y@z.org | 50 % (really)?",
        "| a | b *c* |\n|---|---|\n| 1 | `2` |\n| | x |",
        markdown(random.Random(8), 4000),
    ],
)
def test_plain_text_is_parsed_as_markdown_would(text: str) -> None:
    whole = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    assert [token.as_dict() for token in parse(text)] == [token.as_dict() for token in whole.parse(text)]


def test_tokens_of_a_reply_are_not_kept(show: Show, conversations: Conversations) -> None:
    import msgspec

    conversations.answer("Hello", facts=msgspec.structs.replace(FACTS, token_ids=list(range(1000))))
    facts = show().column.row(0).facts
    assert facts == FACTS


def test_idle_work_waits_while_text_arrives(show: Show, qtbot: QtBot, long: Conversations) -> None:
    long.ask("Tell me")
    live = long.answer("", state=ReplyState.QUEUED, facts=None)
    transcript = show()
    rest(qtbot, transcript)
    transcript.apply(PathChanged(conversation_id="c"))
    transcript.apply(ReplyGrew(conversation_id="c", message_id=live, offset=0, text="Hello"))
    transcript.streaming.flush()
    transcript.idle.wake(0)
    assert transcript.idle._timer.remainingTime() > canvas.QUIET_MS // 2


def test_what_is_loaded_once_is_not_searched_for_garbage() -> None:
    before = gc.get_freeze_count()
    kept = [[] for _ in range(100)]
    interval = sys.getswitchinterval()
    warm_up()
    sys.setswitchinterval(interval)
    assert gc.get_freeze_count() >= before + len(kept)
