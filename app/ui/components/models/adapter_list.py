"""The LoRA adapters that lie among the models, listed below them. Nothing is chosen here: a conversation adds them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.engine.values import AdapterFile
from app.ui import model_words
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import SCROLL_BAR, Hairline, see_through

WHERE = "A conversation adds them in its side panel, under Model."
MOST = 232  # px: four of them; further ones are scrolled to
PAD = tokens.OVERHANG


class AdapterList(QWidget):
    """Hidden while there is none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._files: list[AdapterFile] = []
        self.title = Label("", theme, "row_strong", "ink")
        self.area = QScrollArea()
        self.area.setObjectName("bare")
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.area.setMaximumHeight(MOST)
        see_through(self.area)
        head = QVBoxLayout()
        head.setContentsMargins(PAD, 12, PAD, 8)
        head.setSpacing(2)
        head.addWidget(self.title)
        head.addWidget(Paragraph(WHERE, theme, "caption", "ink2"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Hairline(theme))
        column.addLayout(head)
        column.addWidget(self.area)
        self.hide()

    def show_adapters(self, files: Sequence[AdapterFile]) -> None:
        """Shows these."""
        if [*files] == self._files:
            return
        self._files = [*files]
        self.title.setText("1 adapter" if len(files) == 1 else f"{len(files)} adapters")
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(PAD, 0, PAD + SCROLL_BAR, 12)
        column.setSpacing(10)
        for file in self._files:
            column.addLayout(self._row(file))
        column.addStretch()
        self.area.setWidget(page)
        self.area.setFixedHeight(min(MOST, page.sizeHint().height()))
        said = (f"{file.name}: {file.problem or model_words.adapter_facts(file)}" for file in self._files)
        self.area.setAccessibleName(". ".join(("Adapters", *said)))
        self.setVisible(bool(files))

    def _row(self, file: AdapterFile) -> QVBoxLayout:
        row = QVBoxLayout()
        row.setSpacing(0)
        name = Label(file.name, self._theme, "row", "ink", elide=True)
        name.setToolTip(file.path)
        row.addWidget(name)
        if file.problem:
            row.addWidget(Paragraph(file.problem, self._theme, "secondary", "rose"))
        else:
            row.addWidget(Label(model_words.adapter_facts(file), self._theme, "secondary", "ink2", elide=True))
        return row
