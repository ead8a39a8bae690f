"""The rows of the list of what the model sees, as a Qt model. Fed with whole views; folds and unfolds groups."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.chat.context_view import ContextView
from app.ui.models.context_lines import MESSAGE, Line, Row, keys_of, message_line, rows_of

LINE_ROLE = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


class ContextModel(QAbstractListModel):
    """`excerpt_of` gives the first words of a message that its view leaves out for being far back."""

    def __init__(self, excerpt_of: Callable[[str], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._excerpt_of = excerpt_of
        self._excerpts: dict[str, str] = {}
        self._view: ContextView | None = None
        self._rows: list[Row] = []
        self._keys: list[str] = []
        self._opened: set[str] = set()
        self.all_open = False
        self.largest = 1

    def show(self, view: ContextView | None) -> None:
        """Another view. Rows that are the same ones keep their places."""
        if view is None or self._view is None or view.conversation_id != self._view.conversation_id:
            self._opened.clear()
            self._excerpts.clear()
        self._view = view
        self._refill()

    def _refill(self) -> None:
        rows = rows_of(self._view, self._opened, all_open=self.all_open) if self._view is not None else []
        keys = keys_of(rows)
        same = keys == self._keys
        if not same:
            self.beginResetModel()
        self._rows, self._keys = rows, keys
        self.largest = max((row.tokens for row in rows if isinstance(row, Line)), default=1) or 1
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))

    def set_all_open(self, all_open: bool) -> None:
        """Shows every message, or the groups as they were folded."""
        if all_open != self.all_open:
            self.all_open = all_open
            self._opened.clear()
            self._refill()

    def fold(self, row: int, *, opened: bool) -> None:
        """Shows or hides the messages of the group in a row."""
        line = self.line(row)
        if line is None or not line.foldable or line.open is opened:
            return
        if self.all_open:
            self._opened = {r.key for r in self._rows if isinstance(r, Line) and r.open}
            self.all_open = False
        if opened:
            self._opened.add(line.key)
        else:
            self._opened.discard(line.key)
        self._refill()

    def line(self, row: int) -> Line | None:
        """The line in a row, with its words."""
        if not 0 <= row < len(self._rows):
            return None
        there = self._rows[row]
        if isinstance(there, Line):
            pinned = there.entries[0] if there.kind == MESSAGE else None
            if pinned is None or pinned.excerpt:
                return there
            return message_line(pinned, level=0, excerpt=self._excerpt(pinned.message_id))
        return message_line(there, level=1, excerpt="" if there.excerpt else self._excerpt(there.message_id))

    def _excerpt(self, message_id: str) -> str:
        if not message_id:
            return ""
        excerpt = self._excerpts.get(message_id)
        if excerpt is None:
            excerpt = self._excerpts[message_id] = self._excerpt_of(message_id)
        return excerpt

    def row_of(self, key: str) -> int:
        """The row with a key, or -1."""
        return self._keys.index(key) if key in self._keys else -1

    def group_of(self, row: int) -> int:
        """The row of the group that a message stands in, or the row itself."""
        while row > 0 and not isinstance(self._rows[row], Line):
            row -= 1
        return row

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        if role == LINE_ROLE:
            return self.line(index.row())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            line = self.line(index.row())
            return line.spoken if line is not None else None
        return None
