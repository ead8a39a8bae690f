"""Search hits as Qt sees them. Only shows what it was given."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.chat.messages import SearchHit

HIT_ROLE = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


class SearchModel(QAbstractListModel):
    """One row per hit."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hits: list[SearchHit] = []

    def show(self, hits: list[SearchHit]) -> None:
        """Shows these hits instead of the ones before."""
        self.beginResetModel()
        self._hits = hits
        self.endResetModel()

    def hit(self, index: Index) -> SearchHit:
        """The hit of a valid index."""
        return self._hits[index.row()]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._hits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        hit = self._hits[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return hit.title
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{hit.title}: {hit.snippet}" if hit.message_id else hit.title
            case _ if role == HIT_ROLE:
                return hit
        return None
