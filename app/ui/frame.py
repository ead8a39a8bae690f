"""Sidebar, rail and pages side by side, by the width there is. Knows no page by name."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme


class _Shade(QWidget):
    """Lies over the pages while the sidebar lies over them; a click on it takes the sidebar away."""

    pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self._theme.colour("shadow"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()


class Frame(QWidget):
    """From 1200 px the sidebar is wide; below it is narrow and gives way to a panel; below 900 px it overlays.

    A page that takes a rail has it below 1200 px, and at any width while the sidebar is folded away. `focus_homeless`:
    the sidebar goes and had the focus. `escaped`: Escape was pressed beside the page.
    """

    sidebar_shown = Signal(bool)
    focus_homeless = Signal()
    escaped = Signal()

    def __init__(self, theme: Theme, sidebar: QWidget, rail: QWidget, pages: QStackedWidget) -> None:
        super().__init__()
        self._theme = theme
        self._sidebar, self._rail, self._pages = sidebar, rail, pages
        self._wanted = True
        self._railed = False
        self._alone = False
        self._panel = False
        self._overlaid = False
        for widget in (sidebar, rail, pages):
            widget.setParent(self)
        self._shade = _Shade(theme, self)
        self._shade.pressed.connect(lambda: self.overlay(False))
        self._shade.hide()
        theme.changed.connect(self.update)

    @property
    def wanted(self) -> bool:
        """Whether the person wants the sidebar where there is room for it."""
        return self._wanted

    @property
    def sidebar_visible(self) -> bool:
        """Whether the sidebar is there now."""
        return not self._sidebar.isHidden()

    @property
    def overlaid(self) -> bool:
        """Whether the sidebar lies over the pages now."""
        return self._overlaid

    def set_wanted(self, wanted: bool) -> None:
        """Shows or hides the sidebar; below 900 px, and beside a panel below 1200 px, it comes over the pages."""
        if self._gives_way():
            self.overlay(wanted)
            return
        self._wanted = wanted
        self.arrange()

    def show_for(self, *, railed: bool, alone: bool, panel: bool) -> None:
        """`railed`: the page takes a rail; `alone`: nothing beside it; `panel`: it has a panel open."""
        self._railed, self._alone, self._panel = railed, alone, panel
        self._overlaid = False
        self.arrange()

    def overlay(self, shown: bool) -> None:
        """Lays the sidebar over the pages, or takes it away."""
        self._overlaid = shown and self._gives_way()
        self.arrange()

    def _gives_way(self) -> bool:
        width = self.width()
        return width < tokens.OVERLAY_BELOW or (self._panel and width < tokens.WIDE_FROM)

    def arrange(self) -> None:
        """Places everything by the present width."""
        width, height = self.width(), self.height()
        railed = self._railed and (width < tokens.WIDE_FROM or not self._wanted) and not self._alone
        beside = self._wanted and not self._gives_way() and not self._alone and not railed
        over = self._overlaid and not self._alone and not railed
        side = tokens.SIDEBAR_WIDE if width >= tokens.WIDE_FROM else tokens.SIDEBAR_NARROW
        left = tokens.RAIL + 1 if railed else side + 1 if beside else 0
        self._rail.setVisible(railed)
        self._rail.setGeometry(0, 0, tokens.RAIL, height)
        self._pages.setGeometry(QRect(QPoint(left, 0), QPoint(width - 1, height - 1)))
        self._shade.setVisible(over)
        self._shade.setGeometry(0, 0, width, height)
        self._sidebar.setGeometry(0, 0, side, height)
        before = self.sidebar_visible
        focused = QApplication.focusWidget()
        if before and not (beside or over) and focused is not None and self._sidebar.isAncestorOf(focused):
            self.focus_homeless.emit()
        self._sidebar.setVisible(beside or over)
        if over:
            self._shade.raise_()
            self._sidebar.raise_()
        if before != self.sidebar_visible:
            self.sidebar_shown.emit(self.sidebar_visible)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._gives_way():
            self._overlaid = False
        self.arrange()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._overlaid:
            self.overlay(False)
        elif event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("page"))
        left = self._pages.x()
        if left:
            painter.fillRect(QRect(left - 1, 0, 1, self.height()), self._theme.colour("line"))
