"""A model card: Markdown of a stranger, drawn as answers are. It loads nothing; its pictures are handed in.

As high as its text; the page scrolls. Links are reached with Tab and opened by whoever follows `link_activated`.
"""

from __future__ import annotations

from markdown_it.token import Token
from PySide6.QtCore import QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QImage,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextImageFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from app.ui.components.models.card_text import address
from app.ui.components.transcript.building import Builder
from app.ui.components.transcript.chunks import Chunk, Kind
from app.ui.components.transcript.looks import Looks
from app.ui.components.transcript.piece import Ornament, Piece
from app.ui.theme import icons
from app.ui.theme.theme import Theme

WIDEST_PICTURE = 640
TALLEST_PICTURE = 480


class _CardBuilder(Builder):
    """Puts pictures where they are known, words where they are not."""

    def __init__(self, document: QTextDocument, looks: Looks, images: dict[str, QImage], widest: int) -> None:
        super().__init__(document, looks)
        self._images = images
        self._widest = widest

    def write(self, children: list[Token], ink: str, *, px: int = 0, bold: bool = False, weight: int = 600) -> None:
        plain: list[Token] = []
        for child in children:
            image = self._images.get(str(child.attrs.get("src", ""))) if child.type == "image" else None
            if image is None:
                plain.append(child)
                continue
            if plain:
                super().write(plain, ink, px=px, bold=bold, weight=weight)
                plain = []
            self._picture(str(child.attrs["src"]), child.content, image)
        if plain:
            super().write(plain, ink, px=px, bold=bold, weight=weight)

    def _picture(self, source: str, words: str, image: QImage) -> None:
        self.document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(source), image)
        form = QTextImageFormat()
        form.setName(source)
        scale = min(1.0, self._widest / max(1, image.width()), TALLEST_PICTURE / max(1, image.height()))
        form.setWidth(max(1.0, image.width() * scale))
        form.setHeight(max(1.0, image.height() * scale))
        form.setProperty(QTextImageFormat.Property.ImageAltText, words)
        block = self.cursor.blockFormat()
        block.setLineHeight(0, 0)  # a fixed height would cut the picture off
        self.cursor.setBlockFormat(block)
        self.cursor.insertImage(form)


class CardView(QTextBrowser):
    """Shows one card."""

    link_activated = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._markdown, self._page = "", ""
        self._images: dict[str, QImage] = {}
        self._looks = Looks(theme)
        self._piece: Piece | None = None
        self._ornaments: list[Ornament] = []
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("Model card")
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setUndoRedoEnabled(False)
        self.viewport().setAutoFillBackground(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.WidgetWidth)
        self.anchorClicked.connect(self._open)
        theme.changed.connect(self._restyle)

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        return None  # nothing is ever loaded from here, no file and no address

    def show_card(self, markdown: str, page: str) -> None:
        """Another card; `page` is the web address of its repository."""
        self._markdown, self._page, self._images = markdown, page, {}
        self._build()

    def show_pictures(self, images: dict[str, QImage]) -> None:
        """Puts pictures in their places, by the address that the card has for them."""
        self._images = {**self._images, **images}
        self._build()

    def _restyle(self) -> None:
        self._looks = Looks(self._theme)
        self._build()

    def _build(self) -> None:
        chunk = Chunk(0, len(self._markdown), Kind.PROSE)
        piece = Piece(chunk, " ", self._looks, ink="ink", references={}, closes=True)
        piece.source, piece.blank = self._markdown, not self._markdown.strip()
        document = piece.document
        document.setDefaultFont(self._looks.body)
        width = max(120, self.width())
        builder = _CardBuilder(document, self._looks, self._images, min(width, WIDEST_PICTURE))
        piece.notes = builder.build(self._markdown)
        for start, end, url in piece.notes.links:
            whole = address(url, self._page)
            if whole:
                cursor = QTextCursor(document)
                cursor.setPosition(start)
                cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
                form = QTextCharFormat()
                form.setAnchor(True)
                form.setAnchorHref(whole)
                cursor.mergeCharFormat(form)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, self._theme.colour("page"))
        self.setPalette(palette)
        self.setDocument(document)
        self._piece = piece  # only now may the document before it go
        self._fit()

    def _fit(self) -> None:
        piece = self._piece
        if piece is None:
            return
        width = max(120, self.width())
        piece.width = -1
        height = piece.lay_out(width)
        self._ornaments = [] if piece.blank else piece.ornaments
        self.setFixedHeight(max(24, height + 4))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for kind, rect, text in self._ornaments:
            if rect.bottom() >= event.rect().top() and rect.top() <= event.rect().bottom():
                self._ornament(painter, kind, rect, text)
        painter.end()
        super().paintEvent(event)

    def _ornament(self, painter: QPainter, kind: str, rect: QRectF, text: str) -> None:
        looks = self._looks
        if kind in ("code", "box"):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(looks.colour("fill"))
            painter.drawRoundedRect(rect, 4 if kind == "code" else 8, 4 if kind == "code" else 8)
        elif kind == "dot":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(looks.colour("ink2"))
            painter.drawEllipse(rect)
        elif kind == "number":
            painter.setFont(looks.body)
            painter.setPen(looks.colour("ink2"))
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
        elif kind == "task":
            painter.setPen(looks.pen("edge"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            if text == "[x]":
                icons.paint(painter, "check", rect.adjusted(2, 2, -2, -2), looks.colour("ink"))
        else:
            painter.fillRect(rect, looks.colour("line2" if kind == "bar" else "line"))

    def _open(self, url: QUrl) -> None:
        if url.scheme() in ("https", "http"):
            self.link_activated.emit(url.toString())

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls
