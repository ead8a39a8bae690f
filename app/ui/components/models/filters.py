"""Which models are looked for: chips for the usual wishes, and a popover for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.hub.values import Capability, SearchQuery, Sort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.chips import Chip
from app.ui.widgets.choice import Choice
from app.ui.widgets.flow import Flow
from app.ui.widgets.labels import Label
from app.ui.widgets.popover import Popover

WIDTH = 320

_CHIPS = {Capability.VISION: "Pictures", Capability.TOOLS: "Tools", Capability.REASONING: "Reasoning"}
_SORTS = {
    "": "First choices",
    Sort.TRENDING.value: "Trending",
    Sort.DOWNLOADS.value: "Most downloaded",
    Sort.LIKES.value: "Most liked",
    Sort.NEWEST.value: "Newest",
}
_SIZES: dict[str, tuple[str, int, int]] = {
    "": ("Any size", 0, 0),
    "4": ("Up to 4 billion", 0, 4_500_000_000),
    "9": ("4 to 9 billion", 3_500_000_000, 9_500_000_000),
    "20": ("9 to 20 billion", 8_500_000_000, 21_500_000_000),
    "40": ("20 to 40 billion", 20_000_000_000, 41_000_000_000),
    "more": ("More than 40 billion", 40_000_000_000, 0),
}
_GATES = {"": "Any", "open": "Open to everyone", "gated": "On request"}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the chips and the popover say. `sort` '' are the first choices."""

    fits: bool = False
    capabilities: tuple[Capability, ...] = ()
    sort: str = ""
    family: str = ""
    size: str = ""
    license: str = ""
    gate: str = ""

    @property
    def further(self) -> int:
        """How many wishes of the popover are set."""
        return sum(map(bool, (self.sort, self.family, self.size, self.license, self.gate)))

    def query(self, text: str) -> SearchQuery:
        """The same as the Hub is asked."""
        _, least, most = _SIZES[self.size]
        return SearchQuery(
            text=text,
            sort=Sort(self.sort or Sort.TRENDING),
            family=self.family,
            min_params=least,
            max_params=most,
            license=self.license,
            capabilities=self.capabilities,
            gated=None if not self.gate else self.gate == "gated",
        )


class _Further(Popover):
    changed = Signal()

    def __init__(self, families: Sequence[str], licences: dict[str, str], theme: Theme, parent: QWidget) -> None:
        super().__init__("More filters", theme, parent)
        sizes = {key: words for key, (words, _, _) in _SIZES.items()}
        self.choices = {
            "sort": Choice("Sort", _SORTS, theme),
            "family": Choice("Family", {"": "Any family", **{name: name for name in families}}, theme),
            "size": Choice("Parameters", sizes, theme),
            "license": Choice("Licence", {"": "Any licence", **licences}, theme),
            "gate": Choice("Access", _GATES, theme),
        }
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        for row, choice in enumerate(self.choices.values()):
            grid.addWidget(Label(choice.accessibleName(), theme, "secondary", "ink2"), row, 0)
            grid.addWidget(choice, row, 1)
            choice.currentIndexChanged.connect(lambda _index: self.changed.emit())
        grid.setColumnStretch(1, 1)
        self.clear_all = Button("Clear", theme, QUIET)
        self.clear_all.clicked.connect(self._clear)
        bottom = QHBoxLayout()
        bottom.addStretch()
        bottom.addWidget(self.clear_all)
        column = QVBoxLayout()
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(10)
        column.addLayout(grid)
        column.addLayout(bottom)
        self.body.addLayout(column)

    def _clear(self) -> None:
        for choice in self.choices.values():
            choice.choose("")


class Filters(Flow):
    """Tells `changed` whenever something else is wanted."""

    changed = Signal()

    def __init__(self, families: Sequence[str], licences: dict[str, str], theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._families, self._licences = families, licences
        self._further: _Further | None = None
        self.fits = Chip("Fits here", theme)
        self.fits.hide()
        self.chips = {capability: Chip(words, theme) for capability, words in _CHIPS.items()}
        self.more = Chip("More", theme, checkable=False)
        self.more.clicked.connect(self.open_further)
        for chip in (self.fits, *self.chips.values()):
            self.add(chip)
            chip.toggled.connect(lambda _on: self._tell())
        self.add(self.more)

    @property
    def further(self) -> _Further:
        """The popover, built when it is first opened."""
        if self._further is None:
            self._further = _Further(self._families, self._licences, self._theme, self.window())
            self._further.changed.connect(self._tell)
        return self._further

    def wanted(self) -> Wanted:
        """What is wanted now."""
        further = self._further
        keys = {} if further is None else {name: choice.key() for name, choice in further.choices.items()}
        chosen = tuple(capability for capability, chip in self.chips.items() if chip.isChecked())
        return Wanted(fits=self.fits.isChecked() and not self.fits.isHidden(), capabilities=chosen, **keys)

    def show_fits(self, shown: bool) -> None:
        """Whether this machine is known well enough for asking what fits."""
        if self.fits.isHidden() is shown:
            self.fits.setVisible(shown)
            self.arrange()

    def open_further(self) -> None:
        """Opens the popover, or closes it."""
        if self.further.isVisible():
            self.further.close_popover()
        else:
            self.further.open_below(self.more, WIDTH, first=self.further.choices["sort"])

    def _tell(self) -> None:
        count = self.wanted().further
        self.more.setText(f"More, {count} set" if count else "More")
        self.more.setAccessibleName(f"More filters, {count} set" if count else "More filters")
        self.arrange()
        self.changed.emit()
