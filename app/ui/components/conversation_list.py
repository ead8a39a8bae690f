"""The list of conversations at the left: opening, renaming in place, deleting. Rows come from the model only."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.models.conversations import HEADING_ROLE, ID_ROLE, LIVE_ROLE, ConversationListModel
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.surfaces import paint_dot, see_through

Index = QModelIndex | QPersistentModelIndex
ROW = 32


class _Rows(QStyledItemDelegate):
    """Paints headings and rows; the editor of a row only says what it wants to be called."""

    renamed = Signal(str, str)

    def __init__(self, theme: Theme, parent: ConversationList) -> None:
        super().__init__(parent)
        self._theme = theme
        self._list = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        if index.data(HEADING_ROLE):
            return QSize(0, 30 if index.row() == 0 else 38)
        return QSize(0, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        box: QRect = option.rect
        colour = self._theme.colour
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(HEADING_ROLE):
            painter.setFont(self._theme.font("caption_strong"))
            painter.setPen(colour("ink3"))
            line = QRect(box.left() + 20, box.bottom() - 27, box.width() - 32, 20)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, str(index.data()))
            painter.restore()
            return
        open_now = index.data(ID_ROLE) == self._list.opened
        over = index == self._list.hovered
        around = QRectF(box).adjusted(8, 0, -8, 0)
        if open_now or over:
            fill = colour("hover")
            if not open_now:
                fill.setAlphaF(0.55)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(around, tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        if self._list.hasFocus() and index == self._list.currentIndex() and self._list.by_keyboard:
            painter.setPen(QPen(colour("ember"), tokens.FOCUS_WIDTH))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(around.adjusted(1, 1, -1, -1), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        live = bool(index.data(LIVE_ROLE))
        painter.setFont(self._theme.font("row_selected" if open_now else "row"))
        painter.setPen(colour("ink" if open_now else "ink2"))
        text = QRect(box.left() + 20, box.top(), box.width() - 36 - (14 if live else 0), box.height())
        title = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, title)
        if live:
            dot = QRectF(box.right() - 24, box.center().y() - 3, 7, 7)
            paint_dot(painter, dot, self._ember(open_now))
        painter.restore()

    def _ember(self, on_hover: bool) -> QColor:
        return self._theme.colour("ember2" if on_hover else "ember")

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setFont(self._theme.font("row"))
        editor.setAccessibleName("Title of the conversation")
        editor.setMaxLength(200)
        editor.setStyleSheet("QLineEdit { min-height: 28px; max-height: 28px; padding: 0 9px; }")
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        box: QRect = option.rect
        editor.setGeometry(box.adjusted(8, 1, -8, -1))

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        if not (isinstance(editor, QLineEdit) and editor.isModified()):  # what is being written stays, whatever changes
            super().setEditorData(editor, index)

    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            title = " ".join(editor.text().split())
            if title and title != index.data():
                self.renamed.emit(index.data(ID_ROLE), title)


class ConversationList(QListView):
    """Signals carry the conversation's id; the list changes only when the model does.

    `rename_left` tells that a title was written or not, and that the focus went back to where it was before.
    """

    open_requested = Signal(str)
    rename_requested = Signal(str, str)
    delete_requested = Signal(str)
    rename_left = Signal()

    def __init__(self, model: ConversationListModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.opened = ""
        self.hovered = QPersistentModelIndex()
        self.by_keyboard = False
        self._came_from: QWidget | None = None
        self.setModel(model)
        rows = _Rows(theme, self)
        rows.renamed.connect(self.rename_requested)
        self.setItemDelegate(rows)
        self.setAccessibleName("Conversations")
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        see_through(self)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.setMinimumHeight(40)
        theme.changed.connect(self.viewport().update)

    def show_opened(self, conversation_id: str) -> None:
        """Marks the conversation that is open; empty for none. A row the keyboard is on stays the current one."""
        changed, self.opened = conversation_id != self.opened, conversation_id
        at = self._model().row_of(conversation_id)
        if at >= 0 and (changed or not (self.hasFocus() and self.currentIndex().isValid())):
            index = self._model().index(at)
            if changed or index != self.currentIndex():
                self.setCurrentIndex(index)
                self.scrollTo(index)
        self.viewport().update()

    def rename(self, conversation_id: str) -> None:
        """Opens the field in which the title of a conversation is written."""
        at = self._model().row_of(conversation_id)
        if at >= 0:
            index = self._model().index(at)
            focused = QApplication.focusWidget()
            self._came_from = focused if focused is not self and self.state() != self.State.EditingState else None
            self.scrollTo(index)
            self.edit(index)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        left_by_key = editor.hasFocus()
        super().closeEditor(editor, hint)
        came_from, self._came_from = self._came_from, None
        if came_from is not None and left_by_key:
            came_from.setFocus(Qt.FocusReason.OtherFocusReason)
            self.rename_left.emit()

    @property
    def pointed_at(self) -> str:
        """The conversation of the current row while the list has the focus, else an empty string."""
        current = self.currentIndex()
        return str(current.data(ID_ROLE) or "") if self.hasFocus() and current.isValid() else ""

    def _model(self) -> ConversationListModel:
        model = self.model()
        assert isinstance(model, ConversationListModel)
        return model

    def _show_menu(self, position: QPoint) -> None:
        index = self.indexAt(position)
        conversation_id = index.data(ID_ROLE) if index.isValid() else ""
        if conversation_id:
            menu = self.menu_for(conversation_id)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.viewport().mapToGlobal(position))

    def menu_for(self, conversation_id: str) -> QMenu:
        """The menu of one row."""
        menu = QMenu(self)
        menu.addAction(self._theme.icon("pencil"), "Rename\tF2", lambda: self.rename(conversation_id))
        menu.addAction(self._theme.icon("trash"), "Delete\tDel", lambda: self.delete_requested.emit(conversation_id))
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.state() == QAbstractItemView.State.EditingState:
            event.accept()  # a key that the title's field did not want is not meant for the list either
            return
        self.by_keyboard = True
        current = self.currentIndex()
        conversation_id = current.data(ID_ROLE) if current.isValid() else ""
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Space if conversation_id:
                self.open_requested.emit(conversation_id)
            case Qt.Key.Key_F2 if conversation_id:
                self.rename(conversation_id)
            case Qt.Key.Key_Delete if conversation_id:
                self.delete_requested.emit(conversation_id)
            case _:
                super().keyPressEvent(event)
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.by_keyboard = False
        super().mousePressEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and index.data(ID_ROLE):
            self.open_requested.emit(index.data(ID_ROLE))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and index.data(ID_ROLE):
            self.rename(index.data(ID_ROLE))

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.by_keyboard = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)
        self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.indexAt(event.position().toPoint()))
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hover(QModelIndex())
        super().leaveEvent(event)  # type: ignore[arg-type]

    def _hover(self, index: QModelIndex) -> None:
        if self.hovered != index:
            self.hovered = QPersistentModelIndex(index)
            self.viewport().update()
