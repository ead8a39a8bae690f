"""How the network is reached: another hub, a proxy, further certificates, and a check that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.services.network import ConnectionReport
from app.settings.schema import Network
from app.ui.components.account import AccountRows
from app.ui.pages.settings.parts import Section
from app.ui.ports import AccountPort, JobsPort, NetworkPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.indicators import Icon
from app.ui.widgets.labels import Label, Paragraph

Change = Callable[[str, object], None]
CHECKING = "inglenook-check"
FIELD_WIDTH = 248
NO_FILE = "None besides the system's own"


class NetworkSection(Section):
    """A field is told when it is left. Whether the network is reached at all is the Privacy page's switch."""

    _checked = Signal(object)

    def __init__(
        self, theme: Theme, change: Change, network: NetworkPort, account: AccountPort, jobs: JobsPort
    ) -> None:
        super().__init__("Network", theme)
        self._change = change
        self._network = network
        self._jobs = jobs
        self._file = ""
        self.endpoint = self._field("Model hub", "network.endpoint")
        self.add_row("Model hub", "The address of a mirror; empty is HF_ENDPOINT or the public one", self.endpoint)
        self.proxy = self._field("Proxy", "network.proxy")
        self.proxy.setPlaceholderText("The system's, if it has one")
        self.add_row("Proxy", "As http://proxy.example:8080", self.proxy)
        choose = Button("Choose…", theme)
        choose.setAccessibleName("Choose a certificate file")
        choose.clicked.connect(self._choose_file)
        self.forget = Button("Remove", theme, QUIET)
        self.forget.setAccessibleName("Remove the certificate file")
        self.forget.clicked.connect(lambda: change("network.ca_file", ""))
        self.add_row(
            "Certificate file", "Certificates to trust besides the system's (PEM)", self.forget, choose, line=False
        )
        self._file_word = Label(NO_FILE, theme, "code", "ink2", elide=True)
        self.add_block(self._file_word, above=0)
        self.images = Switch("Pictures in model cards", theme)
        self.images.clicked.connect(lambda on: change("network.card_images", on))
        self.add_row("Pictures in model cards", "Their hosts see which card you look at", self.images)
        self.account = AccountRows(theme, account, jobs)
        self.add_block(self.account)
        self.hosts = self._field("Hosts that get the access token", "network.token_hosts")
        self.hosts.setPlaceholderText("Only huggingface.co")
        self.add_row("Hosts that get the access token", "Separated by commas", self.hosts)
        self.check = Button("Check connection", theme)
        self.check.clicked.connect(self._start_check)
        self._checked.connect(self._show_report)
        self._sign = Icon("check", theme, "moss")
        self._sign.hide()
        self.report = Paragraph("", theme)
        row = QWidget()
        box = QHBoxLayout(row)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(14)
        words = QVBoxLayout()
        words.setContentsMargins(0, 6, 0, 6)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.report, 1)
        words.addLayout(line)
        box.addWidget(self.check, 0, Qt.AlignmentFlag.AlignTop)
        box.addLayout(words, 1)
        self.add_block(row, above=16, line=False)
        self.finish()

    def _field(self, name: str, option: str) -> QLineEdit:
        field = QLineEdit()
        field.setAccessibleName(name)
        field.setFixedWidth(FIELD_WIDTH)
        field.setMaxLength(2_000)
        field.editingFinished.connect(lambda: self._tell(field, option))
        return field

    def show_values(self, network: Network) -> None:
        """Shows what holds, without telling; what is being typed stays."""
        self.endpoint.setPlaceholderText(self._network.endpoint)
        for field, text in (
            (self.endpoint, network.endpoint),
            (self.proxy, network.proxy),
            (self.hosts, ", ".join(network.token_hosts)),
        ):
            if not field.hasFocus():
                field.setText(text)
        self.images.setChecked(network.card_images)
        self._file = network.ca_file
        self._file_word.setText(network.ca_file or NO_FILE)
        self.forget.setVisible(bool(network.ca_file))

    def take_to_hosts(self) -> None:
        """Puts the cursor where hosts are named that get the access token."""
        self.hosts.setFocus(Qt.FocusReason.OtherFocusReason)

    def leave(self) -> None:
        """The page goes: what was typed is told."""
        for field, option in (
            (self.endpoint, "network.endpoint"),
            (self.proxy, "network.proxy"),
            (self.hosts, "network.token_hosts"),
        ):
            if field.isModified():
                self._tell(field, option)

    def _tell(self, field: QLineEdit, option: str) -> None:
        if not field.isModified():
            return
        field.setModified(False)
        text = field.text().strip()
        if field is self.hosts:
            self._change(option, [host.strip() for host in text.split(",") if host.strip()])
        else:
            self._change(option, text)

    def _choose_file(self) -> None:
        beside = str(Path(self._file).parent) if self._file else str(Path.home())
        name, _ = QFileDialog.getOpenFileName(
            self.window(), "Certificate file", beside, "Certificates (*.pem *.crt *.cer);;All files (*)"
        )
        if name:
            self._change("network.ca_file", name)

    def _start_check(self) -> None:
        self.leave()
        self.check.setEnabled(False)
        self._sign.hide()
        self.report.setText("Asking the hub…")
        self._jobs.start(CHECKING, lambda: self._checked.emit(self._network.check_connection()))

    def _show_report(self, report: ConnectionReport) -> None:
        self.check.setEnabled(True)
        self._sign.show_icon("check" if report.ok else "warning-circle", "moss" if report.ok else "rose")
        self._sign.show()
        self.report.setText(f"{report.sentence} It took {report.elapsed_ms} ms." if report.ok else report.sentence)
