"""The card on a model's page, with its pictures only after the person allowed them for this card."""

from __future__ import annotations

from PySide6.QtCore import QBuffer, QByteArray
from PySide6.QtGui import QImage, QImageReader
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.services.changes import ModelFailed, PictureAnswered
from app.ui.components.models.card import CardView
from app.ui.components.models.card_text import address, host_of, pictures, plain_markdown
from app.ui.components.models.wishes import Wishes
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.labels import Label, Paragraph

READING = "Reading its card…"
NO_CARD = "Its makers have written nothing about it here."
MOST_PIXELS = 25_000_000
CUT = "The card goes on. The rest is on the model's page."


class About(QWidget):
    """Shows one card below the versions."""

    def __init__(self, application: ApplicationPort, theme: Theme, wishes: Wishes) -> None:
        super().__init__()
        self._application, self._wishes = application, wishes
        self._repo, self._page = "", ""
        self._sources: dict[str, list[str]] = {}
        self.status = Paragraph(READING, theme, "secondary", "ink2")
        self.view = CardView(theme)
        self.view.link_activated.connect(wishes.link_wanted)
        self.rest = Button("Read the rest", theme, QUIET)
        self.rest.set_accent(True)
        self.rest.clicked.connect(lambda: wishes.link_wanted.emit(self._page))
        self.pictures = Button("", theme, QUIET)
        self.pictures.set_accent(True)
        self.pictures.clicked.connect(self._want_pictures)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(Label("From its makers", theme, "section", "ink"))
        head.addStretch()
        head.addWidget(self.pictures)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.view)
        column.addWidget(self.status)
        column.addWidget(self.rest)
        self.clear()

    def clear(self) -> None:
        """Another model: its card is not there yet."""
        if self._sources:
            self._application.pictures.stop()
        self._sources = {}
        self._say(READING)
        self.pictures.hide()
        self.view.hide()
        self.rest.hide()

    def show_card(self, card: str, repo: str, page: str) -> None:
        """The card, as Markdown of a stranger; `page` is its web address."""
        self._repo, self._page = repo, page
        text, cut = plain_markdown(card)
        self.view.setVisible(bool(text.strip()))
        if text.strip():
            self.view.show_card(text, page)
        self._say(CUT if cut else "" if text.strip() else NO_CARD)
        self.rest.setVisible(cut)
        self._sources = {}
        for source in pictures(text):
            if whole := address(source, page):
                self._sources.setdefault(whole, []).append(source)
        self.pictures.setText(_pictures_words([host_of(one) for one in self._sources]))
        self.pictures.updateGeometry()
        allowed = self._application.settings.current.network.card_images
        self.pictures.setVisible(bool(self._sources) and not allowed)
        if allowed and self._sources:
            self._want_pictures()

    def _want_pictures(self) -> None:
        self.pictures.hide()
        self._application.pictures.show(self._repo, [*self._sources])

    def failed(self, failure: ModelFailed) -> None:
        """The card could not be read."""
        self._say(failure.sentence)

    def show_picture(self, change: PictureAnswered) -> None:
        """Puts a picture into the card, if it is one."""
        sources = self._sources.get(change.address, [])
        image = _decoded(change.data) if sources else None
        if image is not None:
            self.view.show_pictures(dict.fromkeys(sources, image))

    def _say(self, words: str) -> None:
        self.status.setText(words)
        self.status.setVisible(bool(words))
        self.status.updateGeometry()


def _pictures_words(hosts: list[str]) -> str:
    """What the button offers, with where the pictures come from."""
    places = list(dict.fromkeys(hosts))
    if not places:
        return ""
    what = "the picture" if len(hosts) == 1 else f"{len(hosts)} pictures"
    more = len(places) - 1
    return f"Show {what} from {places[0]}" + (f" and {more} more" if more else "")


def _decoded(data: bytes) -> QImage | None:
    """The picture, unless it is none or would take absurdly much memory."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    reader = QImageReader(buffer)
    size = reader.size()
    if not size.isValid() or size.width() * size.height() > MOST_PIXELS:
        return None
    image = reader.read()
    return None if image.isNull() else image
