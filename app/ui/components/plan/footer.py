"""What is done with a load plan: loading it, how far that is, why it was refused, and the ways back."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.services.changes import EngineChanged
from app.ui import model_words
from app.ui.components.models.notice import Notice
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import PRIMARY, QUIET, SECONDARY, Button
from app.ui.widgets.indicators import Bar
from app.ui.widgets.labels import Label
from app.ui.widgets.surfaces import Hairline


class PlanFooter(QWidget):
    """Stays in sight below the sliders."""

    load_wanted = Signal()
    insisted = Signal()
    cancel_wanted = Signal()
    default_wanted = Signal()
    back_wanted = Signal()
    resized = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.notice = Notice(theme)
        self.load = Button("Load", theme, PRIMARY)
        self.load.clicked.connect(self.load_wanted)
        self.default = Button("Use as my default", theme, SECONDARY)
        self.default.clicked.connect(self.default_wanted)
        self.back = Button("Back to suggested", theme, QUIET)
        self.back.clicked.connect(self.back_wanted)
        self.bar = Bar(theme, "Loading")
        self.amount = Label("", theme, "secondary", "ink2", elide=True)
        self.cancel = Button("Cancel", theme, QUIET)
        self.cancel.clicked.connect(self.cancel_wanted)
        self._buttons = QWidget()
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        buttons.addWidget(self.load)
        buttons.addWidget(self.default)
        buttons.addStretch()
        buttons.addWidget(self.back)
        self._progress = QWidget()
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addWidget(self.amount, 1)
        line.addWidget(self.cancel)
        progress = QVBoxLayout(self._progress)
        progress.setContentsMargins(0, 0, 0, 0)
        progress.setSpacing(4)
        progress.addWidget(self.bar)
        progress.addLayout(line)
        self._progress.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 20)
        column.setSpacing(0)
        column.addWidget(Hairline(theme))
        column.addSpacing(20)
        column.addWidget(self.notice)
        self._gap = QWidget()
        self._gap.setFixedHeight(16)
        self._gap.hide()
        column.addWidget(self._gap)
        column.addWidget(self._buttons)
        column.addWidget(self._progress)

    def show_ways(self, load: str, *, default: bool, back: bool) -> None:
        """What the buttons are called, and which of them lead somewhere."""
        self.load.setText(load)
        self.load.updateGeometry()
        self.default.setVisible(default)
        self.back.setVisible(back)

    def show_loading(self, change: EngineChanged | None) -> None:
        """How far a load is, in place of the buttons; None brings them back."""
        held = self.load.hasFocus() or self.cancel.hasFocus()
        self._progress.setVisible(change is not None)
        self._buttons.setVisible(change is None)
        if held:
            (self.load if change is None else self.cancel).setFocus()
        if change is not None:
            self.refuse("")
            self.bar.set_share(change.fraction)
            said = f"Loading {change.model_name}"
            if change.total_bytes:
                said += f", {model_words.amounts(change.done_bytes, change.total_bytes)}"
            if change.stepped_down:
                said = f"{change.stepped_down} {said}"
            self.amount.setText(said)
            self.bar.setAccessibleDescription(said)

    def refuse(self, title: str, detail: str = "", *, insist: bool = False) -> None:
        """Says why it was not loaded; `insist`: it may be done all the same."""
        if title:
            act: Callable[[], None] | None = self.insisted.emit if insist else None
            self.notice.say(title, detail, kind="ochre", action="Load anyway" if insist else "", act=act)
        else:
            self.notice.unsay()
        self._gap.setVisible(bool(title))
        self.resized.emit()
