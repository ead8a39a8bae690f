"""The conversations cannot be opened: what happened, what can be done, in plain words. Nothing was overwritten."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.pages.trouble.codes import OTHER, WHAT
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import GHOST, PRIMARY, QUIET, Button
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Surface
from app.ui.widgets.toast import SayingPage


class TroublePage(SayingPage):
    """A calm full page in the place of everything else."""

    retry_requested = Signal()
    quit_requested = Signal()

    def __init__(self, theme: Theme, data: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._data = data
        self.title = Paragraph("", theme, "page_title", "ink")
        self.sentence = Paragraph("", theme, "body", "ink")
        self.advice = Paragraph("", theme, "body", "ink2")
        self.place = Label(str(data), theme, "code", "ink2", elide=True)
        self._detail = Paragraph("", theme, "code", "ink2")
        self._box = Surface(theme, "fill", radius=tokens.RADIUS_BLOCK)
        inner = QVBoxLayout(self._box)
        inner.setContentsMargins(16, 12, 16, 12)
        inner.addWidget(self._detail)
        self._box.hide()
        self.retry = Button("Try again", theme, PRIMARY)
        self.retry.clicked.connect(self.retry_requested)
        show = Button("Show the folder", theme)
        show.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._data))))
        leave = Button("Quit", theme, GHOST)
        leave.clicked.connect(self.quit_requested)
        self.more = Button("Details", theme, QUIET)
        self.more.clicked.connect(lambda: self._box.setVisible(self._box.isHidden()))
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.retry, show, leave):
            buttons.addWidget(button)
        buttons.addStretch()
        buttons.addWidget(self.more)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addStretch(2)
        for widget, gap in (
            (self.title, 12),
            (self.sentence, 8),
            (self.advice, 16),
            (self.place, 24),
        ):
            column.addWidget(widget)
            column.addSpacing(gap)
        column.addLayout(buttons)
        column.addSpacing(16)
        column.addWidget(self._box)
        column.addStretch(3)
        holder = QWidget()
        holder.setMaximumWidth(640)
        holder.setLayout(column)
        row = QHBoxLayout(self)
        row.setContentsMargins(32, 24, 32, 24)
        row.addStretch(0)
        row.addWidget(holder, 1)
        row.addStretch(0)
        row.setAlignment(Qt.AlignmentFlag.AlignVCenter)

    def tell(self, code: str, sentence: str, detail: str) -> None:
        """Says what is wrong."""
        title, advice = WHAT.get(code, OTHER)
        self.title.setText(title)
        self.sentence.setText(sentence)
        self.advice.setText(advice)
        self._detail.setText(detail)
        self.more.setVisible(bool(detail))
        self.retry.setFocus(Qt.FocusReason.OtherFocusReason)
