"""Colours of code: Pygments' tokens become roles of the theme, slice by slice. Unknown languages stay plain.

A lexer's first use takes up to a fifth of a second: `load` does it on another thread, `loaded` says that it is done.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from time import perf_counter
from typing import TYPE_CHECKING

from PySide6.QtGui import QBrush, QTextCharFormat, QTextDocument, QTextLayout

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

    from app.ui.components.transcript.looks import Looks

Span = tuple[int, int, str]

_NAMES = {
    "": "",
    "text": "Text",
    "txt": "Text",
    "plaintext": "Text",
    "sh": "Shell",
    "shell": "Shell",
    "console": "Console",
}


@functools.cache
def _aliases() -> dict[str, tuple[str, str, str]]:
    from pygments.lexers._mapping import LEXERS

    return {
        alias: (module, name, class_names)
        for class_names, (module, name, aliases, _files, _types) in LEXERS.items()
        for alias in aliases
    }


_lexers: dict[str, Lexer | None] = {}


def loaded(language: str) -> bool:
    """Whether `spans` may be asked for at once: the lexer of the language was used before, or there is none."""
    return language.lower() in _lexers


def load(language: str, code: str) -> None:
    """Uses the lexer of a language once, on `code`, so that it and the lexers within it are compiled."""
    lexer: Lexer | None = None
    try:
        lexer = _found(language)
        if lexer is not None:
            for _token in lexer.get_tokens_unprocessed(code):
                pass
    finally:
        _lexers[language.lower()] = lexer


def _found(language: str) -> Lexer | None:
    """The lexer of a language as a fence names it. Pygments is asked only for names it knows: a miss costs 27 ms."""
    if language.lower() not in _aliases():
        return None
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language.lower())


@functools.cache
def display_name(language: str) -> str:
    """How a language is called above its code."""
    known = _NAMES.get(language.lower())
    if known is not None:
        return known
    found = _aliases().get(language.lower())
    return found[1] if found else language[:40]


@functools.cache
def _role(token: _TokenType) -> str:
    from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Operator, Punctuation, String

    for kinds, role in (
        ((Comment,), "ink3"),
        ((String, Literal.String), "code_string"),
        ((Number, Name.Attribute, Literal.Number), "code_number"),
        ((Keyword, Name.Tag, Name.Decorator, Operator.Word), "code_keyword"),
        ((Operator, Punctuation), "ink2"),
        ((Generic.Deleted,), "rose"),
        ((Generic.Inserted,), "moss"),
        ((Generic.Heading, Generic.Subheading), "code_keyword"),
    ):
        if any(token in kind for kind in kinds):  # type: ignore[comparison-overlap]
            return role
    return ""


def spans(code: str, language: str) -> Iterator[Span]:
    """(start, length, role) of everything that is not plain, in order; lazy, so that a caller may pause."""
    if not loaded(language):
        load(language, "")
    lexer = _lexers[language.lower()]
    if lexer is None:
        return
    for start, token, text in lexer.get_tokens_unprocessed(code):
        role = _role(token)
        if role and text and not text.isspace():
            yield start, len(text), role


class Lexing:
    """The colours of one text, found from its beginning as far as they are wanted: only so a string of many lines is
    seen as one."""

    def __init__(self, code: str, language: str) -> None:
        self.code = code
        self.language = language
        self._lexer = spans(code, language)
        self._found: list[Span] = []
        self._reached = 0

    def goes_to(self, position: int, until: float) -> bool:
        """Goes on to a position; False when the time (perf_counter) was over before."""
        if self._reached >= position:
            return True
        for count, span in enumerate(self._lexer):
            self._found.append(span)
            self._reached = span[0]
            if self._reached >= position:
                return True
            if count % 16 == 15 and perf_counter() > until:
                return False
        self._reached = len(self.code)
        return True

    def within(self, start: int, end: int) -> list[Span]:
        """What was found in [start, end), counted from `start`."""
        at = max(0, bisect_right(self._found, start, key=itemgetter(0)) - 1)
        inside: list[Span] = []
        for span, length, role in islice(self._found, at, None):
            if span >= end:
                break
            if span + length > start:
                inside.append((max(span, start) - start, min(span + length, end) - max(span, start), role))
        return inside


def colour(document: QTextDocument, found: list[Span], looks: Looks, at: int, length: int) -> None:
    """Lays the spans over [at, at + length) of a document, without touching its text. Spans count from `at`."""
    formats: dict[str, QTextCharFormat] = {}
    index, count = 0, len(found)
    block = document.findBlock(at)
    while block.isValid() and block.position() <= at + length:
        start, end = block.position() - at, block.position() - at + block.length() - 1
        ranges: list[QTextLayout.FormatRange] = []
        while index < count:
            span, wide, role = found[index]
            if span >= end:
                break
            form = formats.get(role)
            if form is None:
                form = formats[role] = QTextCharFormat()
                form.setForeground(QBrush(looks.colour(role)))
            piece = QTextLayout.FormatRange()
            piece.start = max(span, start) - start
            piece.length = min(span + wide, end) - max(span, start)
            piece.format = form
            ranges.append(piece)
            if span + wide > end:
                break
            index += 1
        if ranges or block.layout().formats():
            block.layout().setFormats(ranges)
        block = block.next()
    # WORKAROUND: without this, QTextLayout.setFormats leaves the lines without text until the next edit (Qt 6.11).
    document.markContentsDirty(at, length)
