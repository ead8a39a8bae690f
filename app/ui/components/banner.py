"""A banner above the conversation: what happened, what it means, at most one action."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.surfaces import Surface

_ICONS = {"ochre": "warning", "rose": "warning-circle", "moss": "check", "tint": "info"}


class _Mark(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.kind = "ochre"
        self.setFixedSize(18, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        ink = self._theme.colour("tint_text" if self.kind == "tint" else self.kind)
        icons.paint(QPainter(self), _ICONS[self.kind], QRectF(0, 3, 18, 18), ink)


class Banner(Surface):
    """Tells when it is to be shown. `key` names the trouble, so that its end takes away only its own banner."""

    shown = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "ochre_tint", radius=tokens.RADIUS_BLOCK, parent=parent)
        self.key = ""
        self._act: Callable[[], None] | None = None
        self._mark = _Mark(theme)
        self.title = Paragraph("", theme, "row_strong", "ink")
        self.detail = Paragraph("", theme, "secondary", "ink2")
        self.action = Button("", theme)
        self.action.clicked.connect(self._pressed)
        self._close = IconButton("x", "Close this message", theme, side=28, size=14)
        self._close.clicked.connect(self._dismiss)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.title)
        words.addWidget(self.detail)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 10, 12)
        row.setSpacing(12)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.action, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignVCenter)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def say(
        self,
        key: str,
        title: str,
        detail: str = "",
        *,
        kind: str = "ochre",
        action: str = "",
        act: Callable[[], None] | None = None,
    ) -> None:
        """Shows a message of a kind: ochre, rose, moss or tint."""
        self.key = key
        self._act = act
        self.set_role("tint" if kind == "tint" else f"{kind}_tint")
        self._mark.kind = kind
        self.title.setText(title)
        self.detail.setText(detail)
        self.detail.setVisible(bool(detail))
        self.action.setText(action)
        self.action.setVisible(bool(action))
        self.action.updateGeometry()
        self.setAccessibleName(f"{title} {detail}".strip())
        self.updateGeometry()
        self.shown.emit(True)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.accessibleName()))

    def unsay(self, key: str) -> None:
        """Takes the message away if it is still the one of this key."""
        if self.key == key:
            self.key = ""
            self.shown.emit(False)

    def _pressed(self) -> None:
        act = self._act
        self._dismiss()
        if act is not None:
            act()

    def _dismiss(self) -> None:
        self.key = ""
        self.shown.emit(False)
