"""A text field that grows with its text. Enter submits, Shift+Enter breaks, an input method goes first."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QInputMethodEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlockFormat,
    QTextCursor,
    QTextOption,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme, make_font
from app.ui.widgets.surfaces import see_through


class GrowingText(QTextEdit):
    """Plain text only, with the body's line height; one to `lines` lines high."""

    submitted = Signal()
    escaped = Signal()
    focus_changed = Signal(bool)

    def __init__(self, name: str, theme: Theme, *, lines: int = 8, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lines = lines
        self._composing = False
        self._hint = ""
        self._line = theme.line("body")
        self.setAccessibleName(name)
        self.setAcceptRichText(False)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setObjectName("bare")
        self.setFont(theme.font("body"))
        see_through(self)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(0)
        self.document().documentLayout().documentSizeChanged.connect(lambda _size: self._fit())
        self._style_blocks()
        self._fit()
        theme.changed.connect(self.viewport().update)

    def set_hint(self, hint: str) -> None:
        """The words shown while the field is empty."""
        self._hint = hint
        self.setAccessibleDescription(hint)
        self.viewport().update()

    def set_text_size(self, px: int) -> None:
        """Writes in this size, at the line height the body has for its own."""
        body = tokens.TYPE["body"]
        if px != self.font().pixelSize():
            self._line = round(px * body.line / body.px)
            self.setFont(make_font(body, px))
            self._style_blocks()
            self._fit()

    def text(self) -> str:
        """The text as typed."""
        return self.toPlainText()

    def set_text(self, text: str) -> None:
        """Replaces the text, forgets the undo history, and puts the cursor behind it."""
        self.setPlainText(text)
        self._style_blocks()
        self.moveCursor(QTextCursor.MoveOperation.End)
        self._fit()

    @property
    def composing(self) -> bool:
        """Whether an input method is in the middle of a word."""
        return self._composing

    def _style_blocks(self) -> None:
        layout = QTextBlockFormat()
        layout.setLineHeight(self._line, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        document = self.document()
        document.setUndoRedoEnabled(False)
        cursor = QTextCursor(document)
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.mergeBlockFormat(layout)
        document.setUndoRedoEnabled(True)

    def _fit(self) -> None:
        line = self._line
        wanted = max(line, round(self.document().size().height()))
        height = min(wanted, self._lines * line)
        if height != self.height() or self.minimumHeight() != height:
            self.setFixedHeight(height)
            self.updateGeometry()
        more = wanted > height
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if more else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if policy != self.verticalScrollBarPolicy():
            self.setVerticalScrollBarPolicy(policy)

    def sizeHint(self) -> QSize:
        return QSize(400, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """With nothing to undo here, the key is left to the window's action."""
        spare = isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Undo)
        if spare and event.type() == QEvent.Type.ShortcutOverride and not self.document().isUndoAvailable():
            event.ignore()
            return False
        return super().event(event)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        self._composing = bool(event.preeditString())
        super().inputMethodEvent(event)
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._composing:  # the key belongs to the input method: Enter takes its word, Escape drops it
            super().keyPressEvent(event)
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.textCursor().insertBlock()
                self.ensureCursorVisible()
            elif not event.isAutoRepeat():
                self.submitted.emit()
            return
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
            return
        super().keyPressEvent(event)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if source.hasText():
            self.textCursor().insertText(source.text().replace("\r\n", "\n").replace("\r", "\n"))
            self.ensureCursorVisible()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._hint and not self._composing and self.document().isEmpty():
            painter = QPainter(self.viewport())
            painter.setFont(self.font())
            painter.setPen(self._theme.colour("ink3"))
            box = self.viewport().rect()
            box.setHeight(self._line)
            text = painter.fontMetrics().elidedText(self._hint, Qt.TextElideMode.ElideRight, box.width())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
