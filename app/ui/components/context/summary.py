"""The note of older turns while the model writes it: how far it is, its last words, and a way to stop."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.indicators import Bar
from app.ui.widgets.labels import Label, Paragraph

_LAST = 120


class SummaryProgress(QWidget):
    """Hidden while no note is written."""

    stopped = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = Label("", theme, "secondary", "ink", elide=True)
        self.bar = Bar(theme, "The turns being read for the note")
        self.last = Paragraph("", theme, "caption", "ink2")
        self.cancel = Button("Cancel", theme)
        self.cancel.setAccessibleName("Cancel the note")
        self.cancel.clicked.connect(self.stopped)
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addWidget(self.state)
        words.addWidget(self.bar)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(words, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self.last)
        self.hide()

    def show_state(self, writing: bool) -> None:
        """Whether a note is being written."""
        if writing and self.isHidden():
            self.show_growth("", 0, 0)
        self.setVisible(writing)

    def show_growth(self, text: str, done: int, total: int) -> None:
        """`text` is the note so far, `done` of `total` tokens were read for it."""
        count = len(text.split())
        if text:
            self.state.setText(f"Writing the note: {count:,} word{'' if count == 1 else 's'}")
        elif total:
            self.state.setText(f"Reading {done:,} of {total:,} tokens")
        else:
            self.state.setText("Waiting for the model")
        self.bar.set_share(1.0 if text else done / total if total else 0.0)
        last = " ".join(text.split())
        self.last.setText(f"… {last[-_LAST:]}" if len(last) > _LAST else last)
        self.last.setVisible(bool(last))
        self.last.updateGeometry()
