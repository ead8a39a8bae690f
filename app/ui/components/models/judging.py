"""What models would be like on this computer: guesses for lists at once, the exact answer for the version in question.

Asks the fitting service and turns its values into words for the list and the table.
"""

from __future__ import annotations

from concurrent.futures import Future

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.sizes import size_words
from app.engine.hardware import Fit, Machine
from app.engine.values import LoadOptions
from app.hub.values import ModelPage, Variant
from app.services.advice import recommended, where
from app.ui import model_words, words
from app.ui.models.results import Badge, Judgement, Row
from app.ui.models.versions import Outlook
from app.ui.ports import ApplicationPort

ASK_AFTER_MS = 400
_ICONS = {"moss": "check", "ochre": "warning", "rose": "x"}


class Judging(QObject):
    """`known`: the exact answer for a version came."""

    known = Signal()
    _answered = Signal(str, object)

    def __init__(self, application: ApplicationPort, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._application = application
        self._machine: Machine | None = None
        self.options = LoadOptions()
        self._page: ModelPage | None = None
        self._fits: dict[str, Fit] = {}
        self._exact: set[str] = set()
        self._asked: Future[Fit] | None = None
        self._wanted: Variant | None = None
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(ASK_AFTER_MS)
        self._wait.timeout.connect(self._ask)
        self._answered.connect(self._take)

    @property
    def machine(self) -> Machine:
        """This computer as it was looked at last."""
        if self._machine is None:
            self._machine = self._application.fitting.machine()
        return self._machine

    def look_again(self) -> None:
        """This computer has other memory free now, or was measured."""
        self._machine = None
        if self._page is not None:
            page, self._page = self._page, None
            self.show_page(page)

    def choose(self, n_ctx: int, kv: str) -> None:
        """For another length of the context (0: the usual) and another type of its cache."""
        self.options = LoadOptions(n_ctx=n_ctx, type_k=kv, type_v=kv)
        self.look_again()
        self.known.emit()
        if self._wanted is not None:
            self.ask_exactly(self._wanted)

    def judge(self, row: Row) -> Judgement | None:
        """A row of the list."""
        if row.params <= 0:
            return None
        fit = self._application.fitting.badge(row.summary, self.machine)
        return Judgement(self._badge(fit), fit.fits, fit.tokens_per_s)

    def machine_words(self) -> str:
        """What the outlooks are for: 'For this computer: RTX 4060, 8.0 GB, and 32 GB memory'."""
        machine = self.machine
        cards = [f"{one.description or one.name}, {size_words(one.memory_total_bytes)}" for one in machine.devices]
        return f"For {', and '.join([*cards[:2], f'{size_words(machine.memory_total_bytes)} memory'])}"

    # --- one model --------------------------------------------------------------------------------------------------

    def show_page(self, page: ModelPage | None) -> None:
        """Another model is looked at; what was asked for the one before is given up."""
        if page is not None and self._page is not None and page.commit == self._page.commit:
            return
        if page is None or self._wanted not in page.variants:
            self._wanted = None
        self._give_up()
        self._page, self._fits, self._exact = page, {}, set()
        if page is not None:
            fitting = self._application.fitting
            self._fits = {
                one.name: fitting.quick(page.summary, one, self.options, self.machine) for one in page.variants
            }

    def outlooks(self) -> dict[str, Outlook]:
        """What is known of each version, by name."""
        return {name: Outlook(self._badge(fit), fit.tokens_per_s, self._why(name, fit)) for name, fit in
                self._fits.items()}  # fmt: skip

    def advice(self, usual: Variant | None) -> tuple[str, str]:
        """Which version is recommended, and why."""
        if self._page is None:
            return "", ""
        fits = {name: self._with_why(name, fit) for name, fit in self._fits.items()}
        return recommended(self._page, usual, fits)

    def ask_exactly(self, variant: Variant) -> None:
        """Lets llama.cpp look at a version's header, once somebody stays with it."""
        if self._page is None or variant.name in self._exact or not self._application.network.state.online:
            self._wait.stop()
            return
        self._wanted = variant
        self._wait.start()

    def _ask(self) -> None:
        page, variant = self._page, self._wanted
        if page is None or variant is None or not self._application.network.state.online:
            return
        self._give_up()
        name = variant.name
        self._asked = asked = self._application.fitting.exact(
            page.summary.repo, page.commit, variant, n_ctx=self.options.n_ctx, kv=self.options.type_k
        )
        asked.add_done_callback(lambda done: self._answered.emit(f"{page.commit} {name}", done))

    def _take(self, key: str, done: Future[Fit]) -> None:
        commit, _, name = key.partition(" ")
        if self._page is None or commit != self._page.commit or done.cancelled() or done.exception() is not None:
            return  # the guess stays
        self._fits[name] = done.result()
        self._exact.add(name)
        self.known.emit()

    def _give_up(self) -> None:
        self._wait.stop()
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            self._application.fitting.cancel(asked)

    # --- words ------------------------------------------------------------------------------------------------------

    def _badge(self, fit: Fit) -> Badge:
        said, kind = where(fit, graphics=bool(self.machine.devices))
        return Badge(said, _ICONS[kind], kind)

    def _why(self, name: str, fit: Fit) -> str:
        sentences = [fit.why]
        if fit.fits and fit.max_ctx:
            sentences.append(f"Up to {words.context_short(fit.max_ctx)} of context fit.")
        if fit.fits and fit.ttft_s > 0:
            sentences.append(f"The answer to 1,000 tokens begins after about {model_words.pause(fit.ttft_s)}.")
        if name not in self._exact:
            sentences.append("This is an estimate.")
        return " ".join(sentence for sentence in sentences if sentence)

    def _with_why(self, name: str, fit: Fit) -> Fit:
        return msgspec.structs.replace(fit, why=self._why(name, fit))
