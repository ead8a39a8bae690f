"""The ring around what has keyboard focus: 2 px ember, 2 px outside. Not for clicks, not for text fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QRadioButton,
    QScrollArea,
    QSlider,
    QWidget,
)

from app.ui.theme import tokens
from app.ui.theme.theme import Theme

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent

_OUTSIDE = tokens.FOCUS_GAP + tokens.FOCUS_WIDTH


class _Ring(QWidget):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.place = parent
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.colour("ember"), tokens.FOCUS_WIDTH))
        half = tokens.FOCUS_WIDTH / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(half, half, -half, -half), 9, 9)


class FocusRing(QObject):
    """Follows the focus through the application. `moving` is true while a Tab key moves it: only then the ring comes,
    and it stays while an arrow key goes from one choice to the next.

    A slider draws its own ring and is told by its property `keyboard`. No event filter on the application: it would put
    every event of a streaming reply through Python.
    """

    def __init__(self, application: QApplication, theme: Theme) -> None:
        super().__init__(application)
        self._theme = theme
        self._target: QWidget | None = None
        self._ring: _Ring | None = None
        self._watched: list[QWidget] = []
        self.moving = False
        application.focusChanged.connect(self._follow)

    @property
    def target(self) -> QWidget | None:
        """The widget that has the ring now."""
        return self._target

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        from PySide6.QtCore import QEvent  # its enumerations take tens of milliseconds, not before the first frame

        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize):
            self._place()
        elif watched is self._target and event.type() in (QEvent.Type.Hide, QEvent.Type.ParentChange):
            self._leave()
        return False

    def _follow(self, old: QWidget | None, new: QWidget | None) -> None:
        chosen = isinstance(new, QRadioButton) and self._target is not None and old is self._target
        self._leave()
        if new is None:
            return
        if self.moving:
            _reveal(new)
        if isinstance(new, QSlider):
            new.setProperty("keyboard", self.moving)
            return
        parent = new.parentWidget()
        by_arrow = chosen and old is not None and old.parentWidget() is parent
        if not (self.moving or by_arrow) or parent is None or not isinstance(new, QAbstractButton):
            return
        self._target = new
        self._watched, place = _up_to_room(new, parent)
        self._ring = _Ring(self._theme, place)
        for widget in self._watched:
            widget.installEventFilter(self)
        new.destroyed.connect(self._forget)
        self._place()
        self._ring.show()
        self._ring.raise_()

    def _place(self) -> None:
        if self._ring is not None and self._target is not None:
            self._ring.setGeometry(_around(self._target, self._ring.place))

    def _leave(self) -> None:
        if self._target is not None:
            for widget in self._watched:
                widget.removeEventFilter(self)
            self._target.destroyed.disconnect(self._forget)
            self._target = None
        if self._ring is not None:
            self._ring.hide()
            self._ring.deleteLater()
            self._ring = None

    def _forget(self) -> None:
        self._target = None
        self._ring = None
        self._watched = []


def _reveal(widget: QWidget) -> None:
    """A scroll area sees to that itself only if the focus was in it before."""
    above = widget.parentWidget()
    while above is not None and not above.isWindow():
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(widget)
        above = above.parentWidget()


def _around(target: QWidget, place: QWidget) -> QRect:
    """The ring's geometry in a widget that holds the target."""
    return QRect(target.mapTo(place, QPoint()), target.size()).adjusted(-_OUTSIDE, -_OUTSIDE, _OUTSIDE, _OUTSIDE)


def _up_to_room(target: QWidget, place: QWidget) -> tuple[list[QWidget], QWidget]:
    """Where the ring is not cut off, from the target's parent on, but not out of what is scrolled with it; and the
    widgets from the target up to there."""
    between = [target]
    while not (place.isWindow() or place.rect().contains(_around(target, place))):
        above = place.parentWidget()
        if above is None or isinstance(above.parentWidget(), QAbstractScrollArea):
            break
        between.append(place)
        place = above
    return between, place
