"""A calm word in its place on the page: what is the matter, what it means, at most one action and one way past it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, SECONDARY, Button
from app.ui.widgets.indicators import Icon
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.surfaces import Surface

Act = Callable[[], None]
_ICONS = {"fill": ("info", "ink2"), "offline": ("lock", "moss"), "ochre": ("warning", "ochre"),
          "rose": ("warning-circle", "rose")}  # fmt: skip


class Notice(Surface):
    """Hidden until it has something to say. Kinds: fill, offline, ochre, rose."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "fill", radius=tokens.RADIUS_BLOCK, parent=parent)
        self._act: Act | None = None
        self._pass: Act | None = None
        self._icon = Icon("info", theme, size=18)
        self.title = Paragraph("", theme, "row_strong", "ink")
        self.detail = Paragraph("", theme, "secondary", "ink2")
        self.action = Button("", theme, SECONDARY)
        self.action.clicked.connect(lambda: self._act() if self._act else None)
        self.past = Button("", theme, QUIET)
        self.past.clicked.connect(lambda: self._pass() if self._pass else None)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.detail)
        self._buttons = QWidget()
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 8, 0, 0)
        buttons.setSpacing(16)
        buttons.addWidget(self.action)
        buttons.addWidget(self.past)
        buttons.addStretch()
        words.addWidget(self._buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 12, 14, 12)
        row.setSpacing(12)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.hide()

    def say(
        self,
        title: str,
        detail: str = "",
        *,
        kind: str = "fill",
        action: str = "",
        act: Act | None = None,
        past: str = "",
        go_past: Act | None = None,
    ) -> None:
        """Shows words; what was shown before is gone."""
        before = self.accessibleName()
        self._act, self._pass = act, go_past
        self.set_role(f"{kind}_tint" if kind in ("ochre", "rose") else "fill")
        self._icon.show_icon(*_ICONS[kind])
        for label, text in ((self.title, title), (self.detail, detail)):
            label.setText(text)
            label.setVisible(bool(text))
            label.updateGeometry()
        for button, text in ((self.action, action), (self.past, past)):
            button.setText(text)
            button.setVisible(bool(text))
            button.updateGeometry()
        self._buttons.setVisible(bool(action or past))
        self.setAccessibleName(f"{title} {detail}".strip())
        self.updateGeometry()
        shown = self.isVisible()
        self.show()
        if not shown or before != self.accessibleName():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.accessibleName()))

    def unsay(self) -> None:
        """Takes the words away."""
        self.setAccessibleName("")
        self.hide()
