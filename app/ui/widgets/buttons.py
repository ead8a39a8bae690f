"""Painted buttons: push buttons of four kinds, icon buttons, and what every other painted button begins with."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.fade import Fade

PRIMARY, SECONDARY, GHOST, QUIET = "primary", "secondary", "ghost", "quiet"


def mix(a: QColor, b: QColor, share: float) -> QColor:
    """The colour at `share` (0..1) of the way from `a` to `b`, alpha included."""
    return QColor.fromRgbF(
        a.redF() + (b.redF() - a.redF()) * share,
        a.greenF() + (b.greenF() - a.greenF()) * share,
        a.blueF() + (b.blueF() - a.blueF()) * share,
        a.alphaF() + (b.alphaF() - a.alphaF()) * share,
    )


class HoverButton(QAbstractButton):
    """A button that is painted by hand: the pointer becomes a hand, the hover fades, a new theme repaints it."""

    HOVER = 1.0

    def __init__(
        self, theme: Theme, parent: QWidget | None = None, *, focus: Qt.FocusPolicy = Qt.FocusPolicy.TabFocus
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._hover = Fade(self, theme)
        self.setFocusPolicy(focus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def enterEvent(self, event: object) -> None:
        self._hover.to(self.HOVER)
        super().enterEvent(event)  # type: ignore[arg-type]

    def leaveEvent(self, event: object) -> None:
        self._hover.to(0.0)
        super().leaveEvent(event)  # type: ignore[arg-type]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter does what Space does, as in every list one goes through with the arrows."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.click()

    def fill(
        self,
        painter: QPainter,
        role: str = "hover",
        *,
        share: float | None = None,
        box: QRectF | None = None,
        radius: float = tokens.RADIUS_CONTROL,
    ) -> None:
        """Fills the button, or `box` of it, in a role as far as it is hovered, or to `share`."""
        colour = self._theme.colour(role)
        colour.setAlphaF(self._hover.value if share is None else share)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(box if box is not None else QRectF(self.rect()), radius, radius)


class Button(HoverButton):
    """A text button. One primary per view; `quiet` has no padding, so that its text can stand on an edge."""

    def __init__(self, text: str, theme: Theme, kind: str = SECONDARY, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent, focus=Qt.FocusPolicy.StrongFocus)
        self._kind = kind
        self._icon_name = ""
        self._accent = False
        self.setText(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_icon_name(self, name: str) -> None:
        """Shows an icon before the text."""
        self._icon_name = name
        self.updateGeometry()
        self.update()

    def set_accent(self, accent: bool) -> None:
        """Writes a quiet button in ember: something is asked for."""
        self._accent = accent
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._theme.font("button"))
        width = metrics.horizontalAdvance(self.text()) + 2 * self._padding() + (20 if self._icon_name else 0)
        return QSize(width + 1, 24 if self._kind == QUIET else 32)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _padding(self) -> int:
        return 0 if self._kind == QUIET else 14

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        hover = self._hover.value if self.isEnabled() else 0.0
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        ink = colour("ink")
        match self._kind:
            case "primary":
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(mix(colour("ember"), colour("ember2"), hover))
                painter.drawRoundedRect(QRectF(self.rect()), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
                ink = colour("on_ember")
            case "secondary":
                painter.setPen(QPen(mix(colour("line2"), colour("edge"), hover), 1))
                painter.setBrush(colour("raised"))
                painter.drawRoundedRect(box, tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
            case "ghost":
                self.fill(painter, share=hover)
                ink = mix(colour("ink2"), colour("ink"), hover)
            case _:
                base = ("ember", "ember2") if self._accent else ("ink2", "ink")
                ink = mix(colour(base[0]), colour(base[1]), hover)
        if not self.isEnabled():
            ink = colour("ink3")
        left = float(self._padding())
        if self._icon_name:
            icons.paint(painter, self._icon_name, QRectF(left, self.height() / 2 - 7, 14, 14), ink)
            left += 20
        painter.setPen(ink)
        painter.setFont(self._theme.font("button"))
        room = QRectF(left, 0, self.width() - left, self.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())


class IconButton(HoverButton):
    """A square button with an icon only; `name` is its accessible name and its tool tip. Checked stays filled."""

    def __init__(
        self,
        icon_name: str,
        name: str,
        theme: Theme,
        *,
        side: int = 32,
        size: int = 18,
        shortcut: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent)
        self._icon_name = icon_name
        self._size = size
        self.setFixedSize(side, side)
        self.setAccessibleName(name)
        self.setToolTip(f"{name}  {shortcut}" if shortcut else name)

    def set_icon_name(self, icon_name: str, name: str) -> None:
        """Changes what the button shows and how it is called."""
        self._icon_name = icon_name
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hover = self._hover.value if self.isEnabled() else 0.0
        self.fill(painter, share=1.0 if self.isChecked() else hover, radius=tokens.RADIUS_ICON)
        ink = self._theme.colour("ink3" if not self.isEnabled() else "ink2")
        centre = QPointF(self.rect().width() / 2, self.rect().height() / 2)
        half = self._size / 2
        icons.paint(painter, self._icon_name, QRectF(centre.x() - half, centre.y() - half, self._size, self._size), ink)
