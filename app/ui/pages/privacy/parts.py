"""The pieces of the privacy page: the switch with its words, and a row of what is kept."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.services.changes import NetworkState
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.indicators import Icon
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Surface

OFFLINE = "Inglenook does not reach the network. Models, files and answers stay here."
ONLINE = "Inglenook may look for models and download them. Your conversations stay here."


class OfflineCard(Surface):
    """Says how the network stands and turns it. It shows what is, not what was clicked."""

    online_wanted = Signal(bool)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "fill", radius=tokens.RADIUS_BLOCK)
        self._state: NetworkState | None = None
        self._icon = Icon("lock", theme, size=20)
        self.title = Label("", theme, "body_strong", "ink")
        self.words = Paragraph("", theme, "secondary", "ink2")
        self.switch = Switch("Work offline", theme)
        self.switch.clicked.connect(self._clicked)
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addWidget(self.title)
        text.addWidget(self.words)
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 13, 16, 14)
        row.setSpacing(14)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(text, 1)
        row.addWidget(self.switch, 0, Qt.AlignmentFlag.AlignVCenter)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_state(self, state: NetworkState) -> None:
        """Shows how it stands."""
        self._state = state
        offline = not state.online
        self._icon.show_icon("lock" if offline else "globe", "moss" if offline else "ink2")
        self.title.setText("Offline" if offline else "Online")
        words = OFFLINE if offline else ONLINE
        if state.forced_by:
            given = state.forced_by.replace("--", "--\u2060")  # a line must not end within it
            words = f"{given} was given, so Inglenook does not reach the network until it is started without it."
        self.words.setText(words)
        self.switch.setChecked(offline)
        self.switch.setEnabled(not state.forced_by)
        self.switch.setAccessibleDescription(words)

    def _clicked(self, offline: bool) -> None:
        self.online_wanted.emit(not offline)
        if self._state is not None:
            self.show_state(self._state)  # a wish that was refused leaves the switch where it was


class KeptRow(QWidget):
    """Something that lies on this computer: what, where, how large, and a way to it."""

    def __init__(self, icon_name: str, name: str, theme: Theme) -> None:
        super().__init__()
        self._folder = ""
        self.title = Label("", theme, "row_selected", "ink", elide=True)
        self.place = Label("", theme, "caption", "ink2", elide=True)
        self.size_label = Label("", theme, "secondary", "ink2")
        self.show_button = Button("Show", theme)
        self.show_button.setAccessibleName(f"Show where the {name} are")
        self.show_button.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(self._folder)))
        text = QVBoxLayout()
        text.setSpacing(1)
        text.addWidget(self.title)
        text.addWidget(self.place)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 10, 0, 10)
        row.setSpacing(12)
        row.addWidget(Icon(icon_name, theme), 0, Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(text, 1)
        row.addWidget(self.size_label, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addSpacing(12)
        row.addWidget(self.show_button, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_kept(self, title: str, place: str, folder: str, size: str) -> None:
        """Shows the facts; an empty size shows none."""
        self._folder = folder
        self.title.setText(title)
        self.place.setText(place)
        self.size_label.setText(size)

    def sizeHint(self) -> QSize:
        return QSize(640, 58)
