"""How wide the columns of a Markdown table are to be, from its source alone: no layout is needed to know it."""

from __future__ import annotations

import re
from typing import NamedTuple
from unicodedata import east_asian_width

TABLE_LETTERS = 80  # about as many stand in a line of a table
CELL_GAP = 3  # letters: the free pixels between columns
MOST_CELL = 48
LONGEST_WORD = 24
SHORTEST_WORD = 8

_UNSEEN = re.compile(r"[*`]|\]\([^)]*\)")  # of a cell's Markdown
_BREAK = re.compile(r"<br */?>", re.IGNORECASE)
_WIDE = re.compile(r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]")


class Widths(NamedTuple):
    """Of the text of cells, in letters: the whole, and its longest word."""

    whole: int
    word: int


def widths_of(cell: str) -> Widths:
    """The widths of a cell of Markdown as it is shown."""
    text = cell.strip()
    if not text.isalnum():
        text = _UNSEEN.sub("", _BREAK.sub(" ", text))
    if not text.isascii():  # an ideograph is as wide as two letters, and a line may end behind it
        wide = sum(east_asian_width(letter) in "WF" for letter in text)
        words = [len(word) for word in _WIDE.sub(" ", text).split()]
        return Widths(len(text) + wide, max(words, default=2))
    return Widths(len(text), max(map(len, text.split()), default=0))


def widest(one: Widths, other: Widths) -> Widths:
    """What both need."""
    return Widths(max(one.whole, other.whole), max(one.word, other.word))


def shares(columns: list[Widths]) -> tuple[int, ...]:
    """The part of a table's width for each column, in per mille: no word is broken as long as that can be."""
    longest = LONGEST_WORD
    while True:  # the longest words are broken first
        words = [max(min(column.word, longest), 2) for column in columns]
        least = [word + word // 6 + CELL_GAP for word in words]
        if sum(least) < TABLE_LETTERS or longest <= SHORTEST_WORD:
            break
        longest -= 1
    wanted: list[float] = [
        max(low, min(column.whole, MOST_CELL) + CELL_GAP) for low, column in zip(least, columns, strict=True)
    ]
    more, free = sum(wanted) - sum(least), TABLE_LETTERS - sum(least)
    if 0 < free < more:  # not everything fits: what is left over goes to those that would wrap
        wanted = [low + (want - low) * free / more for low, want in zip(least, wanted, strict=True)]
    elif free <= 0:
        wanted = list(least)
    total = sum(wanted)
    return tuple(round(1000 * want / total) for want in wanted)


def cells_of(line: str) -> list[str]:
    """The cells of a row, as they are written."""
    return line.strip().strip("|").replace(r"\|", "").split("|")
