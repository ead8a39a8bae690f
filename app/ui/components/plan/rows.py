"""A row of the load plan: what it is and means at the left, its control, what it comes to at the right."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.controls import Segmented, Slider
from app.ui.widgets.labels import Label
from app.ui.widgets.surfaces import Hairline

_LEFT, _RIGHT, _HEIGHT = 228, 92, 59


class PlanRow(QWidget):
    """`control` fills the middle; a choice of words keeps its own width."""

    def __init__(self, title: str, control: QWidget, theme: Theme) -> None:
        super().__init__()
        self.title = Label(title, theme, "row_selected", "ink", elide=True)
        self.caption = Label("", theme, "caption", "ink2", elide=True)
        self.value = Label("", theme, "row_strong", "ink")
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.value.setFixedWidth(_RIGHT)
        self.control = control
        self.called = title
        words = QWidget()
        words.setFixedWidth(_LEFT)
        lines = QVBoxLayout(words)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(1)
        lines.addStretch()
        lines.addWidget(self.title)
        lines.addWidget(self.caption)
        lines.addStretch()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.setHorizontalSpacing(16)
        grid.setRowMinimumHeight(0, _HEIGHT)
        grid.addWidget(words, 0, 0)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        grid.addWidget(control, 0, 1, Qt.AlignmentFlag.AlignVCenter if isinstance(control, Slider) else left)
        grid.addWidget(self.value, 0, 2)
        grid.setColumnStretch(1, 1)
        self.line = Hairline(theme)
        grid.addWidget(self.line, 1, 0, 1, 3)

    def say(self, value: str, caption: str = "") -> None:
        """What it comes to, and what it means. A slider is called by both, for those who do not see it."""
        self.value.setText(value)
        self.caption.setText(caption)
        self.caption.setVisible(bool(caption))
        if isinstance(self.control, Slider):
            self.control.setAccessibleName(f"{self.called}: {value}")
        self.control.setAccessibleDescription(caption)


def slider_row(title: str, theme: Theme, least: int, most: int, page: int) -> tuple[PlanRow, Slider]:
    """A row with a slider from `least` to `most`; Page Up and Page Down go `page` steps."""
    slider = Slider(title, theme)
    slider.setRange(least, most)
    slider.setPageStep(max(1, page))
    slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return PlanRow(title, slider, theme), slider


def choice_row(title: str, choices: dict[str, str], theme: Theme) -> tuple[PlanRow, Segmented]:
    """A row with a choice of a few words."""
    segmented = Segmented(title, choices, theme)
    return PlanRow(title, segmented, theme), segmented
