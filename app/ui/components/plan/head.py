"""The line above a load plan: the way back, and whose plan it is."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button, IconButton
from app.ui.widgets.labels import Label


class PlanHead(QWidget):
    """52 px high with a hairline below."""

    back_wanted = Signal()
    models_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedHeight(tokens.HEADER_HEIGHT)
        self.back = IconButton("caret-left", "Back", theme)
        self.back.clicked.connect(self.back_wanted)
        self.models = Button("Models", theme, QUIET)
        self.models.clicked.connect(self.models_wanted)
        self.name = Label("", theme, "row_strong", "ink", elide=True)
        self.version = Label("", theme, "secondary", "ink2")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 24, 0)
        row.setSpacing(8)
        for widget in (self.back, self.models, Label("/", theme, "row", "ink3"), self.name, self.version):
            row.addWidget(widget)
        row.addStretch(1)

    def show_model(self, name: str, version: str) -> None:
        """Whose plan it is."""
        self.name.setText(name)
        self.version.setText(version)
        self.version.setVisible(bool(version))
        for label in (self.name, self.version):
            label.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(0, self.height() - 1, self.width(), 1, self._theme.colour("line"))
