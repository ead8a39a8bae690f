"""A growing reply: joined, complete in the end, and without moving the reader."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import PathChanged, ReplyChanged, ReplyGrew, ReplyProgressed
from app.ui.components.transcript.rows import ANSWER, THINKING
from app.ui.components.transcript.streaming import held_back
from app.ui.components.transcript.transcript import Transcript
from app.ui.components.transcript.words import facts_line, thinking_line, waiting_line
from benchmarks.texts import markdown
from tests.support.transcripts import FACTS, Conversations
from tests.ui.transcript.conftest import Show

TEXT = markdown(random.Random(3), 9000) + "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = 1\n```\n\nThe end"


def grew(message_id: str, offset: int, text: str, *, thinking: bool = False) -> ReplyGrew:
    return ReplyGrew(conversation_id="c", message_id=message_id, offset=offset, text=text, thinking=thinking)


def ended(message_id: str, state: ReplyState = ReplyState.DONE) -> ReplyChanged:
    return ReplyChanged(conversation_id="c", message_id=message_id, state=state, facts=FACTS)


def heights_of(transcript: Transcript) -> list[int]:
    row = transcript.column.row(len(transcript.column.entries) - 1)
    part = row.parts[ANSWER]
    return [transcript.column.piece(row, ANSWER, i).height for i in range(len(part.chunks))]


@pytest.fixture
def live(conversations: Conversations) -> str:
    conversations.ask("Tell me")
    return conversations.answer("", state=ReplyState.QUEUED, facts=None)


def stream(transcript: Transcript, message_id: str, text: str) -> None:
    draw, at = random.Random(5), 0
    while at < len(text):
        step = draw.randint(1, 300)
        transcript.apply(grew(message_id, at, text[at : at + step]))
        transcript.streaming.flush()
        transcript.settle()
        at += step


def test_a_streamed_reply_looks_like_the_finished_one(
    show: Show, qtbot: QtBot, conversations: Conversations, live: str
) -> None:
    transcript = show()
    stream(transcript, live, TEXT)
    row = transcript.column.row(1)
    assert row.parts[ANSWER].text == TEXT
    streamed = (list(row.parts[ANSWER].chunks), heights_of(transcript))
    conversations.change(live, text=TEXT, state=ReplyState.DONE, facts=FACTS)
    transcript.apply(ended(live))
    assert (list(row.parts[ANSWER].chunks), heights_of(transcript)) == streamed
    again = show()
    assert again.column.row(1).parts[ANSWER].chunks == streamed[0]
    assert heights_of(again) == streamed[1]


@pytest.mark.parametrize("step", [17, 90])
def test_what_is_moved_is_what_would_be_painted(
    show: Show, qtbot: QtBot, conversations: Conversations, live: str, step: int
) -> None:
    transcript = show()
    screen = transcript.screen()
    begin = len(TEXT) - 60 * step
    for at in range(begin, len(TEXT), step) if step < 50 else range(0, len(TEXT), step):
        transcript.apply(grew(live, 0, TEXT[: at + step]))
        transcript.streaming.flush()
        qtbot.waitUntil(lambda: not transcript._sync_later.isActive())
    conversations.change(live, text=TEXT, state=ReplyState.DONE, facts=FACTS)
    transcript.apply(ended(live))
    qtbot.waitUntil(lambda: not transcript.idle.busy and not transcript._sync_later.isActive(), timeout=10_000)
    moved = screen.grabWindow(transcript.winId()).toImage()
    transcript.viewport().repaint()
    assert screen.grabWindow(transcript.winId()).toImage() == moved


def test_only_the_unfinished_chunk_is_made_again(show: Show, live: str) -> None:
    transcript = show()
    stream(transcript, live, TEXT)
    made = transcript.column.laid_out
    transcript.apply(grew(live, len(TEXT), " and one more word"))
    transcript.streaming.flush()
    transcript.settle()
    assert transcript.column.laid_out - made <= 1


def test_growth_is_joined_until_it_is_shown(show: Show, qtbot: QtBot, live: str) -> None:
    transcript = show()
    transcript.apply(grew(live, 0, "Hello"))
    transcript.apply(grew(live, 5, " there"))
    assert transcript.column.row(1).parts[ANSWER].text == ""
    qtbot.waitUntil(lambda: transcript.column.row(1).parts[ANSWER].text == "Hello there")


def test_a_document_is_made_in_a_turn_before_it_is_shown(show: Show, qtbot: QtBot, live: str) -> None:
    transcript = show()
    transcript.apply(grew(live, 0, "Some words"))
    transcript.streaming.flush()
    transcript.settle()
    made = transcript.column.laid_out
    row = transcript.column.row(1)
    shown: list[tuple[int, str]] = []
    transcript.streaming.about_to_grow.connect(
        lambda: shown.append((transcript.column.laid_out - made, row.parts[ANSWER].text))
    )
    transcript.apply(grew(live, 10, ", **strong** ones"))
    qtbot.waitUntil(lambda: row.parts[ANSWER].text.endswith("ones"))
    transcript.settle()
    assert shown == [(1, "Some words")]
    assert transcript.column.laid_out - made == 1


def test_what_comes_between_making_and_showing_is_shown_next(show: Show, qtbot: QtBot, live: str) -> None:
    transcript = show()
    transcript.apply(grew(live, 0, "Some words"))
    transcript.streaming.flush()
    transcript.settle()
    row = transcript.column.row(1)
    seen: list[str] = []
    transcript.streaming.grown.connect(lambda _number, _below: seen.append(row.parts[ANSWER].text))
    transcript.apply(grew(live, 10, ", **strong** ones"))
    transcript.streaming._due()
    assert not seen
    transcript.apply(grew(live, 27, " and more"))
    qtbot.waitUntil(lambda: row.parts[ANSWER].text.endswith("more"))
    assert seen == ["Some words, **strong** ones", "Some words, **strong** ones and more"]


def test_repeated_growth_changes_nothing(show: Show, live: str) -> None:
    transcript = show()
    for change in (grew(live, 0, "Hello"), grew(live, 0, "Hello"), grew(live, 3, "lo there"), grew(live, 0, "He")):
        transcript.apply(change)
        transcript.streaming.flush()
    assert transcript.column.row(1).parts[ANSWER].text == "Hello there"


def test_missed_growth_is_read_from_the_store(show: Show, conversations: Conversations, live: str) -> None:
    transcript = show()
    conversations.change(live, text="Hello there, ", state=ReplyState.WRITING)
    transcript.apply(grew(live, 13, "friend"))
    transcript.streaming.flush()
    assert transcript.column.row(1).parts[ANSWER].text == "Hello there, friend"


def test_growth_of_another_conversation_is_ignored(show: Show, live: str) -> None:
    transcript = show()
    transcript.apply(ReplyGrew(conversation_id="other", message_id=live, offset=0, text="x"))
    transcript.streaming.flush()
    assert transcript.column.row(1).parts[ANSWER].text == ""


def test_the_view_follows_only_a_reader_at_the_end(show: Show, conversations: Conversations, live: str) -> None:
    transcript = show()
    stream(transcript, live, TEXT)
    assert transcript.following
    assert transcript.top == transcript.column.total - transcript.viewport().height()
    transcript.scroll_by(-700)
    transcript.settle()
    top = transcript.top
    transcript.apply(grew(live, len(TEXT), "\n\nMore.\n\nAnd more."))
    transcript.streaming.flush()
    transcript.settle()
    assert transcript.top == top
    assert transcript.canvas.jump_centre() is not None
    transcript.scroll_to_end()
    transcript.settle()
    assert transcript.canvas.jump_centre() is None
    assert transcript.following


def test_ones_own_new_message_is_shown(show: Show, conversations: Conversations) -> None:
    for _ in range(8):
        conversations.ask("Question")
        conversations.answer(markdown(random.Random(1), 2000))
    transcript = show()
    transcript.scroll_pixels(0)
    transcript.settle()
    conversations.ask("Another")
    conversations.answer("", state=ReplyState.QUEUED, facts=None)
    transcript.apply(PathChanged(conversation_id="c"))
    transcript.settle()
    assert transcript.following
    assert len(transcript.column.entries) == 18


def test_states_have_words(show: Show, conversations: Conversations, live: str) -> None:
    transcript = show()
    row = transcript.column.row(1)
    assert waiting_line(row.state, row.progress) == "Waiting for the model"  # which loads, or writes another one
    transcript.apply(ReplyProgressed(conversation_id="c", message_id=live, done=1204, total=3100))
    assert waiting_line(row.state, row.progress) == "Reading: 1,204 of 3,100 tokens (38 %)"
    transcript.apply(grew(live, 0, "hmm", thinking=True))
    transcript.streaming.flush()
    assert row.thinks
    assert row.parts[THINKING].text == "hmm"
    assert thinking_line(row.facts, now=row.thinks) == "Thinking…"
    conversations.change(live, thinking="hmm", text="Yes", state=ReplyState.STOPPED, facts=FACTS)
    transcript.apply(ended(live, ReplyState.STOPPED))
    assert not row.state.live
    assert facts_line(row.state, row.facts) == "Stopped · 38.2 tokens/s · first token 0.4 s · 412 tokens"
    assert FACTS.generation is not None
    ahead = replace(FACTS, generation=replace(FACTS.generation, drafted_tokens=1400, accepted_tokens=1250))
    assert facts_line(ReplyState.DONE, ahead).endswith("412 tokens · 1,250 guessed ahead")
    reading = replace(FACTS, generation=replace(FACTS.generation, completion_tokens=0, decode_s=0.0))
    assert facts_line(ReplyState.STOPPED, reading) == "Stopped", "there was no first token"


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("abc", 0),
        ("abc\n`", 1),
        ("abc\n```py", 5),
        ("abc\n| a |", 5),
        ("abc\n| a |\n", 0),
        ("`x` is", 0),
        ("~~~", 3),
        ("- a\n    ``", 6),
        ("> ```c", 6),
    ],
)
def test_half_lines_wait(text: str, held: int) -> None:
    assert held_back(text) == held


def test_an_open_code_block_is_told_once_it_ends(show: Show, live: str) -> None:
    transcript = show()
    told: list[str] = []
    transcript.announced.connect(told.append)
    text = "Look. \n\n```python\n" + "x = 1. \n" * 50
    for end in (7, 12, 15, 19, 60, len(text)):
        transcript.speaking.said(live, text[:end], False)
    assert told == ["Look."]
    transcript.speaking.said(live, text + "``", False)
    transcript.speaking.said(live, text + "```\nThat was all. \n\nB", False)
    assert told == ["Look.", "A code block. That was all."]
    transcript.speaking.said(live, text + "```\nThat was all. \n\nBye", True)
    assert told[2:] == ["Bye"]
