"""Builds the text document of one prose chunk from Markdown, with a cursor. Loads nothing: images become words.

What Qt draws crudely (bullets, quote bars, code backgrounds) is only noted here and painted by the piece.
"""

from __future__ import annotations

import re

from markdown_it.token import Token
from PySide6.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocument

from app.ui.components.transcript.chunks import Block, language_of
from app.ui.components.transcript.looks import BOX_HEAD, BOX_PAD, Looks, gap
from app.ui.components.transcript.nested import TURNING, line_format, write_line
from app.ui.components.transcript.notes import Box, Notes
from app.ui.components.transcript.parsing import References, parse
from app.ui.components.transcript.tables import insert_table

PAD = "\u202f"  # narrow no-break space: the padding of inline code, never copied
_SCRIPTS = {
    "sub": QTextCharFormat.VerticalAlignment.AlignSubScript,
    "sup": QTextCharFormat.VerticalAlignment.AlignSuperScript,
}
_BREAK_TAG = re.compile(r"<br */?>", re.IGNORECASE)
_RIGHT_TO_LEFT = re.compile(r"^[^A-Za-z\u00c0-\u058f\u0900-\ufb1c]*[\u0590-\u08ff\ufb1d-\ufefc]")
_TASK = re.compile(r"^\[([ xX])\] ")


class Builder:
    """Fills one document. `ink` is the role of ordinary text."""

    def __init__(self, document: QTextDocument, looks: Looks, ink: str = "ink") -> None:
        self.document = document
        self.looks = looks
        self.ink = ink
        self.notes = Notes()
        self.cursor = QTextCursor(document)
        self._fresh = True  # the block under the cursor is still free
        self._before: Block | None = None
        self._quotes: list[int] = []
        self._lists: list[tuple[str, int, int]] = []  # mark or "", next number, indent
        self._mark = ""
        self._offsets: list[int] = []

    def build(
        self,
        source: str,
        references: References | None = None,
        *,
        ordinal: int = 0,
        prefix: str = "",
        weights: tuple[int, ...] = (),
    ) -> Notes:
        """Parses and fills in; `ordinal`, `prefix` and `weights` as in chunks.Chunk."""
        tokens = parse(prefix + source if prefix else source, references)
        self.cursor.beginEditBlock()
        i, n = 0, len(tokens)
        while i < n:
            token = tokens[i]
            kind = token.type
            if kind == "table_open":
                end = next(j for j in range(i, n) if tokens[j].type == "table_close")
                self._table(tokens[i:end], weights, headless=bool(prefix) and i == 0)
                i = end
            elif kind == "ordered_list_open":
                start = int(token.attrs.get("start", 1))
                if ordinal and token.level == 0:
                    start, ordinal = ordinal, 0
                self._open_list("1", start, 26)
            else:
                self._token(token)
            i += 1
        self.cursor.endEditBlock()
        return self.notes

    def _token(self, token: Token) -> None:
        kind = token.type
        if kind == "inline":
            self._inline(token)
        elif kind == "paragraph_open":
            nested = bool(self._lists) and not self._mark
            self._open_block(Block.ITEM if self._mark or nested else Block.QUOTE if self._quotes else Block.PARAGRAPH)
        elif kind == "heading_open":
            self._heading = int(token.tag[1])
            self._open_block(Block.HEADING)
        elif kind == "heading_close":
            self._heading = 0
        elif kind == "bullet_list_open":
            self._open_list("", 0, 20)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif kind == "list_item_open":
            mark, number, indent = self._lists[-1]
            self._mark = f"{number}." if mark else "•"
            self._lists[-1] = (mark, number + 1, indent)
        elif kind == "list_item_close":
            if self._mark:  # an empty item
                self._open_block(Block.ITEM)
        elif kind == "blockquote_open":
            self._quotes.append(-1)
        elif kind == "blockquote_close":
            start = self._quotes.pop()
            self._before = Block.QUOTE
            if start >= 0:
                self.notes.quotes.append((start, self.cursor.position(), self._indent() + 16))
        elif kind == "hr":
            self._open_block(Block.RULE)
            self.notes.rules.append(self.cursor.position())
        elif kind in ("fence", "code_block"):
            self._nested_code(token.content, language_of(token.info))
        elif kind == "math_block":
            self._formula(token.content)

    _heading = 0

    def _open_list(self, mark: str, number: int, indent: int) -> None:
        if not self._lists and self._before is Block.ITEM:
            self._before = Block.PARAGRAPH  # another list than the one before
        self._lists.append((mark, number, indent))

    def _indent(self) -> int:
        return sum(indent for _mark, _number, indent in self._lists) + 16 * len(self._quotes)

    def _open_block(self, block: Block, text: str = "") -> None:
        looks = self.looks
        if self._heading:
            _px, line = looks.headings.get(self._heading, looks.heading)
            line = line if self._heading <= 3 else looks.line
        else:
            line = 1 if block is Block.RULE else looks.line
        left = self._indent()
        self._put_block(looks.block(line, top=self._gap(block), left=left))
        self._before = block
        position = self.cursor.position()
        self._begin_quotes(position)
        if self._mark:
            self.notes.marks.append((position, self._mark, self._lists[-1][2]))
            self._mark = ""

    def _gap(self, block: Block) -> int:
        """The free pixels above a block: a table has a line behind it, code in a box its padding."""
        more = {Block.TABLE: -1, Block.CODE: BOX_PAD}.get(self._before, 0) if self._before else 0
        return gap(self._before, block) + more

    def _begin_quotes(self, position: int) -> None:
        self._quotes = [position if start < 0 else start for start in self._quotes]

    def _put_block(self, form: QTextBlockFormat) -> None:
        if self._fresh:
            self.cursor.setBlockFormat(form)
            self._fresh = False
        else:
            self.cursor.insertBlock(form)

    def _inline(self, token: Token) -> None:
        content = token.content
        if _RIGHT_TO_LEFT.match(content) and self._indent():
            form = self.cursor.blockFormat()
            form.setRightMargin(form.leftMargin())
            form.setLeftMargin(0)
            self.cursor.setBlockFormat(form)
        if self._heading:
            px, _line = self.looks.headings.get(self._heading, self.looks.heading)
            px = px if self._heading <= 3 else self.looks.text_size
            self.write(token.children or [], self.ink, px=px, bold=True)
            return
        marks = self.notes.marks
        task = _TASK.match(content)
        children = token.children or []
        if task and marks and marks[-1][0] == self.cursor.position() and children and children[0].type == "text":
            position, _mark, indent = marks[-1]
            marks[-1] = (position, "[ ]" if task[1] == " " else "[x]", indent)
            children[0].content = children[0].content[4:]
        self.write(children, "ink2" if self._quotes else self.ink)

    def write(self, children: list[Token], ink: str, *, px: int = 0, bold: bool = False, weight: int = 600) -> None:
        """Inline tokens at the cursor."""
        cursor, looks, notes = self.cursor, self.looks, self.notes
        strong, italic, struck = int(bold), 0, 0
        link: tuple[int, str] | None = None
        fresh: QTextCharFormat | None = None
        for child in children:
            kind = child.type
            if fresh is None:
                fresh = looks.text(
                    ink, bold=strong > 0, italic=italic > 0, struck=struck > 0, link=link is not None, px=px,
                    weight=weight,
                )  # fmt: skip
            if kind == "text":
                text = child.content
                if "<" in text:
                    text = _BREAK_TAG.sub("\u2028", text)
                cursor.insertText(text, fresh)
            elif kind == "code_inline":
                start = cursor.position()
                code = looks.text(ink, code=True, bold=strong > 0 and weight >= 600, struck=struck > 0, px=px)
                cursor.insertText(PAD, fresh)
                cursor.insertText(child.content.translate(TURNING), code)
                cursor.insertText(PAD, fresh)
                notes.codes.append((start, cursor.position()))
            elif kind == "script":
                form = QTextCharFormat(fresh)
                form.setVerticalAlignment(_SCRIPTS[child.tag])
                cursor.insertText(child.content, form)
            elif kind == "math":
                formula = child.content.replace("\n", "\u2028")
                cursor.insertText(formula, looks.text(ink, code=True, bold=strong > 0 and weight >= 600, px=px))
            elif kind in ("softbreak", "hardbreak"):
                cursor.insertText("\u2028", fresh)
            elif kind == "image":
                self._image(child, px, linked=link is not None)
            else:
                fresh = None
                if kind == "strong_open":
                    strong += 1
                elif kind == "strong_close":
                    strong -= 1
                elif kind == "em_open":
                    italic += 1
                elif kind == "em_close":
                    italic -= 1
                elif kind == "s_open":
                    struck += 1
                elif kind == "s_close":
                    struck -= 1
                elif kind == "link_open":
                    link = (cursor.position(), str(child.attrs.get("href", "")))
                elif kind == "link_close" and link:
                    notes.links.append((link[0], cursor.position(), link[1]))
                    link = None

    def _image(self, token: Token, px: int, *, linked: bool) -> None:
        """Pictures are not fetched: their words lead to where they are, if they do not lead elsewhere."""
        start, address = self.cursor.position(), str(token.attrs.get("src", ""))
        leads = not linked and address.startswith(("https://", "http://"))
        form = self.looks.text("ink2", italic=True, link=linked or leads, px=px)
        self.cursor.insertText(f"[{token.content or 'image'}]", form)
        if leads:
            self.notes.links.append((start, self.cursor.position(), address))

    def _nested_code(self, content: str, language: str) -> None:
        looks, left = self.looks, self._indent()
        code = content.removesuffix("\n")
        lines = code.split("\n")
        start = -1
        above = self._gap(Block.ITEM) + BOX_HEAD
        for i, line in enumerate(lines):
            self._put_block(line_format(looks, left, above=0 if i else above, last=i == len(lines) - 1))
            if i == 0:
                start = self.cursor.position()
                self._begin_quotes(start)
            write_line(self.cursor, looks, line)
        self.notes.boxes.append(Box(start, self.cursor.position(), left, language, code))
        self._before, self._mark = Block.CODE, ""

    def _formula(self, content: str) -> None:
        """LaTeX in lines of its own, as it was written."""
        nested = bool(self._lists) and not self._mark
        self._open_block(Block.ITEM if self._mark or nested else Block.PARAGRAPH)
        form = self.looks.text("ink2" if self._quotes else self.ink, code=True)
        self.cursor.insertText(content.rstrip().replace("\n", "\u2028"), form)

    def _table(self, tokens: list[Token], weights: tuple[int, ...], *, headless: bool) -> None:
        leading = 0
        if self._fresh:  # Qt keeps an empty block before a table at the start
            self.cursor.setBlockFormat(self.looks.block(1))
            self._fresh = False
            leading = 1
        top = self._gap(Block.TABLE) - leading
        self._begin_quotes(self.cursor.position() + 1)
        insert_table(self, tokens, weights, top=top, left=self._indent(), headless=headless)
        self.cursor.movePosition(QTextCursor.MoveOperation.End)
        self.cursor.setBlockFormat(self.looks.block(1))  # ... and another one behind it, where it knows no margin
        self._before = Block.TABLE
