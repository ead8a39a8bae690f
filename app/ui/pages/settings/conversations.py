"""What the engine remembers of conversations: how much of each, in memory and on the disk, and what that costs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal

from app.base.sizes import size_words
from app.services.cells import CacheCosts
from app.settings.schema import Settings
from app.ui.pages.settings.parts import Section
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.controls import Segmented, Switch
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.surfaces import Hairline

Change = Callable[[str, object], None]
COSTS = "inglenook-costs"

LENGTHS = {"0": "Automatic", "4096": "4k", "8192": "8k", "16384": "16k", "32768": "32k", "131072": "128k"}
CELLS = {"0": "Automatic", "8192": "8k", "16384": "16k", "32768": "32k", "65536": "64k", "262144": "256k"}
AT_ONCE = {"1": "1", "2": "2", "4": "4", "8": "8"}
TYPES = {"f16": "Exact", "q8_0": "Half", "q4_0": "Quarter"}
ROOM = {"0": "Automatic", "2000000000": "2 GB", "8000000000": "8 GB", "32000000000": "32 GB"}


class ConversationsSection(Section):
    """A choice is told at once. A value of the file that is none of those offered shows no choice."""

    _counted = Signal(object)
    _weighed = Signal(object)

    def __init__(self, theme: Theme, change: Change, application: ApplicationPort) -> None:
        super().__init__("Conversations", theme)
        self._application = application
        self._change = change
        self.length = self._choice("Context length", LENGTHS, "engine.n_ctx", theme)
        self.add_row("Context length", "What the model sees of one conversation", self.length)
        self.cells = self._choice("Shared memory", CELLS, "cache.cells", theme)
        self.add_row("Shared memory", "Tokens of all conversations that stay ready", self.cells)
        self.types = Segmented("Precision", TYPES, theme)
        self.types.chosen.connect(self._chose_type)
        self.add_row("Precision", "Less takes less memory, and answers change a little", self.types)
        self.at_once = self._choice("Replies at the same time", AT_ONCE, "cache.parallel", theme)
        self.add_row("Replies at the same time", "Of different conversations; others wait", self.at_once, line=False)
        self.costs = Paragraph("", theme, "secondary", "ink2")
        self.add_block(self.costs, above=0, line=False)
        self.again = Button("Load again", theme)
        self.again.setAccessibleName("Load the model again")
        self.again.clicked.connect(self._load_again)
        self.again_row = self.add_row(
            "Not in use yet", "The model was loaded before this was changed", self.again, line=False
        )
        self.column.addWidget(Hairline(theme))
        self.reading = Switch("Read while you type", theme)
        self.reading.clicked.connect(lambda on: change("engine.read_ahead", on))
        self.add_row("Read while you type", "The answer begins sooner after you send; costs some power", self.reading)
        self.ahead = Switch("Guess ahead", theme)
        self.ahead.clicked.connect(lambda on: change("engine.guess_ahead", on))
        self.add_row("Guess ahead", "What repeats earlier text is written faster, in the model's own words", self.ahead)
        self.kept = Switch("Keep conversations ready on the disk", theme)
        self.kept.clicked.connect(lambda on: change("cache.snapshots", on))
        self.add_row(
            "Keep conversations ready on the disk", "A long one goes on at once, also after a restart", self.kept
        )
        self.room = self._choice("Room on the disk", ROOM, "cache.snapshots_bytes", theme)
        self.add_row("Room on the disk", "Those unused for longest go first", self.room, line=False)
        self.taken = Paragraph("", theme, "secondary", "ink2")
        self.add_block(self.taken, above=0)
        self.remove = Button("Remove now", theme)
        self.remove.setAccessibleName("Remove what is kept ready on the disk")
        self.remove.clicked.connect(self._remove)
        self.add_row(
            "Remove what is kept ready", "Conversations stay; they are read again when needed", self.remove, line=False
        )
        self._counted.connect(self._show_costs)
        self._weighed.connect(self._show_taken)
        self.finish()

    def _choice(self, name: str, choices: dict[str, str], option: str, theme: Theme) -> Segmented:
        control = Segmented(name, choices, theme)
        control.chosen.connect(lambda key: self._change(option, int(key)))
        return control

    def _chose_type(self, key: str) -> None:
        self._change("cache.type_k", key)
        self._change("cache.type_v", key)

    def show_values(self, settings: Settings) -> None:
        """Shows what holds, without telling."""
        cache = settings.cache
        self.length.choose(str(settings.engine.n_ctx))
        self.cells.choose(str(cache.cells))
        self.types.choose(cache.type_k if cache.type_k == cache.type_v else "")
        self.at_once.choose(str(cache.parallel))
        self.reading.setChecked(settings.engine.read_ahead)
        self.ahead.setChecked(settings.engine.guess_ahead)
        self.kept.setChecked(cache.snapshots)
        self.room.choose(str(cache.snapshots_bytes))
        self.again_row.setVisible(self._application.loading.outdated)
        if self.isVisible():
            self.ask()

    def ask(self, first: Callable[[], object] = lambda: None) -> None:
        """Asks anew what it costs and takes, after something was done `first`; the answers come later."""
        loading, snapshots = self._application.loading, self._application.snapshots

        def look() -> None:
            first()
            self._counted.emit(loading.cache_costs())
            self._weighed.emit((snapshots.size_bytes(), snapshots.budget_bytes))

        self._application.jobs.start(COSTS, look)

    def _show_costs(self, found: tuple[str, CacheCosts] | None) -> None:
        if found is None:
            self.costs.setText("")
            return
        name, costs = found
        self.costs.setText(
            f"With {name}, one conversation of {costs.n_ctx:,} tokens takes {size_words(costs.window_bytes)}; "
            f"{size_words(costs.size_bytes)} are reserved for {costs.n_cells:,} tokens in all."
        )

    def _show_taken(self, found: tuple[int, int]) -> None:
        size, budget = found
        self.remove.setEnabled(size > 0)
        taken = f"{size_words(size)} are taken now" if size else "Nothing is taken now"
        self.taken.setText(f"{taken}, {size_words(budget)} at most.")

    def _load_again(self) -> None:
        state = self._application.loading.state
        if state.model_id:
            self._application.loading.load(state.model_id)
        self.again_row.hide()

    def _remove(self) -> None:
        self.ask(first=self._application.snapshots.remove_all)
