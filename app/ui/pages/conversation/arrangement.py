"""Where the parts of the conversation page stand: one reading column, the same for a conversation and for a new one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QSizePolicy, QSpacerItem, QVBoxLayout, QWidget

from app.ui.theme import tokens

_NONE = QSizePolicy.Policy.Fixed
_ALL = QSizePolicy.Policy.Expanding


class _Row(QWidget):
    """Centres one widget; goes with its margins when the widget hides."""

    def __init__(self, widget: QWidget, above: int, below: int) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(tokens.SIDE_MARGIN, above, tokens.SIDE_MARGIN, below)
        row.setSpacing(0)
        row.addStretch(0)
        row.addWidget(widget, 1)
        row.addStretch(0)
        if widget.isHidden():
            self.hide()
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShowToParent:
            self.show()
        elif event.type() == QEvent.Type.HideToParent:
            self.hide()
        return False


class Arrangement:
    """Owns the layouts of a page. Everything in the column has the same width and centre."""

    def __init__(self, page: QWidget, header: QWidget, panel: QWidget) -> None:
        self._column: list[QWidget] = []
        self._width = tokens.COLUMNS["normal"]
        self._spaces: list[QSpacerItem] = []
        self._body = QVBoxLayout()
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.setSpacing(0)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addWidget(header)
        left.addLayout(self._body, 1)
        whole = QHBoxLayout(page)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(left, 1)
        whole.addWidget(panel)
        panel.hide()

    def add(self, widget: QWidget, *, above: int = 0, below: int = 0) -> None:
        """Adds a widget in the column, with a gap above and below."""
        widget.setMaximumWidth(self._width)
        self._column.append(widget)
        self._body.addWidget(_Row(widget, above, below))

    def add_across(self, widget: QWidget, stretch: int = 0) -> None:
        """Adds a widget over the whole width."""
        self._body.addWidget(widget, stretch)

    def add_space(self) -> None:
        """Adds a space that takes what is left while the conversation is empty."""
        space = QSpacerItem(0, 0, _NONE, _NONE)
        self._spaces.append(space)
        self._body.addItem(space)

    def show_empty(self, empty: bool) -> None:
        """Lets the spaces take what is left, or nothing."""
        for space in self._spaces:
            space.changeSize(0, 0, _NONE, _ALL if empty else _NONE)
        layout: QBoxLayout = self._body
        layout.invalidate()

    def set_width(self, width: int) -> None:
        """Changes the widest width of the column."""
        self._width = width
        for widget in self._column:
            widget.setMaximumWidth(width)
