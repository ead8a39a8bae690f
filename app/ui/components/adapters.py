"""The adapters of a conversation: which, how strongly, and why one cannot be used. Speaks in Adapter values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.engine.values import Adapter, AdapterFile
from app.ui import model_words
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button, IconButton
from app.ui.widgets.controls import Slider
from app.ui.widgets.labels import Label, Paragraph

TELL_AFTER_MS = 250
STEP, STEPS = 0.05, 40
NONE = "A LoRA adapter changes how a model writes. None is used in this conversation."
FROM_FILE = "A file…"


class _Row(QWidget):
    """One adapter: its name, how strongly it is laid on, and what it was made for or why it cannot be used."""

    scaled = Signal()
    removed = Signal()

    def __init__(self, adapter: Adapter, theme: Theme) -> None:
        super().__init__()
        self.adapter = adapter
        stem = Path(adapter.path).stem
        self.name = Label(stem, theme, "row", "ink", elide=True)
        self.remove = IconButton("x", f"Remove the adapter {stem}", theme, side=28, size=16)
        self.remove.clicked.connect(self.removed)
        self.slider = Slider("", theme)
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 10)
        self.slider.set_suggested(round(1 / STEP))
        self.slider.setToolTip("1 is as it was made, 0 is not at all")
        self.slider.valueChanged.connect(self._moved)
        self.number = Label("0.00", theme, "row_selected", "ink")
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setFixedWidth(self.number.sizeHint().width() + 8)
        self.facts = Paragraph("", theme, "caption", "ink2")
        self.problem = Paragraph("", theme, "caption", "rose")
        top = QHBoxLayout()
        top.addWidget(self.name, 1)
        top.addWidget(self.remove)
        middle = QHBoxLayout()
        middle.setSpacing(10)
        middle.addWidget(self.slider, 1)
        middle.addWidget(self.number)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(top)
        column.addWidget(self.facts)
        column.addWidget(self.problem)
        column.addLayout(middle)
        self.show_file(AdapterFile(path=adapter.path, name=stem))
        self.show_scale(adapter.scale)

    def show_scale(self, scale: float) -> None:
        """Shows a scale without telling."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(scale / STEP))
        self.slider.blockSignals(False)
        self.adapter = msgspec.structs.replace(self.adapter, scale=scale)
        self._say()

    def show_file(self, file: AdapterFile) -> None:
        """What is known of the file."""
        self.name.setText(file.name)
        self.name.setToolTip(file.path)
        self.facts.setText(model_words.adapter_facts(file))
        self.facts.setVisible(bool(self.facts.text()))
        self.problem.setText(file.problem)
        self.problem.setVisible(bool(file.problem))
        self.remove.setAccessibleName(f"Remove the adapter {file.name}")
        self._say()

    def _moved(self, step: int) -> None:
        self.adapter = msgspec.structs.replace(self.adapter, scale=round(step * STEP, 2))
        self._say()
        self.scaled.emit()

    def _say(self) -> None:
        number = f"{self.adapter.scale:.2f}"
        self.number.setText(number)
        self.slider.setAccessibleName(f"{self.name.text()}: {number}")
        self.slider.setAccessibleDescription(self.problem.text())


class AdapterSection(QWidget):
    """Tells `changed` with all adapters; `add_wanted` with the path of one, or '' for a file that is to be chosen."""

    changed = Signal(object)
    add_wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._found: list[AdapterFile] = []
        self.rows: list[_Row] = []
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(TELL_AFTER_MS)
        self._wait.timeout.connect(self.flush)
        self.add = Button("Add…", theme, QUIET)
        self.add.setAccessibleName("Add an adapter")
        self.add.clicked.connect(self._add)
        self.none = Paragraph(NONE, theme, "secondary", "ink2")
        self.refusal = Paragraph("", theme, "secondary", "rose")
        self.refusal.hide()
        head = QHBoxLayout()
        head.addWidget(Label("Adapters", theme, "row_strong", "ink"))
        head.addStretch()
        head.addWidget(self.add)
        self._column = QVBoxLayout()
        self._column.setSpacing(12)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self.none)
        column.addLayout(self._column)
        column.addWidget(self.refusal)

    @property
    def value(self) -> tuple[Adapter, ...]:
        """The adapters as they are shown."""
        return tuple(row.adapter for row in self.rows)

    def show_value(self, adapters: Sequence[Adapter]) -> None:
        """Shows adapters without telling."""
        if [adapter.path for adapter in adapters] != [row.adapter.path for row in self.rows]:
            for row in self.rows:
                self._column.removeWidget(row)
                row.deleteLater()
            self.rows = [self._row(adapter) for adapter in adapters]
            self.none.setVisible(not self.rows)
        for row, adapter in zip(self.rows, adapters, strict=True):
            row.show_scale(adapter.scale)
        self._wait.stop()

    def show_files(self, files: Mapping[str, AdapterFile]) -> None:
        """What is known of the files, by path."""
        for row in self.rows:
            if row.adapter.path in files:
                row.show_file(files[row.adapter.path])

    def offer(self, found: Sequence[AdapterFile]) -> None:
        """Those that can be added without looking for a file."""
        self._found = [*found]

    def refuse(self, sentence: str) -> None:
        """Says why one was not added; '' takes that back."""
        self.refusal.setText(sentence)
        self.refusal.setVisible(bool(sentence))
        if sentence:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))

    @property
    def waiting(self) -> bool:
        """Whether a movement was not told yet."""
        return self._wait.isActive()

    def flush(self) -> None:
        """Tells the adapters now."""
        self._wait.stop()
        self.changed.emit(self.value)

    def menu(self) -> QMenu:
        """What can be added: those among the models, and any file."""
        menu = QMenu(self)
        used = {row.adapter.path for row in self.rows}
        for file in self._found:
            if file.path not in used:
                detail = file.base or file.architecture
                action = menu.addAction(f"{file.name}  ·  {detail}" if detail else file.name)
                action.setEnabled(not file.problem)
                action.triggered.connect(lambda _on=False, path=file.path: self.add_wanted.emit(path))
        if not menu.isEmpty():
            menu.addSeparator()
        menu.addAction(FROM_FILE).triggered.connect(lambda _on=False: self.add_wanted.emit(""))
        return menu

    def _add(self) -> None:
        self.refuse("")
        menu = self.menu()
        if len(menu.actions()) == 1:
            self.add_wanted.emit("")
            return
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.add.mapToGlobal(QPoint(0, self.add.height() + 4)))

    def _row(self, adapter: Adapter) -> _Row:
        row = _Row(adapter, self._theme)
        row.scaled.connect(self._wait.start)
        row.removed.connect(lambda: self._remove(row))
        self._column.addWidget(row)
        return row

    def _remove(self, row: _Row) -> None:
        self.refuse("")
        self.show_value([one.adapter for one in self.rows if one is not row])
        self.add.setFocus(Qt.FocusReason.OtherFocusReason)
        self.flush()
