"""The list of conversations as Qt sees it: headings by day and one row each, changed by as few rows as possible."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.chat.messages import Conversation
from app.ui import words

ID_ROLE = Qt.ItemDataRole.UserRole + 1
HEADING_ROLE = Qt.ItemDataRole.UserRole + 2
LIVE_ROLE = Qt.ItemDataRole.UserRole + 3

MOST_MOVES = 32  # more would take longer than to make the rows anew

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
        self._live: dict[str, str] = {}  # the replies being written, each with its conversation

    def show(self, conversations: list[Conversation], today: datetime.date | None = None) -> None:
        """Shows these conversations, newest first; only rows that differ are touched."""
        self._conversations = conversations
        self._become(self._rows_for(conversations, today or datetime.date.today()))

    def set_live(self, conversation_id: str, message_id: str, live: bool) -> None:
        """Marks a conversation as long as any reply is being written there, seen or on another branch."""
        if live:
            self._live[message_id] = conversation_id
        else:
            self._live.pop(message_id, None)
        at = self.row_of(conversation_id)
        if at >= 0 and self._rows[at].live is not self._is_live(conversation_id):
            self._rows[at] = replace(self._rows[at], live=self._is_live(conversation_id))
            self.dataChanged.emit(self.index(at), self.index(at))

    def refresh_days(self) -> None:
        """Sorts the rows under their headings again, for a new day."""
        self.show(self._conversations)

    def row_of(self, conversation_id: str) -> int:
        """The row of a conversation, or -1."""
        return next((i for i, row in enumerate(self._rows) if row.id == conversation_id and row.id), -1)

    def _is_live(self, conversation_id: str) -> bool:
        return conversation_id in self._live.values()

    def _rows_for(self, conversations: list[Conversation], today: datetime.date) -> list[Row]:
        rows: list[Row] = []
        heading = ""
        for conversation in conversations:
            group = words.day_group(words.day_of(conversation.updated_ms), today)
            if group != heading:
                heading = group
                rows.append(Row("", group))
            rows.append(Row(conversation.id, conversation.title, self._is_live(conversation.id)))
        return rows

    def _become(self, rows: list[Row]) -> None:
        """Removes, moves and inserts, so that a row that stays is the same one for the view, also one being edited."""
        self._remove_others({_key(row) for row in rows})
        there, moves = {_key(row) for row in self._rows}, 0
        for at, row in enumerate(rows):
            if at < len(self._rows) and _key(self._rows[at]) == _key(row):
                continue
            if _key(row) in there and moves < MOST_MOVES:
                moves += 1
                source = next(i for i in range(at + 1, len(self._rows)) if _key(self._rows[i]) == _key(row))
                self.beginMoveRows(QModelIndex(), source, source, QModelIndex(), at)
                self._rows.insert(at, self._rows.pop(source))
                self.endMoveRows()
                continue
            if moves == MOST_MOVES:  # quite another list
                there = set()
                self._remove_others({_key(row) for row in rows[:at]})
            end = next((i for i in range(at, len(rows)) if _key(rows[i]) in there), len(rows))
            self.beginInsertRows(QModelIndex(), at, end - 1)
            self._rows[at:at] = rows[at:end]
            self.endInsertRows()
        for at, (before, now) in enumerate(zip(self._rows, rows, strict=True)):
            if before != now:
                self._rows[at] = now
                self.dataChanged.emit(self.index(at), self.index(at))

    def _remove_others(self, wanted: set[tuple[str, str]]) -> None:
        end = len(self._rows)
        while end > 0:
            start = end
            while start > 0 and _key(self._rows[start - 1]) not in wanted:
                start -= 1
            if start < end:
                self.beginRemoveRows(QModelIndex(), start, end - 1)
                del self._rows[start:end]
                self.endRemoveRows()
            end = start - 1

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


def _key(row: Row) -> tuple[str, str]:
    """What a row is about."""
    return row.id, "" if row.id else row.title
