"""What actions and signals do, in terms of the window and its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from app.base.errors import InglenookError
from app.ui.models.conversations import ID_ROLE

if TYPE_CHECKING:
    from app.ui.window import Window


def deeds(window: Window) -> dict[str, Callable[[], object]]:
    """Each action of menus.ACTIONS by its name."""
    page = window.conversation
    return {
        "new": window.new,
        "open_model": lambda: _on_page(window, page.verbs.open_model_file),
        "rename": lambda: window.rename(page.conversation_id),
        "delete": lambda: delete(window, page.conversation_id),
        "settings": lambda: window.show_settings(""),
        "quit": window.close,
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
    side.settings_requested.connect(lambda: window.show_settings(""))
    side.fold_requested.connect(lambda: frame.set_wanted(False))
    side.failed.connect(page.say)
    rail.unfold_requested.connect(lambda: window.go(page))
    rail.new_requested.connect(window.new)
    rail.search_requested.connect(window.show_search)
    rail.settings_requested.connect(lambda: rail.settings.setChecked(True))
    frame.sidebar_shown.connect(lambda shown: page.header.show_unfold(not shown))
    page.header.unfold_requested.connect(lambda: frame.set_wanted(True))
    page.header.menu_requested.connect(lambda: show_menu(window))
    page.conversation_shown.connect(window.conversation_shown)
    page.panel_toggled.connect(lambda _shown: window.go(page))


def delete(window: Window, conversation_id: str) -> None:
    """Deletes a conversation; the toast can bring it back."""
    conversations = window.application.conversations
    conversation = conversations.get(conversation_id) if conversation_id else None
    if conversation is None:
        return
    was_open = window.conversation.conversation_id == conversation_id
    try:
        conversations.delete(conversation_id)
    except InglenookError as error:
        window.conversation.say(error.sentence)
        return
    if was_open:
        window.conversation.open(None)

    def undo() -> None:
        conversations.undo_delete(conversation_id)
        if was_open:
            window.open(conversation_id)

    window.conversation.say(f"“{conversation.title}” was deleted", icon_name="trash", undo=undo)


def copy_diagnostics(window: Window) -> None:
    """Puts the facts for a bug report on the clipboard."""
    try:
        QGuiApplication.clipboard().setText(window.application.diagnostics.text())
    except InglenookError as error:
        window.conversation.say(error.sentence)
        return
    window.go(window.conversation)
    window.conversation.say("Diagnostics copied. They hold nothing you or a model wrote.", icon_name="copy")


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
