"""One model on this computer: where it is, what its header says, and what can be done with it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.engine.values import ModelFile, Origin
from app.services.reading import ModelDetails
from app.services.removing import Removal
from app.services.uploads import Upload, newer_upload
from app.services.verifying import Finding, Verdict
from app.ui import model_words, words
from app.ui.components.models.facts import Facts
from app.ui.components.models.notice import Notice
from app.ui.components.models.wishes import Wishes
from app.ui.model_words import home_short
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import GHOST, PRIMARY, QUIET, SECONDARY, Button
from app.ui.widgets.flow import Flow
from app.ui.widgets.indicators import Bar
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import SCROLL_BAR, reserve_bar

TASK = "inglenook-library"
NOTHING = "Choose a model to see where it lies and what its header says."
NONE_YET = "There is no model on this computer yet. Get one under Find, or add a file or a folder that you have."


class LibraryDetail(QScrollArea):
    """Everything that reads the disk does so on a thread of the services."""

    _read = Signal(str, object)
    _verified = Signal(str, object)
    _told = Signal(str, object, object)  # amounts may be larger than a C int
    _removable = Signal(str, object)
    _removed = Signal(object)
    _asked = Signal(str, object)

    def __init__(self, application: ApplicationPort, theme: Theme, wishes: Wishes) -> None:
        super().__init__()
        self._application, self._wishes = application, wishes
        self._model: ModelFile | None = None
        self._ended: threading.Event | None = None
        self._checking = ""
        self._details: ModelDetails | None = None
        self.title = Label("", theme, "model_title", "ink", elide=True)
        self.origin = Paragraph("", theme, "secondary", "ink2")
        self.path = Paragraph("", theme, "code", "ink2")
        self.facts = Facts(
            theme, "Version", "Size", "Parameters", "Context", "Layers", "Architecture", "Made from", "Licence"
        )
        self.notice = Notice(theme)
        self.chat = Button("Chat with it", theme, PRIMARY)
        self.chat.clicked.connect(lambda: self._with(lambda model: wishes.chat_wanted.emit(model.id)))
        self.plan = Button("How it loads", theme, SECONDARY)
        self.plan.clicked.connect(lambda: self._with(lambda model: wishes.plan_wanted.emit(model.id)))
        self.reveal = Button("Show in its folder", theme, SECONDARY)
        self.reveal.clicked.connect(lambda: self._with(self._reveal))
        self.verify = Button("Verify", theme, SECONDARY)
        self.verify.clicked.connect(lambda: self._with(self._verify))
        self.newer = Button("Look for a newer upload", theme, SECONDARY)
        self.newer.clicked.connect(lambda: self._with(self._look_for_newer))
        self.trash = Button("Move to the trash", theme, GHOST)
        self.trash.set_icon_name("trash")
        self.trash.clicked.connect(lambda: self._with(lambda model: self.ask_to_remove(model.id)))
        self.bar = Bar(theme, "Verifying")
        self.amount = Label("", theme, "secondary", "ink2")
        self.stop = Button("Stop", theme, QUIET)
        self.stop.clicked.connect(self._stop)
        self.nothing = Paragraph(NOTHING, theme, "body", "ink2")
        self._read.connect(self._show_details)
        self._verified.connect(self._show_verdict)
        self._told.connect(self._show_progress)
        self._removable.connect(self._ask)
        self._removed.connect(self._show_removed)
        self._asked.connect(self._show_upload)
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._lay_out(theme)
        reserve_bar(self)
        self.show_model(None)

    def _lay_out(self, theme: Theme) -> None:
        self._flow = Flow(gap=8)
        for button in (self.chat, self.plan, self.reveal, self.verify, self.newer, self.trash):
            self._flow.add(button)
        self._progress = QWidget()
        line = QHBoxLayout()
        line.addWidget(self.amount)
        line.addStretch()
        line.addWidget(self.stop)
        progress = QVBoxLayout(self._progress)
        progress.setContentsMargins(0, 0, 0, 0)
        progress.setSpacing(6)
        progress.addWidget(self.bar)
        progress.addLayout(line)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(32, 2, 28 - SCROLL_BAR, 32)
        column.setSpacing(0)
        for widget, space in (
            (self.nothing, 0), (self.title, 0), (self.origin, 14), (self.facts, 16), (self.path, 16),
            (self.notice, 16), (self._progress, 16), (self._flow, 0),
        ):  # fmt: skip
            column.addWidget(widget)
            column.addSpacing(space)
        column.addStretch()
        self.setWidget(inside)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_model(self, model: ModelFile | None, *, any_there: bool = True) -> None:
        """Shows a model; None shows that none is chosen."""
        another = model is None or self._model is None or model.id != self._model.id
        self._model = model
        there = model is not None
        for widget in (self.title, self.origin, self.facts, self.path, self._flow):
            widget.setVisible(there)
        self.nothing.setText(NOTHING if any_there else NONE_YET)
        self.nothing.setVisible(not there)
        self._progress.setVisible(there and model is not None and model.id == self._checking)
        if another:
            self.notice.unsay()
        if model is None:
            return
        self.title.setText(words.model_title(model))
        places = [model_words.ORIGINS[model.origin], *(model_words.ORIGINS[one.origin] for one in model.also_at)]
        self.origin.setText(". Also in: ".join([places[0], ", ".join(places[1:])]) if places[1:] else places[0])
        parts = f"\n(and {model.parts - 1} more parts)" if model.parts > 1 else ""
        projector = f"\n{home_short(model.projector)}" if model.projector else ""
        self.path.setText(f"{home_short(model.path)}{parts}{projector}")
        for paragraph in (self.origin, self.path):
            paragraph.updateGeometry()
        if another:
            self._details = None
        self._show_facts(model, self._details)
        ours = model.origin in (Origin.OWN, Origin.FOLDER, Origin.FILE)
        self.chat.setVisible(not model.problem and not model.away)
        self.plan.setVisible(self.chat.isVisibleTo(self))
        self.reveal.setVisible(not model.away)
        self.verify.setVisible(not model.away)
        self.newer.setVisible(bool(model.repo) and self._application.network.state.online)
        self.trash.setVisible(ours)
        self.trash.setText("Forget it" if model.away else "Move to the trash")
        self._flow.arrange()
        if model.problem:
            self.notice.say(model.problem, kind="ochre" if model.away else "rose")
        if another and not model.away:
            self._work(lambda: self._application.library.details(model.id), self._read, model.id)

    def _show_facts(self, model: ModelFile, details: ModelDetails | None) -> None:
        context = model.n_ctx_train
        self.facts.show_facts(
            {
                "Version": model.quantization,
                "Size": size_words(model.size_bytes),
                "Parameters": model_words.parameters_words(model.n_params),
                "Context": f"up to {words.context_short(context)}" if context else "",
                "Architecture": model.architecture,
                "Layers": str(details.layers) if details is not None and details.layers else "",
                "Made from": details.base_model if details is not None else "",
                "Licence": model.license or (details.license if details is not None else ""),
            }
        )

    def _show_details(self, model_id: str, found: object) -> None:
        if self._model is not None and self._model.id == model_id and isinstance(found, ModelDetails):
            self._details = found
            self._show_facts(self._model, found)

    def _with(self, deed: object) -> None:
        if self._model is not None and callable(deed):
            deed(self._model)

    def _work(self, run: Callable[[], object], answer: SignalInstance, model_id: str) -> None:
        """Runs something on a thread; its result or its error comes back as the signal `answer`."""

        def work() -> None:
            try:
                found = run()
            except InglenookError as error:
                found = error
            answer.emit(model_id, found)

        self._application.jobs.start(TASK, work)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _reveal(self, model: ModelFile) -> None:
        try:
            self._wishes.reveal_wanted.emit(str(self._application.library.whereabouts(model.id)))
        except InglenookError as error:
            self._wishes.said.emit(error.sentence)

    def _verify(self, model: ModelFile) -> None:
        self._stop()
        self._ended = ended = threading.Event()
        self._checking = model.id
        self._show_progress(model.id, 0, model.size_bytes)
        told = [0]

        ending = self._application.jobs.ending

        def progress(done: int, whole: int) -> None:
            if ending.is_set():
                ended.set()
            if done - told[0] >= whole // 200 or done >= whole:
                told[0] = done
                self._told.emit(model.id, done, whole)

        self._work(lambda: self._application.library.verify(model.id, progress, ended), self._verified, model.id)

    def _look_for_newer(self, model: ModelFile) -> None:
        browsing = self._application.browsing
        self.notice.say("Asking the hub for a newer upload…")
        self._work(lambda: newer_upload(model, browsing.newer, browsing.look), self._asked, model.id)

    def _show_upload(self, model_id: str, found: object) -> None:
        if self._model is None or self._model.id != model_id:
            return
        if isinstance(found, Upload):
            self.notice.say(found.sentence, kind="ochre" if found.gone else "fill")
        elif isinstance(found, InglenookError):
            self.notice.say(found.sentence, kind="ochre")

    def _stop(self) -> None:
        if self._ended is not None:
            self._ended.set()

    def _show_progress(self, model_id: str, done: int, whole: int) -> None:
        self._progress.setVisible(self._model is not None and self._model.id == model_id == self._checking)
        if not self._progress.isHidden():
            self.notice.unsay()
            self.bar.set_share(done / whole if whole else 0.0)
            self.amount.setText(f"Reading it whole: {model_words.amounts(done, whole)}")
            self.amount.updateGeometry()
            self.bar.setAccessibleDescription(self.amount.text())

    def _show_verdict(self, model_id: str, found: object) -> None:
        if model_id == self._checking:
            self._checking = ""
            self._progress.hide()
        if isinstance(found, Verdict):
            wrong = found.finding is Finding.DIFFERENT
            if self._model is not None and self._model.id == model_id:
                self.notice.say(found.sentence, kind="rose" if wrong else "fill")
            else:
                self._wishes.said.emit(found.sentence)
        elif isinstance(found, InglenookError) and found.code != "interrupted":
            self._wishes.said.emit(found.sentence)

    def ask_to_remove(self, model_id: str) -> None:
        """Says what goes and what it frees, and asks; Inglenook itself cannot bring it back."""
        self._work(lambda: self._application.library.removal(model_id), self._removable, model_id)

    def _ask(self, model_id: str, found: object) -> None:
        if isinstance(found, InglenookError):
            self._wishes.said.emit(found.sentence)
        elif isinstance(found, Removal):
            if found.only_forgets:
                question, lost, word = f"Forget {found.name}?", "Its file is away and stays as it is.", "Forget it"
            else:
                count = f"{len(found.files)} files go" if len(found.files) > 1 else "Its file goes"
                lost = f"{count} to the system's trash. Emptying that frees {size_words(found.frees_bytes)}."
                if found.stays:
                    lost += " The copy of another program stays."
                question, word = f"Move {found.name} to the trash?", "Move to the trash"
            self._wishes.loss_wanted.emit(question, lost, word, lambda: self._remove(model_id))

    def _remove(self, model_id: str) -> None:
        loading = self._application.loading
        if loading.state.model_id == model_id:
            loading.unload()

        def work() -> None:
            try:
                removal: object = self._application.library.delete(model_id)
            except InglenookError as error:
                removal = error
            self._removed.emit(removal)

        self._application.jobs.start(TASK, work)

    def _show_removed(self, found: object) -> None:
        if isinstance(found, InglenookError):
            self._wishes.said.emit(found.sentence)
        elif isinstance(found, Removal):
            done = "was forgotten" if found.only_forgets else "lies in the trash now"
            self._wishes.said.emit(f"{found.name} {done}")
