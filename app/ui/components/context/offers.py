"""An offer in its place in the panel: what is the matter, what it costs, and a button for each way on."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.ui.components.context.words import Offer
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.flow import Flow
from app.ui.widgets.indicators import Icon
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.surfaces import Surface

_ICONS = {"fill": ("info", "ink2"), "ochre": ("warning", "ochre"), "rose": ("warning-circle", "rose")}


class OfferStrip(Surface):
    """Hidden until there is something to offer. `taken` carries the key of an action."""

    taken = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "fill", radius=tokens.RADIUS_BLOCK, parent=parent)
        self._offer: Offer | None = None
        self._icon = Icon("info", theme, size=16)
        self.text = Paragraph("", theme, "secondary", "ink")
        self._flow = Flow(gap=8)
        self.buttons: dict[str, Button] = {}
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(self.text)
        column.addWidget(self._flow)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 12)
        row.setSpacing(10)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.hide()

    def show_offer(self, offer: Offer | None) -> None:
        """Shows another offer, or none."""
        if offer == self._offer:
            return
        self._offer = offer
        if offer is None:
            self.hide()
            return
        self.set_role("fill" if offer.kind == "fill" else f"{offer.kind}_tint")
        self._icon.show_icon(*_ICONS[offer.kind])
        self.text.setText(offer.text)
        for button in self.buttons.values():
            button.hide()
        for key, text in offer.actions:
            self._button(key).setText(text)
            self._button(key).updateGeometry()
            self._button(key).show()
        self._flow.setVisible(bool(offer.actions))
        self._flow.arrange()
        self.text.updateGeometry()
        self.setAccessibleName(offer.text)
        self.updateGeometry()
        self.show()
        if offer.kind != "fill":
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, offer.text))

    def _button(self, key: str) -> Button:
        if key not in self.buttons:
            made = self.buttons[key] = Button("", self._theme)
            made.clicked.connect(lambda: self.taken.emit(key))
            self._flow.add(made)
        return self.buttons[key]
