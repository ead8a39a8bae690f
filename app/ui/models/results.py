"""Models to choose from as Qt sees them: first choices, or what a search found, growing at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QStringListModel, Qt

from app.hub.values import Capability, FirstChoice, ModelSummary
from app.ui import model_words

ROW_ROLE = Qt.ItemDataRole.UserRole + 1
BADGE_ROLE = Qt.ItemDataRole.UserRole + 2
SPEED_ROLE = Qt.ItemDataRole.UserRole + 3

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Badge:
    """A word on a tint. `kind` is moss, ochre, rose or plain."""

    text: str
    icon_name: str
    kind: str


@dataclass(frozen=True)
class Row:
    """One model: what the list and, until more is known, its page say of it."""

    repo: str
    name: str
    maker: str
    line: str
    params: int
    license: str
    capabilities: tuple[Capability, ...]
    summary: ModelSummary
    choice: FirstChoice | None = None

    @property
    def facts(self) -> str:
        """Who made it and how large it is."""
        return model_words.joined(self.maker, model_words.billions(self.params))


INSTALLED = Badge("Installed", "check", "moss")
GATED = Badge("On request", "lock", "plain")


@dataclass(frozen=True)
class Judgement:
    """How a model would do on this machine, as far as its row tells. `tokens_per_s` 0: unknown."""

    badge: Badge
    fits: bool
    tokens_per_s: float = 0.0


Judge = Callable[[Row], Judgement | None]


def row_of_choice(choice: FirstChoice) -> Row:
    """A first choice as a row."""
    summary = ModelSummary(
        repo=choice.repo, params=choice.params, license=choice.license, capabilities=choice.capabilities
    )
    return Row(
        choice.repo, choice.name, choice.maker, choice.why, choice.params, choice.license, choice.capabilities,
        summary, choice,
    )  # fmt: skip


def row_of_summary(summary: ModelSummary) -> Row:
    """A search result as a row."""
    able = model_words.abilities(summary.capabilities)
    line = f"{able} {model_words.popularity(summary)}" if able else model_words.popularity(summary)
    return Row(
        summary.repo, model_words.model_name(summary.repo), summary.author, line, summary.params, summary.license,
        summary.capabilities, summary,
    )  # fmt: skip


class ResultsModel(QStringListModel):
    """Rows in the order they came. A judgement is asked for when its row is painted, and kept.

    Qt keeps an empty string for each row and so counts them itself: a list view asks for the count twice for each of
    its rows whenever some are added, which takes 20 ms for 5,000 rows if Python has to answer.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._installed: frozenset[str] = frozenset()
        self._judge: Judge = lambda _row: None
        self._judged: dict[str, Judgement | None] = {}

    @property
    def rows(self) -> list[Row]:
        """All rows, not to be changed."""
        return self._rows

    def show(self, rows: Iterable[Row]) -> None:
        """Begins a new list."""
        self._rows = list(rows)
        self.setStringList([""] * len(self._rows))

    def add(self, rows: Iterable[Row]) -> None:
        """Puts further rows at the end."""
        new = list(rows)
        if new:
            self._rows += new
            self.insertRows(self.rowCount(), len(new))

    def set_installed(self, repos: Iterable[str]) -> None:
        """Marks the repositories of which something lies on this computer."""
        installed = frozenset(repos)
        if installed != self._installed:
            self._installed = installed
            self._look_again()

    def set_judge(self, judge: Judge) -> None:
        """How a row's badge and speed are found; what was found before is forgotten."""
        self._judge = judge
        self._judged.clear()
        self._look_again()

    def judged(self, row: Row) -> Judgement | None:
        """What is known of a row on this machine."""
        if row.repo not in self._judged:
            self._judged[row.repo] = self._judge(row)
        return self._judged[row.repo]

    def row_of(self, repo: str) -> int:
        """Where a repository stands, or -1."""
        return next((number for number, row in enumerate(self._rows) if row.repo == repo), -1)

    def _look_again(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def _badges(self, row: Row) -> list[Badge]:
        judged = self.judged(row)
        found = [INSTALLED] if row.repo in self._installed else [judged.badge] if judged is not None else []
        return [*found, GATED] if row.summary.gated else found

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if role == ROW_ROLE:
            return row
        if role == BADGE_ROLE:
            return self._badges(row)
        if role == SPEED_ROLE:
            judged = self.judged(row)
            return judged.tokens_per_s if judged is not None else 0.0
        if role == Qt.ItemDataRole.AccessibleTextRole:
            badges = ", ".join(badge.text for badge in self._badges(row))
            judged = self.judged(row)
            pace = f"about {judged.tokens_per_s:.0f} tokens per second" if judged and judged.tokens_per_s else ""
            return ". ".join(part for part in (row.name, badges, row.facts, pace, row.line) if part)
        return None
