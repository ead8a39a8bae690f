"""The network ledger as rows: the words of each cell, and what a screen reader says. Fed whole; changes nothing."""

from __future__ import annotations

import datetime
import html

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.privacy.ledger import LedgerEntry, Outcome
from app.ui import words

Index = QModelIndex | QPersistentModelIndex

COLUMNS = ("When", "Where", "What for", "Sent", "Received", "Outcome")
WHEN, WHERE, WHAT, SENT, RECEIVED, OUTCOME = range(6)
RIGHT = (SENT, RECEIVED)

LOCAL = "This computer"
_WORDS = {Outcome.ALLOWED: "Allowed", Outcome.REFUSED: "Refused", Outcome.FAILED: "Failed"}


def outcome_words(entry: LedgerEntry) -> str:
    """How it went, in a word or two."""
    return LOCAL if entry.local and entry.outcome is Outcome.ALLOWED else _WORDS[entry.outcome]


class LedgerModel(QAbstractTableModel):
    """Rows in the order they were given. `entry` gives the whole of a row."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[LedgerEntry] = []

    def show(self, entries: list[LedgerEntry]) -> None:
        """Shows these entries; what stays where it is keeps its place and its selection."""
        before, self._entries = self._entries, self._entries
        same = [entry.id for entry in before] == [entry.id for entry in entries]
        if same:
            self._entries = list(entries)
            if entries:
                self.dataChanged.emit(self.index(0, 0), self.index(len(entries) - 1, len(COLUMNS) - 1))
            return
        known = [entry.id for entry in before]
        fresh = [entry.id for entry in entries]
        added = len(fresh) - len(known)
        if added > 0 and fresh[added:] == known:  # the usual case: something new on top
            self.beginInsertRows(QModelIndex(), 0, added - 1)
            self._entries = list(entries)
            self.endInsertRows()
            return
        self.beginResetModel()
        self._entries = list(entries)
        self.endResetModel()

    def entry(self, row: int) -> LedgerEntry:
        """The entry of a row."""
        return self._entries[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(entry, index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{COLUMNS[index.column()]}: {self._text(entry, index.column())}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._explanation(entry, index.column())
        return None

    def _text(self, entry: LedgerEntry, column: int) -> str:
        if column == WHEN:
            return words.moment(entry.last_ms, datetime.date.today())
        if column == WHERE:
            return entry.host
        if column == WHAT:
            return entry.what
        if column == SENT:
            return words.traffic(entry.sent_bytes)
        if column == RECEIVED:
            return words.traffic(entry.received_bytes)
        return outcome_words(entry)

    def _explanation(self, entry: LedgerEntry, column: int) -> str:
        """What a cell may have no room for. Escaped: names come from strangers, and Qt takes some texts for HTML."""
        text = {WHERE: entry.host, WHAT: entry.what, OUTCOME: entry.reason}.get(column, "")
        return f"<p>{html.escape(text)}</p>" if text else ""
