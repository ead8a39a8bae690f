"""A surface that floats over the window beside what opened it. Escape, a click elsewhere or Tab out of it closes it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QApplication, QVBoxLayout, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.surfaces import SHADOW_MARGIN, paint_shadow


class Popover(QWidget):
    """A child of the window, not a window of its own: it moves with it and needs nothing of the desktop."""

    closed = Signal()

    def __init__(self, name: str, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._opener: QWidget | None = None
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(SHADOW_MARGIN, SHADOW_MARGIN, SHADOW_MARGIN, SHADOW_MARGIN)
        self.body.setSpacing(0)
        theme.changed.connect(self.update)
        self.hide()

    @property
    def opener(self) -> QWidget | None:
        """What it was last opened by."""
        return self._opener

    def open_below(self, opener: QWidget, width: int, *, first: QWidget | None = None) -> None:
        """Opens right-aligned under `opener`, `width` wide, as high as its contents; `first` gets the focus."""
        self._opener = opener
        self._place(width)
        self.show()
        self.raise_()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.installEventFilter(self)
        application.focusChanged.connect(self._focus_moved)
        if first is not None:
            first.setFocus(Qt.FocusReason.PopupFocusReason)

    def refit(self) -> None:
        """Fits the height to the contents again."""
        if self.isVisible():
            self._place(self.width() - 2 * SHADOW_MARGIN)

    def _place(self, width: int) -> None:
        parent = self.parentWidget()
        if parent is None or self._opener is None:
            return
        anchor = self._opener.mapTo(parent, QPoint(self._opener.width(), self._opener.height() + 6))
        outer = width + 2 * SHADOW_MARGIN
        height = self.body.heightForWidth(outer) if self.body.hasHeightForWidth() else self.body.sizeHint().height()
        left = max(8 - SHADOW_MARGIN, min(anchor.x() - width, parent.width() - width - 8) - SHADOW_MARGIN)
        top = anchor.y() - SHADOW_MARGIN
        self.setGeometry(left, top, outer, min(height, parent.height() - top))

    def close_popover(self) -> None:
        """Closes and gives the focus back to what opened it."""
        if not self.isVisible():
            return
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.removeEventFilter(self)
        application.focusChanged.disconnect(self._focus_moved)
        focused = QApplication.focusWidget()
        had_focus = focused is not None and self.isAncestorOf(focused)
        self.hide()
        if had_focus and self._opener is not None:
            self._opener.setFocus(Qt.FocusReason.PopupFocusReason)
        self.closed.emit()

    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        left = old is not None and (old is self or self.isAncestorOf(old))
        if left and new is not None and new.window() is self.window() and not self.isAncestorOf(new):
            self.close_popover()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress and isinstance(watched, QWidget) and isinstance(event, QMouseEvent):
            inside = watched is self or self.isAncestorOf(watched)
            on_opener = self._opener is not None and (watched is self._opener or self._opener.isAncestorOf(watched))
            if not inside and watched.window() is self.window():
                self.close_popover()
                return on_opener  # else the same click would open it again
        elif kind == QEvent.Type.KeyPress and isinstance(watched, QAbstractButton) and isinstance(event, QKeyEvent):
            if self.isAncestorOf(watched) and event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self._step(event.key() == Qt.Key.Key_Down)
                return True  # else the button would go on past the ends
        elif kind == QEvent.Type.Resize and watched is self.parentWidget():
            self.refit()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_popover()
        else:
            super().keyPressEvent(event)

    def _step(self, down: bool) -> None:
        """An arrow key goes as Tab does, but not out at the ends."""
        stops = [
            widget
            for widget in self.findChildren(QWidget)
            if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        ]
        stops.sort(key=lambda widget: (widget.mapTo(self, QPoint()).y(), widget.mapTo(self, QPoint()).x()))
        if stops and not stops[-1 if down else 0].hasFocus():
            self.focusNextPrevChild(down)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(SHADOW_MARGIN, SHADOW_MARGIN, -SHADOW_MARGIN, -SHADOW_MARGIN)
        paint_shadow(painter, box, tokens.RADIUS_BLOCK, self._theme.colour("shadow"))
        painter.setPen(QPen(self._theme.colour("line2"), 1))
        painter.setBrush(self._theme.colour("raised"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), tokens.RADIUS_BLOCK, tokens.RADIUS_BLOCK)
