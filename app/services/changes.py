"""The closed set of facts that services publish. Screens follow these and nothing else.

A change is frozen, small and past tense. `Publisher` calls its subscribers on whatever thread published; the
window's bridge and the command line each move them to where they belong. No change is ever a question or a wish.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable

import msgspec

from app.chat.messages import ReplyFacts, ReplyState
from app.engine.values import LoadedModel

log = logging.getLogger(__name__)


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    pass


class ConversationsChanged(_Change, frozen=True, kw_only=True):
    """Rows of the list came, went or changed (title, order). Empty `ids`: anything may have changed, also by another
    process."""

    ids: tuple[str, ...] = ()


class PathChanged(_Change, frozen=True, kw_only=True):
    """The visible path of a conversation has other messages now: a message came, a branch was chosen, another
    process wrote."""

    conversation_id: str


class ReplyGrew(_Change, frozen=True, kw_only=True):
    """`text` was appended to a reply at character `offset` of its thinking or its answer."""

    conversation_id: str
    message_id: str
    offset: int
    text: str
    thinking: bool = False


class ReplyProgressed(_Change, frozen=True, kw_only=True):
    """The prompt is being read: `done` of `total` tokens, cached ones included."""

    conversation_id: str
    message_id: str
    done: int
    total: int


class ReplyChanged(_Change, frozen=True, kw_only=True):
    """A reply's state changed; terminal states carry the facts. Never dropped, never joined."""

    conversation_id: str
    message_id: str
    state: ReplyState
    facts: ReplyFacts | None = None


class EngineState(enum.StrEnum):
    """What the engine is doing, as far as a person cares."""

    OFF = "off"
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class EngineChanged(_Change, frozen=True, kw_only=True):
    """The engine's state. `fraction` is load progress 0..1; `sentence` and `detail` say why it failed.

    `restarted`: the child had died and came back by itself.
    """

    state: EngineState
    model_id: str = ""
    model_name: str = ""
    fraction: float = 0.0
    model: LoadedModel | None = None
    sentence: str = ""
    detail: str = ""
    restarted: bool = False


class LibraryChanged(_Change, frozen=True, kw_only=True):
    """The list of model files changed."""


class SettingsChanged(_Change, frozen=True, kw_only=True):
    """Options changed, by dotted name."""

    names: tuple[str, ...]


class TroubleChanged(_Change, frozen=True, kw_only=True):
    """Something is wrong with the application's own ground (disk full, database locked, ...), or is right again.

    An empty sentence means the trouble named by `code` is over.
    """

    code: str
    sentence: str = ""
    detail: str = ""


Change = (
    ConversationsChanged
    | PathChanged
    | ReplyGrew
    | ReplyProgressed
    | ReplyChanged
    | EngineChanged
    | LibraryChanged
    | SettingsChanged
    | TroubleChanged
)


class Publisher:
    """Hands each change to all subscribers, in the order of publishing per thread. A failing subscriber harms no
    other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: tuple[Callable[[Change], None], ...] = ()

    def subscribe(self, subscriber: Callable[[Change], None]) -> Callable[[], None]:
        """Calls `subscriber` with every change from now on; returns the function that ends it."""
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)

        return unsubscribe

    def publish(self, change: Change) -> None:
        """Calls every subscriber with `change`, on this thread."""
        for subscriber in self._subscribers:
            try:
                subscriber(change)
            except Exception:  # a subscriber is the edge of another thread's world
                log.exception("a subscriber failed on %s", type(change).__name__)
