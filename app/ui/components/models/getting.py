"""Which version to take: the table, the button that means the chosen row, and where it comes from."""

from __future__ import annotations

from concurrent.futures import Future
from urllib.parse import urlsplit

from PySide6.QtCore import QRect, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.engine.values import ModelFile
from app.hub.values import Download, DownloadState, ModelPage, Variant
from app.services.advice import gone
from app.ui import model_words, words
from app.ui.components.models.judging import Judging
from app.ui.components.models.versions import OVERHANG, VersionsTable
from app.ui.components.models.wishes import Wishes
from app.ui.models.traffic import Traffic
from app.ui.models.versions import Stage, VersionsModel
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.choice import Choice
from app.ui.widgets.labels import Label, Paragraph

NO_VERSIONS = "This repository holds no model file that can be used here."
_CACHES = {"f16": "exact cache", "q8_0": "half-size cache", "q4_0": "quarter-size cache"}
_CONTEXTS = (4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144)
_NEEDS = "Downloading needs the internet once; talking never does."


class Getting(QWidget):
    """`row_reached`: the keyboard went to a row of the table, in this widget's coordinates."""

    row_reached = Signal(QRect)
    _added = Signal(object, object)

    def __init__(
        self, application: ApplicationPort, theme: Theme, wishes: Wishes, traffic: Traffic, judging: Judging
    ) -> None:
        super().__init__()
        self._judging = judging
        judging.known.connect(self.show_outlooks)
        self._application, self._wishes, self._traffic = application, wishes, traffic
        self._page: ModelPage | None = None
        self._usual: Variant | None = None
        self._why = self._gone = ""
        self.versions = VersionsModel(self)
        self.table = VersionsTable(self.versions, theme)
        self.table.chosen.connect(lambda _name: self._chosen())
        self.table.taken.connect(self.download)
        self.table.row_reached.connect(lambda rect: self.row_reached.emit(rect.translated(self.table.pos())))
        self.machine = Label("", theme, "caption", "ink2", elide=True)
        self.left_out = Paragraph("", theme, "caption", "ink2")
        self.why = Paragraph("", theme, "secondary", "ink2")
        self.button = Button("", theme, PRIMARY)
        self.button.clicked.connect(self._deed)
        self.context = Choice("Context", {"0": "the usual context"}, theme)
        self.cache = Choice("Cache of the context", _CACHES, theme)
        for choice in (self.context, self.cache):
            choice.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            choice.currentIndexChanged.connect(
                lambda _at: judging.choose(int(self.context.key() or 0), self.cache.key())
            )
        self.sentence = Paragraph("", theme, "secondary", "ink2")
        self._added.connect(self._told)
        traffic.changed.connect(self._show_stages)
        self._lay_out(theme)

    def _lay_out(self, theme: Theme) -> None:
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(Label("Versions", theme, "section", "ink"))
        head.addStretch()
        head.addWidget(self.machine)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.button)
        buttons.addStretch()
        inner = QVBoxLayout()
        inner.setContentsMargins(OVERHANG, 0, OVERHANG, 0)
        inner.setSpacing(0)
        inner.addLayout(head)
        for_it = QHBoxLayout()
        for_it.setContentsMargins(0, 8, 0, 4)
        for_it.setSpacing(8)
        for_it.addWidget(Label("For", theme, "secondary", "ink2"))
        for_it.addWidget(self.context)
        for_it.addWidget(self.cache)
        for_it.addStretch()
        inner.addLayout(for_it)
        below = QVBoxLayout()
        below.setContentsMargins(OVERHANG, 0, OVERHANG, 0)
        below.setSpacing(0)
        below.addWidget(self.left_out)
        below.addSpacing(14)
        below.addWidget(self.why)
        below.addSpacing(10)
        below.addLayout(buttons)
        below.addSpacing(12)
        below.addWidget(self.sentence)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(inner)
        column.addWidget(self.table)
        column.addLayout(below)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_page(self, page: ModelPage, wanted: str = "") -> None:
        """The versions of a repository. `wanted` is the label that a first choice names."""
        same = self._page is not None and self._page.commit == page.commit and self._page.variants == page.variants
        self._page = page
        if not same:
            self._gone = ""
            self._usual = self._pick(page, wanted)
            self.context.fill(_contexts(page.summary.context_length))
            self.context.show_key(str(self._judging.options.n_ctx))
            if int(self.context.key() or 0) != self._judging.options.n_ctx:
                self._judging.choose(0, self.cache.key())
            self._judging.show_page(page)
            picked, self._why = self._judging.advice(self._usual)
            self.versions.show(list(page.variants), picked)
            self.show_outlooks()
            self._show_stages()
            self.table.choose(picked or (self._usual.name if self._usual is not None else ""))
        reasons = [f"{one.path}: {one.reason}" for one in page.left_out[:3]]
        self.left_out.setText("\n".join([f"Left out: {reason}" for reason in reasons]))
        self.left_out.setVisible(bool(reasons))
        self._show_deed()

    def show_outlooks(self) -> None:
        """More is known of this computer, or of a version."""
        if self._page is None:
            return
        self.versions.set_outlooks(self._judging.outlooks())
        self.machine.setText(self._judging.machine_words())
        picked, self._why = self._judging.advice(self._usual)
        on_it = self._current()
        follows = on_it is not None and on_it.name == self.versions.recommended != picked != ""
        self.versions.recommend(picked)
        if follows:
            self.table.choose(picked)
        self._show_deed()

    def _chosen(self) -> None:
        self._show_deed()
        variant = self._current()
        if variant is not None:
            self._judging.ask_exactly(variant)

    def follow_library(self) -> None:
        """The models on this computer are others."""
        self._show_stages()

    def _pick(self, page: ModelPage, wanted: str) -> Variant | None:
        for wish in (wanted, "") if wanted else ("",):
            try:
                return self._application.browsing.pick(page, wish)
            except InglenookError:
                self._gone = gone(wanted) if wanted else ""
        return None

    def _current(self) -> Variant | None:
        index = self.table.currentIndex()
        return self.versions.variant(index.row()) if index.isValid() else None

    def _here(self, variant: Variant) -> ModelFile | None:
        """The model of the library that this version is."""
        if self._page is None:
            return None
        repo, path = self._page.summary.repo, variant.files[0].path
        return next(
            (
                model
                for model in self._application.library.list()
                if model.repo == repo and model.remote_path == path and not model.away
            ),
            None,
        )

    def _coming(self, variant: Variant) -> Download | None:
        if self._page is None:
            return None
        repo, path = self._page.summary.repo, variant.files[0].path
        found = (one for one in self._traffic.open if one.repo == repo and one.files[0].path == path)
        return next(found, None)

    def _show_stages(self) -> None:
        if self._page is None:
            return
        stages = {}
        for variant in self._page.variants:
            if self._coming(variant) is not None:
                stages[variant.name] = Stage.COMING
            elif self._here(variant) is not None:
                stages[variant.name] = Stage.HERE
        self.versions.set_stages(stages)
        self._show_deed()

    def _show_deed(self) -> None:
        variant = self._current()
        if self._page is None or variant is None:
            self.button.hide()
            self.why.hide()
            self.sentence.setText(f"{self._gone} {NO_VERSIONS}".strip() if self._page is not None else "")
            return
        stage = self.versions.stage(self.versions.row_of(variant.name))
        if stage is Stage.HERE:
            self.button.setText("Chat with it")
        elif stage is Stage.COMING:
            self.button.setText("Show the download")
        else:
            self.button.setText(f"Download {variant.name}, {size_words(variant.size_bytes)}")
        self.button.set_icon_name("" if stage is not Stage.REMOTE else "download")
        self.button.show()
        self.button.updateGeometry()
        self.sentence.setText(self._origin(variant, stage))
        self.sentence.updateGeometry()
        outlook = self.versions.outlook(self.versions.row_of(variant.name))
        own = outlook.why if outlook is not None else ""
        reason = self._why if variant.name == self.versions.recommended or not self.versions.recommended else own
        reason = f"{self._gone} {reason}".strip()
        self.why.setText(reason)
        self.why.setVisible(bool(reason))
        self.why.updateGeometry()

    def _origin(self, variant: Variant, stage: Stage) -> str:
        if stage is Stage.HERE:
            return "It is on this computer. Talking with it needs no network."
        if stage is Stage.COMING:
            return "It is on its way, and picks up where it stopped, also after a restart."
        host = urlsplit(self._application.network.endpoint).netloc or self._application.network.endpoint
        pace = self._traffic.usual_bytes_per_s
        about = model_words.time_left(variant.size_bytes / pace).removesuffix(" left") if pace > 0 else ""
        begin = f"Comes from {host}, about {about} at the last speed." if about else f"Comes from {host}."
        along = " Its file for pictures comes along." if self._page is not None and self._page.projectors else ""
        room = self._application.downloading.free_bytes()
        short = f" Only {size_words(room)} are free on that disk." if 0 <= room < variant.size_bytes else ""
        return f"{begin}{along}{short} {_NEEDS}"

    # --- what is done -----------------------------------------------------------------------------------------------

    def _deed(self) -> None:
        variant = self._current()
        if variant is None:
            return
        here = self._here(variant)
        if self._coming(variant) is not None:
            self._wishes.tab_wanted.emit("downloads")
        elif here is not None:
            self._wishes.chat_wanted.emit(here.id)
        else:
            self.download(variant.name)

    def download(self, name: str) -> None:
        """Puts a version into the queue; what came of it is said."""
        row = self.versions.row_of(name)
        if self._page is None or row < 0 or self.versions.stage(row) is not Stage.REMOTE:
            return
        variant = self.versions.variant(row)
        try:
            adding = self._application.downloading.add(self._page, variant)
        except InglenookError as error:
            self._wishes.said.emit(error.sentence)
            return
        adding.add_done_callback(lambda done: self._added.emit(variant, done))

    def _told(self, variant: Variant, done: Future[Download]) -> None:
        error = done.exception()
        if error is not None:
            self._wishes.said.emit(error.sentence if isinstance(error, InglenookError) else "It could not be queued.")
            return
        download = done.result()

        def take_back() -> None:
            now = self._traffic.get(download.id)
            if now is None or now.state is DownloadState.DONE:
                self._wishes.said.emit("It is on this computer already. Its place is under On this computer.")
            else:
                self._application.downloading.cancel(download.id)

        name = model_words.model_name(download.repo)
        self._wishes.undoable.emit(f"{name} {variant.name} is in the queue of downloads", take_back)


def _contexts(most: int) -> dict[str, str]:
    """Lengths of context to choose from, up to what the model was made for."""
    lengths = [length for length in _CONTEXTS if not most or length < most] + ([most] if most else [])
    return {"0": "the usual context", **{str(one): f"{words.context_short(one)} of context" for one in lengths}}
