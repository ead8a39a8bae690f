"""Where a person writes: a field that grows, how full the model's memory is, and one button that sends or stops."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.components.context.gauge import Gauge
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton, IconButton, mix
from app.ui.widgets.growing_text import GrowingText
from app.ui.widgets.labels import Label
from app.ui.widgets.surfaces import Surface

DRAFT_AFTER_MS = 300


class SendButton(HoverButton):
    """Neutral while there is nothing to send, ember with text, a stop square while a reply is written."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self.ready = False
        self.streaming = False
        self.setFixedSize(32, 32)
        self.show_state(ready=False, streaming=False)

    def show_state(self, *, ready: bool, streaming: bool) -> None:
        """Changes what a click would do."""
        self.ready, self.streaming = ready, streaming
        self.setAccessibleName("Stop" if streaming else "Send")
        self.setToolTip("Stop  Esc" if streaming else "Send  Enter")
        self.setEnabled(ready or streaming)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(32, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        live = self.ready or self.streaming
        fill = mix(colour("ember"), colour("ember2"), self._hover.value) if live else colour("fill")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(self.rect()), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        ink = colour("on_ember" if live else "ink3")
        if self.streaming:
            painter.setBrush(ink)
            painter.drawRoundedRect(QRectF(10.5, 10.5, 11, 11), 1.5, 1.5)
        else:
            icons.paint(painter, "arrow-up", QRectF(8, 8, 16, 16), ink)


class Composer(Surface):
    """Emits what is wished; keeps the text until it is told that it was sent."""

    send_requested = Signal(str)
    stop_requested = Signal()
    draft_changed = Signal(str)
    typing_started = Signal()
    edit_ended = Signal()
    gauge_pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "raised", radius=tokens.RADIUS_BLOCK, outline="line2", parent=parent)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.field = GrowingText("Message", theme)
        self.field.submitted.connect(self._submit)
        self.field.escaped.connect(self._escape)
        self.field.textChanged.connect(self._typed)
        self.field.focus_changed.connect(lambda on: self.set_outline("edge" if on else "line2"))
        self.gauge = Gauge(theme)
        self.gauge.clicked.connect(self.gauge_pressed)
        self.send = SendButton(theme)
        self.send.clicked.connect(self._pressed)
        self._streaming = False
        self._quiet = False
        self._draft = QTimer(self)
        self._draft.setSingleShot(True)
        self._draft.setInterval(DRAFT_AFTER_MS)
        self._draft.timeout.connect(self.flush_draft)
        self._unsaved = False

        self._editing = QWidget()
        strip = QHBoxLayout(self._editing)
        strip.setContentsMargins(tokens.OVERHANG, 8, 9, 0)
        strip.setSpacing(4)
        strip.addWidget(
            Label(
                "Editing an earlier message; its first wording stays behind the arrows",
                theme,
                "caption",
                "ink2",
                elide=True,
            ),
            1,
        )
        end = IconButton("x", "End editing", theme, side=24, size=12)
        end.clicked.connect(self.edit_ended)
        strip.addWidget(end)
        self._editing.hide()
        self._text = text = QHBoxLayout()
        text.setContentsMargins(tokens.OVERHANG, 14, tokens.OVERHANG - 4, 0)
        text.addWidget(self.field)
        row = QHBoxLayout()
        row.setContentsMargins(tokens.OVERHANG, 0, 9, 9)
        row.setSpacing(7)
        row.addStretch()
        row.addWidget(self.gauge)
        row.addSpacing(2)
        row.addWidget(self.send)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._editing)
        column.addLayout(text)
        column.addLayout(row)

    def set_hint(self, hint: str) -> None:
        """The words in the empty field."""
        self.field.set_hint(hint)

    def set_text(self, text: str) -> None:
        """Puts a draft into the field; it does not count as typed."""
        self._quiet = True
        self.field.set_text(text)
        self._quiet = False
        self._draft.stop()
        self._unsaved = False
        self._show_button()

    def put(self, text: str) -> None:
        """Puts words into the field as if they had been typed, and the cursor behind them."""
        self.field.set_text(text)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def text(self) -> str:
        """What stands in the field."""
        return self.field.text()

    def set_streaming(self, streaming: bool) -> None:
        """Whether a reply of this conversation is being written."""
        self._streaming = streaming
        self._show_button()

    def show_editing(self, editing: bool) -> None:
        """Says that the field holds an earlier message."""
        self._editing.setVisible(editing)
        self._text.setContentsMargins(tokens.OVERHANG, 2 if editing else 14, tokens.OVERHANG - 4, 0)

    def flush_draft(self) -> None:
        """Tells the draft now if it changed since it was told."""
        self._draft.stop()
        if self._unsaved:
            self._unsaved = False
            self.draft_changed.emit(self.field.text())

    def _typed(self) -> None:
        self._show_button()
        if self._quiet:
            return
        self._unsaved = True
        self._draft.start()
        if self.field.text().strip():
            self.typing_started.emit()

    def _show_button(self) -> None:
        self.send.show_state(ready=bool(self.field.text().strip()) and not self._streaming, streaming=self._streaming)

    def _submit(self) -> None:
        text = self.field.text().strip()
        if text and not self._streaming:
            self.send_requested.emit(text)

    def _pressed(self) -> None:
        if self._streaming:
            self.stop_requested.emit()
        else:
            self._submit()

    def _escape(self) -> None:
        if self._streaming:
            self.stop_requested.emit()
        elif not self._editing.isHidden():
            self.edit_ended.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.field.setFocus(Qt.FocusReason.MouseFocusReason)
        super().mousePressEvent(event)
