"""A document that is written on at its end is the one that would have been made anew."""

from __future__ import annotations

import random

import pytest

from app.ui.components.transcript.chunks import split
from app.ui.components.transcript.growing import addition
from app.ui.components.transcript.looks import Looks
from app.ui.components.transcript.parsing import references
from app.ui.components.transcript.piece import Piece
from app.ui.theme.theme import Theme
from benchmarks.texts import markdown

HARD = [
    "Words, then **bold words** and *soft ones*, snake_case and `code` in the middle; the end!\n\n",
    "Some *emphasis that* ends, and **some that does not, and goes on",
    "See [the page](https://example.org/a(b)c 'a title') and [another](https://example.org) (in brackets).",
    "Fish &amp; chips, 1 &lt; 2; R&D is not an entity; &copy; is one",
    "# A title # with a sign in it #\n\nText under it",
    "A title that is told late\n===\n\nAnother\n---\n",
    "- one item\n- two items\n  go on here\n- [ ] a task\n- [x] done\n\n1. first\n2. second one",
    "> a quote that goes\n> on and on\n\nafter it",
    "what | how many\n---|---:\none thing | 3\nanother | 12\n\nbehind the table",
    "- item\n  ```\n  some code\n    more of it\n  ```\n\n      code by indentation  \n      goes on\n",
    "[name]: https://example.org 'the title'\n\nText with [name] in it and a [name]: too.",
    "Ends with spaces  \nnext line   \n   \n\n",
    "שלום עולם and Latin words, then עוד\n\n- פריט אחד\n- item two",
    "\\*no emphasis\\* and <b>no tag</b> a<br>line, https://example.org and ~~struck words~~ too",
    "5. five things\n\n1986\\. A year that begins a line. 3) and no list",
    "Then \\(a_1 * b_2\\) and $x_i^2$ for $5 or $10, or $$a * b$$ in one:\n\n\\[\na \\\\ b\n\\]\n\nand on",
    "Look at https://example.org/a_b(c)?d=1. And (see http://example.com/x), **https://example.net** too; that is all.",
    "Water is H<sub>2</sub>O and so is ice; x<sup>2</sup> is a square, <kbd>Ctrl</kbd>+<kbd>C</kbd> copies",
    "1. item\n\n   ```python\n   x = 1\n   ```\n\n   words after the code that go on\n2. another item",
    markdown(random.Random(5), 1500),
    markdown(random.Random(8), 1500),
]


def piece_of(text: str, looks: Looks) -> Piece:
    """The document of the last chunk."""
    chunk = split(text)[-1]
    source = text[chunk.start : chunk.end]
    piece = Piece(chunk, source, looks, ink="ink", references=references(text), closes=True)
    piece.lay_out(600)
    return piece


def look_of(piece: Piece) -> tuple[object, ...]:
    notes = piece.notes
    starts = [start for start, _end, _left in notes.quotes]
    ornaments = [(kind, rect.getRect(), text) for kind, rect, text in piece.ornaments]
    return piece.document.toHtml(), piece.height, ornaments, notes.marks, notes.codes, notes.links, starts


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_writing_on_gives_the_document_that_would_be_made(text: str, theme: Theme) -> None:
    looks, draw = Looks(theme), random.Random(2)
    for longest in (4, 30) if len(text) > 1000 else (1, 4, 30):
        piece, at = piece_of(text[:1], looks), 1
        while at < len(text):
            at += draw.randint(1, longest)
            chunk = split(text[:at])[-1]
            source = text[chunk.start : min(at, chunk.end)]
            fresh = piece_of(text[:at], looks)
            steady = piece.extend(chunk, source)
            if steady is None:
                piece = fresh
                continue
            assert look_of(piece) == look_of(fresh), text[:at][-60:]
            assert 0 <= steady <= piece.height


def test_most_prose_is_only_written_on(theme: Theme) -> None:
    looks = Looks(theme)
    text = "Plain words of a person (who talks a lot), one after another. " * 5
    piece = piece_of(text[:20], looks)
    for at in range(30, len(text), 10):
        assert piece.extend(split(text[:at])[0], text[:at]) is not None


def test_a_line_above_the_last_stays_as_it_is(theme: Theme) -> None:
    looks = Looks(theme)
    before, after = "word " * 60, "word " * 60 + "more words"
    piece = piece_of(before, looks)
    lines = piece.height // looks.line
    steady = piece.extend(split(after)[0], after)
    assert steady is not None
    assert (lines - 2) * looks.line < steady <= (lines - 1) * looks.line


@pytest.mark.parametrize(
    ("before", "more", "written"),
    [
        ("Some words", " and more", " and more"),
        ("Some words ", "and more\n\n", " and more"),
        ("Some words", "\n\n", ""),
        ("Some words\n", "and more", None),
        ("Some **words", "**", None),
        ("[words](https://example.org", ")", None),
        ("(words", ") more", ") more"),
        ("&am", "p; more", None),
        ("- ", "words", None),
    ],
)
def test_what_is_written(before: str, more: str, written: str | None) -> None:
    assert addition(before, before + more, before.strip()) == written
