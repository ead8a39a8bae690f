"""What the pieces of the Models page want of others: one object with a signal for each, handed to all of them."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class Wishes(QObject):
    """`online_wanted` and `offline_wanted` turn the switch; `tab_wanted` names a tab.

    `chat_wanted` and `plan_wanted` carry a model's id, `library_wanted` a repository and a path in it, `reveal_wanted`
    a path to show in the file manager, `link_wanted` a web address. `hosts_wanted` leads to the hosts that get the
    access token, `search_wanted` looks for these words. `said` is a word about something done, `undoable` the same with
    what takes it back. `loss_wanted` asks before data is lost: question, what is lost, the button's words, the deed.
    """

    online_wanted = Signal()
    offline_wanted = Signal()
    privacy_wanted = Signal()
    login_wanted = Signal()
    hosts_wanted = Signal()
    search_wanted = Signal(str)
    tab_wanted = Signal(str)
    chat_wanted = Signal(str)
    said = Signal(str)
    undoable = Signal(str, object)
    link_wanted = Signal(str)
    library_wanted = Signal(str, str)
    plan_wanted = Signal(str)
    reveal_wanted = Signal(str)
    loss_wanted = Signal(str, str, str, object)
