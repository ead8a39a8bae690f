"""A short word about something done, with at most one way back.

It leaves by itself, but not while the pointer or the keyboard is on it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from PySide6.QtCore import QEasingCurve, QPropertyAnimation, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QGraphicsOpacityEffect, QHBoxLayout, QWidget

from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton
from app.ui.widgets.surfaces import SHADOW_MARGIN, paint_shadow


class _ToastButton(HoverButton):
    focused = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, focus=Qt.FocusPolicy.StrongFocus)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focused.emit(False)

    def sizeHint(self) -> QSize:
        return QSize(QFontMetrics(self._theme.font("button")).horizontalAdvance(self.text()) + 24, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = "toast_text" if self.underMouse() else "toast_line"
        painter.setPen(QPen(self._theme.colour(edge), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        painter.setPen(self._theme.colour("toast_text"))
        painter.setFont(self._theme.font("button"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


class Toast(QWidget):
    """One toast, placed by its owner. `focus_homeless`: its button was pressed by a key and goes."""

    left = Signal()
    focus_homeless = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text = ""
        self._icon_name = ""
        self._undo: Callable[[], None] | None = None
        self._place = (0, 0, 400)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.leave)
        self._button = _ToastButton(theme, self)
        self._button.setToolTip("Undo  Ctrl+Z")
        self._button.clicked.connect(self.take_back)
        self._button.focused.connect(self._hold)
        row = QHBoxLayout(self)
        row.addStretch()
        row.addWidget(self._button)
        row.setContentsMargins(SHADOW_MARGIN, SHADOW_MARGIN, SHADOW_MARGIN + 8, SHADOW_MARGIN)
        self._effect = QGraphicsOpacityEffect(self)
        self._effect.setEnabled(False)
        self.setGraphicsEffect(self._effect)
        self._motion = QPropertyAnimation(self._effect, b"opacity", self)
        self._motion.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._motion.finished.connect(self._moved)
        theme.changed.connect(self.update)
        self.hide()

    @property
    def text(self) -> str:
        """The words shown."""
        return self._text

    @property
    def offers(self) -> bool:
        """Whether there is something to take back."""
        return self._undo is not None

    def show_text(self, text: str, *, icon_name: str = "", undo: Callable[[], None] | None = None) -> None:
        """Shows words for six seconds; `undo` is what its button does."""
        self._text, self._icon_name, self._undo = text, icon_name, undo
        self.setAccessibleName(text)
        self._button.setVisible(undo is not None)
        self._button.setText("Undo")
        self._button.setAccessibleName("Undo")
        self._fit()
        self.show()
        self.raise_()
        self._animate(0.0, 1.0, tokens.TOAST_IN_MS)
        self._timer.start(tokens.TOAST_STAYS_MS)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def leave(self) -> None:
        """Goes away; what it could undo stays done."""
        self._timer.stop()
        self._undo = None
        if self.isVisible():
            self._animate(1.0, 0.0, tokens.TOAST_OUT_MS)

    def place(self, centre: int, bottom: int, widest: int) -> None:
        """Puts the toast with its lower edge at `bottom` around `centre`, at most `widest` wide."""
        self._place = (centre, bottom, widest)
        if self.isVisible():
            self._fit()

    def _fit(self) -> None:
        centre, bottom, widest = self._place
        text = QFontMetrics(self._theme.font("button")).horizontalAdvance(self._text)
        width = 16 + (26 if self._icon_name else 0) + text + 16
        if self._undo is not None:
            width += self._button.sizeHint().width() + 2
        width = min(width, widest)
        self.setGeometry(
            centre - width // 2 - SHADOW_MARGIN,
            bottom - tokens.TOAST_HEIGHT - SHADOW_MARGIN,
            width + 2 * SHADOW_MARGIN,
            tokens.TOAST_HEIGHT + 2 * SHADOW_MARGIN,
        )

    def _animate(self, start: float, end: float, milliseconds: int) -> None:
        self._motion.stop()
        duration = self._theme.duration(milliseconds)
        self._effect.setEnabled(duration > 0)
        self._motion.setDuration(duration)
        self._motion.setStartValue(start)
        self._motion.setEndValue(end)
        if duration:
            self._motion.start()
        else:
            self._moved()

    def _moved(self) -> None:
        self._effect.setEnabled(False)  # an effect that is on paints everything twice
        if self._motion.endValue() == 0.0:
            self.hide()
            self.left.emit()

    def take_back(self) -> None:
        """Does what the button does; nothing where there is nothing to take back."""
        undo, self._undo = self._undo, None
        if self._button.hasFocus():
            self.focus_homeless.emit()
        self.leave()
        if undo is not None:
            undo()

    def _hold(self, held: bool) -> None:
        if held:
            self._timer.stop()
        elif self.isVisible():
            self._timer.start(tokens.TOAST_STAYS_MS)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hold(True)
        super().enterEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hold(self._button.hasFocus())
        super().leaveEvent(event)  # type: ignore[arg-type]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(SHADOW_MARGIN, SHADOW_MARGIN, -SHADOW_MARGIN, -SHADOW_MARGIN)
        paint_shadow(painter, box, tokens.RADIUS_BLOCK, self._theme.colour("shadow"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("toast"))
        painter.drawRoundedRect(box, tokens.RADIUS_BLOCK, tokens.RADIUS_BLOCK)
        ink = self._theme.colour("toast_text")
        left = box.left() + 16
        if self._icon_name:
            icons.paint(painter, self._icon_name, QRectF(left, box.center().y() - 8, 16, 16), ink)
            left += 26
        right = box.right() - (self._button.width() + 18 if self._undo is not None else 16)
        painter.setPen(ink)
        painter.setFont(self._theme.font("button"))
        text = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, int(right - left) + 1)
        painter.drawText(QRectF(left, box.top(), right - left + 1, box.height()), Qt.AlignmentFlag.AlignVCenter, text)


class SayingPage(QWidget):
    """A page that can say a word about something done, in the middle above its lower edge."""

    _theme: Theme

    @cached_property
    def toast(self) -> Toast:
        """Built with the first word."""
        made = Toast(self._theme, self)
        made.focus_homeless.connect(self.setFocus)
        return made

    def say(self, text: str, *, icon_name: str = "", undo: Callable[[], None] | None = None) -> None:
        """Says something; `undo` takes it back."""
        self._place_toast()
        self.toast.show_text(text, icon_name=icon_name, undo=undo)

    def _place_toast(self) -> None:
        self.toast.place(self.width() // 2, self.height() - 16, self.width() - 2 * tokens.SIDE_MARGIN)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if "toast" in self.__dict__ and self.toast.isVisible():
            self._place_toast()
