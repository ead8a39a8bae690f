"""A number that glides between 0 and 1 and repaints its widget: hover, fold, appear."""

from __future__ import annotations

from PySide6.QtCore import QAbstractAnimation, QEasingCurve, QVariantAnimation
from PySide6.QtWidgets import QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme


class Fade:
    """Glides `value` towards a goal in `milliseconds`; the animation object is made at the first use only."""

    def __init__(self, widget: QWidget, theme: Theme, milliseconds: int = tokens.HOVER_MS) -> None:
        self.value = 0.0
        self._widget = widget
        self._theme = theme
        self._milliseconds = milliseconds
        self._animation: QVariantAnimation | None = None

    def to(self, goal: float) -> None:
        """Starts to glide; arrives at once with less motion."""
        duration = self._theme.duration(self._milliseconds)
        if duration == 0 or not self._widget.isVisible():
            self.value = goal
            self._widget.update()
            return
        if self._animation is None:
            self._animation = QVariantAnimation(self._widget)
            self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
            self._animation.valueChanged.connect(self._step)
        if self._animation.state() == QAbstractAnimation.State.Running:
            self._animation.stop()
        self._animation.setDuration(duration)
        self._animation.setStartValue(self.value)
        self._animation.setEndValue(goal)
        self._animation.start()

    def _step(self, value: float) -> None:
        self.value = value
        self._widget.update()
