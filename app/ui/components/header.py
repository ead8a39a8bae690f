"""The line above a conversation: its title, the model in use, the panel, and everything else behind three dots."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.services.changes import EngineChanged, EngineState
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton, IconButton, mix
from app.ui.widgets.labels import Label
from app.ui.widgets.surfaces import paint_dot

_WIDEST = 300


class ModelPill(HoverButton):
    """The model in use: a dot for its state, its name, its version. Loading grows as a line along the edge."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._name = "Choose a model"
        self._version = ""
        self._dot = ("ink3", True)
        self._share: float | None = None
        self.setFixedHeight(30)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._name_it("no model is loaded")

    def show_state(self, change: EngineChanged, name: str, version: str) -> None:
        """Shows the engine's state for the model of this name; an empty name means none was chosen."""
        self._share = None
        self._name, self._version = name or "Choose a model", version if name else ""
        match change.state:
            case EngineState.READY:
                self._dot = ("ochre" if change.stepped_down else "moss", False)
                self._name_it("loaded with less than planned" if change.stepped_down else "loaded")
            case EngineState.LOADING | EngineState.STARTING:
                self._dot = ("ochre", True)
                self._share = change.fraction
                self._version = "Loading"
                self._name_it("loading")
            case EngineState.FAILED:
                loaded = change.model is not None
                self._dot = ("moss", False) if loaded else ("rose", False)
                self._name_it("loaded" if loaded else "could not be loaded")
            case _:
                self._dot = ("ink3", True)
                self._name_it("not loaded")
        self.updateGeometry()
        self.update()

    def _name_it(self, state: str) -> None:
        self.setAccessibleName(f"Model: {self._name}, {state}")
        self.setToolTip(f"{self._name}, {state}")

    def sizeHint(self) -> QSize:
        name = QFontMetrics(self._theme.font("button")).horizontalAdvance(self._name)
        version = QFontMetrics(self._theme.font("caption")).horizontalAdvance(self._version)
        return QSize(min(_WIDEST, 26 + name + (version + 9 if version else 0) + 34), 30)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(mix(colour("line2"), colour("edge"), self._hover.value), 1))
        painter.setBrush(colour("raised"))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        if self._share is not None:
            painter.save()
            painter.setClipRect(QRectF(0, 0, 15 + (self.width() - 15) * max(0.04, self._share), self.height()))
            painter.setPen(QPen(colour("ember"), 1.6))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
            painter.restore()
        role, hollow = self._dot
        paint_dot(painter, QRectF(11, 11, 8, 8), colour(role), hollow=hollow)
        caption = QFontMetrics(self._theme.font("caption"))
        version = caption.horizontalAdvance(self._version)
        painter.setFont(self._theme.font("button"))
        painter.setPen(colour("ink"))
        room = self.width() - 26 - 32 - (version + 9 if version else 0)
        name = painter.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRectF(26, 0, room + 2, 30), Qt.AlignmentFlag.AlignVCenter, name)
        if version:
            painter.setFont(self._theme.font("caption"))
            painter.setPen(colour("ink2"))
            at = 26 + QFontMetrics(self._theme.font("button")).horizontalAdvance(name) + 8
            painter.drawText(QRectF(at, 0, version + 2, 30), Qt.AlignmentFlag.AlignVCenter, self._version)
        icons.paint(painter, "caret-down", QRectF(self.width() - 25, 9, 12, 12), colour("ink2"))


class Header(QWidget):
    """52 px high. The hairline below is left out where there is nothing below to part from."""

    unfold_requested = Signal()
    model_requested = Signal()
    panel_requested = Signal()
    menu_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setFixedHeight(tokens.HEADER_HEIGHT)
        self.unfold = IconButton("sidebar", "Show the sidebar", theme)
        self.unfold.clicked.connect(self.unfold_requested)
        self.title = Label("", theme, "row_strong", "ink", elide=True)
        self.pill = ModelPill(theme)
        self.pill.clicked.connect(self.model_requested)
        self.panel = IconButton("panel-right", "Settings of this conversation", theme)
        self.panel.setCheckable(True)
        self.panel.clicked.connect(self.panel_requested)
        self.menu = IconButton("dots-three", "Menu", theme)
        self.menu.clicked.connect(self.menu_requested)
        row = QHBoxLayout()
        row.setContentsMargins(24, 0, 12, 0)
        row.setSpacing(8)
        row.addWidget(self.unfold)
        row.addWidget(self.title, 1)
        row.addSpacing(8)
        row.addWidget(self.pill)
        row.addSpacing(4)
        row.addWidget(self.panel)
        row.addWidget(self.menu)
        self._row = row
        self._lined = False
        self.setLayout(row)
        self.show_unfold(False)

    def show_unfold(self, shown: bool) -> None:
        """Shows the button that brings the sidebar back."""
        self.unfold.setVisible(shown)
        self._row.setContentsMargins(12 if shown else 24, 0, 12, 0)

    def show_title(self, title: str) -> None:
        """Shows a title; without one the header is only a place for buttons."""
        self.title.setText(title)
        self._lined = bool(title)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._lined:
            QPainter(self).fillRect(0, self.height() - 1, self.width(), 1, self._theme.colour("line"))
