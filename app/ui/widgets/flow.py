"""Small widgets side by side that go on in a further line where there is no more room."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget


class Flow(QWidget):
    """As high as its lines are at the width it has."""

    def __init__(self, parent: QWidget | None = None, *, gap: int = 6) -> None:
        super().__init__(parent)
        self._gap = gap
        self._widgets: list[QWidget] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def add(self, widget: QWidget) -> None:
        """Puts a widget at the end."""
        widget.setParent(self)
        self._widgets.append(widget)
        self.arrange()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(width, move=False)

    def sizeHint(self) -> QSize:
        width = sum(widget.sizeHint().width() + self._gap for widget in self._there()) - self._gap
        return QSize(max(0, width), self.heightForWidth(max(0, width)))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.heightForWidth(self.width()))

    def arrange(self) -> None:
        """Places everything again; the widgets changed or one of them came or went."""
        self._arrange(self.width(), move=True)
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def _there(self) -> list[QWidget]:
        return [widget for widget in self._widgets if not widget.isHidden()]

    def _arrange(self, width: int, *, move: bool) -> int:
        left = top = line = 0
        for widget in self._there():
            size = widget.sizeHint()
            if left and left + size.width() > width:
                left, top, line = 0, top + line + self._gap, 0
            if move:
                widget.setGeometry(left, top, size.width(), size.height())
            left += size.width() + self._gap
            line = max(line, size.height())
        return top + line
