"""How the window looks: theme, text size, column, line height, motion."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.settings.schema import Appearance
from app.ui.pages.settings.parts import Section, ThemeCards
from app.ui.theme import tokens
from app.ui.theme.theme import Theme, make_font
from app.ui.widgets.controls import Segmented, Slider, Switch
from app.ui.widgets.labels import Label

Change = Callable[[str, object], None]

_SAMPLE = (
    "The kettle was on before anyone asked. Rain at the window, a book face down on the arm of the chair, "
    "and nothing that had to be answered tonight."
)


class _Sample(QWidget):
    """Two lines as a conversation would show them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._px, self._factor = 15, 1.6
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Sample of the text of a conversation")
        theme.changed.connect(self.update)

    def show_type(self, px: int, factor: float) -> None:
        self._px, self._factor = px, factor
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, self.heightForWidth(600))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return round(self._lay_out(width - 32, None)) + 28

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("fill"))
        painter.drawRoundedRect(QRectF(self.rect()), tokens.RADIUS_BLOCK, tokens.RADIUS_BLOCK)
        painter.setPen(self._theme.colour("ink"))
        self._lay_out(self.width() - 32, painter)

    def _lay_out(self, width: int, painter: QPainter | None) -> float:
        font = make_font(tokens.TYPE["body"], self._px)
        step = self._px * self._factor
        layout = QTextLayout(_SAMPLE, font)
        layout.setTextOption(QTextOption(Qt.AlignmentFlag.AlignLeft))
        y = 0.0
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(line.position().__class__(16, 14 + y + (step - QFontMetrics(font).height()) / 2))
            y += step
        layout.endLayout()
        if painter is not None:
            layout.draw(painter, self.rect().topLeft().toPointF())
        return y


class AppearanceSection(Section):
    """Every choice holds at once."""

    def __init__(self, theme: Theme, change: Change) -> None:
        super().__init__("Appearance", theme)
        self.cards = ThemeCards(theme)
        self.cards.chosen.connect(lambda key: change("appearance.theme", key))
        self.add_block(self.cards, above=0, below=12)
        self.text_size = Slider("Text size", theme)
        self.text_size.setRange(13, 20)
        self.text_size.setPageStep(1)
        self.text_size.setFixedWidth(168)
        self.text_size.set_suggested(15)
        self.text_size.valueChanged.connect(self._size_moved)
        self._size_word = Label("15 px", theme, "row_selected", "ink")
        self._size_word.setAlignment(Qt.AlignmentFlag.AlignRight)
        sizes = QWidget()
        row = QHBoxLayout(sizes)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (Label("A", theme, "caption", "ink2"), self.text_size, Label("A", theme, "section", "ink2")):
            row.addWidget(widget)
        row.addSpacing(4)
        row.addWidget(self._size_word)
        self.add_row("Text size", "Conversation and composer; menus keep their size", sizes)
        self.column_width = Segmented("Column width", {"narrow": "Narrow", "normal": "Normal", "wide": "Wide"}, theme)
        self.column_width.chosen.connect(lambda key: change("appearance.column", key))
        self.add_row("Column width", "At most 760 px, so lines stay easy to follow", self.column_width)
        self.line_height = Segmented("Line height", {"snug": "Snug", "normal": "Normal", "airy": "Airy"}, theme)
        self.line_height.chosen.connect(lambda key: change("appearance.line_height", tokens.LINE_HEIGHTS[key]))
        self.add_row("Line height", "", self.line_height, line=False)
        self._sample = _Sample(theme)
        self.add_block(self._sample, above=2)
        self.less_motion = Switch("Less motion", theme)
        self.less_motion.clicked.connect(lambda on: change("appearance.less_motion", on))
        self.add_row("Less motion", "Nothing slides or pulses", self.less_motion, line=False)
        self._change = change
        self.finish()

    def show_values(self, appearance: Appearance) -> None:
        """Shows what holds, without telling."""
        self.cards.choose(appearance.theme)
        self.text_size.blockSignals(True)
        self.text_size.setValue(appearance.text_size)
        self.text_size.blockSignals(False)
        self.text_size.update()
        self._size_word.setText(f"{appearance.text_size} px")
        self.column_width.choose(appearance.column)
        near = tokens.line_height(appearance.line_height)
        self.line_height.choose(near)
        self._sample.show_type(appearance.text_size, tokens.LINE_HEIGHTS[near])
        self.less_motion.setChecked(appearance.less_motion)

    def _size_moved(self, px: int) -> None:
        self._change("appearance.text_size", px)
