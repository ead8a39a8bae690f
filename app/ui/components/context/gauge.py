"""How full the model's window is: a small ring and a few words, and the way to everything that fills it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui import words
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton
from app.ui.widgets.indicators import NEARLY_FULL, paint_ring

HEIGHT = 28
_PAD, _RING, _GAP = 6, 16, 7


class Gauge(HoverButton):
    """A button, as wide as its words; hidden while no window is known, or nothing is in it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._share = 0.0
        self._shown: tuple[int, int, bool] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.show_fill(0, 0)

    @property
    def nearly_full(self) -> bool:
        """Whether the ring is ochre."""
        return self._share >= NEARLY_FULL

    def show_fill(self, used: int, limit: int, *, exact: bool = True) -> None:
        """`used` of `limit` tokens; not `exact`: they were estimated, and the words say so."""
        if self._shown == (used, limit, exact):
            return
        self._shown = (used, limit, exact)
        self.setVisible(limit > 0 and used > 0)
        if self.isHidden():
            return
        self._share = used / limit
        about = "" if exact else "~"
        text = f"{about}{words.tokens_short(used)} of {words.context_short(limit)}"
        if text != self.text():
            self.setText(text)
            self.updateGeometry()
        full = f"{'' if exact else 'About '}{used:,} of {limit:,} tokens of the model's window are used"
        self.setToolTip(f"{full}. Click to see by what.")
        self.setAccessibleName(f"{full}{'; nearly full' if self.nearly_full else ''}")
        self.update()

    def sizeHint(self) -> QSize:
        width = QFontMetrics(self._theme.font("caption")).horizontalAdvance(self.text())
        return QSize(width + 1 + 2 * _PAD + _RING + _GAP, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.fill(painter, radius=tokens.RADIUS_ICON)
        middle = self.height() / 2
        paint_ring(painter, QRectF(_PAD, middle - _RING / 2, _RING, _RING), self._share, self._theme)
        painter.setPen(self._theme.colour("ink2"))
        painter.setFont(self._theme.font("caption"))
        left = _PAD + _RING + _GAP
        painter.drawText(
            QRectF(left, 0, self.width() - left, self.height()), Qt.AlignmentFlag.AlignVCenter, self.text()
        )
