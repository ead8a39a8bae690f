"""The list of conversations as Qt sees it: headings by day and one row each, changed by as few rows as possible."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.chat.messages import Conversation
from app.ui import words

ID_ROLE = Qt.ItemDataRole.UserRole + 1
HEADING_ROLE = Qt.ItemDataRole.UserRole + 2
LIVE_ROLE = Qt.ItemDataRole.UserRole + 3

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Row:
    """A heading (no id) or a conversation."""

    id: str
    title: str
    live: bool = False


class ConversationListModel(QAbstractListModel):
    """Rows under Today, Yesterday and Earlier, newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._conversations: list[Conversation] = []
        self._live: set[str] = set()

    def show(self, conversations: list[Conversation], today: datetime.date | None = None) -> None:
        """Shows these conversations, newest first; only rows that differ are touched."""
        self._conversations = conversations
        self._become(self._rows_for(conversations, today or datetime.date.today()))

    def set_live(self, conversation_id: str, live: bool) -> None:
        """Marks a conversation as being written to."""
        if live is (conversation_id in self._live):
            return
        self._live.symmetric_difference_update({conversation_id})
        at = self.row_of(conversation_id)
        if at >= 0:
            row = self._rows[at]
            self._rows[at] = Row(row.id, row.title, live)
            self.dataChanged.emit(self.index(at), self.index(at))

    def refresh_days(self) -> None:
        """Sorts the rows under their headings again, for a new day."""
        self.show(self._conversations)

    def row_of(self, conversation_id: str) -> int:
        """The row of a conversation, or -1."""
        return next((i for i, row in enumerate(self._rows) if row.id == conversation_id and row.id), -1)

    def _rows_for(self, conversations: list[Conversation], today: datetime.date) -> list[Row]:
        rows: list[Row] = []
        heading = ""
        for conversation in conversations:
            group = words.day_group(words.day_of(conversation.updated_ms), today)
            if group != heading:
                heading = group
                rows.append(Row("", group))
            rows.append(Row(conversation.id, conversation.title, conversation.id in self._live))
        return rows

    def _become(self, rows: list[Row]) -> None:
        old = self._rows
        start = 0
        while start < min(len(old), len(rows)) and _same(old[start], rows[start]):
            start += 1
        end = 0
        while end < min(len(old), len(rows)) - start and _same(old[-1 - end], rows[-1 - end]):
            end += 1
        if start < len(old) - end:
            self.beginRemoveRows(QModelIndex(), start, len(old) - end - 1)
            self._rows = old[:start] + old[len(old) - end :]
            self.endRemoveRows()
        if start < len(rows) - end:
            self.beginInsertRows(QModelIndex(), start, len(rows) - end - 1)
            self._rows = self._rows[:start] + rows[start : len(rows) - end] + self._rows[start:]
            self.endInsertRows()
        for at, (before, now) in enumerate(zip(self._rows, rows, strict=True)):
            if before != now:
                self._rows[at] = now
                self.dataChanged.emit(self.index(at), self.index(at))

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or not self._rows[index.row()].id:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return row.title
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{row.title}, a reply is being written" if row.live else row.title
            case _ if role == ID_ROLE:
                return row.id
            case _ if role == HEADING_ROLE:
                return not row.id
            case _ if role == LIVE_ROLE:
                return row.live
        return None


def _same(a: Row, b: Row) -> bool:
    """Whether two rows are about the same thing."""
    return a.id == b.id and (bool(a.id) or a.title == b.title)
