"""What actions and signals do, in terms of the window and its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.base.errors import InglenookError
from app.chat.messages import SearchHit
from app.ui.components.sidebar import Rail, Sidebar
from app.ui.frame import Frame
from app.ui.menus import Actions
from app.ui.models.conversations import ID_ROLE
from app.ui.pages.conversation.page import ConversationPage
from app.ui.ports import ApplicationPort

if TYPE_CHECKING:
    from app.ui.visits import Visits
    from app.ui.widgets.toast import SayingPage


@dataclass(frozen=True)
class Deleted:
    """A conversation that can be brought back. `follows`: its notice took the place of the one before's."""

    id: str
    title: str
    was_open: bool
    follows: bool


class Window(Protocol):
    """What the deeds need of the window."""

    application: ApplicationPort
    sidebar: Sidebar
    rail: Rail
    conversation: ConversationPage
    pages: QStackedWidget
    frame: Frame
    actions_: Actions
    visits: Visits
    deleted: list[Deleted]

    def new(self) -> None: ...
    def close(self) -> bool: ...
    def open(self, conversation_id: str | None, message_id: str | None = None) -> None: ...
    def open_hit(self, hit: SearchHit) -> None: ...
    def rename(self, conversation_id: str) -> None: ...
    def go(self, page: QWidget) -> None: ...
    def show_settings(self, section: str) -> None: ...
    def show_privacy(self) -> None: ...
    def show_models(self, tab: str = "") -> None: ...
    def show_find(self) -> None: ...
    def show_search(self) -> None: ...
    def conversation_shown(self, conversation_id: str) -> None: ...


def deeds(window: Window) -> dict[str, Callable[[], object]]:
    """Each action of menus.ACTIONS by its name."""
    page = window.conversation
    return {
        "new": window.new,
        "open_model": lambda: _on_page(window, page.verbs.open_model_file),
        "rename": lambda: window.rename(window.sidebar.list.pointed_at or page.conversation_id),
        "delete": lambda: delete(window, page.conversation_id),
        "offline": lambda: turn_network(window, online=not window.actions_["offline"].isChecked()),
        "find_models": window.show_models,
        "privacy": window.show_privacy,
        "settings": lambda: window.show_settings(""),
        "quit": window.close,
        "undo": lambda: undo(window),
        "find": window.show_find,
        "search": window.show_search,
        "sidebar": lambda: window.frame.set_wanted(not window.frame.sidebar_visible),
        "panel": lambda: _on_page(window, lambda: page.show_panel(not page.panel_shown)),
        "models": lambda: _on_page(window, page.toggle_picker),
        "previous": lambda: step(window, -1),
        "next": lambda: step(window, 1),
        "diagnostics": lambda: copy_diagnostics(window),
        "about": lambda: window.show_settings("about"),
    }


def connect(window: Window) -> None:
    """Hands the wishes of sidebar, rail and header to those who fulfil them."""
    side, rail, page, frame = window.sidebar, window.rail, window.conversation, window.frame
    side.open_requested.connect(window.open)
    side.hit_chosen.connect(window.open_hit)
    side.new_requested.connect(window.new)
    side.delete_requested.connect(lambda conversation_id: delete(window, conversation_id))
    side.models_requested.connect(window.show_models)
    side.privacy_requested.connect(window.show_privacy)
    side.settings_requested.connect(lambda: window.show_settings(""))
    side.fold_requested.connect(lambda: frame.set_wanted(False))
    side.failed.connect(lambda sentence: tell(window, sentence))
    side.left.connect(lambda: leave_sidebar(window))
    side.list.rename_left.connect(lambda: frame.overlay(False))
    rail.unfold_requested.connect(lambda: window.open(page.conversation_id))
    rail.new_requested.connect(window.new)
    rail.search_requested.connect(window.show_search)
    rail.models_requested.connect(window.show_models)
    rail.privacy_requested.connect(window.show_privacy)
    rail.settings_requested.connect(lambda: window.show_settings(""))
    frame.focus_homeless.connect(lambda: focus_page(window))
    frame.escaped.connect(lambda: escape(window))
    frame.sidebar_shown.connect(lambda shown: page.header.show_unfold(not shown))
    page.header.unfold_requested.connect(lambda: unfold(window))
    page.header.menu_requested.connect(lambda: show_menu(window))
    page.conversation_shown.connect(window.conversation_shown)
    page.models_requested.connect(window.show_models)
    page.panel_toggled.connect(lambda _shown: window.go(page))


def focus_page(window: Window) -> None:
    """Puts the focus where a person goes on: into the composer, or on the page that has none."""
    page = window.conversation
    goal = page.composer.field if page.isVisible() else window.pages.currentWidget() or window.pages
    goal.setFocus(Qt.FocusReason.OtherFocusReason)


def escape(window: Window) -> None:
    """Escape was pressed beside the page: what it would do on the page."""
    page = window.conversation
    if page.isVisible():
        page.verbs.stop()
    else:
        window.open(page.conversation_id)


def leave_sidebar(window: Window) -> None:
    """Goes back to the page; a sidebar that lies over it goes away."""
    window.frame.overlay(False)
    focus_page(window)


def delete(window: Window, conversation_id: str) -> None:
    """Deletes a conversation; the toast can bring it back, and so can Ctrl+Z later."""
    conversations = window.application.conversations
    conversation = conversations.get(conversation_id) if conversation_id else None
    if conversation is None:
        return
    was_open = window.conversation.conversation_id == conversation_id
    follows = bool(window.deleted) and _offered(window)
    try:
        conversations.delete(conversation_id)
    except InglenookError as error:
        tell(window, error.sentence)
        return
    if was_open:
        window.conversation.open(None)
    window.deleted.append(Deleted(conversation_id, conversation.title, was_open, follows))
    _offer_back(window, window.deleted[-1])


def _offer_back(window: Window, deleted: Deleted) -> None:
    way_back = partial(_bring_back, window, deleted)
    tell(window, f"“{deleted.title}” was deleted", icon_name="trash", undo=way_back)


def _bring_back(window: Window, deleted: Deleted) -> None:
    if deleted not in window.deleted:
        return
    try:
        window.application.conversations.undo_delete(deleted.id)
    except InglenookError as error:
        tell(window, error.sentence)
        return
    window.deleted.remove(deleted)
    if deleted.was_open:
        window.open(deleted.id)
    if deleted.follows and window.deleted:
        _offer_back(window, window.deleted[-1])


def tell(window: Window, text: str, *, icon_name: str = "", undo: Callable[[], None] | None = None) -> None:
    """Says a word on the page that is shown."""
    speaker(window).say(text, icon_name=icon_name, undo=undo)


def speaker(window: Window) -> ConversationPage | SayingPage:
    """The page whose toast can be seen."""
    from app.ui.widgets.toast import SayingPage

    page = window.pages.currentWidget()
    return page if isinstance(page, SayingPage) else window.conversation


def undo(window: Window) -> None:
    """Takes back what the toast speaks of, as its button does; without one, what was deleted last, but not for a person
    who writes."""
    if _offered(window):
        speaker(window).toast.take_back()
    elif window.deleted and not window.conversation.composer.field.hasFocus():
        _bring_back(window, window.deleted[-1])


def _offered(window: Window) -> bool:
    page = speaker(window)
    return "toast" in page.__dict__ and page.toast.offers


def unfold(window: Window) -> None:
    """Brings the sidebar back; where it lies over the page, or was called by the keyboard, it takes the focus."""
    by_keyboard = window.conversation.header.unfold.hasFocus()
    window.frame.set_wanted(True)
    if by_keyboard or window.frame.overlaid:
        window.sidebar.take_focus()


def turn_network(window: Window, *, online: bool) -> None:
    """Turns the switch; what refuses to be turned is said, and shown as it is."""
    network = window.application.network
    try:
        if online:
            network.go_online()
        else:
            network.go_offline()
    except InglenookError as error:
        tell(window, error.sentence)
    window.visits.show_network(network.state)


def chat_with(window: Window, model_id: str) -> None:
    """Loads a model and begins a conversation."""
    try:
        window.application.loading.load(model_id)
    except InglenookError as error:
        tell(window, error.sentence)
        return
    window.new()


def copy_diagnostics(window: Window) -> None:
    """Puts the facts for a bug report on the clipboard."""
    try:
        QGuiApplication.clipboard().setText(window.application.diagnostics.text())
    except InglenookError as error:
        tell(window, error.sentence)
        return
    tell(window, "Diagnostics copied. They hold nothing you or a model wrote.", icon_name="copy")


def step(window: Window, by: int) -> None:
    """Opens the conversation above (-1) or below (1) the open one in the list."""
    model = window.sidebar.model
    at = model.row_of(window.conversation.conversation_id) + by
    while 0 <= at < model.rowCount():
        if conversation_id := model.index(at).data(ID_ROLE):
            window.open(conversation_id)
            return
        at += by


def show_menu(window: Window) -> None:
    """Opens the menu behind the three dots, its right edge under the button's."""
    menu = window.actions_.menu()
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    button = window.conversation.header.menu
    corner = button.mapToGlobal(QPoint(button.width(), button.height() + 4))
    menu.popup(corner - QPoint(menu.sizeHint().width(), 0))


def _on_page(window: Window, deed: Callable[[], None]) -> None:
    window.go(window.conversation)
    deed()
