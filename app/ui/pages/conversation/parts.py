"""The parts of the conversation page. What the first frame does not show is built when it is first wanted."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from app.ui.components.banner import Banner
from app.ui.components.composer import Composer
from app.ui.components.header import Header
from app.ui.components.welcome import Greeting, suggestions
from app.ui.pages.conversation.arrangement import Arrangement
from app.ui.pages.conversation.choosing import Choosing, connect_context
from app.ui.pages.conversation.seeing import Seeing
from app.ui.pages.conversation.verbs import Verbs
from app.ui.ports import ApplicationPort
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.labels import Label

if TYPE_CHECKING:
    from app.ui.components.find_bar import FindBar
    from app.ui.components.model_picker import ModelPicker
    from app.ui.components.side_panel import SidePanel
    from app.ui.components.transcript.transcript import Transcript
    from app.ui.widgets.toast import Toast


class Parts(QWidget):
    """Built at once: header, banner, greeting, composer, suggestions. Built later: the cached properties."""

    models_requested = Signal()
    plan_requested = Signal(str)
    conversation_id = ""
    verbs: Verbs
    seeing: Seeing
    choosing: Choosing

    def __init__(self, application: ApplicationPort, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._application = application
        self._theme = theme
        self.header = Header(theme)
        self.banner = Banner(theme)
        self.greeting = Greeting(theme)
        self.composer = Composer(theme)
        self.suggestions = suggestions(theme)
        self.hint = Label("Enter sends. Shift Enter makes a new line.", theme, "caption", "ink3", elide=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._arrangement = arrangement = Arrangement(self, self.header)
        arrangement.reserve("find_bar")
        arrangement.add(self.banner, above=12, below=8)
        arrangement.add_space()
        arrangement.reserve("transcript", stretch=1)
        arrangement.add(self.greeting)
        arrangement.add(self.composer, above=16, below=16)
        for row in self.suggestions:
            arrangement.add(row, above=11 if row is self.suggestions[0] else 0)
        arrangement.add_space()
        arrangement.add(self.hint, below=16)
        self.banner.shown.connect(lambda shown: arrangement.show(self.banner, shown))
        arrangement.show(self.banner, False)

    def has(self, part: str) -> bool:
        """Whether one of the later parts was built."""
        return part in self.__dict__

    @cached_property
    def transcript(self) -> Transcript:
        """The messages."""
        from app.ui.components.transcript.transcript import Transcript

        made = Transcript(self._application.conversations, self._theme, start=self._application.jobs.start)
        made.copy_requested.connect(self.verbs.copy)
        made.regenerate_requested.connect(self.verbs.regenerate)
        made.edit_requested.connect(self.verbs.begin_edit)
        made.sibling_requested.connect(self.verbs.choose)
        made.link_activated.connect(self.verbs.open_link)
        made.stop_requested.connect(self.verbs.stop)
        made.wished.connect(self.verbs.wish)
        appearance = self._application.settings.current.appearance
        made.set_column(tokens.COLUMNS[appearance.column])
        made.set_text_size(appearance.text_size)
        made.set_line_height(tokens.LINE_HEIGHTS[tokens.line_height(appearance.line_height)])
        self._arrangement.fill("transcript", made)
        return made

    @cached_property
    def find_bar(self) -> FindBar:
        """Find in the conversation."""
        from app.ui.components.find_bar import FindBar

        made = FindBar(self._theme)
        made.find_requested.connect(lambda text: made.show_count(self.transcript.find(text)))
        self.transcript.hits_changed.connect(made.show_count)
        made.next_requested.connect(lambda: self.transcript.find_next())
        made.previous_requested.connect(lambda: self.transcript.find_previous())
        made.closed.connect(self._leave_find)
        self._arrangement.fill("find_bar", made)
        return made

    @cached_property
    def panel(self) -> SidePanel:
        """The values of the conversation."""
        from app.ui.components.side_panel import CONTEXT, MODEL, SidePanel

        made = SidePanel(self._theme, self.verbs.excerpt)
        made.hide()
        made.show_tab(CONTEXT if self.conversation_id else MODEL)
        connect_context(made, self.seeing, self.choosing)
        self._arrangement.add_panel(made)
        return made

    @cached_property
    def picker(self) -> ModelPicker:
        """The list of models."""
        from app.ui.components.model_picker import ModelPicker

        made = ModelPicker(self._application, self._theme, self)
        made.file_requested.connect(self.verbs.open_model_file)
        made.find_requested.connect(self.models_requested)
        made.loaded.connect(self.composer.field.setFocus)
        return made

    @cached_property
    def toast(self) -> Toast:
        """A word about something done."""
        from app.ui.widgets.toast import Toast

        made = Toast(self._theme, self)
        made.left.connect(self._close_gap)
        made.focus_homeless.connect(self.composer.field.setFocus)
        return made

    def _close_gap(self) -> None:
        if self.has("transcript"):
            self.transcript.set_end_gap(0)

    def _leave_find(self) -> None:
        self.transcript.clear_find()
        self.composer.field.setFocus(Qt.FocusReason.OtherFocusReason)
