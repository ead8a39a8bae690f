"""Thinking and answer are told apart whatever way the text is cut into deltas."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.thinking import ThinkingSplitter
from app.engine.values import THINKING_TAGS


def split(deltas: list[str], thinking_open: bool = False) -> tuple[str, str]:
    """(thinking, answer) of a whole reply."""
    splitter = ThinkingSplitter(thinking_open)
    pieces = [piece for delta in deltas for piece in splitter.feed(delta)] + splitter.finish()
    return "".join(t for t, thinking in pieces if thinking), "".join(t for t, thinking in pieces if not thinking)


@pytest.mark.parametrize(("opening", "closing"), THINKING_TAGS)
def test_every_pair_of_tags(opening: str, closing: str) -> None:
    assert split([f"{opening}\nWhy?\n\nSo.\n{closing}\n\nBecause."]) == ("Why?\n\nSo.", "Because.")


def test_the_opening_tag_may_be_in_the_prompt() -> None:
    assert split(["Let me", " see.\n</thi", "nk>\n\nYes."], thinking_open=True) == ("Let me see.", "Yes.")


def test_tags_may_span_deltas() -> None:
    assert split(list("<think>a b</think>c d")) == ("a b", "c d")


def test_text_without_thinking_is_untouched() -> None:
    text = "  Write <think> and </think> to think.\n"
    assert split(["x" + text]) == ("", "x" + text)
    assert split([text]) == ("", text)
    assert split(["\n\n"]) == ("", "\n\n")


def test_a_beginning_that_only_looks_like_a_tag() -> None:
    assert split(["<", "thin", " ice>"]) == ("", "<thin ice>")
    assert split(["<thi"]) == ("", "<thi")


CHANNELS = (
    "<|channel|>analysis<|message|>They greet me. <b>So</b> < I\n\ngreet.<|end|><|start|>assistant"
    "<|channel|>commentary to=x<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>Hello, <|end|> is a tag"
)


@given(st.sets(st.integers(1, len(CHANNELS) - 1), max_size=12))
def test_channels_are_told_apart_however_they_are_cut(cuts: set[int]) -> None:
    deltas = [CHANNELS[start:end] for start, end in pairwise([0, *sorted(cuts), len(CHANNELS)])]
    assert split(deltas) == ("They greet me. <b>So</b> < I\n\ngreet.\n\n{}", "Hello, <|end|> is a tag")


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<|channel|>final<|message|>At once.", "", "At once."),
        (
            "<|channel|>final<|message|>One.<|end|><|start|>assistant<|channel|>final<|message|>Two.<|end|>",
            "",
            "One.Two.",
        ),
        ("<|channel|>analysis<|message|>Half a tho", "Half a tho", ""),
        ("<|channel|>analysis<|message|>All.<|end|><|start|>assis", "All.", ""),
        ("<|channel|>ana", "", ""),
        ("<|chan", "", "<|chan"),
        ("Use <|channel|>final<|message|> for it", "", "Use <|channel|>final<|message|> for it"),
    ],
)
def test_channels_at_their_edges(text: str, thinking: str, answer: str) -> None:
    assert split([text]) == split(list(text)) == (thinking, answer)


def test_a_comparison_inside_thinking_is_not_a_tag() -> None:
    assert split(["<think>", "a < b and </th", " x", "</think>", "ok"]) == ("a < b and </th x", "ok")


def test_the_first_end_ends_however_often_it_was_opened() -> None:
    """A thought may speak of the tag: whoever waited for as many ends would take the whole answer for thinking."""
    assert split(["<think>No <think> tags here.</think>Yes."]) == ("No <think> tags here.", "Yes.")
    assert split(["<think>a <think>b</think> c</think> d"]) == ("a <think>b", "c</think> d")


def test_stopped_while_thinking() -> None:
    assert split(["<think>\nHalf a thou"]) == ("Half a thou", "")
    assert split(["<think>Half </thi"]) == ("Half </thi", "")


def test_an_empty_block() -> None:
    assert split(["<think>\n\n</think>\n\nAnswer"]) == ("", "Answer")


def test_text_is_not_held_back_longer_than_needed() -> None:
    splitter = ThinkingSplitter()
    assert [piece.text for piece in splitter.feed("Hello ")] == ["Hello "]
    splitter = ThinkingSplitter(thinking_open=True)
    assert [piece.text for piece in splitter.feed("One two")] == ["One two"]
    assert splitter.thinking


@given(
    thinking=st.text(alphabet="ab <>/\nthink", max_size=30),
    answer=st.text(alphabet="ab <>/\nthink", max_size=30),
    cuts=st.lists(st.integers(0, 80), max_size=12),
    opened=st.booleans(),
)
def test_any_cutting_gives_the_same(thinking: str, answer: str, cuts: list[int], opened: bool) -> None:
    whole = f"{thinking}</think>{answer}" if opened else f"<think>{thinking}</think>{answer}"
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    deltas = [whole[a:b] for a, b in pairwise(places)]
    assert split(deltas, opened) == split([whole], opened)


@given(text=st.text(alphabet="ab <>/\nthink[]", max_size=40), cuts=st.lists(st.integers(0, 40), max_size=8))
def test_nothing_is_lost_where_nobody_thinks(text: str, cuts: list[int]) -> None:
    if any(text.lstrip().startswith(opening) for opening, _ in THINKING_TAGS):
        return
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    deltas = [text[a:b] for a, b in pairwise(places)]
    assert split(deltas) == ("", text)
