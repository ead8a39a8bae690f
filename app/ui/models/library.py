"""The models on this computer as Qt sees them. Fed whole; rows that stay keep their place and the selection."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.base.sizes import size_words
from app.engine.values import ModelFile
from app.ui import model_words, words

MODEL_ROLE = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


def facts_of(model: ModelFile) -> str:
    """Size, parameters and where it lies."""
    return model_words.joined(
        size_words(model.size_bytes), model_words.billions(model.n_params), model_words.ORIGINS[model.origin]
    )


class LibraryModel(QAbstractListModel):
    """One row for each content."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._models: list[ModelFile] = []

    def show(self, models: list[ModelFile]) -> None:
        """Shows these models."""
        if [model.id for model in models] == [model.id for model in self._models]:
            self._models = list(models)
            if models:
                self.dataChanged.emit(self.index(0), self.index(len(models) - 1))
            return
        self.beginResetModel()
        self._models = list(models)
        self.endResetModel()

    def at(self, row: int) -> ModelFile:
        """The model of a row."""
        return self._models[row]

    def row_of(self, model_id: str) -> int:
        """Where a model stands, or -1."""
        return next((row for row, model in enumerate(self._models) if model.id == model_id), -1)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._models)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        model = self._models[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return words.model_title(model)
        if role == MODEL_ROLE:
            return model
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parts = (words.model_title(model), model.quantization, facts_of(model), model.problem)
            return ". ".join(part for part in parts if part)
        return None
