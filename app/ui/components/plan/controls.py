"""What can be set about a load: layers, context, cache, experts, threads. Only what makes a difference is there."""

from __future__ import annotations

import itertools

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.base.sizes import size_words
from app.engine.values import LoadPlan
from app.ui.components.plan import words
from app.ui.components.plan.rows import PlanRow, choice_row, slider_row
from app.ui.theme.theme import Theme
from app.ui.widgets.controls import Segmented, Slider

Frame = tuple[object, ...]
_CHOICES = ("cache", "place", "preference")  # rows that are the same for every model


class PlanControls(QWidget):
    """`wished` carries fields of LoadOptions as they are moved, `preferred` a preference. Shows plans without telling.

    Rows stay while the model and the machine are the same, so that a slider can be dragged through plan after plan.
    """

    wished = Signal(object)
    preferred = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._frame: Frame = ()
        self._quiet = False
        self._plan: LoadPlan | None = None
        self._stops: list[int] = []
        self.rows: dict[str, PlanRow] = {}
        self.layers: dict[str, Slider] = {}
        self.context = Slider("Context length", theme)
        self.experts: Slider | None = None
        self.threads: Slider | None = None
        self.cache, self.place, self.preference = self._made_choices()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def show_plan(self, plan: LoadPlan, preference: str, *, another: bool = False) -> None:
        """Shows what a plan holds. `another`: it is another model's."""
        machine = plan.machine
        names = tuple(words.device_word(device) for device in machine.devices)
        frame = (names, plan.n_layer, plan.n_expert_layers, plan.n_ctx_train, machine.logical)
        self._plan = plan
        self._quiet = True
        if another or frame != self._frame:
            self._frame = frame
            self._build(plan)
        self._fill(plan, preference)
        self._quiet = False

    # --- building ---------------------------------------------------------------------------------------------------

    def _made_choices(self) -> tuple[Segmented, Segmented, Segmented]:
        self.rows["cache"], cache = choice_row("Conversation memory", words.KV_TYPES, self._theme)
        self.rows["place"], place = choice_row("Where it lies", words.KV_PLACES, self._theme)
        self.rows["preference"], preference = choice_row("Prefer", words.PREFERENCES, self._theme)
        cache.chosen.connect(lambda key: self._tell(type_k=key, type_v=key))
        place.chosen.connect(lambda key: self._tell(offload_kv=key == "device"))
        preference.chosen.connect(self.preferred)
        return cache, place, preference

    def _build(self, plan: LoadPlan) -> None:
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None and widget not in [self.rows[key] for key in _CHOICES]:
                widget.hide()
                widget.deleteLater()
        self.rows = {key: self.rows[key] for key in _CHOICES}
        self.layers, self.experts, self.threads = {}, None, None
        machine = plan.machine
        one = len(machine.devices) == 1
        for device in machine.devices:
            key, name = f"layers {device.name}", words.device_word(device)
            called = "Layers on the card" if one and not device.host else name
            self.layers[device.name] = self._slider(key, called, 0, plan.n_layer + 1, 4)
            if called == name:
                self.rows[key].called = f"Layers on {name}"
            self.layers[device.name].valueChanged.connect(lambda count, name=device.name: self._layered(name, count))
        self._stops = words.context_stops(longest(plan), plan.options.n_ctx or plan.fit.plan.n_ctx, suggested_ctx(plan))
        self.context = self._slider("context", "Context length", 0, len(self._stops) - 1, 2)
        self.context.valueChanged.connect(lambda at: self._tell(n_ctx=self._stops[at]))
        self._column.addWidget(self.rows["cache"])
        if machine.devices:
            self._column.addWidget(self.rows["place"])
        self.rows["place"].setVisible(bool(machine.devices))
        if plan.n_expert_layers and machine.devices:
            self.experts = self._slider("experts", "Experts in memory", 0, plan.n_expert_layers, 4)
            self.experts.valueChanged.connect(self._moved_experts)
        most = max(machine.logical, machine.cores)
        if most > 1:
            self.threads = self._slider("threads", "Processor threads", 1, most, 2)
            self.threads.valueChanged.connect(lambda count: self._tell(n_threads=count))
        choosable = bool(machine.devices) or plan.n_ctx_train > suggested_ctx(plan)
        if choosable:
            self._column.addWidget(self.rows["preference"])
        self.rows["preference"].setVisible(choosable)
        shown = self._rows_shown()
        for row in shown:
            row.line.setVisible(row is not shown[-1])  # what follows begins with one
        stops = [stop for row in shown for stop in _stops(row.control)]
        for before, after in itertools.pairwise(stops):
            QWidget.setTabOrder(before, after)

    def _slider(self, key: str, title: str, least: int, most: int, page: int) -> Slider:
        self.rows[key], slider = slider_row(title, self._theme, least, most, page)
        self._column.addWidget(self.rows[key])
        return slider

    def _rows_shown(self) -> list[PlanRow]:
        items = [self._column.itemAt(at) for at in range(self._column.count())]
        return [row for item in items if item is not None and isinstance(row := item.widget(), PlanRow)]

    # --- showing ----------------------------------------------------------------------------------------------------

    def _fill(self, plan: LoadPlan, preference: str) -> None:
        options, total = plan.options, plan.n_layer + 1
        now, suggested = words.layers_on(plan), words.suggested_layers(plan)
        for name, slider in self.layers.items():
            slider.setValue(now.get(name, 0))
            slider.set_suggested(suggested.get(name))
            row = self.rows[f"layers {name}"]
            alone = row.called == row.title.text()
            said = "More is faster, until it is full" if alone else "Layers on it; more is faster"
            row.say(f"{now.get(name, 0)} of {total}", said)
        n_ctx = options.n_ctx or plan.fit.plan.n_ctx
        self.context.setValue(words.nearest(self._stops, n_ctx))
        self.context.set_suggested(words.nearest(self._stops, suggested_ctx(plan)))
        self.rows["context"].say(f"{n_ctx:,}", words.context_words(n_ctx, suggested_ctx(plan)))
        same = options.type_k if options.type_k == options.type_v else ""
        self.cache.choose(same)
        told = words.KV_WORDS.get(same, f"{options.type_k} and {options.type_v}")
        self.rows["cache"].say(size_words(plan.fit.plan.kv_bytes), told)
        self.place.choose(place := "device" if options.offload_kv else "main")
        self.rows["place"].say("", words.KV_PLACE_WORDS[place])
        if self.experts is not None:
            self.experts.setValue(options.n_cpu_experts)
            self.experts.set_suggested(plan.suggested.n_cpu_experts)
            said = f"{options.n_cpu_experts} of {plan.n_expert_layers}"
            self.rows["experts"].say(said, "Slower, but the rest has more room")
        if self.threads is not None:
            cores = plan.suggested.n_threads or plan.machine.cores
            threads = options.n_threads or cores
            self.threads.setValue(threads)
            self.threads.set_suggested(cores or None)
            core = "1 core" if plan.machine.cores == 1 else f"{plan.machine.cores} cores"
            self.rows["threads"].say(str(threads), f"{core} to compute with" if plan.machine.cores else "")
        self.preference.choose(preference)
        self.rows["preference"].say("", "For every model")

    # --- telling ----------------------------------------------------------------------------------------------------

    def _tell(self, **fields: object) -> None:
        if not self._quiet:
            self.wished.emit(fields)

    def _layered(self, name: str, count: int) -> None:
        """One device takes so many layers; the others keep what is left for them."""
        if self._quiet or self._plan is None:
            return
        left = self._plan.n_layer + 1 - count
        wanted = {name: count}
        for other, now in words.layers_on(self._plan).items():
            if other != name:
                wanted[other] = min(now, left)
                left -= wanted[other]
        self._tell(**words.layer_fields(self._plan, wanted))

    def _moved_experts(self, count: int) -> None:
        """None in memory can only be said together with where the layers are: 0 leaves it open."""
        if self._quiet or self._plan is None:
            return
        fields = words.layer_fields(self._plan, words.layers_on(self._plan))
        self._tell(n_cpu_experts=count, **fields)


def longest(plan: LoadPlan) -> int:
    """The longest context that can be set: what the model was trained for."""
    return plan.n_ctx_train or max(plan.options.n_ctx, plan.fit.plan.n_ctx, plan.fit.max_ctx)


def suggested_ctx(plan: LoadPlan) -> int:
    """The context that Inglenook would choose."""
    return plan.suggested.n_ctx or plan.fit.plan.n_ctx


def _stops(control: QWidget) -> list[QWidget]:
    return control.buttons() if isinstance(control, Segmented) else [control]
