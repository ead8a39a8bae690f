"""The memory of one device as a bar with its legend."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.sizes import size_words
from app.ui.components.context.bars import paint_stack, paint_swatch
from app.ui.components.plan.words import Picture, Piece
from app.ui.theme.theme import Theme
from app.ui.widgets.indicators import Icon
from app.ui.widgets.labels import Label

_HEIGHT = 20
_LINE = 20
_GAP = 16


class _Bar(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._shares: list[tuple[str, int]] = []
        self._whole = 0
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_pieces(self, pieces: Sequence[Piece], whole: int) -> None:
        self._shares = [(piece.style, piece.size_bytes) for piece in pieces]
        self._whole = whole
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_stack(painter, QRectF(self.rect()), self._shares, self._whole, self._theme)


class _Legend(QWidget):
    """Names with their sizes from left to right; a second line where one is not enough."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._pieces: tuple[Piece, ...] = ()
        self._known: tuple[int, list[tuple[int, int]]] = (-1, [])
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        theme.changed.connect(self.update)

    def show_pieces(self, pieces: tuple[Piece, ...]) -> None:
        if pieces != self._pieces:
            lines, self._pieces = self.heightForWidth(self.width()), pieces
            self._known = (-1, [])
            if self.heightForWidth(self.width()) != lines:
                self.updateGeometry()
            self.update()

    def _places(self, width: int) -> list[tuple[int, int]]:
        if self._known[0] != width:
            self._known = (width, self._placed(width))
        return self._known[1]

    def _placed(self, width: int) -> list[tuple[int, int]]:
        caption = QFontMetrics(self._theme.font("caption"))
        strong = QFontMetrics(self._theme.font("caption_strong"))
        found, left, top = [], 0, 0
        for piece in self._pieces:
            own = 22 + caption.horizontalAdvance(piece.name) + strong.horizontalAdvance(size_words(piece.size_bytes))
            if left and left + own > width:
                left, top = 0, top + _LINE
            found.append((left, top))
            left += own + _GAP
        return found

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return (self._places(width) or [(0, 0)])[-1][1] + _LINE

    def sizeHint(self) -> QSize:
        return QSize(320, self.heightForWidth(self.width() or 640))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, _LINE)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = Qt.AlignmentFlag.AlignVCenter
        for piece, (left, top) in zip(self._pieces, self._places(self.width()), strict=True):
            paint_swatch(painter, piece.style, QRectF(left, top + 5, 10, 10), self._theme)
            painter.setFont(self._theme.font("caption"))
            painter.setPen(self._theme.colour("ink2"))
            name = painter.fontMetrics().horizontalAdvance(piece.name)
            painter.drawText(QRectF(left + 15, top, name + 2, _LINE), middle, piece.name)
            painter.setFont(self._theme.font("caption_strong"))
            painter.setPen(self._theme.colour("ink"))
            painter.drawText(QRectF(left + 15 + name + 7, top, 90, _LINE), middle, size_words(piece.size_bytes))


class DevicePicture(QWidget):
    """What it is, how large, how much is left; the bar; the legend without empty entries."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._icon = Icon("chip", theme, "ink2", 18)
        self.title = Label("", theme, "row_strong", "ink", elide=True)
        self.whole = Label("", theme, "secondary", "ink2")
        self.right = Label("", theme, "button", "ink")
        self._bar = _Bar(theme)
        self._legend = _Legend(theme)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._icon)
        head.addWidget(self.title)
        head.addWidget(self.whole)
        head.addStretch(1)
        head.addWidget(self.right)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(9)
        column.addLayout(head)
        column.addWidget(self._bar)
        column.addWidget(self._legend)

    def show_picture(self, picture: Picture) -> None:
        """Draws the memory of a device."""
        self._icon.show_icon(picture.icon, "ink2")
        self.title.setText(picture.title)
        self.whole.setText(" ".join(part for part in (size_words(picture.total_bytes), picture.place) if part))
        self.right.set_role("rose" if picture.free_bytes < 0 else "ink")
        self.right.setText(picture.right)
        for label in (self.title, self.whole, self.right):
            label.updateGeometry()
        self._bar.show_pieces(picture.pieces, picture.total_bytes)
        self._legend.show_pieces(picture.pieces)
        told = ", ".join(f"{piece.name} {size_words(piece.size_bytes)}" for piece in picture.pieces)
        self.setAccessibleName(f"{picture.title}, {self.whole.text()}, {picture.right}: {told}")


class DevicePictures(QWidget):
    """One below the other."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.shown: list[DevicePicture] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(20)

    def show_pictures(self, pictures: Sequence[Picture]) -> None:
        """Draws these; widgets are kept, so that nothing flickers while a slider moves."""
        while len(self.shown) > len(pictures):
            gone = self.shown.pop()
            self._column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        while len(self.shown) < len(pictures):
            self.shown.append(DevicePicture(self._theme))
            self._column.addWidget(self.shown[-1])
        for widget, picture in zip(self.shown, pictures, strict=True):
            widget.show_picture(picture)
