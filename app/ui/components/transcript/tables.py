"""Puts a Markdown table into a document: no box, a line under the head, hairlines under rows, numbers to the right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it.token import Token
from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QBrush,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTableCellFormat,
    QTextTableFormat,
)

from app.ui.components.transcript.widths import shares, widest, widths_of

if TYPE_CHECKING:
    from app.ui.components.transcript.building import Builder
    from app.ui.components.transcript.looks import Looks

CELL_PAD = 7
COLUMN_GAP = 16
_ALIGNMENTS = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}
_NUMBER = re.compile(r"^[^\w]{0,3}\d[\d.,' \u00a0\u202f]*\s?[^\s\d]{0,6}$")


def _rows(tokens: list[Token]) -> tuple[list[list[Token]], list[str]]:
    """The cells' inline tokens row by row, and each column's alignment as written."""
    rows: list[list[Token]] = []
    aligns: list[str] = []
    for i, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(tokens[i + 1])
            if len(rows) == 1:
                style = str(token.attrs.get("style", ""))
                aligns.append(style.removeprefix("text-align:"))
    return rows, aligns


def _shares(rows: list[list[Token]], weights: tuple[int, ...]) -> tuple[int, ...]:
    columns = len(rows[0])
    if len(weights) == columns:
        return weights
    widths = [widths_of(cell.content) for cell in rows[0]]
    for row in rows[1:]:
        widths = [widest(width, widths_of(cell.content)) for width, cell in zip(widths, row, strict=False)]
    return shares(widths)


def _shape(looks: Looks, *, head: bool) -> QTextTableCellFormat:
    """The format of a cell in the first column."""
    shape = QTextTableCellFormat()
    shape.setTopPadding(CELL_PAD)
    shape.setBottomPadding(CELL_PAD)
    shape.setBottomBorder(1)
    shape.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    shape.setBottomBorderBrush(QBrush(looks.colour("edge" if head else "line")))
    return shape


def insert_table(
    builder: Builder, tokens: list[Token], weights: tuple[int, ...], *, top: int, left: int, headless: bool
) -> None:
    """Inserts the table of `tokens` at the builder's cursor, `left` pixels from the edge.

    `headless`: the head stands in the chunk before.
    """
    looks = builder.looks
    rows, aligns = _rows(tokens)
    if not rows or not rows[0]:
        return
    columns = len(rows[0])
    body = rows[1:]
    numeric = [
        column > 0 and bool(body) and all(_NUMBER.match(row[column].content) for row in body)
        for column in range(columns)
    ]
    shown = body if headless else rows
    if not shown:
        return
    form = QTextTableFormat()
    form.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
    form.setColumnWidthConstraints(
        [QTextLength(QTextLength.Type.PercentageLength, share / 10) for share in _shares(rows, weights)]
    )
    form.setCellPadding(0)
    form.setCellSpacing(0)
    form.setBorder(0)
    form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
    form.setTopMargin(max(0, top))
    form.setLeftMargin(left)
    form.setProperty(QTextFormat.Property.TableBorderCollapse, False)
    table = builder.cursor.insertTable(len(shown), columns, form)
    alignments = [
        _ALIGNMENTS.get(align) or (Qt.AlignmentFlag.AlignRight if number else Qt.AlignmentFlag.AlignLeft)
        for align, number in zip(aligns, numeric, strict=True)
    ]
    blocks = [looks.block(looks.table_line, align=alignment) for alignment in alignments]
    names = columns > 1 and all(numeric[1:])  # the first column says what the numbers in the others are
    for index, row in enumerate(shown):
        head = index == 0 and not headless
        shape, ink, weight = _shape(looks, head=head), "ink2" if head else builder.ink, 600 if head else 500
        for column in range(columns):
            cell = table.cellAt(index, column)
            if column == 1:
                shape.setLeftPadding(COLUMN_GAP)
            cell.setFormat(shape)
            builder.cursor = cell.firstCursorPosition()
            builder.cursor.setBlockFormat(blocks[column])
            if column < len(row):
                strong = head or (column == 0 and names)
                builder.write(row[column].children or [], ink, px=looks.table_px, bold=strong, weight=weight)
    builder.cursor = table.lastCursorPosition()
