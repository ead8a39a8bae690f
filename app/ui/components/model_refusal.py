"""Why a model was not loaded, in the list of models: the sentence, its details, and having it all the same."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.labels import Paragraph


class Refusal(QWidget):
    """Hidden until there is something to say. `insisted` carries a model's id."""

    insisted = Signal(str)
    grown = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._model_id = ""
        self.sentence = Paragraph("", theme, "secondary", "rose")
        self.detail = Paragraph("", theme, "caption", "ink2")
        self.insist = Button("Load anyway", theme, QUIET)
        self.insist.set_accent(True)
        self.insist.clicked.connect(lambda: self.insisted.emit(self._model_id))
        self.more = Button("Details", theme, QUIET)
        self.more.clicked.connect(self._toggle)
        self.stops: tuple[QWidget, ...] = (self.insist, self.more)
        ways = QHBoxLayout()
        ways.setSpacing(16)
        ways.addWidget(self.insist)
        ways.addWidget(self.more)
        ways.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 6, 20, 12)
        column.setSpacing(2)
        column.addWidget(self.sentence)
        column.addLayout(ways)
        column.addWidget(self.detail)
        self.detail.hide()
        self.hide()

    def say(self, sentence: str, detail: str = "", insist_on: str = "") -> None:
        """Shows why. `insist_on` is the model that may be had all the same, if it may."""
        self._model_id = insist_on
        self.sentence.setText(sentence)
        self.detail.setText(detail)
        self.insist.setVisible(bool(insist_on))
        self.more.setVisible(bool(detail))
        self.detail.setVisible(bool(detail) and not self.detail.isHidden())
        self.show()

    def unsay(self) -> None:
        """It is over."""
        self.hide()

    def _toggle(self) -> None:
        self.detail.setVisible(self.detail.isHidden())
        self.grown.emit()
