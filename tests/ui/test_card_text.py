"""Cards are text of strangers: tags go, pictures and links stay as Markdown, addresses are https or nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.components.models.card_text import MOST_CHARS, address, host_of, pictures, plain_markdown

PAGE = "https://huggingface.co/acme/Tiny-GGUF"


def test_html_becomes_markdown() -> None:
    card = (
        '<div align="center">\n  <img src="https://x.example/a.png" alt="A [banner]" width="40%"/>\n</div>\n\n'
        '<p>Read <a href="https://x.example/paper" target="_blank">the paper</a>, <b>please</b>.<br>Thanks</p>\n'
        "<!-- a note\n-->\n<h2>More</h2>\n<ul><li>one</li><li>two</li></ul>"
    )
    text, cut = plain_markdown(card)
    assert not cut
    assert "![A  banner ](<https://x.example/a.png>)" in text
    assert "[the paper](<https://x.example/paper>)" in text
    assert "**please**" in text
    assert "## More" in text
    assert "- one" in text
    assert "note" not in text
    assert "<p>" not in text
    assert pictures(text) == ["https://x.example/a.png"]


def test_code_is_left_alone() -> None:
    card = "a <b>c</b>\n\n```html\n<div>stays</div>\n```\n\n<div>goes</div>\n~~~\n<i>stays too</i>\n"
    text, _ = plain_markdown(card)
    assert "<div>stays</div>" in text
    assert "<i>stays too</i>" in text
    assert "<div>goes" not in text
    assert "goes" in text


def test_scripts_and_styles_go_whole() -> None:
    text, _ = plain_markdown("a<script>alert(1)</script>b<style>p { color: red }</style>c")
    assert text == "abc"


def test_a_long_card_is_cut_between_paragraphs() -> None:
    text, cut = plain_markdown("one two three\n\n" * 10_000)
    assert cut
    assert len(text) <= MOST_CHARS
    assert text.endswith("three")


@pytest.mark.parametrize(
    ("source", "whole"),
    [
        ("https://x.example/a.png", "https://x.example/a.png"),
        ("images/a b.png", f"{PAGE}/resolve/main/images/a%20b.png"),
        ("./a.png", f"{PAGE}/resolve/main/a.png"),
        ("http://x.example/a.png", ""),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("data:image/png;base64,AAAA", ""),
        ("https://me:secret@x.example/a.png", ""),
        ("//x.example/a.png", "https://x.example/a.png"),
        ("#part", ""),
        ("", ""),
        ("https://x.example:99999999/", ""),
        ("a\nb", ""),
    ],
)
def test_addresses(source: str, whole: str) -> None:
    assert address(source, PAGE) == whole


def test_hosts() -> None:
    assert host_of("https://x.example/a") == "x.example"
    assert host_of("https://[") == ""


@given(st.text(alphabet="<>/ab \n\"'=!-`~[]()*#", max_size=400))
def test_nothing_breaks_it(card: str) -> None:
    text, _ = plain_markdown(card)
    for source in pictures(text):
        assert address(source, PAGE) in ("", address(source, PAGE))


@pytest.mark.parametrize("card", ["<a " * 20_000, "<!--" * 15_000, "![" * 20_000, "<script>" * 6000, "```\n" * 12_000])
def test_it_takes_no_time(card: str) -> None:
    began = time.perf_counter()
    text, _ = plain_markdown(card)
    pictures(text)
    assert time.perf_counter() - began < 1.0
