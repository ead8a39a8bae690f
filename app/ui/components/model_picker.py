"""Choosing a model: the models on this computer, how far a load is, and in words why one was refused."""

from __future__ import annotations

import itertools
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.engine.values import ModelFile
from app.services.changes import Change, EngineChanged, EngineState, LibraryChanged
from app.ui import model_words, words
from app.ui.components.model_refusal import Refusal
from app.ui.ports import ApplicationPort
from app.ui.theme import icons
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import GHOST, QUIET, Button, HoverButton
from app.ui.widgets.indicators import Bar
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.popover import Popover
from app.ui.widgets.surfaces import Hairline

WIDTH = 400
_STARTER = (
    f"The starter model: small and quick, good for trying things out, often wrong about facts. {words.STARTER_ORIGIN}."
)


class _ModelRow(HoverButton):
    def __init__(self, model: ModelFile, theme: Theme, *, loaded: bool) -> None:
        super().__init__(theme, focus=Qt.FocusPolicy.StrongFocus)
        self._model = model
        self._loaded = loaded
        self.setText(words.model_title(model))
        self.setAccessibleName(f"{words.model_title(model)}, {words.model_facts(model)}{', loaded' if loaded else ''}")
        self.setAccessibleDescription(model.problem)
        self.setToolTip(model.path if not model.is_starter else "")
        self.setFixedHeight(52)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH - 16, 52)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        self.fill(painter)
        width = self.width() - 12 - 40
        painter.setFont(self._theme.font("row_selected"))
        painter.setPen(colour("ink"))
        name = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(QRectF(12, 7, width, 20), Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(self._theme.font("caption"))
        problem = self._model.problem
        painter.setPen(colour("rose" if problem else "ink2"))
        line = problem or words.model_facts(self._model)
        line = painter.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRectF(12, 27, width, 18), Qt.AlignmentFlag.AlignVCenter, line)
        if self._loaded:
            icons.paint(painter, "check", QRectF(self.width() - 30, 18, 16, 16), colour("moss"))


class ModelPicker(Popover):
    """Opens under the pill. Choosing loads at once; the list follows the library and the engine, and goes when the
    chosen model is there."""

    loaded = Signal()
    file_requested = Signal()
    find_requested = Signal()

    def __init__(self, application: ApplicationPort, theme: Theme, parent: QWidget) -> None:
        super().__init__("Models", theme, parent)
        self._application = application
        self._chosen = ""
        self._holder = QWidget()
        self._rows = QVBoxLayout(self._holder)
        self._rows.setContentsMargins(8, 0, 8, 0)
        self._rows.setSpacing(2)
        self._scroll = QScrollArea()
        self._scroll.setObjectName("bare")
        self._scroll.setWidget(self._holder)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._progress = self._make_progress()
        self._failure = Refusal(theme)
        self._failure.insisted.connect(self._load_anyway)
        self._failure.grown.connect(self.refit)
        self._open_file = Button("Open a file…", theme, GHOST)
        self._open_file.set_icon_name("folder-open")
        self._open_file.clicked.connect(self._ask_for_file)
        self._find = Button("Find more", theme, GHOST)
        self._find.set_icon_name("magnifying-glass")
        self._find.setAccessibleName("Find more models")
        self._find.clicked.connect(self._look_for_more)
        self._unload = Button("Unload", theme, GHOST)
        self._unload.set_icon_name("eject")
        self._unload.setToolTip("Frees the memory the model takes")
        self._unload.clicked.connect(self._unload_now)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(8, 8, 8, 8)
        bottom.setSpacing(0)
        bottom.addWidget(self._find)
        bottom.addWidget(self._open_file)
        bottom.addStretch()
        bottom.addWidget(self._unload)
        self.body.addSpacing(8)
        self.body.addWidget(self._progress)
        self.body.addWidget(self._failure)
        self.body.addWidget(self._scroll)
        self.body.addSpacing(8)
        self.body.addWidget(Hairline(theme))
        self.body.addLayout(bottom)

    def _make_progress(self) -> QWidget:
        box = QWidget()
        self._loading_name = Label("", self._theme, "row_selected", "ink", elide=True)
        self._loading_amount = Label("", self._theme, "caption", "ink2")
        self._bar = Bar(self._theme, "Loading")
        self._cancel = cancel = Button("Cancel", self._theme, QUIET)
        cancel.clicked.connect(lambda: self._application.loading.cancel())
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._loading_name, 1)
        top.addWidget(self._loading_amount)
        top.addWidget(cancel)
        column = QVBoxLayout(box)
        column.setContentsMargins(20, 6, 20, 14)
        column.setSpacing(6)
        self._given_up = Paragraph("", self._theme, "caption", "ink2")
        column.addLayout(top)
        column.addWidget(self._bar)
        column.addWidget(self._given_up)
        return box

    def open_at(self, opener: QWidget) -> None:
        """Opens under `opener` with the focus on the first model."""
        self._chosen = ""
        self._draw()
        self.open_below(opener, WIDTH, first=self._first_row())
        self._order()

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, EngineChanged):
            if change.state is EngineState.FAILED:
                self._failure.say(change.sentence, change.detail, change.model_id if change.can_insist else "")
            elif change.state in (EngineState.READY, EngineState.LOADING) and not change.sentence:
                self._failure.unsay()  # READY with a sentence: another model was refused just now, and this one stays
            if change.state is EngineState.READY and not change.sentence:
                self._leave_with(change.model_id)
            if self.isVisible() and change.state is EngineState.LOADING and not self._progress.isHidden():
                self._show_progress(change)
            elif self.isVisible():
                self._draw()
        elif isinstance(change, LibraryChanged) and self.isVisible():
            self._draw()

    def add(self, path: Path) -> None:
        """Takes a file into the library and loads it; says why not where it cannot."""
        try:
            model = self._application.library.add_file(path)
            self._application.loading.load(model.id)
            self._chosen = model.id
        except InglenookError as error:
            self._failure.say(error.sentence, error.detail)
            self._draw()

    def _first_row(self) -> QWidget:
        item = self._rows.itemAt(0)
        row = item.widget() if item is not None else None
        return row if isinstance(row, _ModelRow) else self._open_file

    def _draw(self) -> None:
        state = self._application.loading.state
        loaded = state.model_id if state.state is EngineState.READY else ""
        focused = self._focused_row()
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                if widget.hasFocus():
                    self._open_file.setFocus(Qt.FocusReason.OtherFocusReason)
                widget.hide()
                widget.deleteLater()
        models = sorted(self._application.library.list(), key=lambda model: bool(model.problem))  # usable ones first
        for number, model in enumerate(models):
            row = _ModelRow(model, self._theme, loaded=model.id == loaded)
            row.clicked.connect(lambda _checked=False, model_id=model.id: self._load(model_id))
            self._add(row)
            if number == focused:
                row.setFocus(Qt.FocusReason.OtherFocusReason)
            if model.is_starter:
                self._add(self._note(_STARTER))
        if not models:
            self._add(self._note("There is no model on this computer yet. Find one, or open a GGUF file, to begin."))
        busy = state.state in (EngineState.LOADING, EngineState.STARTING)
        self._progress.setVisible(busy)
        if busy:
            self._show_progress(state)
        self._unload.setVisible(bool(loaded))
        inner = self._rows.heightForWidth(WIDTH) if self._rows.hasHeightForWidth() else self._rows.sizeHint().height()
        self._scroll.setFixedHeight(min(360, inner))
        self._order()
        self.refit()

    def _order(self) -> None:
        """Tab goes from what opened the list through it from top to bottom: rows are younger than what stands below."""
        rows = [item.widget() for at in range(self._rows.count()) if (item := self._rows.itemAt(at)) is not None]
        models = [row for row in rows if isinstance(row, _ModelRow)]
        order = [self.opener, self._cancel, *self._failure.stops, *models, self._find, self._open_file, self._unload]
        stops = [widget for widget in order if widget is not None]
        for before, after in itertools.pairwise(stops):
            QWidget.setTabOrder(before, after)

    def _add(self, widget: QWidget) -> None:
        self._rows.addWidget(widget)
        widget.show()  # else it has no size before the next turn of the event loop

    def _focused_row(self) -> int:
        """Which of the model rows has the focus, or -1."""
        models = self._holder.findChildren(_ModelRow)
        return next((number for number, row in enumerate(models) if row.hasFocus()), -1)

    def _note(self, text: str) -> QWidget:
        note = Paragraph(text, self._theme, "caption", "ink2")
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(12, 0, 12, 6)
        box.addWidget(note)
        holder.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        return holder

    def _show_progress(self, change: EngineChanged) -> None:
        model = next((m for m in self._application.library.list() if m.id == change.model_id), None)
        name = words.model_title(model) if model is not None else change.model_name
        self._loading_name.setText(f"Loading {name}")
        self._bar.set_share(change.fraction)
        self._bar.setAccessibleDescription(f"{round(change.fraction * 100)} %")
        if change.total_bytes:
            self._loading_amount.setText(model_words.amounts(change.done_bytes, change.total_bytes))
            self._loading_amount.updateGeometry()
        self._loading_amount.setVisible(bool(change.total_bytes))
        self._given_up.setText(change.stepped_down)
        self._given_up.setVisible(bool(change.stepped_down))

    def _load(self, model_id: str) -> None:
        try:
            self._application.loading.load(model_id)
        except InglenookError as error:
            self._failure.say(error.sentence, error.detail)
            self._draw()
            return
        self._chosen = model_id
        state = self._application.loading.state
        if state.state is EngineState.READY:
            self._leave_with(state.model_id)

    def _leave_with(self, model_id: str) -> None:
        """The list is done with when the model chosen in it is loaded."""
        if self.isVisible() and model_id == self._chosen:
            self.close_popover()
            self.loaded.emit()

    def _load_anyway(self, model_id: str) -> None:
        """Even if that pushes other programs out of memory."""
        try:
            self._application.plans.load(model_id, insist=True)
        except InglenookError as error:
            self._failure.say(error.sentence, error.detail)
            self._draw()

    def _unload_now(self) -> None:
        self._application.loading.unload()
        self.close_popover()

    def _look_for_more(self) -> None:
        self.close_popover()
        self.find_requested.emit()

    def _ask_for_file(self) -> None:
        self.file_requested.emit()
