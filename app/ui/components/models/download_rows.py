"""One download under way, and one that has ended: what it is, how far, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.sizes import size_words
from app.hub.values import Download, DownloadState
from app.services.changes import DownloadProgressed
from app.ui import model_words
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.indicators import Bar, Icon
from app.ui.widgets.labels import Label
from app.ui.widgets.surfaces import Hairline

_BARS = {DownloadState.CHECKING: "bar_dark", DownloadState.PAUSED: "bar_mid", DownloadState.WAITING: "bar_mid"}
ACCESS = ("log_in", "token_refused", "ask_for_access", "access_waiting", "access_denied")
KEPT_BACK = "token_kept_back"
_DEEDS = {KEPT_BACK: "Name this host", **dict.fromkeys(ACCESS, "Its page")}


class DownloadRow(QWidget):
    """Under way, waiting or paused. Signals carry the download's id."""

    paused = Signal(str)
    resumed = Signal(str)
    cancelled = Signal(str)
    moved_up = Signal(str)

    def __init__(self, download: Download, theme: Theme) -> None:
        super().__init__()
        self.download = download
        name = model_words.model_name(download.repo)
        self.name = Label(name, theme, "body_strong", "ink", elide=True)
        self.version = Label(download.label, theme, "secondary", "ink2")
        self.state = Label("", theme, "button", "ink")
        self.first = IconButton("pause", "Pause", theme, side=32, size=16)
        self.first.clicked.connect(self._first_deed)
        self.up = IconButton("arrow-up", f"Move {name} up", theme, side=32, size=16)
        self.up.clicked.connect(lambda: self.moved_up.emit(self.download.id))
        self.cancel = IconButton("x", f"Cancel {name}", theme, side=32, size=16)
        self.cancel.clicked.connect(lambda: self.cancelled.emit(self.download.id))
        self.bar = Bar(theme, f"Download of {name}")
        self.line = Label("", theme, "secondary", "ink2", elide=True)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.name, 0)
        top.addWidget(self.version)
        top.addStretch(1)
        top.addWidget(self.state)
        top.addSpacing(8)
        for button in (self.up, self.first, self.cancel):
            top.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 14, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addSpacing(8)
        column.addWidget(self.bar)
        column.addSpacing(9)
        column.addWidget(self.line)
        column.addSpacing(17)
        column.addWidget(Hairline(theme))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_download(
        self, download: Download, figures: DownloadProgressed | None, *, before: str = "", can_rise: bool = False
    ) -> None:
        """How it stands. `before`: what it waits for; `can_rise`: something waits before it."""
        self.download = download
        self.state.setText(model_words.state_words(download))
        self.state.updateGeometry()
        self.line.setText(model_words.state_line(download, figures, before))
        self.bar.set_role(_BARS.get(download.state, "ember"))
        share = download.done_bytes / download.size_bytes if download.size_bytes else 0.0
        self.bar.set_share(share)
        self.bar.setAccessibleDescription(f"{self.state.text()}. {self.line.text()}")
        name = self.name.text()
        resting = download.state is DownloadState.PAUSED
        self.first.set_icon_name("play" if resting else "pause", f"Go on with {name}" if resting else f"Pause {name}")
        self.first.setVisible(download.state is not DownloadState.CHECKING)
        self.up.setVisible(can_rise)

    def _first_deed(self) -> None:
        resting = self.download.state is DownloadState.PAUSED
        (self.resumed if resting else self.paused).emit(self.download.id)


class EndedRow(QWidget):
    """Done or failed."""

    taken = Signal(str)
    forgotten = Signal(str)

    def __init__(self, download: Download, theme: Theme) -> None:
        super().__init__()
        self.download = download
        done = download.state is DownloadState.DONE
        name = model_words.model_name(download.repo)
        sign = Icon("check-circle" if done else "warning-circle", theme, "moss" if done else "rose", size=18)
        title = Label(name, theme, "row_strong", "ink", elide=True)
        self.words = Label("", theme, "secondary", "ink2", elide=True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.button = Button("", theme)
        self.button.clicked.connect(lambda: self.taken.emit(self.download.id))
        forget = IconButton("x", f"Take {name} off this list", theme, side=28, size=14)
        forget.clicked.connect(lambda: self.forgotten.emit(self.download.id))
        row = QHBoxLayout()
        row.setContentsMargins(0, 9, 0, 9)
        row.setSpacing(8)
        row.addWidget(sign)
        row.addWidget(title)
        row.addWidget(Label(download.label, theme, "secondary", "ink2"))
        row.addSpacing(8)
        row.addWidget(self.words, 1)
        row.addSpacing(8)
        row.addWidget(self.button)
        row.addWidget(forget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(Hairline(theme))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_download(self, download: Download, when: str) -> None:
        """How it ended, and when."""
        self.download = download
        done = download.state is DownloadState.DONE
        size = size_words(download.size_bytes)
        self.words.setText(model_words.joined(size, when) if done else download.sentence)
        deed = "Open" if done else _DEEDS.get(download.code, "Try again")
        self.button.setText(deed)
        self.button.setAccessibleName(f"{deed}: {model_words.model_name(download.repo)}")
        self.button.updateGeometry()
