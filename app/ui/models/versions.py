"""The versions of one model as a table: size, what becomes of it here, how close to the original. Fed whole."""

from __future__ import annotations

import enum
import html
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.base.sizes import size_words
from app.hub.values import Variant
from app.ui.models.results import Badge

Index = QModelIndex | QPersistentModelIndex

COLUMNS = ("Version", "Size", "Here", "tokens/s", "Quality", "")
VERSION, SIZE, HERE, PACE, QUALITY, DO = range(6)
RIGHT = (SIZE, PACE)


class Stage(enum.StrEnum):
    """How far a version is on its way to this computer."""

    REMOTE = ""
    COMING = "Under way"
    HERE = "Installed"


@dataclass(frozen=True)
class Outlook:
    """What a version would be like on this machine. 0: not known. `why` says it in a sentence."""

    badge: Badge
    tokens_per_s: float = 0.0
    why: str = ""


class VersionsModel(QAbstractTableModel):
    """Rows in the order they were given."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._variants: list[Variant] = []
        self._stages: dict[str, Stage] = {}
        self._outlooks: dict[str, Outlook] = {}
        self.recommended = ""

    def show(self, variants: list[Variant], recommended: str) -> None:
        """Other versions; `recommended` is the name of one."""
        self.beginResetModel()
        self._variants, self.recommended = variants, recommended
        self._outlooks = {}
        self.endResetModel()

    def recommend(self, name: str) -> None:
        """Another one is recommended."""
        if name != self.recommended:
            self.recommended = name
            self._look_again()

    def set_stages(self, stages: dict[str, Stage]) -> None:
        """How far each version is, by name."""
        if stages != self._stages:
            self._stages = stages
            self._look_again()

    def set_outlooks(self, outlooks: dict[str, Outlook]) -> None:
        """What is known of them on this machine, by name."""
        if outlooks != self._outlooks:
            self._outlooks = outlooks
            self._look_again()

    def _look_again(self) -> None:
        if self._variants:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._variants) - 1, len(COLUMNS) - 1))

    @property
    def knows_here(self) -> bool:
        """Whether anything is known of this machine."""
        return bool(self._outlooks)

    def variant(self, row: int) -> Variant:
        """The version of a row."""
        return self._variants[row]

    def row_of(self, name: str) -> int:
        """Where a version stands, or -1."""
        return next((row for row, one in enumerate(self._variants) if one.name == name), -1)

    def stage(self, row: int) -> Stage:
        """How far the version of a row is."""
        return self._stages.get(self._variants[row].name, Stage.REMOTE)

    def outlook(self, row: int) -> Outlook | None:
        """What is known of it on this machine."""
        return self._outlooks.get(self._variants[row].name)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._variants)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            text = self._text(row, column)
            head = COLUMNS[column]
            return f"{head}: {text}" if head and text else text or "Download"
        if role == Qt.ItemDataRole.ToolTipRole:
            outlook = self.outlook(row)
            variant = self._variants[row]
            text = outlook.why if outlook is not None and column in (HERE, PACE) else ""
            if column == VERSION:
                bits = f"{variant.bits_per_weight:.2f} bits per weight. " if variant.bits_per_weight else ""
                text = bits + ", ".join(file.path for file in variant.files[:3])
            return f"<p>{html.escape(text)}</p>" if text else None
        return None

    def _text(self, row: int, column: int) -> str:
        variant, outlook = self._variants[row], self.outlook(row)
        if column == VERSION:
            return variant.name
        if column == SIZE:
            return size_words(variant.size_bytes)
        if column == HERE:
            return outlook.badge.text if outlook is not None else ""
        if column == PACE:
            pace = outlook.tokens_per_s if outlook is not None else 0.0
            return "" if pace <= 0 else f"{pace:.0f}" if pace >= 1 else "< 1"
        if column == QUALITY:
            return variant.quality
        stage = self.stage(row)
        return stage.value or ("Recommended" if variant.name == self.recommended else "")
