"""Facts side by side: a small name above each value, only those that are known."""

from __future__ import annotations

from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.flow import Flow
from app.ui.widgets.labels import Label

LONGEST = 44


class _Fact(QWidget):
    def __init__(self, name: str, theme: Theme) -> None:
        super().__init__()
        self._name = name
        self.value = Label("", theme, "row_selected", "ink")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 26, 0)
        column.setSpacing(2)
        column.addWidget(Label(name, theme, "caption", "ink2"))
        column.addWidget(self.value)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_value(self, text: str) -> None:
        self.value.setText(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")
        self.value.updateGeometry()
        self.setToolTip("" if len(text) <= LONGEST else text.replace("<", "‹"))
        self.setAccessibleName(f"{self._name}: {text}")
        self.setVisible(bool(text))


class Facts(Flow):
    """The names are given once, in order."""

    def __init__(self, theme: Theme, *names: str) -> None:
        super().__init__(gap=8)
        self.facts = {name: _Fact(name, theme) for name in names}
        for fact in self.facts.values():
            self.add(fact)

    def show_facts(self, values: dict[str, str]) -> None:
        """Shows these and no others; an empty value is not shown."""
        for name, fact in self.facts.items():
            fact.show_value(values.get(name, ""))
        self.arrange()
