"""What settings sections are made of: a heading, rows with a control at the right, hairlines between."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import NIGHT, PAPER, SYSTEM, Theme
from app.ui.widgets.controls import one_tab_stop
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Hairline


class Section(QWidget):
    """One section of the settings."""

    def __init__(self, title: str, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._helps: dict[str, Paragraph] = {}
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 24)
        self.column.setSpacing(0)
        self.column.addWidget(Label(title, theme, "section", "ink"))
        self.column.addSpacing(10)

    def add_row(self, title: str, help: str, *controls: QWidget, line: bool = True) -> QWidget:
        """A row: what it is, what it means, and its controls at the right."""
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 12, 0, 12)
        row.setSpacing(12)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(Label(title, self._theme, "row_selected", "ink", elide=True))
        if help:
            self._helps[title] = Paragraph(help, self._theme, "secondary", "ink2")
            words.addWidget(self._helps[title])
        row.addLayout(words, 1)
        for control in controls:
            row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        holder.setSizePolicy(policy)
        self.column.addWidget(holder)
        if line:
            self.column.addWidget(Hairline(self._theme))
        return holder

    def explain(self, title: str, help: str) -> None:
        """Other words for what a row means."""
        self._helps[title].setText(help)
        self._helps[title].updateGeometry()

    def add_block(self, widget: QWidget, *, above: int = 12, below: int = 16, line: bool = True) -> None:
        """A widget over the whole width."""
        self.column.addSpacing(above)
        self.column.addWidget(widget)
        self.column.addSpacing(below)
        if line:
            self.column.addWidget(Hairline(self._theme))

    def finish(self) -> None:
        """No more rows: what is left stays empty."""
        self.column.addStretch(1)


class _Card(QRadioButton):
    """A small picture of the window in one theme; the word stands below it."""

    def __init__(self, word: str, theme: Theme, palettes: tuple[dict[str, str], dict[str, str]]) -> None:
        super().__init__(word)
        self._theme = theme
        self._palettes = palettes
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(120, 104)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, position: object) -> bool:
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        sheet = QRectF(3, 3, 114, 70)
        left, right = self._palettes
        self._window(painter, sheet, left, sheet)
        if right is not left:
            self._window(painter, sheet, right, sheet.adjusted(sheet.width() / 2, 0, 0, 0))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._theme.colour("line2"), 1))
        painter.drawRoundedRect(sheet.adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        if self.isChecked():
            painter.setPen(QPen(self._theme.colour("ember"), 2))
            painter.drawRoundedRect(QRectF(1, 1, 118, 74), 9, 9)
        painter.setPen(self._theme.colour("ink" if self.isChecked() else "ink2"))
        painter.setFont(self._theme.font("button" if self.isChecked() else "secondary"))
        painter.drawText(QRectF(0, 80, 120, 22), Qt.AlignmentFlag.AlignCenter, self.text())

    @staticmethod
    def _window(painter: QPainter, sheet: QRectF, palette: dict[str, str], clip: QRectF) -> None:
        painter.save()
        outline = QPainterPath()
        outline.addRoundedRect(sheet, 7, 7)
        painter.setClipPath(outline)
        painter.setClipRect(clip, Qt.ClipOperation.IntersectClip)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(sheet, QColor(palette["page"]))
        painter.fillRect(QRectF(sheet.left(), sheet.top(), 28, sheet.height()), QColor(palette["side"]))
        bars = (
            (8, 14, 13, "line2"),
            (8, 25, 13, "line2"),
            (8, 36, 13, "line2"),
            (38, 13, 50, "ink"),
            (38, 26, 62, "ink3"),
            (38, 39, 56, "ink3"),
            (38, 52, 34, "ember"),
        )
        for x, y, width, role in bars:
            painter.setBrush(QColor(palette[role]))
            painter.drawRoundedRect(QRectF(sheet.left() + x, sheet.top() + y - 1.5, width, 3), 1.5, 1.5)
        painter.restore()


class ThemeCards(QWidget):
    """Paper, Night, or what the desktop has."""

    chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._cards = {
            PAPER: _Card("Paper", theme, (tokens.PAPER, tokens.PAPER)),
            NIGHT: _Card("Night", theme, (tokens.NIGHT, tokens.NIGHT)),
            SYSTEM: _Card("Follow the system", theme, (tokens.PAPER, tokens.NIGHT)),
        }
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 4, 4)
        row.setSpacing(18)
        for key, card in self._cards.items():
            card.setAccessibleName(f"Theme: {card.text()}")
            group.addButton(card)
            card.clicked.connect(lambda _checked=False, key=key: self.chosen.emit(key))
            row.addWidget(card)
        one_tab_stop(group)
        row.addStretch()

    def choose(self, key: str) -> None:
        """Shows a choice without telling."""
        self._cards[key].setChecked(True)
