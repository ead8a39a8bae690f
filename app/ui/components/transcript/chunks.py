"""Cuts Markdown into chunks that are rendered one by one; while text is arriving the cuts are the same as afterwards.

Decisions are made per complete line, from what came before it only. The chunks put together are the source, always.
Nothing here parses inline Markdown or knows how a chunk looks.
"""

from __future__ import annotations

import enum
import re
from copy import copy
from dataclasses import dataclass

from app.ui.components.transcript.widths import Widths, cells_of, shares, widest, widths_of

WANTED_CHARS = 500  # a chunk is closed at the first block boundary after this
HEADING_CHARS = 350  # ... or before a heading, already after this
MOST_CHARS = 4000  # a paragraph or code longer than this is cut wherever it is
MOST_CODE_LINES = 60
MOST_TABLE_ROWS = 40

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})([^\n]*)$")
_ITEM = re.compile(r"^( {0,3})([-*+]|(\d{1,9})[.)])(?:( +)|$)")
_RULE = re.compile(r"^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$")
_HEADING = re.compile(r"^ {0,3}#{1,6}(?: |$)")
_FORMULA = re.compile(r"^ *(?:(\$\$)|(\\\[)|\\begin(\{[a-zA-Z]+\*?\}))")
_DELIMITER = re.compile(r"^ {0,3}\|?(?: *:?-+:? *\|)* *(?::?-+:? *)?$")


class Kind(enum.Enum):
    """What a chunk is made into."""

    PROSE = 1
    CODE = 2
    PLAIN = 3


class Block(enum.Enum):
    """What stands at the edge of a chunk: decides the gap between two of them."""

    PARAGRAPH = 1
    ITEM = 2
    HEADING = 3
    TABLE = 4
    CODE = 5
    QUOTE = 6
    RULE = 7
    CONTINUED = 8  # goes on with the paragraph, table or code of the chunk before


@dataclass(slots=True)
class Chunk:
    """`source[start:end]` and what is needed to render it alone. Nobody changes a chunk once it is closed.

    `head` and `tail`: whether a code block begins and ends here. `ordinal`: the true number of the first list item of a
    continued list. `prefix`: the head of a table whose rows go on here; `weights` its column widths in per mille.
    """

    start: int
    end: int
    kind: Kind
    first: Block = Block.PARAGRAPH
    last: Block = Block.PARAGRAPH
    language: str = ""
    indent: int = 0
    head: bool = False
    tail: bool = False
    code_start: int = 0
    code_end: int = 0
    ordinal: int = 0
    prefix: str = ""
    weights: tuple[int, ...] = ()
    newlines: int = 0


class Chunker:
    """Takes a growing text; `closed` are the chunks that no further text changes, `rest` is what is still open."""

    def __init__(self, *, plain: bool = False) -> None:
        self.closed: list[Chunk] = []
        self._plain = plain
        self._at = 0  # everything before is consumed, in whole lines
        self._open = Chunk(0, 0, Kind.PLAIN if plain else Kind.PROSE)
        self._blank = True  # whether the line before was blank, or nothing
        self._nothing = True  # whether the open chunk holds only blank lines so far
        self._fence = ""
        self._ended = False  # the fence of the open chunk is closed; blank lines may follow
        self._code_lines = 0
        self._nested = ""
        self._formula = ""  # what closes the one that is open; so does a blank line
        self._item_indent = 0
        self._ordinal = 0
        self._item_mark = ""
        self._line_before = ""
        self._line_before_opens = False  # whether that line is the first of the open chunk
        self._table = ""
        self._rows = 0
        self._widths: list[Widths] = []

    def feed(self, text: str) -> None:
        """Consumes the complete lines of `text`, which begins with everything that was fed before."""
        at = self._at
        while True:
            newline = text.find("\n", at)
            end = newline if newline >= 0 else len(text)
            if end - at > MOST_CHARS:
                cut = text.rfind(" ", at + MOST_CHARS // 2, at + MOST_CHARS) + 1 or at + MOST_CHARS
                self._line(text[at:cut], at, cut)
                self._continue(cut)
                at = self._at = cut
                continue
            if newline < 0:
                return
            self._line(text[at:newline], at, newline + 1)
            at = self._at = newline + 1

    def rest(self, text: str) -> list[Chunk]:
        """What follows `closed`, up to the end of `text`, as if the text ended there: at most two chunks."""
        if self._at >= len(text):
            return [copy(self._open)] if self._open.end > self._open.start else []
        other = self.fork()
        other.closed = []
        other._line(text[self._at :], self._at, len(text))
        return [*other.closed, other._open]

    def fork(self) -> Chunker:
        """Another one that has consumed the same and goes on alone."""
        other = copy(self)
        other.closed, other._open, other._widths = list(self.closed), copy(self._open), list(self._widths)
        return other

    # -- one line ---------------------------------------------------------------------------------------------------

    def _line(self, line: str, start: int, end: int) -> None:
        self._open.newlines += 1
        if self._plain:
            if start - self._open.start >= WANTED_CHARS * 3 // 2:
                self._cut(start, Block.CONTINUED)
            self._open.end = end
            return
        line = line.rstrip("\r")
        if self._open.kind is Kind.CODE and not self._ended:
            self._code_line(line, start, end)
        elif not line.strip():
            if not self._nested:
                self._blank, self._table, self._line_before, self._formula = True, "", "", ""
            self._open.end = end
        else:
            if self._open.kind is Kind.CODE:
                self._cut(start, Block.PARAGRAPH)
            self._prose_line(line.expandtabs(4), start, end)
            self._blank = False

    def _code_line(self, line: str, start: int, end: int) -> None:
        stripped = line.strip()
        closes = stripped and not stripped.strip(self._fence[0]) and len(stripped) >= len(self._fence)
        if closes and len(line) - len(line.lstrip()) <= 3:
            self._open.end, self._open.tail = end, True
            self._ended, self._blank = True, True
            return
        if self._code_lines >= MOST_CODE_LINES or start - self._open.code_start >= MOST_CHARS:
            self._continue(start)
        self._code_lines += 1
        self._open.end = self._open.code_end = end

    def _prose_line(self, line: str, start: int, end: int) -> None:
        indent = len(line) - len(line.lstrip(" "))
        if self._nested:
            stripped = line.strip()
            if not stripped.strip(self._nested[0]) and len(stripped) >= len(self._nested):
                self._nested = ""
            self._open.end = end
            return
        fence = _FENCE.match(line)
        if fence and not (fence[2][0] == "`" and "`" in fence[3]):
            if indent <= 3 and not (self._item_indent and indent >= self._item_indent):
                self._open_fence(fence, start, end)
                return
            self._nested = fence[2]
            self._mark(Block.CODE, end)
            return
        if self._formula:
            self._formula = "" if self._formula in line else self._formula
            self._open.end = end
            return
        if self._table:
            if not (_HEADING.match(line) or line.lstrip().startswith(">") or _ITEM.match(line)):
                self._table_row(line, start, end)
                return
            self._table = ""
        self._block_line(line, indent, start, end)
        self._line_before = line
        if opens := _FORMULA.match(line):
            closing = "$$" if opens[1] else "\\]" if opens[2] else f"\\end{opens[3]}"
            self._formula = closing if closing not in line[opens.end() :] else ""

    def _block_line(self, line: str, indent: int, start: int, end: int) -> None:
        size = start - self._open.start
        item = None if _RULE.match(line) else _ITEM.match(line)
        if self._item_indent and indent >= self._item_indent:
            self._open.end = end
        elif item:
            mark = item[2][-1]
            follows = bool(self._item_indent) and mark == self._item_mark
            self._ordinal = self._ordinal + 1 if follows else int(item[3] or 0)
            self._item_mark = mark
            if size >= WANTED_CHARS and (self._blank or follows):
                self._cut(start, Block.CONTINUED if follows else Block.ITEM)
                self._open.ordinal = self._ordinal if follows else 0
            self._item_indent = len(item[1]) + len(item[2]) + min(len(item[4] or " "), 4)
            self._mark(Block.ITEM, end)
        elif _HEADING.match(line):
            self._leave_list()
            if size >= HEADING_CHARS:
                self._cut(start, Block.HEADING)
            self._mark(Block.HEADING, end)
        elif self._is_table_delimiter(line):
            self._table = f"{self._line_before}\n{line}\n"
            self._rows = 0
            self._widths = [widths_of(cell) for cell in cells_of(self._line_before)]
            if self._line_before_opens:
                self._open.first = Block.TABLE
            self._open.last, self._open.end = Block.TABLE, end
        elif self._blank:
            if indent < 4:
                self._leave_list()
                if size >= WANTED_CHARS:
                    self._cut(start, Block.PARAGRAPH)
            quote = line.lstrip().startswith(">")
            self._line_before_opens = self._nothing
            self._mark(Block.QUOTE if quote else Block.RULE if _RULE.match(line) else Block.PARAGRAPH, end)
        elif size >= MOST_CHARS:
            self._continue(start)
            self._open.end = end
        else:
            self._open.end = end

    def _is_table_delimiter(self, line: str) -> bool:
        before = self._line_before
        if self._blank or "|" not in before or "|" not in line or not _DELIMITER.match(line):
            return False
        return len(cells_of(before)) == len(cells_of(line))

    def _table_row(self, line: str, start: int, end: int) -> None:
        if self._rows >= MOST_TABLE_ROWS:
            weights = self._open.weights = self._open.weights or shares(self._widths)
            self._cut(start, Block.CONTINUED)
            self._open.prefix, self._open.weights, self._open.last = self._table, weights, Block.TABLE
            self._rows = 0
        self._rows += 1
        if not self._open.weights:
            for i, cell in enumerate(cells_of(line)[: len(self._widths)]):
                self._widths[i] = widest(self._widths[i], widths_of(cell))
        self._open.end = end

    def _open_fence(self, fence: re.Match[str], start: int, end: int) -> None:
        self._leave_list()
        if self._open.end > self._open.start:
            if self._nothing:  # only blank lines came before: they belong to the code block
                start = self._open.start
            else:
                self._cut(start, Block.CODE)
        self._open = Chunk(
            start, end, Kind.CODE, Block.CODE, Block.CODE,
            language=language_of(fence[3]), indent=len(fence[1]), head=True,
            code_start=end, code_end=end, newlines=1,
        )  # fmt: skip
        self._fence, self._ended, self._code_lines, self._table, self._nothing = fence[2], False, 0, "", False

    # -- the open chunk ---------------------------------------------------------------------------------------------

    def _mark(self, block: Block, end: int) -> None:
        if self._nothing:
            self._open.first, self._nothing = block, False
        self._open.last, self._open.end = block, end

    def _cut(self, at: int, following: Block) -> None:
        if at > self._open.start:
            self._open.end = at
            self._open.newlines -= 1
            self.closed.append(self._open)
        self._open = Chunk(at, at, Kind.PLAIN if self._plain else Kind.PROSE, following, following, newlines=1)
        self._ended, self._nothing = False, following is not Block.CONTINUED

    def _continue(self, at: int) -> None:
        """Cuts inside a paragraph or a code block, which goes on in the next chunk."""
        before, code = self._open, self._open.kind is Kind.CODE and not self._ended
        self._cut(at, Block.CONTINUED)
        self._table = ""
        if code:
            self._code_lines = 0
            chunk = self._open
            chunk.kind, chunk.language, chunk.indent, chunk.last = Kind.CODE, before.language, before.indent, Block.CODE
            chunk.code_start = chunk.code_end = at

    def _leave_list(self) -> None:
        self._item_indent, self._ordinal, self._item_mark = 0, 0, ""


def code_of(chunk: Chunk, source: str) -> str:
    """The lines of code of a chunk out of its slice of the message, dedented as far as the fence was indented."""
    code = source[chunk.code_start - chunk.start : chunk.code_end - chunk.start].replace("\r\n", "\n")
    if chunk.indent:
        lines = code.split("\n")
        code = "\n".join(line[min(chunk.indent, len(line) - len(line.lstrip(" "))) :] for line in lines)
    return code


def language_of(info: str) -> str:
    """The language that is named behind a fence."""
    words = info.split()
    return words[0].strip("{}.") if words else ""


def split(text: str, *, plain: bool = False) -> list[Chunk]:
    """All chunks of a complete text; their slices put together are the text."""
    chunker = Chunker(plain=plain)
    chunker.feed(text)
    return [*chunker.closed, *chunker.rest(text)]
