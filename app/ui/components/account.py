"""Logging in to the Hub with an access token. The token leaves the field at once and is never shown again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.ui.ports import AccountPort, JobsPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.labels import Label, Paragraph

TASK = "inglenook-account"
HELP = "For models that are given on request, and for private ones. It goes to huggingface.co only."
FIELD_WIDTH = 248


class AccountRows(QWidget):
    """The system's keyring may ask the person to unlock it: everything that looks at it runs on a thread."""

    _known = Signal(str, str, bool, str)

    def __init__(self, theme: Theme, account: AccountPort, jobs: JobsPort) -> None:
        super().__init__()
        self._account, self._jobs = account, jobs
        self.state = Paragraph("", theme, "secondary", "ink2")
        self.field = QLineEdit()
        self.field.setAccessibleName("Access token")
        self.field.setPlaceholderText("hf_…")
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setFixedWidth(FIELD_WIDTH)
        self.field.setMaxLength(600)
        self.field.returnPressed.connect(self._log_in)
        self.enter = Button("Log in", theme)
        self.enter.clicked.connect(self._log_in)
        self.leave_button = Button("Log out", theme, QUIET)
        self.leave_button.setAccessibleName("Forget the access token")
        self.leave_button.clicked.connect(lambda: self._do(self._account.log_out))
        self.keep = Switch("Keep it in the system's keyring", theme)
        self.keep.setChecked(True)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(Label("Access token", theme, "row_selected", "ink"))
        words.addWidget(Paragraph(HELP, theme, "secondary", "ink2"))
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addLayout(words, 1)
        top.addWidget(self.field, 0, Qt.AlignmentFlag.AlignVCenter)
        top.addWidget(self.enter, 0, Qt.AlignmentFlag.AlignVCenter)
        self._keep_word = Label("Keep it in the system's keyring", theme, "secondary", "ink2")
        below = QHBoxLayout()
        below.setSpacing(12)
        below.addWidget(self.state, 1)
        below.addWidget(self.leave_button)
        below.addWidget(self._keep_word)
        below.addWidget(self.keep)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(below)
        self._known.connect(self._show)

    def reload(self) -> None:
        """Looks again who is logged in."""
        self._do(lambda: "")

    def take_focus(self) -> None:
        """Puts the cursor into the field."""
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _log_in(self) -> None:
        token, keep = self.field.text().strip(), self.keep.isChecked() and not self.keep.isHidden()
        self.field.clear()
        if token:
            self._do(lambda: self._account.log_in(token, keep=keep))

    def _do(self, deed: Callable[[], str | None]) -> None:
        def work() -> None:
            try:
                said = deed() or ""
            except InglenookError as error:
                said = error.sentence
            account = self._account
            self._known.emit(account.origin, account.words, account.can_keep, said)

        self._jobs.start(TASK, work)

    def _show(self, origin: str, words: str, can_keep: bool, said: str) -> None:
        self.state.setText(f"{words}. {said}" if said else f"{words}.")
        self.state.updateGeometry()
        self.leave_button.setVisible(origin in ("keyring", "session"))
        for widget in (self.keep, self._keep_word):
            widget.setVisible(can_keep and origin != "environment")
        self.field.setEnabled(origin != "environment")
        self.enter.setEnabled(origin != "environment")
