"""Defaults of new conversations."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit

from app.engine.values import Sampling
from app.settings.schema import Settings
from app.ui.components.sampling import SCALES, SamplingControls
from app.ui.pages.settings.parts import Section
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.labels import Label, Paragraph

Change = Callable[[str, object], None]
TELL_AFTER_MS = 500


class GeneralSection(Section):
    """What a conversation starts with unless it has values of its own."""

    def __init__(self, theme: Theme, change: Change) -> None:
        super().__init__("General", theme)
        self._change = change
        self._quiet = False
        self.auto_load = Switch("Load the last model at start", theme)
        self.auto_load.clicked.connect(lambda on: change("engine.auto_load", on))
        self.add_row(
            "Load the last model at start",
            "The first answer comes sooner; otherwise it loads when you begin to write",
            self.auto_load,
        )
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(TELL_AFTER_MS)
        self._wait.timeout.connect(self.flush)
        self.column.addSpacing(14)
        self.column.addWidget(Label("System prompt", theme, "row_selected", "ink"))
        self.column.addWidget(
            Paragraph("What the model is told before every conversation that has no words of its own", theme)
        )
        self.column.addSpacing(8)
        self.prompt = QPlainTextEdit()
        self.prompt.setObjectName("field")
        self.prompt.setAccessibleName("Default system prompt")
        self.prompt.setPlaceholderText("None")
        self.prompt.setTabChangesFocus(True)
        self.prompt.setFont(theme.font("row"))
        self.prompt.setFixedHeight(96)
        self.prompt.textChanged.connect(lambda: None if self._quiet else self._wait.start())
        self.add_block(self.prompt, above=0, below=18)
        self.column.addSpacing(16)
        self.sampling = SamplingControls(theme)
        self.sampling.sampling_changed.connect(self._sampled)
        self.reset = Button("Reset", theme, QUIET)
        self.reset.setAccessibleName("Reset sampling")
        self.reset.clicked.connect(self._reset)
        head = QHBoxLayout()
        head.addWidget(Label("Sampling", theme, "row_selected", "ink"))
        head.addStretch()
        head.addWidget(self.reset)
        self.column.addLayout(head)
        self.column.addSpacing(6)
        self.column.addWidget(self.sampling)
        self.finish()

    def show_values(self, settings: Settings) -> None:
        """Shows what holds, without telling."""
        self.auto_load.setChecked(settings.engine.auto_load)
        if not self._wait.isActive() and settings.generation.system_prompt != self.prompt.toPlainText():
            self._quiet = True
            self.prompt.setPlainText(settings.generation.system_prompt)
            self._quiet = False
        if not self.sampling.waiting:
            self.sampling.show_value(settings.generation.sampling(), Sampling())

    def flush(self) -> None:
        """Tells the system prompt now."""
        self._wait.stop()
        self._change("generation.system_prompt", self.prompt.toPlainText().strip())

    def leave(self) -> None:
        """The page goes: what waits is told."""
        if self._wait.isActive():
            self.flush()
        if self.sampling.waiting:
            self.sampling.flush()

    def _reset(self) -> None:
        self.sampling.drop()
        self._sampled(Sampling())

    def _sampled(self, sampling: Sampling) -> None:
        for name in (*SCALES, "seed"):
            self._change(f"generation.{name}", getattr(sampling, name))
