"""Privacy: the switch, the network ledger, and what is kept here. Every claim is the gate's own state."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.privacy.ledger import LedgerEntry
from app.services.changes import Change, ConversationsChanged, LedgerChanged, LibraryChanged, NetworkChanged
from app.ui import words
from app.ui.models.ledger import LedgerModel
from app.ui.pages.privacy.parts import KeptRow, OfflineCard
from app.ui.pages.privacy.table import LedgerTable
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.controls import Segmented
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Hairline
from app.ui.widgets.toast import SayingPage

WIDTH = 880
AT_ONCE = 100
SUBTITLE_FROM = 800
SAVING = "inglenook-csv"

NOTHING_YET = "Nothing was sent and nothing wanted to be sent."
NOTHING_REFUSED = "Nothing was refused."
PROMISE = "Nothing from your conversations is ever sent, and Inglenook counts nothing about you."


class PrivacyPage(SayingPage):
    """Follows the network and the ledger while it is shown."""

    left = Signal()
    online_wanted = Signal(bool)
    _saved = Signal(str)

    def __init__(self, application: ApplicationPort, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._application = application
        self._theme = theme
        self._shown = AT_ONCE
        self.card = OfflineCard(theme)
        self.card.online_wanted.connect(self.online_wanted)
        self.model = LedgerModel(self)
        self.table = LedgerTable(self.model, theme)
        self.table.row_reached.connect(self._follow)
        self.subtitle = Label("Everything Inglenook sent or wanted to send", theme)
        self.choice = Segmented("Ledger", {"all": "All", "refused": "Refused"}, theme)
        self.choice.choose("all")
        self.choice.chosen.connect(lambda _: self._begin_again())
        self.save = Button("Save as CSV", theme)
        self.save.clicked.connect(self._ask_where)
        self._saved.connect(self.say)
        self.none = Paragraph(NOTHING_YET, theme)
        self.more = Button("Show older ones", theme, QUIET)
        self.more.clicked.connect(self._show_more)
        self.conversations = KeptRow("note-pencil", "conversations", theme)
        self.models = KeptRow("cube", "models", theme)
        self._lay_out(theme)
        self.reload()

    def _lay_out(self, theme: Theme) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(Label("Network ledger", theme, "section", "ink"))
        head.addWidget(self.subtitle)
        head.addStretch()
        head.addWidget(self.choice)
        head.addWidget(self.save)
        column = QVBoxLayout()
        column.setContentsMargins(0, 24, 0, 32)
        column.setSpacing(0)
        column.addWidget(Label("Privacy", theme, "page_title", "ink"))
        column.addSpacing(16)
        column.addWidget(self.card)
        column.addSpacing(26)
        column.addLayout(head)
        column.addSpacing(10)
        column.addWidget(self.none)
        column.addWidget(self.table)
        column.addSpacing(8)
        column.addWidget(self.more)
        column.addWidget(Paragraph(PROMISE, theme))
        column.addSpacing(28)
        column.addWidget(Label("Kept on this computer", theme, "section", "ink"))
        column.addSpacing(2)
        column.addWidget(self.conversations)
        column.addWidget(Hairline(theme))
        column.addWidget(self.models)
        column.addStretch()
        inside = QWidget()
        inside.setMaximumWidth(WIDTH)
        inside.setLayout(column)
        self._holder = holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(32, 0, 22, 0)
        row.addStretch(0)
        row.addWidget(inside, 1)
        row.addStretch(0)
        self._scroll = QScrollArea()
        self._scroll.setObjectName("bare")
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(holder)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._scroll)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, NetworkChanged):
            self.card.show_state(change.state)
        elif not self.isVisible():
            return  # it reads again when it comes
        elif isinstance(change, LedgerChanged):
            self._show_ledger()
        elif isinstance(change, ConversationsChanged | LibraryChanged):
            self._show_kept()
            if isinstance(change, ConversationsChanged) and not change.ids:
                self._show_ledger()  # another process wrote, perhaps into the ledger

    def reload(self) -> None:
        """Reads everything again."""
        self.card.show_state(self._application.network.state)
        self._show_ledger()
        self._show_kept()

    def _show_ledger(self) -> None:
        refused = self.choice.choice() == "refused"
        entries: list[LedgerEntry] = []
        try:
            entries = self._application.network.ledger(self._shown + 1, refused_only=refused)
        except InglenookError as error:
            self.none.setText(error.sentence)
        else:
            self.none.setText(NOTHING_REFUSED if refused else NOTHING_YET)
        self.model.show(entries[: self._shown])
        self.none.setVisible(not entries)
        self.table.setVisible(bool(entries))
        self.more.setVisible(len(entries) > self._shown)
        self.save.setEnabled(bool(entries) or refused)

    def _show_kept(self) -> None:
        places = self._application.places
        count = len(self._application.conversations.list())
        self.conversations.show_kept(
            f"{count} {'conversation' if count == 1 else 'conversations'}",
            _short(places.database),
            str(places.data),
            _size_of(places.database),
        )
        models = self._application.library.list()
        total = sum(model.size_bytes for model in models)
        chosen = self._application.settings.current.general.models_dir
        folder = Path(chosen).expanduser() if chosen else places.models
        self.models.show_kept(
            f"{len(models)} {'model' if len(models) == 1 else 'models'}",
            _short(folder),
            str(folder),
            words.traffic(total) if models else "",
        )

    def _begin_again(self) -> None:
        self._shown = AT_ONCE
        self._show_ledger()

    def _show_more(self) -> None:
        self._shown += AT_ONCE
        self._show_ledger()

    def _follow(self, row: QRect) -> None:
        """Scrolls to the row that the keyboard reached."""
        top = self.table.mapTo(self._holder, row.topLeft())
        self._scroll.ensureVisible(top.x(), top.y() + row.height() // 2, 0, row.height())

    # --- what is done -----------------------------------------------------------------------------------------------

    def _ask_where(self) -> None:
        suggested = str(Path.home() / "inglenook-network-ledger.csv")
        name, _ = QFileDialog.getSaveFileName(self.window(), "Save the network ledger", suggested, "CSV (*.csv)")
        if name:
            self.save_as(Path(name))

    def save_as(self, path: Path) -> None:
        """Writes the whole ledger, on a thread of the services; what came of it is said."""

        def work() -> None:
            try:
                count = self._application.network.save_ledger(path)
            except InglenookError as error:
                self._saved.emit(error.sentence)
            else:
                self._saved.emit(f"{count} {'entry' if count == 1 else 'entries'} saved in {path.name}")

        self._application.jobs.start(SAVING, work)

    def showEvent(self, event: QShowEvent) -> None:
        self.reload()
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.subtitle.setVisible(self.width() >= SUBTITLE_FROM + 54)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


def _short(path: Path) -> str:
    """A path with the home folder as ~."""
    home, text = str(Path.home()), str(path)
    return f"~{text[len(home) :]}" if len(home) > 1 and text.startswith(home + os.sep) else text


def _size_of(path: Path) -> str:
    """A file's size with its write-ahead log; '' when there is none yet."""
    total = 0
    for name in (path, path.with_name(f"{path.name}-wal")):
        try:
            total += name.stat().st_size
        except OSError:
            continue
    return words.traffic(total) if total else ""
