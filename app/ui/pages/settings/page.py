"""The settings: sections at the left, the chosen one at the right."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.base.errors import InglenookError
from app.services.changes import (
    AccountChanged,
    Change,
    EngineChanged,
    EngineState,
    LibraryChanged,
    MachineMeasured,
    SettingsChanged,
)
from app.ui.pages.settings.about import AboutSection
from app.ui.pages.settings.appearance import AppearanceSection
from app.ui.pages.settings.conversations import ConversationsSection
from app.ui.pages.settings.general import GeneralSection
from app.ui.pages.settings.hardware import HardwareSection
from app.ui.pages.settings.models import ModelsSection
from app.ui.pages.settings.network import NetworkSection
from app.ui.ports import ApplicationPort
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.controls import one_tab_stop
from app.ui.widgets.labels import Label
from app.ui.widgets.toast import SayingPage

SECTIONS = {
    "general": "General",
    "appearance": "Appearance",
    "conversations": "Conversations",
    "models": "Models",
    "hardware": "Hardware",
    "network": "Network",
    "about": "About",
}


class _SectionRow(QRadioButton):
    def __init__(self, text: str, theme: Theme) -> None:
        super().__init__(text)
        self._theme = theme
        self.setFixedHeight(32)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(184, 32)

    def hitButton(self, position: object) -> bool:
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("hover"))
            painter.drawRoundedRect(QRectF(self.rect()), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        painter.setFont(self._theme.font("row_selected" if self.isChecked() else "row"))
        painter.setPen(self._theme.colour("ink" if self.isChecked() or self.underMouse() else "ink2"))
        painter.drawText(self.rect().adjusted(12, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, self.text())


class SettingsPage(SayingPage):
    """Follows the settings file; a value that cannot be saved is said."""

    left = Signal()
    diagnostics_requested = Signal()
    quit_requested = Signal()

    def __init__(self, application: ApplicationPort, theme: Theme, data: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._application = application
        self._scrolls: dict[str, QScrollArea] = {}
        self.general = GeneralSection(theme, self._change)
        self.appearance = AppearanceSection(theme, self._change)
        self.conversations = ConversationsSection(theme, self._change, application)
        self.models = ModelsSection(theme, application.settings, self._change, application.library, application.jobs)
        self.models.said.connect(lambda words, undo: self.say(words, undo=undo))
        self.hardware = HardwareSection(theme, self._change, application)
        self.hardware.said.connect(lambda words, undo: self.say(words, undo=undo))
        self.network = NetworkSection(theme, self._change, application.network, application.account, application.jobs)
        has_starter = any(model.is_starter for model in application.library.list())
        self.about = AboutSection(theme, data, lambda: application.leaving, application.jobs, has_starter=has_starter)
        self.about.leaving.quit_requested.connect(self.quit_requested)
        self.about.leaving.grown.connect(lambda: QTimer.singleShot(0, self, self._show_end))
        self.about.diagnostics_requested.connect(self.diagnostics_requested)
        sections = {
            "general": self.general,
            "appearance": self.appearance,
            "conversations": self.conversations,
            "models": self.models,
            "hardware": self.hardware,
            "network": self.network,
            "about": self.about,
        }

        rows = QVBoxLayout()
        rows.setSpacing(2)
        rows.setContentsMargins(0, 0, 0, 0)
        group = QButtonGroup(self)
        self.rows: dict[str, _SectionRow] = {}
        for key, word in SECTIONS.items():
            row = _SectionRow(word, theme)
            group.addButton(row)
            row.toggled.connect(lambda on, key=key: self._show(key) if on else None)
            self.rows[key] = row
            rows.addWidget(row)
        one_tab_stop(group)
        rows.addStretch()
        left = QWidget()
        left.setFixedWidth(184)
        left.setLayout(rows)

        self._right = QVBoxLayout()
        self._right.setContentsMargins(0, 0, 0, 0)
        for key, section in sections.items():
            scroll = QScrollArea()
            scroll.setObjectName("bare")
            scroll.setFrameShape(QFrame.Shape.NoFrame)
            scroll.setWidgetResizable(True)
            scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            holder = QWidget()
            inside = QHBoxLayout(holder)
            inside.setContentsMargins(4, 0, 14, 0)
            section.setMaximumWidth(640)
            inside.addWidget(section, 1)
            scroll.setWidget(holder)
            self._scrolls[key] = scroll
            self._right.addWidget(scroll)
        title = QHBoxLayout()
        title.setContentsMargins(12, 24, 0, 16)
        title.addWidget(Label("Settings", theme, "page_title", "ink"))
        title.addStretch()
        body = QHBoxLayout()
        body.setSpacing(44)
        body.addWidget(left)
        body.addLayout(self._right, 1)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(title)
        column.addLayout(body, 1)
        holder = QWidget()
        holder.setMaximumWidth(184 + 44 + 658)
        holder.setLayout(column)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(32, 0, 10, 0)
        whole.addStretch(0)
        whole.addWidget(holder, 1)
        whole.addStretch(0)
        self.show_section("appearance")
        self.reload()

    def show_section(self, key: str) -> None:
        """Goes to a section: one of SECTIONS."""
        self.rows[key].setChecked(True)
        self._show(key)

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, SettingsChanged):
            self.reload()
        elif isinstance(change, LibraryChanged):
            self.models.reload()
        elif isinstance(change, MachineMeasured) or (
            isinstance(change, EngineChanged) and change.state in (EngineState.READY, EngineState.OFF)
        ):
            if self.hardware.isVisible():
                self.hardware.ask()
        elif isinstance(change, AccountChanged) and self.network.isVisible():
            self.network.account.reload()

    def reload(self) -> None:
        """Shows the settings as they hold."""
        settings = self._application.settings.current
        self.general.show_values(settings)
        self.appearance.show_values(settings.appearance)
        self.conversations.show_values(settings)
        self.models.reload()
        self.hardware.show_values(settings)
        self.network.show_values(settings.network)

    def leave(self) -> None:
        """What was typed and not told yet is told."""
        self.general.leave()
        self.network.leave()

    def _show(self, key: str) -> None:
        for name, scroll in self._scrolls.items():
            scroll.setVisible(name == key)
        if key == "network":
            self.network.account.reload()
        elif key == "hardware":
            self.hardware.look()
        elif key == "conversations":
            self.conversations.ask()

    def _show_end(self) -> None:
        """Scrolls to the end of the about section, once it is laid out."""
        scroll = self._scrolls["about"]
        inside = scroll.widget()
        if inside is not None and (arrangement := inside.layout()) is not None:
            arrangement.activate()
        leaving = self.about.leaving
        scroll.ensureWidgetVisible(leaving.remove_row if leaving.refusal.isHidden() else leaving.refusal)

    def _change(self, name: str, value: object) -> None:
        try:
            self._application.settings.change(name, value)
        except InglenookError as error:
            self.say(error.sentence)
        if name == "general.models_dir":
            self._application.jobs.start("inglenook-library", self._look_for_models)

    def _look_for_models(self) -> None:
        self._application.library.refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)
