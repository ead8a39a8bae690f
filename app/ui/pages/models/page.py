"""Models: finding them, those on this computer, and downloads. Each tab is built at its first visit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from app.base.sizes import size_words
from app.services.changes import Change, DownloadsChanged, LibraryChanged, NetworkChanged, SettingsChanged
from app.ui.components.models.download_list import DownloadList
from app.ui.components.models.wishes import Wishes
from app.ui.model_words import home_short
from app.ui.models.traffic import Traffic
from app.ui.pages.models.columns import MiddleColumn
from app.ui.pages.models.find import FindTab
from app.ui.pages.models.library import LibraryTab
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.controls import Segmented
from app.ui.widgets.labels import Label
from app.ui.widgets.toast import SayingPage

TABS = {"find": "Find", "library": "On this computer", "downloads": "Downloads"}
PLACE_FROM = 1000
HOST_LINE_FROM = 700


class ModelsPage(SayingPage):
    """`wishes` are what its pieces want of the window."""

    left = Signal()

    def __init__(
        self, application: ApplicationPort, theme: Theme, traffic: Traffic, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._application, self._theme, self._traffic = application, theme, traffic
        self.wishes = Wishes(self)
        self.wishes.said.connect(self.say)
        self.wishes.undoable.connect(lambda text, undo: self.say(text, undo=undo))
        self.wishes.tab_wanted.connect(self.show_tab)
        self.wishes.library_wanted.connect(self._show_in_library)
        self.wishes.loss_wanted.connect(self._ask)
        self.wishes.link_wanted.connect(_open_link)
        self.wishes.reveal_wanted.connect(_reveal)
        self.tabs = Segmented("Models", TABS, theme)
        self.tabs.chosen.connect(self.show_tab)
        self.place = Label("", theme, "caption", "ink2")
        self._stack = QStackedWidget()
        head = QHBoxLayout()
        head.setContentsMargins(24, 16, 26, 0)
        head.setSpacing(28)
        head.addWidget(Label("Models", theme, "page_title", "ink"))
        head.addWidget(self.tabs)
        head.addStretch()
        head.addWidget(self.place)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addLayout(head)
        column.addWidget(self._stack, 1)
        self.show_tab("find")

    @cached_property
    def find_tab(self) -> FindTab:
        """Searching, and one model."""
        made = FindTab(self._application, self._theme, self.wishes, self._traffic)
        made.setContentsMargins(8, 0, 0, 0)
        return made

    @cached_property
    def library_tab(self) -> LibraryTab:
        """What is on this computer."""
        made = LibraryTab(self._application, self._theme, self.wishes)
        made.setContentsMargins(8, 0, 0, 0)
        return made

    @cached_property
    def download_list(self) -> DownloadList:
        """What is on its way."""
        return DownloadList(self._application, self._theme, self.wishes, self._traffic)

    @cached_property
    def _downloads_column(self) -> MiddleColumn:
        return MiddleColumn(self.download_list)

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def tab(self) -> str:
        """The key of the tab that is shown."""
        return self.tabs.choice()

    def show_tab(self, key: str) -> None:
        """Shows a tab: find, library or downloads."""
        widget: QWidget
        if key == "downloads":
            widget = self._downloads_column
        else:
            widget = self.library_tab if key == "library" else self.find_tab
        if self._stack.indexOf(widget) < 0:
            self._stack.addWidget(widget)
        self._stack.setCurrentWidget(widget)
        self.tabs.choose(key)
        self._show_place()

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        for name in ("find_tab", "library_tab"):
            if name in self.__dict__:
                getattr(self, name).apply(change)
        if "download_list" in self.__dict__ and isinstance(change, NetworkChanged | SettingsChanged):
            self.download_list.reload()
        if isinstance(change, DownloadsChanged | LibraryChanged | SettingsChanged) and self.isVisible():
            self._show_place()

    def take_focus(self) -> None:
        """Puts the focus where one begins on this tab."""
        if self.tab == "find":
            self.find_tab.take_focus()
        elif self.tab == "library":
            self.library_tab.take_focus()

    def _show_place(self) -> None:
        free = self._application.downloading.free_bytes()
        words = f"{size_words(free)} free" if free >= 0 else ""
        if self.width() >= PLACE_FROM:
            words = f"Kept in {home_short(self._application.library.folder)}{f', {words}' if words else ''}"
        self.place.setText(words)
        self.place.setVisible(self.tab != "downloads" and self.width() >= HOST_LINE_FROM)
        self.place.updateGeometry()

    def _show_in_library(self, repo: str, path: str) -> None:
        self.show_tab("library")
        self.library_tab.reveal(repo, path)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _ask(self, question: str, lost: str, word: str, deed: Callable[[], None]) -> None:
        """Data would be lost: this is asked before anything else goes on."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Inglenook", question, parent=self.window())
        box.setInformativeText(lost)
        box.setTextFormat(Qt.TextFormat.PlainText)
        yes = box.addButton(word, QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep it", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        if box.clickedButton() is yes:
            deed()

    def showEvent(self, event: QShowEvent) -> None:
        self._show_place()
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_place()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


def _open_link(address: str) -> None:
    """In the person's own browser, outside of Inglenook."""
    url = QUrl(address, QUrl.ParsingMode.StrictMode)
    if url.scheme() in ("https", "http") and url.host():
        QDesktopServices.openUrl(url)


def _reveal(path: str) -> None:
    place = Path(path)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(place if place.is_dir() else place.parent)))
