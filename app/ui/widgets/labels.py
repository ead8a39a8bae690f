"""Text on screen: one line that elides, and paragraphs with a steady line height."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import (
    QFont,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.ui.theme.theme import Theme


class Label(QLabel):
    """One line of plain text that ends in … where it does not fit; the whole text is then its tool tip."""

    def __init__(
        self,
        text: str,
        theme: Theme,
        use: str = "secondary",
        role: str = "ink2",
        *,
        elide: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._use = use
        self._role = role
        self._elide = elide
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme.font(use))
        if elide:
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        else:
            self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setText(text)
        theme.changed.connect(self.update)

    def setText(self, text: str) -> None:
        if text != self.text():
            super().setText(text)
            self._offer_whole()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._theme.font(self._use))
        return QSize(metrics.horizontalAdvance(self.text()) + 2, max(self._theme.line(self._use), metrics.height()))

    def minimumSizeHint(self) -> QSize:
        hint = self.sizeHint()
        return QSize(min(hint.width(), 24), hint.height()) if self._elide else hint

    def set_role(self, role: str) -> None:
        """Writes it in another colour."""
        if role != self._role:
            self._role = role
            self.update()

    @property
    def elided(self) -> bool:
        """Whether a part of the text is not shown."""
        return QFontMetrics(self._theme.font(self._use)).horizontalAdvance(self.text()) > self.width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._offer_whole()

    def _offer_whole(self) -> None:
        if self._elide:
            self.setToolTip(self.text() if self.elided else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._theme.font(self._use))
        painter.setPen(self._theme.colour(self._role))
        text = self.text()
        if self._elide:
            text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), self.alignment() | Qt.AlignmentFlag.AlignVCenter, text)


class Paragraph(QLabel):
    """Wrapped plain text whose lines stand at the line height of its use of type, whatever the font."""

    def __init__(
        self, text: str, theme: Theme, use: str = "secondary", role: str = "ink2", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._use = use
        self._role = role
        self._measured: tuple[tuple[str, int], int] = (("", 0), 0)
        self._strong = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setText(text)
        theme.changed.connect(self.update)

    def show_text(self, text: str, strong: str) -> None:
        """Other words, a part of them in bold."""
        self._strong = strong
        self._measured = (("", 0), 0)
        self.setText(text)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._theme.font(self._use))
        natural = max((metrics.horizontalAdvance(line) for line in self.text().split("\n")), default=0) + 2
        width = min(natural, 640)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self._theme.line(self._use))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        key = (self.text(), width)
        if self._measured[0] != key:
            self._measured = (key, self._lay_out(width, None) if self.text() else 0)
        return self._measured[1]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self._theme.colour(self._role))
        self._lay_out(self.width(), painter)

    def _lay_out(self, width: int, painter: QPainter | None) -> int:
        """Lays the text out in `width`, paints it if there is a painter, and returns its height."""
        font = self._theme.font(self._use)
        metrics = QFontMetrics(font)
        step = max(self._theme.line(self._use), metrics.height())
        y = 0
        option = QTextOption(self.alignment() & Qt.AlignmentFlag.AlignHorizontal_Mask)
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        for part in self.text().split("\n"):
            layout = QTextLayout(part, font)
            layout.setTextOption(option)
            if self._strong and (at := part.find(self._strong)) >= 0:
                layout.setFormats([self._bold(at)])
            layout.beginLayout()
            while True:
                line = layout.createLine()
                if not line.isValid():
                    break
                line.setLineWidth(max(width, 1))
                line.setPosition(line.position().__class__(0, y + (step - metrics.height()) / 2))
                y += step
            layout.endLayout()
            if painter is not None:
                layout.draw(painter, self.contentsRect().topLeft().toPointF())
            if not part:
                y += step if layout.lineCount() == 0 else 0
        return y

    def _bold(self, at: int) -> QTextLayout.FormatRange:
        made = QTextLayout.FormatRange()
        made.start, made.length = at, len(self._strong)
        look = QTextCharFormat()
        look.setFontWeight(QFont.Weight.DemiBold)
        look.setForeground(self._theme.colour("ink"))
        made.format = look
        return made
