"""Switch, slider and segmented choice: Qt's own controls with their keys and accessible roles, painted in the theme."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QRadioButton, QSizePolicy, QSlider, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.fade import Fade
from app.ui.widgets.surfaces import Surface


def one_tab_stop(group: QButtonGroup) -> None:
    """Lets Tab stop at the chosen button of an exclusive group only, or at the first; arrow keys do the rest."""

    def settle() -> None:
        chosen = group.checkedButton() or (group.buttons()[0] if group.buttons() else None)
        for button in group.buttons():
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if button is chosen else Qt.FocusPolicy.ClickFocus)

    group.buttonToggled.connect(lambda _button, _on: settle())
    settle()


class Switch(QCheckBox):
    """On or off, 36 by 20."""

    def __init__(self, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._slide = Fade(self, theme, tokens.FOLD_MS)
        self.setAccessibleName(name)
        self.setFixedSize(36, 20)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.toggled.connect(lambda on: self._slide.to(1.0 if on else 0.0))
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(36, 20)

    def hitButton(self, position: QPoint) -> bool:
        return self.rect().contains(position)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setOpacity(1.0 if self.isEnabled() else 0.5)
        painter.setBrush(self._theme.colour("ember" if self.isChecked() and self.isEnabled() else "edge"))
        painter.drawRoundedRect(QRectF(0, 0, 36, 20), 10, 10)
        painter.setBrush(self._theme.colour("on_ember" if self.isChecked() and self._theme.dark else "raised"))
        painter.drawEllipse(QPointF(10 + 16 * self._slide.value, 10), 7, 7)


class Slider(QSlider):
    """A horizontal slider with a 4 px track and a tick at the suggested value. The wheel scrolls the page instead."""

    def __init__(self, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self._suggested: int | None = None
        self._origin: int | None = None
        self.setAccessibleName(name)
        self.setFixedHeight(24)
        self.setMinimumWidth(80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def set_suggested(self, value: int | None) -> None:
        """Marks the suggested value with a tick; none hides it."""
        self._suggested = value
        self.update()

    def set_origin(self, value: int) -> None:
        """Lets the dark part of the track begin at a value inside it, for a scale with two directions."""
        self._origin = value
        self.update()

    def _x(self, value: int) -> float:
        span = max(1, self.maximum() - self.minimum())
        return 8 + (self.width() - 16) * (value - self.minimum()) / span

    def _at(self, x: float) -> int:
        share = min(1.0, max(0.0, (x - 8) / max(1, self.width() - 16)))
        return self.minimum() + round(share * (self.maximum() - self.minimum()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setSliderPosition(self._at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderPosition(self._at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        middle = self.height() / 2
        x = self._x(self.sliderPosition())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("bar_empty"))
        painter.drawRoundedRect(QRectF(2, middle - 2, self.width() - 4, 4), 2, 2)
        painter.setBrush(colour("bar_dark"))
        begin = 2.0 if self._origin is None else self._x(self._origin)
        painter.drawRoundedRect(QRectF(min(begin, x), middle - 2, abs(x - begin), 4), 2, 2)
        if self._suggested is not None and self._suggested != self.sliderPosition():
            painter.setBrush(colour("ink3"))
            painter.drawRect(QRectF(self._x(self._suggested) - 0.75, middle - 6, 1.5, 12))
        knob = colour("ink") if self._theme.dark else colour("raised")
        painter.setPen(QPen(colour("edge"), 1.2))
        painter.setBrush(knob)
        painter.drawEllipse(QPointF(x, middle), 6.5, 6.5)
        if self.hasFocus() and self.property("keyboard"):
            painter.setPen(QPen(colour("ember"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, middle), 9.5, 9.5)


class _Segment(QRadioButton):
    def __init__(self, text: str, theme: Theme) -> None:
        super().__init__(text)
        self._theme = theme
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(QFontMetrics(self._theme.font("button")).horizontalAdvance(self.text()) + 26, 26)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, position: QPoint) -> bool:
        return self.rect().contains(position)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked():
            painter.setPen(QPen(self._theme.colour("line2"), 1))
            painter.setBrush(self._theme.colour("raised"))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(self._theme.colour("ink" if self.isChecked() or self.underMouse() else "ink2"))
        painter.setFont(self._theme.font("button"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


class Segmented(Surface):
    """One choice of a few words side by side; arrow keys move between them."""

    chosen = Signal(str)

    def __init__(self, name: str, choices: dict[str, str], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "fill", radius=tokens.RADIUS_CONTROL, parent=parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(3, 3, 3, 3)
        row.setSpacing(0)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, _Segment] = {}
        for key, text in choices.items():
            button = _Segment(text, theme)
            button.setAccessibleName(f"{name}: {text}")
            self._group.addButton(button)
            self._buttons[key] = button
            row.addWidget(button)
        self._group.buttonClicked.connect(self._tell)
        one_tab_stop(self._group)

    def _tell(self, clicked: object) -> None:
        for key, button in self._buttons.items():
            if button is clicked:
                self.chosen.emit(key)

    def choose(self, key: str) -> None:
        """Shows a choice without telling; an unknown key shows none."""
        if key in self._buttons:
            self._buttons[key].setChecked(True)
            return
        self._group.setExclusive(False)
        for button in self._buttons.values():
            button.setChecked(False)
        self._group.setExclusive(True)
        self.update()

    def buttons(self) -> list[QWidget]:
        """What the focus goes through, from left to right."""
        return [*self._buttons.values()]

    def choice(self) -> str:
        """The key that is shown, or an empty string."""
        return next((key for key, button in self._buttons.items() if button.isChecked()), "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
