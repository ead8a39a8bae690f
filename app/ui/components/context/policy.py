"""What happens when the window is full: one choice of three, and one plain line that says what it means."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.chat.context_view import Policy
from app.ui.components.context.words import POLICIES
from app.ui.theme.theme import Theme
from app.ui.widgets.controls import Segmented
from app.ui.widgets.labels import Label, Paragraph


class PolicyChoice(QWidget):
    """`chosen` carries the policy that was wished; what is shown follows the view."""

    chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        choices = {policy.value: name for policy, (name, _) in POLICIES.items()}
        self.segments = Segmented("When the window is full", choices, theme)
        self.segments.chosen.connect(self._choose)
        self.line = Paragraph("", theme, "caption", "ink2")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(Label("When it is full", theme, "row_strong", "ink"))
        column.addWidget(self.segments)
        column.addWidget(self.line)
        self.show_policy(Policy.ROLLING)

    def show_policy(self, policy: Policy) -> None:
        """Shows a policy without telling."""
        self.segments.choose(policy.value)
        self.line.setText(POLICIES[policy][1])
        self.line.updateGeometry()

    def _choose(self, key: str) -> None:
        policy = Policy(key)
        self.show_policy(policy)
        self.chosen.emit(policy)
