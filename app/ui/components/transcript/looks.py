"""Every size, gap, font and text format of the transcript for one theme and one text size. Paints nothing."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt, SignalInstance
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPen, QTextBlockFormat, QTextCharFormat, QTextFormat

from app.ui.components.transcript.chunks import Block

OVERHANG = 16
QUESTION_PAD = 13
QUESTION_GAP = 24  # above a question
FIRST_GAP = 8  # above the first message
ACTIONS = 32
CODE_HEAD = 35
CODE_PAD = 13
BOX_HEAD = 32  # the same for code within a list or a quote
BOX_PAD = 10
FOLD = 32  # the line that folds the thinking
END_GAP = 16
NOTE_GAP = 8
RADIUS = 10

_GAPS: dict[tuple[Block | None, Block], int] = {
    (Block.ITEM, Block.ITEM): 6,
    (Block.CODE, Block.PARAGRAPH): 16,
    (Block.CODE, Block.ITEM): 16,
    (Block.TABLE, Block.PARAGRAPH): 16,
    (Block.TABLE, Block.ITEM): 16,
    (Block.TABLE, Block.CODE): 20,
    (Block.PARAGRAPH, Block.TABLE): 4,
    (Block.HEADING, Block.TABLE): 0,
    (Block.HEADING, Block.PARAGRAPH): 6,
    (Block.HEADING, Block.ITEM): 6,
    (Block.HEADING, Block.HEADING): 10,
}
_ABOVE = {Block.HEADING: 20, Block.CODE: 16, Block.RULE: 16, Block.CONTINUED: 0}


def gap(before: Block | None, block: Block) -> int:
    """The free pixels between two blocks; none above the first one."""
    if before is None:
        return 0
    found = _GAPS.get((before, block))
    return _ABOVE.get(block, 12) if found is None else found


class ThemeLike(Protocol):
    """What the transcript needs of the theme."""

    @property
    def changed(self) -> SignalInstance: ...
    @property
    def dark(self) -> bool: ...
    @property
    def less_motion(self) -> bool: ...
    def colour(self, role: str) -> QColor: ...
    def font(self, use: str) -> QFont: ...


class Looks:
    """Fonts, formats and colours, made once and shared by all documents. A new theme or text size means new Looks."""

    def __init__(self, theme: ThemeLike, text_size: int = 15, line_height: float = 1.6) -> None:
        self._theme = theme
        self.text_size = text_size
        scale = text_size / 15
        self.line = round(text_size * line_height)
        self.body = theme.font("body")
        self.body.setPixelSize(text_size)
        self.code = theme.font("code")
        self.code.setPixelSize(max(11, text_size - 2))
        self.code_line = round(20 * scale)
        self.code_advance = max(1, QFontMetrics(self.code).horizontalAdvance("0"))
        self.secondary = theme.font("secondary")
        self.button = theme.font("button")
        self.caption = theme.font("caption_strong")
        self.caption_plain = theme.font("caption")
        self.headings = {1: (round(21 * scale), round(32 * scale)), 2: (round(19 * scale), round(30 * scale))}
        self.heading = (round(17 * scale), round(28 * scale))
        self.table_px = max(12, text_size - 1)
        self.table_line = round(20 * scale)
        self.colours: dict[str, QColor] = {}
        self._formats: dict[tuple[bool, bool, bool, bool, bool, str, int], QTextCharFormat] = {}
        # the average width of a letter of prose, for estimates of heights
        sample = "The quick brown fox jumps over the lazy dog, and then it sits down. "
        self.letter = QFontMetrics(self.body).horizontalAdvance(sample) / len(sample)

    def colour(self, role: str) -> QColor:
        """The colour of a role, kept: callers must not change it."""
        colour = self.colours.get(role)
        if colour is None:
            colour = self.colours[role] = self._theme.colour(role)
        return colour

    def pen(self, role: str, width: float = 1.0) -> QPen:
        """A solid pen in the colour of a role."""
        return QPen(self.colour(role), width)

    def text(
        self,
        role: str = "ink",
        *,
        bold: bool = False,
        italic: bool = False,
        code: bool = False,
        struck: bool = False,
        link: bool = False,
        px: int = 0,
        weight: int = 600,
    ) -> QTextCharFormat:
        """The character format for this combination; shared, so that it must not be changed."""
        key = (bold, italic, code, struck, link, role, px * 1000 + weight)
        made = self._formats.get(key)
        if made is None:
            made = self._formats[key] = QTextCharFormat()
            made.setForeground(QBrush(self.colour(role)))
            if code:
                made.setFont(self.code, QTextCharFormat.FontPropertiesInheritanceBehavior.FontPropertiesSpecifiedOnly)
                made.setProperty(QTextFormat.Property.FontPixelSize, (px or self.text_size) - 1)
            elif px:
                made.setProperty(QTextFormat.Property.FontPixelSize, px)
            if bold:
                made.setFontWeight(weight)
            if italic:
                made.setFontItalic(True)
            if struck:
                made.setFontStrikeOut(True)
            if link:
                made.setFontUnderline(True)
                made.setUnderlineColor(self.colour("edge"))
        return made

    def block(
        self,
        line: int,
        *,
        top: int = 0,
        left: int = 0,
        right: int = 0,
        align: Qt.AlignmentFlag | None = None,
    ) -> QTextBlockFormat:
        """A block format with a fixed line height in pixels."""
        made = QTextBlockFormat()
        made.setLineHeight(line, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        if top:
            made.setTopMargin(top)
        if left:
            made.setLeftMargin(left)
        if right:
            made.setRightMargin(right)
        if align is not None:
            made.setAlignment(align)
        return made
