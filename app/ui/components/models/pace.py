"""How many downloads run at once and how fast they may be: a small popover that changes two options."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QGridLayout, QWidget

from app.settings.schema import Downloads
from app.ui.theme.theme import Theme
from app.ui.widgets.choice import Choice
from app.ui.widgets.labels import Label
from app.ui.widgets.popover import Popover

WIDTH = 300
_COUNTS = {1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven", 8: "Eight"}
_LIMITS_MB = (0, 1, 2, 5, 10, 20, 50, 100)


def pace_words(options: Downloads) -> str:
    """Both options in a few words: 'Two at once, at most 12 MB/s.'"""
    limit = options.limit_bytes_per_s
    most = f", at most {_megabytes(limit)}" if limit else ""
    return f"{_COUNTS.get(options.at_once, options.at_once)} at once{most}."


def _megabytes(limit: int) -> str:
    value = limit / 1e6
    return f"{value:.0f} MB/s" if value >= 9.95 or value == round(value) else f"{value:.1f} MB/s"


class PacePopover(Popover):
    """`change` takes an option's dotted name and its value."""

    def __init__(self, theme: Theme, parent: QWidget, change: Callable[[str, object], None]) -> None:
        super().__init__("Pace of downloads", theme, parent)
        self.count = Choice("Downloads at a time", {str(number): word for number, word in _COUNTS.items()}, theme)
        self.limit = Choice("Speed limit", _limits(), theme)
        grid = QGridLayout()
        grid.setContentsMargins(16, 16, 16, 16)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        for row, box in enumerate((self.count, self.limit)):
            grid.addWidget(Label(box.accessibleName(), theme, "secondary", "ink2"), row, 0)
            grid.addWidget(box, row, 1)
        self.body.addLayout(grid)
        self.count.currentIndexChanged.connect(lambda _at: change("downloads.at_once", int(self.count.key())))
        self.limit.currentIndexChanged.connect(lambda _at: change("downloads.limit_bytes_per_s", int(self.limit.key())))

    def show_options(self, options: Downloads) -> None:
        """Shows what holds, without telling; a limit that is not in the list is put into it."""
        self.limit.fill(_limits(options.limit_bytes_per_s))
        self.limit.show_key(str(options.limit_bytes_per_s))
        self.count.show_key(str(options.at_once))


def _limits(own: int = 0) -> dict[str, str]:
    amounts = sorted({megabytes * 1_000_000 for megabytes in _LIMITS_MB} | {own})
    return {str(amount): _megabytes(amount) if amount else "No limit" for amount in amounts}
