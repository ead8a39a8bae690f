"""Every action of the window with its words and keys, once: a menu bar on macOS, three dots elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

Standard = QKeySequence.StandardKey

ACTIONS: dict[str, tuple[str, str, str | Standard]] = {
    "new": ("File", "New conversation", "Ctrl+N"),
    "open_model": ("File", "Open a GGUF file…", "Ctrl+O"),
    "rename": ("File", "Rename this conversation", "F2"),
    "delete": ("File", "Delete this conversation", ""),
    "offline": ("File", "Work offline", ""),
    "find_models": ("File", "Models", "Ctrl+Shift+M"),
    "privacy": ("File", "Privacy", ""),
    "settings": ("File", "Settings", "Ctrl+,"),
    "quit": ("File", "Quit", "Ctrl+Q"),
    "undo": ("Edit", "Undo deleting", "Ctrl+Z"),
    "find": ("Edit", "Find in this conversation", "Ctrl+F"),
    "search": ("Edit", "Search all conversations", "Ctrl+K"),
    "sidebar": ("View", "Sidebar", "Ctrl+B"),
    "panel": ("View", "Settings of this conversation", "Ctrl+I"),
    "models": ("View", "Choose a model", "Ctrl+M"),
    "previous": ("View", "Conversation above", "Ctrl+PgUp"),
    "next": ("View", "Conversation below", "Ctrl+PgDown"),
    "diagnostics": ("Help", "Copy diagnostics", "Ctrl+Shift+C"),
    "about": ("Help", "About Inglenook", ""),
}

_DOTS: tuple[str, ...] = (
    "rename", "delete", "", "find", "panel", "", "offline", "find_models", "privacy", "settings",
    "diagnostics", "about", "", "quit"
)  # fmt: skip
_SWITCHES = ("offline",)
_OF_A_CONVERSATION = ("rename", "delete", "find")


class Actions:
    """The actions live in the window, so that their keys work wherever the focus is."""

    def __init__(self, window: QMainWindow, deeds: Mapping[str, Callable[[], object]]) -> None:
        self._window = window
        self._actions: dict[str, QAction] = {}
        self._forced = False
        for name, (_, words, keys) in ACTIONS.items():
            action = QAction(words, window)
            action.setCheckable(name in _SWITCHES)
            if keys:
                action.setShortcut(QKeySequence(keys))
            action.triggered.connect(lambda _checked=False, name=name: deeds[name]())
            if name in ("quit", "settings", "about"):
                roles = {"quit": "QuitRole", "settings": "PreferencesRole", "about": "AboutRole"}
                action.setMenuRole(QAction.MenuRole[roles[name]])
            window.addAction(action)
            self._actions[name] = action
        if sys.platform == "darwin":
            self._fill_menu_bar()

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def enable(self, *, conversation: bool, usable: bool) -> None:
        """Actions that need a conversation, or any at all, follow what is there."""
        for name, action in self._actions.items():
            if name in _OF_A_CONVERSATION:
                action.setEnabled(conversation and usable)
            elif name == "offline":
                action.setEnabled(not self._forced)
            elif name not in ("quit", "diagnostics"):
                action.setEnabled(usable)

    def show_offline(self, offline: bool, *, forced: bool) -> None:
        """Ticks 'Work offline'. When something forces it, there is nothing to choose."""
        self._actions["offline"].setChecked(offline)
        self._forced = forced
        self._actions["offline"].setEnabled(not forced)

    def menu(self) -> QMenu:
        """The menu behind the three dots."""
        menu = QMenu(self._window)
        for name in _DOTS:
            if not name:
                menu.addSeparator()
            elif self._actions[name].isEnabled():
                menu.addAction(self._actions[name])
        return menu

    def _fill_menu_bar(self) -> None:
        menus: dict[str, QMenu] = {}
        for name, (group, _, _) in ACTIONS.items():
            if group not in menus:
                menus[group] = self._window.menuBar().addMenu(group)
            menus[group].addAction(self._actions[name])
