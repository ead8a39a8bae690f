"""The load plan of one model: a picture of the memory, what can be set, and loading it so. Decides nothing."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from shiboken6 import isValid

from app.base.errors import InglenookError
from app.engine.values import LoadPlan, ModelFile
from app.services.changes import (
    Change,
    EngineChanged,
    EngineState,
    LibraryChanged,
    MachineMeasured,
    SettingsChanged,
)
from app.ui import words as general_words
from app.ui.components.models.notice import Notice
from app.ui.components.plan import words
from app.ui.components.plan.column import MARGIN, PlanColumn, centred
from app.ui.components.plan.controls import PlanControls
from app.ui.components.plan.device import DevicePictures
from app.ui.components.plan.footer import PlanFooter
from app.ui.components.plan.head import PlanHead
from app.ui.components.plan.moves import Moves
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.surfaces import SCROLL_BAR, Hairline
from app.ui.widgets.toast import SayingPage

NOTHING_KNOWN = "Nothing is known of this model yet. It is planned once its file can be read."


class PlanPage(SayingPage):
    """Shows a plan for what a person moved, and follows what becomes of it."""

    left = Signal()
    models_wanted = Signal()
    chat_wanted = Signal(str)
    _looked = Signal(str)

    def __init__(self, application: ApplicationPort, theme: Theme) -> None:
        super().__init__()
        self._application, self._theme = application, theme
        self._model: ModelFile | None = None
        self._moves = Moves(application.settings)
        self._stays = False  # what was moved is not what is being loaded
        self._looked.connect(lambda line: self.say(line) if line and self.isVisible() else None)
        self.plan: LoadPlan | None = None
        self.head = PlanHead(theme)
        self.head.back_wanted.connect(self.left)
        self.head.models_wanted.connect(self.models_wanted)
        self.verdict = Paragraph("", theme, "page_title", "ink")
        self.explanation = Paragraph("", theme, "body", "ink2")
        self.notice = Notice(theme)
        self._gap = QWidget()
        self._gap.setFixedHeight(20)
        self.pictures = DevicePictures(theme)
        self.controls = PlanControls(theme)
        self.controls.wished.connect(self._wish)
        self.controls.preferred.connect(self._prefer)
        self.footer = PlanFooter(theme)
        self.footer.load_wanted.connect(self._load)
        self.footer.insisted.connect(lambda: self._load(insist=True))
        self.footer.cancel_wanted.connect(self._cancel)
        self.footer.default_wanted.connect(self._make_default)
        self.footer.back_wanted.connect(self._back_to_suggested)

        self._line = Hairline(theme)
        self.column = PlanColumn(
            (self.verdict, 6), (self.explanation, 20), (self.notice, 0), (self._gap, 0), (self.pictures, 20),
            (self._line, 0), (self.controls, 0),
        )  # fmt: skip
        self.footer.resized.connect(self.column.refit)
        application.fitting.prepare()  # devices and speeds, where they are not known yet
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.head)
        whole.addWidget(self.column, 100)
        whole.addWidget(centred(self.footer, MARGIN + SCROLL_BAR))
        whole.addStretch(1)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_model(self, model_id: str) -> None:
        """Shows how a model would be loaded now."""
        found = next((one for one in self._application.library.list() if one.id == model_id), None)
        self._model, self.plan, self._stays = found, None, False
        self._moves.forget()
        self.footer.refuse("")
        if found is not None:
            self.head.show_model(general_words.model_title(found), found.quantization)
            self._replan(another=True)
            self.column.verticalScrollBar().setValue(0)
            self._follow(self._application.loading.state)
            self._application.plans.refresh().add_done_callback(self._tell)

    def _tell(self, done: Future[str]) -> None:
        """On the thread of the service, once the devices were looked at; the window may be gone."""
        if isValid(self) and not done.cancelled() and done.exception() is None:
            self._looked.emit(done.result())

    def take_focus(self) -> None:
        """Puts the focus on what is wanted most."""
        self.footer.load.setFocus(Qt.FocusReason.OtherFocusReason)

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, EngineChanged):
            self._follow(change)
        elif isinstance(change, MachineMeasured | SettingsChanged | LibraryChanged) and self.isVisible():
            self._replan()

    def _replan(self, *, another: bool = False) -> None:
        if self._model is None:
            return
        why = NOTHING_KNOWN
        try:
            self.plan = self._application.plans.plan(self._model.id, self._moves.asked)
        except InglenookError as error:
            self.plan, why = None, error.sentence
        if self.plan is not None and not self._moves.changed and (self.plan.by_person or self.plan.stepped_down):
            self._moves.go_on_from(self.plan.options)
        there = self.plan is not None
        for widget in (self.pictures, self._line, self.controls, self.footer):
            widget.setVisible(there)
        if self.plan is None:
            self.verdict.setText("There is no plan for it.")
            self.explanation.show_text(why, "")
            self.notice.unsay()
            self.column.refit()
            return
        plan = self.plan
        drawn = words.pictures(plan.machine, plan.fit.plan.shares)
        self.verdict.setText(words.headline(plan, drawn))
        self.verdict.updateGeometry()
        self.explanation.show_text(*words.explanation(plan, drawn))
        self.pictures.show_pictures(drawn)
        self.controls.show_plan(plan, self._application.settings.current.engine.preference, another=another)
        self._show_step(plan)
        self._show_ways()
        self.column.refit()

    def _show_step(self, plan: LoadPlan) -> None:
        if plan.stepped_down and not self._moves.changed:
            self.notice.say(
                "The full plan did not work the last time",
                plan.stepped_down,
                kind="ochre",
                action="Try the full plan again",
                act=self._try_again,
            )
        else:
            self.notice.unsay()
        self._gap.setVisible(not self.notice.isHidden())

    def _show_ways(self) -> None:
        model, plan = self._model, self.plan
        if model is None or plan is None:
            return
        name = general_words.model_title(model)
        self.footer.show_ways(
            f"Chat with {name}" if self._there else f"Load {name}",
            default=bool(self._moves.general),
            back=words.by_hand(plan),
        )

    @property
    def _there(self) -> bool:
        """Whether the model is in memory as the plan says."""
        state = self._application.loading.state
        known = self._model is not None and state.model_id == self._model.id
        return known and state.state is EngineState.READY and not self._moves.changed

    def _follow(self, change: EngineChanged) -> None:
        if self._model is None or change.model_id != self._model.id:
            self.footer.show_loading(None)
            if self.isVisible() and change.state in (EngineState.READY, EngineState.OFF):
                self._replan()  # another one takes memory now, or none does
            return
        loading = change.state in (EngineState.STARTING, EngineState.LOADING)
        self.footer.show_loading(change if loading else None)
        if change.state is EngineState.READY and not change.sentence:
            if not self._stays:
                self._moves.forget()
            self._stays = False
            self._replan()
        elif change.state is EngineState.FAILED:
            self.footer.refuse(f"{change.model_name or 'It'} was not loaded", change.sentence, insist=change.can_insist)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _wish(self, fields: dict[str, Any]) -> None:
        self._moves.take(fields)
        self._stays = self._application.loading.state.state in (EngineState.STARTING, EngineState.LOADING)
        self.footer.refuse("")
        self._replan()

    def _prefer(self, preference: str) -> None:
        try:
            self._application.settings.change("engine.preference", preference)
        except InglenookError as error:
            self.say(error.sentence)
            return
        self._back_to_suggested()  # which is another one now

    def _load(self, *, insist: bool = False) -> None:
        model, plan, plans = self._model, self.plan, self._application.plans
        if model is None or plan is None:
            return
        if self._there:
            self.chat_wanted.emit(model.id)
            return
        self._stays = False
        try:
            if not self._moves.changed:
                plans.load(model.id, insist=insist)
            elif words.by_hand(plan):
                plans.load(model.id, plan.options, insist=insist)
            else:
                self._load_as_usual(model.id, insist=insist)
        except InglenookError as error:
            self.footer.refuse(f"{general_words.model_title(model)} was not loaded", error.sentence)

    def _load_as_usual(self, model_id: str, *, insist: bool = False) -> None:
        """Nothing is kept for this model any more; one that is loaded is loaded again by that alone."""
        plans, state = self._application.plans, self._application.loading.state
        plans.forget(model_id)
        if state.state is not EngineState.READY or state.model_id != model_id:
            plans.load(model_id, insist=insist)

    def _cancel(self) -> None:
        """What was moved stays where it is."""
        self._stays = True
        self._application.loading.cancel()

    def _try_again(self) -> None:
        if self._model is not None:
            try:
                self._load_as_usual(self._model.id)
            except InglenookError as error:
                self.say(error.sentence)
            self._moves.forget()
            self._replan()

    def _back_to_suggested(self) -> None:
        self._moves.go_back()
        self.footer.refuse("")
        self._replan()

    def _make_default(self) -> None:
        before, kept = self._application.settings.current, self._moves.general
        old = {name: getattr(getattr(before, name.partition(".")[0]), name.partition(".")[2]) for name in kept}

        def change(values: dict[str, Any]) -> None:
            try:
                for name, value in values.items():
                    self._application.settings.change(name, value)
            except InglenookError as error:
                self.say(error.sentence)

        change(kept)
        self.say("Every model is loaded like this from now on", undo=lambda: change(old))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)
