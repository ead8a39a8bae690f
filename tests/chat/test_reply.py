"""A reply is the sum of its events."""

from __future__ import annotations

from app.chat.messages import ReplyState
from app.chat.reply import Growth, ReplyFold
from app.engine.values import GenerationFacts

FACTS = GenerationFacts(
    prompt_tokens=5, cached_tokens=0, completion_tokens=3, prompt_s=0.1, decode_s=0.2, ttft_s=0.1, seed=1,
    finish_reason="stop",
)  # fmt: skip


def test_from_queued_to_done() -> None:
    fold = ReplyFold()
    assert fold.state is ReplyState.QUEUED
    fold.reading()
    assert fold.state is ReplyState.READING
    fold.started(thinking_open=False)
    assert fold.delta("Hel", [1], 0.0) == [Growth(0, "Hel", False)]
    assert fold.state is ReplyState.WRITING
    assert fold.delta("lo", [2, 3], 0.1) == [Growth(3, "lo", False)]
    assert fold.ended(ReplyState.DONE, FACTS, 0.2) == []
    assert (fold.text, fold.thinking, fold.token_ids, fold.state) == ("Hello", "", [1, 2, 3], ReplyState.DONE)
    assert fold.facts is FACTS


def test_thinking_has_its_own_offsets_and_time() -> None:
    fold = ReplyFold()
    fold.started(thinking_open=True)
    assert fold.delta("Hm", [1], 10.0) == [Growth(0, "Hm", True)]
    assert fold.delta("m.", [2], 11.0) == [Growth(2, "m.", True)]
    assert fold.delta("</think>\n\nYes", [3, 4], 12.5) == [Growth(0, "Yes", False)]
    fold.ended(ReplyState.DONE, FACTS, 20.0)
    assert fold.thinking_s == 2.5
    assert (fold.thinking, fold.text) == ("Hmm.", "Yes")


def test_stopped_in_the_middle_of_thinking() -> None:
    fold = ReplyFold()
    fold.started(thinking_open=False)
    fold.delta("<think>Half ", [1], 1.0)
    fold.ended(ReplyState.STOPPED, None, 4.0)
    assert (fold.thinking, fold.text, fold.thinking_s, fold.state) == ("Half", "", 3.0, ReplyState.STOPPED)


def test_held_back_text_comes_at_the_end() -> None:
    fold = ReplyFold()
    fold.started(thinking_open=False)
    assert fold.delta("<th", [1], 0.0) == []
    assert fold.ended(ReplyState.DONE, FACTS, 0.1) == [Growth(0, "<th", False)]
