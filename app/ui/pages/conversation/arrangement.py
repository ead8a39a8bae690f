"""Where the parts of the conversation page stand: one reading column, the same for a conversation and for a new one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QSizePolicy, QSpacerItem, QVBoxLayout, QWidget

from app.ui.theme import tokens

_NONE = QSizePolicy.Policy.Fixed
_ALL = QSizePolicy.Policy.Expanding


class Arrangement:
    """Owns the layouts of a page. Everything in the column has the same width and centre."""

    def __init__(self, page: QWidget, header: QWidget) -> None:
        self._holders: dict[QWidget, QWidget] = {}
        self._wanted: dict[QWidget, bool] = {}
        self._width = tokens.COLUMNS["normal"]
        self._spaces: list[QSpacerItem] = []
        self._slots: dict[str, QVBoxLayout] = {}
        self._body = QVBoxLayout()
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.setSpacing(0)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addWidget(header)
        left.addLayout(self._body, 1)
        self._whole = QHBoxLayout(page)
        self._whole.setContentsMargins(0, 0, 0, 0)
        self._whole.setSpacing(0)
        self._whole.addLayout(left, 1)

    def add(self, widget: QWidget, *, above: int = 0, below: int = 0) -> None:
        """Adds a widget in the column, with a gap above and below."""
        widget.setMaximumWidth(self._width)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(tokens.SIDE_MARGIN, above, tokens.SIDE_MARGIN, below)
        row.setSpacing(0)
        row.addStretch(0)
        row.addWidget(widget, 1)
        row.addStretch(0)
        self._holders[widget] = holder
        self._body.addWidget(holder)

    def show(self, widget: QWidget, shown: bool) -> None:
        """Shows or hides a widget of the column together with its gaps."""
        self._wanted[widget] = shown
        self._holders[widget].setVisible(shown)

    def make_room(self, spare: Sequence[QWidget]) -> None:
        """Hides what can be spared, the first first, while the column would not fit into the place it was given."""
        place = self._body.geometry()
        there = [widget for widget in self._holders if self._wanted.get(widget, True)]
        heights = {widget: _height(self._holders[widget], place.width()) for widget in there}
        reserved = sum(slot.sizeHint().height() for slot in self._slots.values())
        room = place.height() - reserved - sum(heights.values())
        for widget in spare:
            if widget in heights:
                self._holders[widget].setVisible(room >= 0)
                room += 0 if room >= 0 else heights[widget]

    def reserve(self, name: str, *, stretch: int = 0) -> None:
        """Keeps a place over the whole width for a widget that is built later."""
        slot = QVBoxLayout()
        slot.setContentsMargins(0, 0, 0, 0)
        self._slots[name] = slot
        self._body.addLayout(slot, stretch)

    def fill(self, name: str, widget: QWidget) -> None:
        """Puts a widget into its reserved place."""
        self._slots[name].addWidget(widget)

    def hold(self, name: str, held: bool) -> None:
        """Lets a reserved place take its room before anything stands in it."""
        slot = self._slots[name]
        while (item := slot.takeAt(0)) is not None:
            if item.widget() is not None:
                slot.addItem(item)
                return
        if held:
            slot.addStretch(1)

    def add_panel(self, panel: QWidget) -> None:
        """Adds a panel at the right, over the whole height."""
        self._whole.addWidget(panel)

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
        for widget in self._holders:
            widget.setMaximumWidth(width)


def _height(holder: QWidget, width: int) -> int:
    """The height a part of the column needs, gaps included."""
    return holder.heightForWidth(width) if holder.hasHeightForWidth() else holder.sizeHint().height()
