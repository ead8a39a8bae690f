"""The tab Context: how full the window is, with what, and message by message what the model sees before it is sent."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.chat.context_view import ContextView, Standing
from app.ui.components.context import words
from app.ui.components.context.bars import Legend, StackedBar
from app.ui.components.context.list import ContextList
from app.ui.components.context.middle import Middle
from app.ui.components.context.note import NotePage
from app.ui.components.context.offers import OfferStrip
from app.ui.components.context.policy import PolicyChoice
from app.ui.components.context.summary import SummaryProgress
from app.ui.models.context import ContextModel
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button, IconButton
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Hairline

EMPTY = "What the model sees of a conversation is listed here, with what it takes, as soon as there is a first message."


class ContextTab(QStackedWidget):
    """Shows views and says what is wished; changes nothing by itself.

    `wished`: a verb of a line and its messages. `taken`: an action of an offer (grow, summarise, leave_out_oldest).
    `now_wanted`: back from what a reply saw to what the model would see now.
    """

    wished = Signal(str, object)
    taken = Signal(str)
    policy_chosen = Signal(object)
    summarise_stopped = Signal()
    note_saved = Signal(str)
    note_removed = Signal()
    instructions_wished = Signal()
    message_chosen = Signal(str)
    now_wanted = Signal()

    def __init__(self, excerpt_of: Callable[[str], str], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._view: ContextView | None = None
        self._read_only = False
        self._grown = (0, 0)
        self.model = ContextModel(excerpt_of, self)
        self.list = ContextList(self.model, theme)
        self.list.wished.connect(self.wished)
        self.list.note_wished.connect(self.show_note)
        self.list.instructions_wished.connect(self.instructions_wished)
        self.list.message_chosen.connect(self.message_chosen)
        self.figure = Label("", theme, "figure", "ink")
        self.limit = Label("", theme, "secondary", "ink2")
        self.bar = StackedBar(theme)
        self.legend = Legend(theme)
        self.caption = Paragraph("", theme, "caption", "ink3")
        self.offer = OfferStrip(theme)
        self.offer.taken.connect(self.taken)
        self.summarise = Button("Summarise older turns", theme)
        self.summarise.clicked.connect(lambda: self.taken.emit(words.SUMMARISE))
        self.choose = Button("Let me choose", theme, QUIET)
        self.choose.clicked.connect(lambda: self.show_all(not self.model.all_open))
        self.progress = SummaryProgress(theme)
        self.progress.stopped.connect(self.summarise_stopped)
        self.policy = PolicyChoice(theme)
        self.policy.chosen.connect(self.policy_chosen)
        self.note = NotePage(theme)
        self.note.saved.connect(self.note_saved)
        self.note.removed.connect(self.note_removed)
        self.note.left.connect(self._leave_note)
        self.empty = Paragraph(EMPTY, theme, "secondary", "ink2")
        self._seen = self._seen_head(theme)
        self.addWidget(self._empty_page())
        self.addWidget(self._overview(theme))
        self.addWidget(self.note)

    # -- layout -----------------------------------------------------------------------------------------------------

    def _empty_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(20, 16, 20, 20)
        column.addWidget(self.empty)
        column.addStretch()
        return page

    def _seen_head(self, theme: Theme) -> QWidget:
        head = QWidget()
        self.back = IconButton("caret-left", "Back to what the model would see now", theme, side=28, size=14)
        self.back.clicked.connect(self.now_wanted)
        self.seen_of = Label("", theme, "caption", "ink2", elide=True)
        row = QHBoxLayout(head)
        row.setContentsMargins(13, 12, 20, 0)
        row.setSpacing(4)
        row.addWidget(self.back)
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(Label("What the model saw", theme, "row_strong", "ink"))
        names.addWidget(self.seen_of)
        row.addLayout(names, 1)
        head.hide()
        return head

    def _overview(self, theme: Theme) -> QWidget:
        page = QWidget()
        figures = QHBoxLayout()
        figures.setSpacing(8)
        figures.addWidget(self.figure)
        figures.addWidget(self.limit)
        figures.addStretch()
        top = QVBoxLayout()
        top.setContentsMargins(20, 12, 20, 10)
        top.setSpacing(8)
        top.addLayout(figures)
        top.addWidget(self.bar)
        top.addWidget(self.legend)
        top.addWidget(self.caption)
        self.middle = Middle(self.offer, self.list)
        self._foot = QWidget()
        buttons = QHBoxLayout()
        buttons.setSpacing(16)
        buttons.addWidget(self.summarise)
        buttons.addWidget(self.choose)
        buttons.addStretch()
        foot = QVBoxLayout(self._foot)
        foot.setContentsMargins(20, 8, 20, 14)
        foot.setSpacing(0)
        foot.addLayout(buttons)
        foot.addWidget(self.progress)
        self._policy = QWidget()
        policy = QVBoxLayout(self._policy)
        policy.setContentsMargins(20, 12, 20, 12)
        policy.addWidget(self.policy)
        self._lines = (Hairline(theme), Hairline(theme))
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._seen)
        column.addLayout(top)
        column.addWidget(self._lines[0])
        column.addWidget(self.middle, 1000)  # what it leaves, being no higher than its rows, goes below everything
        column.addWidget(self._foot)
        column.addWidget(self._lines[1])
        column.addWidget(self._policy)
        column.addStretch(1)
        return page

    # -- what is shown ----------------------------------------------------------------------------------------------

    def show_view(self, view: ContextView | None, *, seen_of: str | None = None) -> None:
        """Shows a view, or that there is none yet. `seen_of`: it is past, and these words name the reply."""
        if view is None or (self._view is not None and view.conversation_id != self._view.conversation_id):
            self.note.flush()
            self.setCurrentIndex(0 if view is None else 1)
        self._view, self._read_only = view, seen_of is not None
        self.model.show(view)
        if view is None:
            return
        if self.currentIndex() == 0:
            self.setCurrentIndex(1)
        self._seen.setVisible(self._read_only)
        self.seen_of.setText(seen_of or "")
        if self._read_only:
            self._grown = (0, 0)
        self.list.set_read_only(self._read_only)
        self._show_numbers()
        self.caption.setText(words.caption_of(view, past=self._read_only))
        self.caption.setVisible(bool(self.caption.text()))
        self.caption.updateGeometry()
        self._show_verbs(view)
        self.policy.show_policy(view.policy)
        if self.currentWidget() is self.note:
            self._fill_note() if view.note else self._leave_note()

    def show_growth(self, written: int, thought: int) -> None:
        """The reply that is being written has so many tokens, more or less; 0 once it is part of the view."""
        if (written, thought) != self._grown and not self._read_only:
            self._grown = (written, thought)
            self._show_numbers()

    def show_note_growth(self, text: str, done: int, total: int) -> None:
        """The note is being written."""
        self.progress.show_growth(text, done, total)

    def _show_numbers(self) -> None:
        view = self._view
        if view is None:
            return
        written, thought = self._grown
        parts = words.parts_of(view, written, thought)
        about = "" if (view.exact or self._read_only) and not any(self._grown) else "~"
        self.figure.setText(f"{about}{view.used + written + thought:,}")
        self.figure.updateGeometry()
        self.limit.setText(f"of {view.limit:,} tokens")
        self.limit.updateGeometry()
        self.bar.show_parts(words.bar_of(parts), view.limit)
        self.legend.show_parts(*parts)

    def _show_verbs(self, view: ContextView) -> None:
        live = not self._read_only and bool(view.conversation_id)
        offer = words.offer_of(view) if live and not view.summarising else None
        self.offer.show_offer(offer)
        self.middle.refit()
        older = any(entry.turn for entry in view.entries if entry.kind == "message" and entry.standing is Standing.KEPT)
        offered = offer is not None and any(key == words.SUMMARISE for key, _ in offer.actions)
        self._foot.setVisible(live)
        self.summarise.setVisible(live and not view.summarising and not offered)
        self.summarise.setEnabled(older)
        self.choose.setVisible(live and not view.summarising)
        self.choose.setText("Show turns only" if self.model.all_open else "Let me choose")
        self.choose.updateGeometry()
        self.progress.show_state(view.summarising)
        for shown in (self._lines[1], self._policy):
            shown.setVisible(live)

    def show_all(self, shown: bool) -> None:
        """Unfolds every turn, so that each message can be chosen; or folds them again."""
        self.model.set_all_open(shown)
        if self._view is not None:
            self._show_verbs(self._view)
        if shown:
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- the note ---------------------------------------------------------------------------------------------------

    def show_note(self) -> None:
        """Shows the note in place of the list."""
        if self._view is not None and self._view.note:
            self._fill_note()
            self.setCurrentWidget(self.note)
            self.note.take_focus()

    def _fill_note(self) -> None:
        view = self._view
        if view is None:
            return
        tokens = sum(entry.tokens for entry in view.entries if entry.kind == "note")
        turns = [entry.turn for entry in view.entries if entry.standing is Standing.SUMMARISED and entry.turn]
        covers = ""
        if turns:
            covers = f"turn {turns[0]}" if turns[0] == turns[-1] else f"turns {turns[0]:,} to {turns[-1]:,}"
        self.note.show_note(view.note, covers, tokens, read_only=self._read_only or view.summarising)

    def _leave_note(self) -> None:
        if self.currentWidget() is self.note:
            self.setCurrentIndex(1)
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def flush(self) -> None:
        """Tells what was typed and not told yet."""
        self.note.flush()
