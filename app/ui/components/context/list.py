"""The list of what the model sees, message by message: mouse, keys and menu, each with the same verbs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QItemSelectionModel, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QCursor, QFocusEvent, QHelpEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolTip, QWidget

from app.chat.context_view import Standing
from app.ui.components.context.rows import LEFT, ROW, ContextRows, Index
from app.ui.components.context.verbs import (
    EDIT_INSTRUCTIONS,
    LEAVE_OUT,
    PIN,
    PUT_BACK,
    READ_NOTE,
    ids_of,
    name_of,
    verbs_of,
)
from app.ui.models.context import ContextModel
from app.ui.models.context_lines import Line
from app.ui.theme.theme import Theme
from app.ui.widgets.row_list import RowList

MOST_PX = 16_000_000


class ContextList(RowList):
    """`wished` carries a verb (pin, leave_out, unmark) and message ids. Never changes anything by itself."""

    wished = Signal(str, object)
    note_wished = Signal()
    instructions_wished = Signal()
    message_chosen = Signal(str)
    row_shown = Signal(QRect)
    refitted = Signal()

    def __init__(self, model: ContextModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("What the model sees", theme, parent)
        self.read_only = False
        self._lines = model
        self._pressed: tuple[str, str] | None = None
        self._place: tuple[Line | None, str] = (None, "")
        self._rows = ContextRows(model, self, theme, self)
        self.setModel(model)
        self.setItemDelegate(self._rows)
        self.setAccessibleDescription("P pins a message, Delete leaves it out, Right and Left unfold and fold turns")
        self.setUniformItemSizes(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._restore)
        self._fit()

    def set_read_only(self, read_only: bool) -> None:
        """Whether there is nothing to be done with the lines: they tell of the past."""
        self.read_only = read_only
        self.viewport().update()

    # -- keeping the place ------------------------------------------------------------------------------------------

    def _remember(self) -> None:
        line = self._current()
        following = self._lines.line(self.currentIndex().row() + 1) if line is not None else None
        self._place = (line, following.key if following is not None else "")

    def _restore(self) -> None:
        """The same line is current; one that was pinned, or put back, goes to its new place without the cursor."""
        self._fit()
        line, following = self._place
        row = self._lines.row_of(line.key) if line is not None else -1
        now = self._lines.line(row)
        if line is not None and line.message_id and following and (now is None or now.level != line.level):
            row = self._lines.row_of(following)
        if row >= 0:
            index = self._lines.index(row)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def dataChanged(self, first: Index, last: Index, roles: Sequence[int] = ()) -> None:
        """Rows that stay where they are and as high as they are need no new layout, which takes long for thousands."""
        self.viewport().update()

    def _fit(self) -> None:
        """As high as its rows: what is around it scrolls. Only rows on the screen are painted."""
        self.setFixedHeight(min(self._lines.rowCount() * ROW, MOST_PX))
        self.refitted.emit()

    def sizeHint(self) -> QSize:
        return QSize(240, self.height())

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        if current.isValid():
            self.row_shown.emit(self.visualRect(current))

    # -- verbs ------------------------------------------------------------------------------------------------------

    def pointer(self) -> QPoint:
        """Where the mouse is, in the viewport."""
        return self.viewport().mapFromGlobal(QCursor.pos())

    def _current(self) -> Line | None:
        index = self.currentIndex()
        return self._lines.line(index.row()) if index.isValid() else None

    def do(self, verb: str, line: Line) -> None:
        """Tells what is wished for a line."""
        if verb == READ_NOTE:
            self.note_wished.emit()
        elif verb == EDIT_INSTRUCTIONS:
            self.instructions_wished.emit()
        else:
            self.wished.emit(verb, ids_of(line))

    def _verb_at(self, where: QPoint) -> tuple[str, Line] | None:
        index = self.indexAt(where)
        line = self._lines.line(index.row()) if index.isValid() else None
        if line is None:
            return None
        for verb, box in self._rows.verb_boxes(line, self.visualRect(index)):
            if box.contains(where):
                return verb, line
        return None

    def menu(self, line: Line) -> QMenu:
        """The verbs of a line as a menu. It deletes itself when it closes."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        keys = {PIN: "P", LEAVE_OUT: "Del", PUT_BACK: "P" if line.standing is Standing.PINNED else "Del"}
        for verb in verbs_of(line, read_only=self.read_only):
            words = name_of(verb, line) + (f"\t{keys[verb]}" if verb in keys else "")
            menu.addAction(words, partial(self.do, verb, line))
        if line.message_id:
            menu.addAction("Show it in the conversation", lambda: self.message_chosen.emit(line.message_id))
        if line.foldable:
            words = "Fold" if line.open else "Unfold"
            menu.addAction(words, lambda: self._fold(self._lines.row_of(line.key), opened=not line.open))
        return menu

    def _fold(self, row: int, *, opened: bool) -> None:
        if row >= 0:
            self.setCurrentIndex(self._lines.index(row))
            self._lines.fold(row, opened=opened)

    # -- events -----------------------------------------------------------------------------------------------------

    def key_pressed(self, event: QKeyEvent) -> None:
        line, row, key = self._current(), self.currentIndex().row(), event.key()
        if line is not None and key in (Qt.Key.Key_Right, Qt.Key.Key_Left):
            if key == Qt.Key.Key_Left and not line.open:
                row = self._lines.group_of(row)
            self._fold(row, opened=key == Qt.Key.Key_Right)
        elif line is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._open(line, row)
        elif line is not None and key == Qt.Key.Key_P:
            self._toggle(line, PIN, Standing.PINNED)
        elif line is not None and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._toggle(line, LEAVE_OUT, Standing.OUTSIDE)
        elif key == Qt.Key.Key_Escape or event.text().strip():
            event.ignore()  # letters are no search here: it would read every row
        else:
            super().key_pressed(event)

    def _open(self, line: Line, row: int) -> None:
        verbs = verbs_of(line, read_only=self.read_only)
        if READ_NOTE in verbs or EDIT_INSTRUCTIONS in verbs:
            self.do(verbs[0], line)
        elif line.foldable:
            self._fold(row, opened=not line.open)
        elif line.message_id:
            self.message_chosen.emit(line.message_id)

    def _toggle(self, line: Line, verb: str, standing: Standing) -> None:
        verbs = verbs_of(line, read_only=self.read_only)
        if verb in verbs:
            self.do(verb, line)
        elif PUT_BACK in verbs and line.standing is standing:
            self.do(PUT_BACK, line)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        where = event.position().toPoint()
        found = self._verb_at(where) if event.button() == Qt.MouseButton.LeftButton else None
        self._pressed = (found[0], found[1].key) if found is not None else None
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        where = event.position().toPoint()
        pressed, self._pressed = self._pressed, None
        found = self._verb_at(where)
        index = self.indexAt(where)
        if pressed is not None:
            if found is not None and (found[0], found[1].key) == pressed:
                self.do(*found)
        elif index.isValid() and index == self.currentIndex():
            line = self._lines.line(index.row())
            if line is not None and line.foldable:
                self._fold(index.row(), opened=not line.open)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        line = self._current()
        if line is not None and line.message_id and self._verb_at(event.position().toPoint()) is None:
            self.message_chosen.emit(line.message_id)
        else:
            self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self.viewport().update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu of the row under the mouse, or of the current one."""
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if keyboard else self.indexAt(event.pos())
        line = self._lines.line(index.row()) if index.isValid() else None
        if line is not None:
            where = self.visualRect(index).bottomLeft() + QPoint(LEFT, 0) if keyboard else event.pos()
            menu = self.menu(line)
            if menu.isEmpty():
                menu.deleteLater()
            else:
                menu.popup(self.viewport().mapToGlobal(where))

    def viewportEvent(self, event: QEvent) -> bool:
        """Names the icon under the mouse, or shows the whole title of a row that is cut off."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            found = self._verb_at(event.pos())
            index = self.indexAt(event.pos())
            line = self._lines.line(index.row()) if index.isValid() else None
            words = name_of(*found) if found is not None else line.title if line is not None else ""
            QToolTip.showText(event.globalPos(), words, self.viewport(), QRect(event.pos(), QSize(1, 1)))
            return True
        return bool(super().viewportEvent(event))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self._lines.rowCount():
            self.setCurrentIndex(self._lines.index(0))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()
