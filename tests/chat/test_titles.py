"""Titles are one clean line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.titles import LIMIT, UNTITLED, title_for


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("  \n\n  Hello   there \n more", "Hello there"),
        ("# Plan for **tomorrow**", "Plan for tomorrow"),
        ("- `ls -l` what is it", "ls -l what is it"),
        ("3.14 is pi?", "3.14 is pi?"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("See [the page](https://example.org/a/b)", "See the page"),
        ("line\tone\u2028two", "line one"),
        ("evil\u202etxt", "eviltxt"),
        ("", UNTITLED),
        ("???", "???"),
        (
            "Explain to me in simple words how a refrigerator moves heat from the inside",
            "Explain to me in simple words how a…",
        ),
        ("光" * 100, "光" * (LIMIT - 1) + "…"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert title_for(text) == title


@given(st.text(max_size=300))
def test_any_text_gives_one_short_line(text: str) -> None:
    title = title_for(text)
    assert title
    assert len(title) <= LIMIT
    assert "\n" not in title
    assert title == " ".join(title.split())


def test_a_pasted_line_as_long_as_a_book_takes_no_time() -> None:
    assert title_for("[" * 1_000_000) == "[" * (LIMIT - 1) + "…"
    assert title_for("word " * 1_000_000).startswith("word word")
