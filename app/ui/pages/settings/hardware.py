"""What this computer has, and how models use it: memory, what to go for, other computers that take a part."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget
from shiboken6 import isValid

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.engine.hardware import Machine
from app.settings.schema import Settings
from app.ui.components.models.facts import Facts
from app.ui.components.plan import words
from app.ui.components.plan.device import DevicePictures
from app.ui.pages.settings.parts import Section
from app.ui.pages.settings.places import Entry, PlaceList
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.choice import Choice
from app.ui.widgets.controls import Segmented, Switch
from app.ui.widgets.labels import Label, Paragraph

Change = Callable[[str, object], None]
TASK = "inglenook-hardware"
MINUTES = {0: "Never", 5: "5 minutes", 15: "15 minutes", 30: "30 minutes", 60: "1 hour", 240: "4 hours"}
POWER = {True: "On battery", False: "Plugged in", None: ""}
NO_WORKERS = "None. Models are computed on this computer alone."
WARNING = (
    "What is computed there travels unencrypted, and whoever reaches that address can use it. Only in a network you "
    "trust, or through a tunnel. It is started there with “inglenook worker”."
)
WRONG = "That is no HOST:PORT, like 192.168.1.20:50052."


class HardwareSection(Section):
    """Follows settings and measurements. Devices are looked at whenever it is shown, in the background."""

    _asked = Signal(object)
    _looked = Signal(str)
    said = Signal(str, object)

    def __init__(self, theme: Theme, change: Change, application: ApplicationPort) -> None:
        super().__init__("Hardware", theme)
        self._change, self._application = change, application
        self._workers: tuple[str, ...] = ()
        self._machine: Machine | None = None
        self.pictures = DevicePictures(theme)
        self.facts = Facts(theme, "Cores", "Swap", "Power", "Memory speed")
        self.column.addSpacing(4)
        self.column.addWidget(self.pictures)
        self.column.addSpacing(18)
        self.add_block(self.facts, above=0)
        self.measure = Button("Measure again", theme)
        self.measure.clicked.connect(self._measure)
        self.add_row("Speed of this computer", "How fast a model will be is reckoned from it", self.measure)
        self.preference = Segmented("Prefer", words.PREFERENCES, theme)
        self.preference.chosen.connect(lambda key: change("engine.preference", key))
        self.add_row("Prefer", words.PREFERENCE_WORDS["fastest"], self.preference)
        self.unload = Choice("Unload after", {str(key): word for key, word in MINUTES.items()}, theme)
        self.unload.currentIndexChanged.connect(lambda _at: change("engine.unload_minutes", int(self.unload.key())))
        self.add_row("Unload after", "So long without a message; then its memory is given back", self.unload)
        self.mapped = Segmented("Map the file", words.MAPPED, theme)
        self.mapped.chosen.connect(lambda key: change("engine.mmap", key))
        self.add_row("Map the file", words.MAPPED_WORDS["auto"], self.mapped)
        self.locked = Switch("Keep in memory", theme)
        self.locked.clicked.connect(lambda on: change("engine.use_mlock", on))
        self.add_row("Keep in memory", "The system may not move a loaded model to the disk", self.locked)
        self._add_workers(theme)
        self._asked.connect(self._show_machine)
        self._looked.connect(self._show_line)
        self.finish()

    def _add_workers(self, theme: Theme) -> None:
        self.column.addSpacing(14)
        self.column.addWidget(Label("Other computers", theme, "row_selected", "ink"))
        self.column.addSpacing(2)
        self.column.addWidget(Paragraph(WARNING, theme, "secondary", "ink2"))
        self.column.addSpacing(8)
        self.workers = PlaceList("Other computers", NO_WORKERS, theme)
        self.workers.removed.connect(self._remove)
        self.column.addWidget(self.workers)
        self.address = QLineEdit()
        self.address.setAccessibleName("Address of another computer")
        self.address.setPlaceholderText("192.168.1.20:50052")
        self.address.setMaxLength(260)
        self.address.setFixedWidth(248)
        self.address.returnPressed.connect(self._add)
        self.add = Button("Add", theme)
        self.add.setAccessibleName("Add this computer")
        self.add.clicked.connect(self._add)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.address)
        line.addWidget(self.add)
        line.addStretch()
        row = QWidget()
        row.setLayout(line)
        self.column.addSpacing(8)
        self.column.addWidget(row)
        self._line = Paragraph("", theme, "secondary", "ochre")
        self._line.hide()
        self.column.addSpacing(8)
        self.column.addWidget(self._line)
        self._wrong = Label("", theme, "caption", "rose")
        self.address.textEdited.connect(lambda _text: self._wrong.setText(""))
        self.column.addSpacing(4)
        self.column.addWidget(self._wrong)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Shows what is known of this computer, and looks at its devices and at other computers."""
        self.ask()
        self._application.fitting.prepare()
        self._application.plans.refresh().add_done_callback(self._tell)

    def _tell(self, done: Future[str]) -> None:
        """On the thread of the service; the window may be gone."""
        if isValid(self) and not done.cancelled():
            error = done.exception()
            self._looked.emit(done.result() if error is None else str(getattr(error, "sentence", "")))

    def _show_line(self, line: str) -> None:
        self._line.setText(line)
        self._line.setVisible(bool(line))
        self._line.updateGeometry()

    def ask(self) -> None:
        """Reads what is known of this computer now."""

        def work() -> None:
            try:
                self._asked.emit(self._application.plans.devices())
            except InglenookError as error:
                self._asked.emit(error)

        self._application.jobs.start(TASK, work)

    def show_values(self, settings: Settings) -> None:
        """Shows what holds, without telling."""
        engine = settings.engine
        self.preference.choose(engine.preference)
        self.explain("Prefer", words.PREFERENCE_WORDS[engine.preference])
        own = {engine.unload_minutes: f"{engine.unload_minutes} minutes"} | MINUTES
        self.unload.fill({str(key): own[key] for key in sorted(own, key=lambda minutes: minutes or 10**9)})
        self.unload.show_key(str(engine.unload_minutes))
        self.mapped.choose(engine.mmap)
        self.explain("Map the file", words.MAPPED_WORDS[engine.mmap])
        self.locked.setChecked(engine.use_mlock)
        self._workers = engine.workers
        self._show_workers()

    def _show_machine(self, found: object) -> None:
        if isinstance(found, InglenookError):
            self.said.emit(found.sentence, None)
        if not isinstance(found, Machine):
            return
        self._machine = found
        model = self._application.loading.state.model
        mapped = model is not None and model.mapped
        self.pictures.show_pictures(words.pictures(found, held=model.shares if model else (), mapped=mapped))
        self.facts.show_facts(
            {
                "Cores": cores_words(found),
                "Swap": swap_words(found),
                "Power": POWER[found.on_battery],
                "Memory speed": f"{found.bandwidth_bytes_per_s / 1e9:.0f} GB/s" if found.measured_ms else "",
            }
        )
        self.measure.setText("Measure again" if found.measured_ms else "Measure")
        self.measure.setEnabled(True)
        self.measure.updateGeometry()
        self._show_workers()

    def _show_workers(self) -> None:
        self.workers.show_entries([Entry(one, one, self._worker_words(one)) for one in self._workers])

    def _worker_words(self, endpoint: str) -> str:
        host = endpoint.rpartition(":")[0]
        devices = self._machine.devices if self._machine is not None else ()
        free = sum(device.memory_free_bytes for device in devices if device.host and device.host == host)
        return f"{size_words(free)} free" if free else "Its memory joins the plan as soon as it answers"

    # --- what is done -----------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        self.measure.setEnabled(False)
        self.measure.setText("Measuring…")
        self.measure.updateGeometry()
        self._application.fitting.prepare(again=True)

    def _add(self) -> None:
        endpoint = self.address.text().strip()
        if not endpoint:
            return
        if not is_endpoint(endpoint):
            self._wrong.setText(WRONG)
            self._wrong.updateGeometry()
            return
        self.address.clear()
        if endpoint not in self._workers:
            self._change("engine.workers", (*self._workers, endpoint))
            self.look()

    def _remove(self, endpoint: str) -> None:
        before = self._workers
        self._change("engine.workers", tuple(one for one in before if one != endpoint))
        self.said.emit(f"{endpoint} takes no part any more", lambda: self._change("engine.workers", before))


def is_endpoint(text: str) -> bool:
    """Whether it is a host and a port, as HOST:PORT."""
    host, _, port = text.rpartition(":")
    named = bool(host) and not any(sign.isspace() or sign in "/@[]:" for sign in host)
    return named and port.isascii() and port.isdecimal() and 0 < int(port) < 65_536


def cores_words(machine: Machine) -> str:
    """The cores that computing uses, of all processors where these are more."""
    if not machine.cores:
        return ""
    return f"{machine.cores} of {machine.logical}" if machine.logical > machine.cores else str(machine.cores)


def swap_words(machine: Machine) -> str:
    """How much of the swap is taken."""
    if not machine.swap_total_bytes:
        return "None"
    taken = machine.swap_total_bytes - machine.swap_free_bytes
    return f"{size_words(taken)} of {size_words(machine.swap_total_bytes)} taken"
