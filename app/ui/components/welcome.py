"""What stands around the composer before a conversation begins: a greeting, the model's state, three ways to start."""

from __future__ import annotations

import datetime

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.engine.values import ModelFile
from app.services.changes import EngineChanged, EngineState
from app.ui import words
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button, HoverButton
from app.ui.widgets.indicators import Badge
from app.ui.widgets.labels import Label, Paragraph

SUGGESTIONS = (
    (
        "file-text",
        "Put a letter into plain words",
        "Paste the text; it stays on this computer",
        "Put this letter into plain words, in a few short sentences:\n\n",
    ),
    (
        "code",
        "Explain an error message",
        "Paste it and say what you expected",
        "Explain this error message and say what to try first:\n\n",
    ),
    (
        "envelope",
        "Draft a reply that is short and kind",
        "Say who it is for and what must be in it",
        "Draft a short and kind reply. It is for ",
    ),
)


class Greeting(QWidget):
    """The greeting, one sentence on the model, and the line with its state."""

    model_requested = Signal()
    find_requested = Signal()
    file_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = Label(words.greeting(datetime.datetime.now().hour), theme, "greeting", "ink")
        self.sentence = Paragraph("", theme, "body", "ink2")
        self.badge = Badge("", "", "plain", theme)
        self.name = Label("", theme, "button", "ink", elide=True)
        self.facts = Label("", theme, "secondary", "ink2", elide=True)
        self.choose = Button("Choose another model", theme, QUIET)
        self.choose.set_accent(True)
        self.choose.clicked.connect(self.model_requested)
        self.find_model = Button("Find a model", theme, QUIET)
        self.find_model.set_accent(True)
        self.find_model.clicked.connect(self.find_requested)
        self.open_file = Button("Open a file…", theme, QUIET)
        self.open_file.set_accent(True)
        self.open_file.clicked.connect(self.file_requested)
        self._line = QWidget()
        row = QHBoxLayout(self._line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.badge)
        row.addWidget(self.name)
        row.addWidget(self.facts)
        row.addStretch(1)
        row.addWidget(self.choose)
        self._ways = QWidget()
        ways = QHBoxLayout(self._ways)
        ways.setContentsMargins(0, 0, 0, 0)
        ways.setSpacing(20)
        ways.addWidget(self.find_model)
        ways.addWidget(self.open_file)
        row.addWidget(self._ways)
        column = QVBoxLayout(self)
        column.setContentsMargins(tokens.OVERHANG, 0, tokens.OVERHANG, 12)
        column.setSpacing(0)
        column.addWidget(self.title)
        column.addSpacing(12)
        column.addWidget(self.sentence)
        column.addSpacing(10)
        column.addWidget(self._line)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

    def greet(self) -> None:
        """Says the greeting of this hour."""
        self.title.setText(words.greeting(datetime.datetime.now().hour))

    def show_model(self, change: EngineChanged, model: ModelFile | None, *, known: bool) -> None:
        """Says what there is to talk with. Nothing is said before the library is `known`."""
        self._line.setVisible(known and model is not None)
        if not known:
            self.sentence.setText("")
            return
        self.choose.setVisible(model is not None)
        self._ways.setVisible(model is None)
        if model is None:
            self.sentence.setText(
                "There is no model on this computer yet. Find one that suits it and download it, or open a GGUF file "
                "that you have."
            )
            self._line.setVisible(True)
            self.badge.show_state("No model", "warning", "ochre")
            self.name.setText("")
            self.facts.setText("")
            return
        kind = "A small starter model" if model.is_starter else words.model_title(model)
        ready = change.state is EngineState.READY
        self.sentence.setText(
            f"{kind} is {'loaded and ready' if ready else 'here'}. "
            "It runs on this computer, needs no account and works without the internet."
        )
        self.choose.setText("Choose a model")
        self.name.setText(words.model_title(model))
        size = words.size(model.size_bytes)
        self.facts.setText(f"{size}, quick but knows little" if model.is_starter else size)
        match change.state:
            case EngineState.READY:
                self.badge.show_state("Ready", "check", "moss")
            case EngineState.LOADING | EngineState.STARTING:
                self.badge.show_state("Loading", "", "ochre")
            case EngineState.FAILED:
                self.badge.show_state("Not loaded", "warning", "rose")
            case _:
                self.badge.show_state("Installed", "check", "plain")
                self.facts.setText(f"{size}, loads when you write")


class Suggestion(HoverButton):
    """A row; a click tells the beginning of a message."""

    chosen = Signal(str)

    def __init__(
        self, icon_name: str, title: str, detail: str, beginning: str, theme: Theme, *, first: bool = False
    ) -> None:
        super().__init__(theme)
        self._icon_name, self._detail, self._first = icon_name, detail, first
        self.setText(title)
        self.setAccessibleDescription(detail)
        self.setFixedHeight(69)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(lambda: self.chosen.emit(beginning))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        self.fill(painter, "fill", box=QRectF(self.rect()).adjusted(0, 3, 0, -2), radius=tokens.RADIUS_BLOCK)
        left = tokens.OVERHANG
        icons.paint(painter, self._icon_name, QRectF(left, 25, 20, 20), colour("ink2"))
        text = left + 36
        width = self.width() - text - 48
        font = self._theme.font("body")
        font.setWeight(font.weight().Medium)
        painter.setFont(font)
        painter.setPen(colour("ink"))
        painter.drawText(QRectF(text, 14, width, 22), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setFont(self._theme.font("secondary"))
        painter.setPen(colour("ink2"))
        detail = painter.fontMetrics().elidedText(self._detail, Qt.TextElideMode.ElideRight, int(width))
        painter.drawText(QRectF(text, 35, width, 20), Qt.AlignmentFlag.AlignVCenter, detail)
        icons.paint(painter, "arrow-up-right", QRectF(self.width() - left - 16, 27, 16, 16), colour("ink2"))
        if not self._first:
            painter.fillRect(QRectF(text, 0, self.width() - text - left, 1), colour("line"))


def suggestions(theme: Theme) -> list[Suggestion]:
    """The rows, the most wanted first."""
    return [Suggestion(*row, theme, first=position == 0) for position, row in enumerate(SUGGESTIONS)]
