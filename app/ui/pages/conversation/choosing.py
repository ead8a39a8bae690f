"""What a person wishes of the model's window, handed down to the service; a refusal becomes words on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from app.base.errors import InglenookError
from app.chat.context_view import ContextView, Policy
from app.ui.pages.conversation.seeing import Seeing
from app.ui.ports import ApplicationPort

if TYPE_CHECKING:
    from app.ui.components.side_panel import SidePanel


class Page(Protocol):
    """The parts of the page that these verbs need."""

    conversation_id: str

    def say(self, text: str) -> None: ...
    def regenerate(self, reply_id: str) -> None: ...


class Choosing:
    """Pins, leaves out, summarises, grows. `seeing` knows the newest view."""

    def __init__(self, application: ApplicationPort, page: Page, seeing: Seeing) -> None:
        self._application = application
        self._page = page
        self._seeing = seeing
        self._again: tuple[str, str] | None = None  # a reply to ask for again, and the note before
        self._note_begun = False
        seeing.viewed.connect(self._go_on)

    def mark(self, verb: str, message_ids: Sequence[str]) -> None:
        """Pins messages, leaves them out, or takes either back."""
        contexts = self._application.contexts
        call = {"pin": contexts.pin, "leave_out": contexts.leave_out, "unmark": contexts.unmark}[verb]
        for message_id in message_ids:
            if not self._try(partial(call, message_id)):
                return

    def set_policy(self, policy: Policy) -> None:
        """What happens when the window is full."""
        where = self._page.conversation_id
        if not self._try(lambda: self._application.contexts.set_policy(where, policy)):
            self._seeing.show_now()  # what was clicked is taken back

    def take(self, action: str) -> bool:
        """Does what was offered: grow, summarise, leave_out_oldest. Whether it was begun."""
        contexts, where, view = self._application.contexts, self._page.conversation_id, self._seeing.view
        if action == "grow":
            grow_to = view.grow_to if view is not None else 0
            return bool(grow_to) and self._try(lambda: contexts.grow(where, grow_to))
        if action == "summarise":
            return self._try(lambda: contexts.summarise(where))
        return self._try(lambda: contexts.leave_out_oldest(where))

    def take_for(self, action: str, reply_id: str) -> None:
        """Does what was offered under a reply that was refused, and asks for it again; after a note once it is
        there."""
        if not self.take(action):
            return
        if action == "summarise":
            self._again = (reply_id, self._seeing.view.note if self._seeing.view is not None else "")
            self._note_begun = False
            self._seeing.open_panel()
        else:
            self._page.regenerate(reply_id)

    def _go_on(self, view: ContextView | None) -> None:
        if view is None:  # another conversation
            self._again = None
        if self._again is None or view is None:
            return
        reply_id, before = self._again
        if view.summarising:
            self._note_begun = True
        elif self._note_begun or view.note != before:
            self._again = None
            if view.note and not view.needs_choice:
                self._page.regenerate(reply_id)

    def stop_summarising(self) -> None:
        """No note after all."""
        where = self._page.conversation_id
        self._again = None
        self._try(lambda: self._application.contexts.stop_summarising(where))

    def set_note(self, text: str) -> None:
        """Other words for the note."""
        where = self._page.conversation_id
        self._try(lambda: self._application.contexts.set_note(where, text))

    def remove_note(self) -> None:
        """The turns themselves again."""
        where = self._page.conversation_id
        self._try(lambda: self._application.contexts.remove_note(where))

    def _try(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except InglenookError as error:
            self._page.say(error.sentence)
            return False
        return True


def connect_context(panel: SidePanel, seeing: Seeing, choosing: Choosing) -> None:
    """Hands the wishes of the tab Context to what fulfils them."""
    tab = panel.context
    panel.tab_shown.connect(lambda _key: seeing.show_in_panel())
    tab.wished.connect(choosing.mark)
    tab.taken.connect(choosing.take)
    tab.policy_chosen.connect(choosing.set_policy)
    tab.summarise_stopped.connect(choosing.stop_summarising)
    tab.note_saved.connect(choosing.set_note)
    tab.note_removed.connect(choosing.remove_note)
    tab.message_chosen.connect(seeing.show_message)
    tab.now_wanted.connect(seeing.show_now)
