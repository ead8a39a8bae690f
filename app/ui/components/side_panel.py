"""The right side, in two tabs: what the model sees of this conversation, and what it is told and how it draws."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.engine.values import Sampling
from app.ui.components.adapters import AdapterSection
from app.ui.components.context.tab import ContextTab
from app.ui.components.sampling import SamplingControls
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button, IconButton
from app.ui.widgets.controls import Segmented
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Hairline, Surface

TELL_AFTER_MS = 500
CONTEXT, MODEL = "context", "model"


class SidePanel(Surface):
    """352 px. Tells what was changed for a conversation; a new one keeps it until its first message is sent.

    `excerpt_of` gives the first words of a message.
    """

    sampling_changed = Signal(object)
    system_prompt_changed = Signal(str)
    adapters_changed = Signal(object)
    reset_requested = Signal()
    closed = Signal()
    tab_shown = Signal(str)

    def __init__(self, theme: Theme, excerpt_of: Callable[[str], str], parent: QWidget | None = None) -> None:
        super().__init__(theme, "page", parent=parent)
        self.setFixedWidth(tokens.PANEL)
        self._quiet = False
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(TELL_AFTER_MS)
        self._wait.timeout.connect(self._tell_prompt)
        self.close_button = IconButton("x", "Close the panel", theme)
        self.close_button.clicked.connect(self.closed)
        self.tabs = Segmented("Panel", {CONTEXT: "Context", MODEL: "Model"}, theme)
        self.tabs.chosen.connect(self.show_tab)
        self.context = ContextTab(excerpt_of, theme)
        self.context.instructions_wished.connect(self.edit_instructions)
        self.sampling = SamplingControls(theme)
        self.sampling.sampling_changed.connect(self.sampling_changed)
        self.adapters = AdapterSection(theme)
        self.adapters.changed.connect(self.adapters_changed)
        self.reset = Button("Reset", theme, QUIET)
        self.reset.setToolTip("Back to the values of the settings")
        self.reset.setAccessibleName("Reset sampling")
        self.reset.clicked.connect(self._reset)
        self.prompt = QPlainTextEdit()
        self.prompt.setObjectName("field")
        self.prompt.setAccessibleName("System prompt of this conversation")
        self.prompt.setTabChangesFocus(True)
        self.prompt.setFont(theme.font("row"))
        self.prompt.setFixedHeight(132)
        self.prompt.textChanged.connect(self._prompt_typed)
        self._lay_out(theme)

    def _lay_out(self, theme: Theme) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(20, 0, 12, 0)
        head.addWidget(self.tabs)
        head.addStretch()
        head.addWidget(self.close_button)
        top = QWidget()
        top.setFixedHeight(tokens.HEADER_HEIGHT - 1)
        top.setLayout(head)
        section = QHBoxLayout()
        section.addWidget(Label("Sampling", theme, "row_strong", "ink"))
        section.addStretch()
        section.addWidget(self.reset)
        page = QWidget()
        body = QVBoxLayout(page)
        body.setContentsMargins(20, 16, 20, 20)
        body.setSpacing(0)
        body.addWidget(Label("System prompt", theme, "row_strong", "ink"))
        body.addSpacing(2)
        body.addWidget(Paragraph("What the model is told before the first message.", theme, "secondary", "ink2"))
        body.addSpacing(8)
        body.addWidget(self.prompt)
        body.addSpacing(20)
        body.addWidget(Hairline(theme))
        body.addSpacing(16)
        body.addLayout(section)
        body.addSpacing(6)
        body.addWidget(self.sampling)
        body.addSpacing(20)
        body.addWidget(Hairline(theme))
        body.addSpacing(16)
        body.addWidget(self.adapters)
        body.addSpacing(14)
        body.addWidget(Paragraph("Changes hold from the next reply on.", theme, "caption", "ink3"))
        body.addStretch()
        scroll = QScrollArea()
        scroll.setObjectName("bare")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(page)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QVBoxLayout()
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(0)
        inner.addWidget(top)
        inner.addWidget(Hairline(theme))
        self._model = scroll
        self._pages = QStackedWidget()
        self._pages.addWidget(self.context)
        self._pages.addWidget(scroll)
        inner.addWidget(self._pages, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(Hairline(theme, vertical=True))
        row.addLayout(inner, 1)
        self.show_tab(CONTEXT)

    @property
    def tab(self) -> str:
        """The tab that is shown."""
        return CONTEXT if self._pages.currentWidget() is self.context else MODEL

    def show_tab(self, key: str) -> None:
        """Shows a tab: context or model."""
        self.tabs.choose(key)
        self._pages.setCurrentWidget(self.context if key == CONTEXT else self._model)
        self.tab_shown.emit(key)

    def edit_instructions(self) -> None:
        """The cursor stands in the system prompt."""
        self.show_tab(MODEL)
        self.prompt.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_adapters(self) -> None:
        """The adapters are in sight."""
        self.show_tab(MODEL)
        self._model.ensureWidgetVisible(self.adapters)

    def show_values(self, sampling: Sampling, suggested: Sampling, prompt: str, default_prompt: str) -> None:
        """Shows a conversation's values; nothing is told. A field that is being written in keeps its words."""
        self.sampling.show_value(sampling, suggested)
        self.prompt.setPlaceholderText(default_prompt or "None")
        if prompt != self.prompt.toPlainText():
            self._quiet = True
            self.prompt.setPlainText(prompt)
            self._quiet = False
        self._wait.stop()

    def flush(self) -> None:
        """Tells now what waits to be told."""
        if self._wait.isActive():
            self._tell_prompt()
        if self.sampling.waiting:
            self.sampling.flush()
        if self.adapters.waiting:
            self.adapters.flush()
        self.context.flush()

    @property
    def waiting(self) -> bool:
        """Whether something typed or moved was not told yet."""
        return self._wait.isActive() or self.sampling.waiting or self.adapters.waiting

    def _reset(self) -> None:
        self.sampling.drop()
        if self._wait.isActive():
            self._tell_prompt()
        self.reset_requested.emit()

    def _prompt_typed(self) -> None:
        if not self._quiet:
            self._wait.start()

    def _tell_prompt(self) -> None:
        self._wait.stop()
        self.system_prompt_changed.emit(self.prompt.toPlainText().strip())
