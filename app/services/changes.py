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
from app.hub.values import ModelPage, ModelSummary

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


class ContextChanged(_Change, frozen=True, kw_only=True):
    """What the model would see of this conversation is something else now: marks, the note, the policy, the window."""

    conversation_id: str


class NoteGrew(_Change, frozen=True, kw_only=True):
    """The model writes a note of old turns: `text` is all of it so far; before, `done` of `total` tokens are read."""

    conversation_id: str
    text: str
    done: int = 0
    total: int = 0


class EngineState(enum.StrEnum):
    """What the engine is doing, as far as a person cares."""

    OFF = "off"
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class EngineChanged(_Change, frozen=True, kw_only=True):
    """The engine's state. `fraction` is load progress 0..1; `sentence` and `detail` say why it failed.

    While a model is loading `done_bytes` of `total_bytes` are there (0: not known). `restarted`: the child had died and
    came back by itself. `stepped_down`: the plan that was made did not work; the line says what was given up.
    `can_insist`: it was refused because it would push the system into swap; the person may have it all the same.
    """

    state: EngineState
    model_id: str = ""
    model_name: str = ""
    fraction: float = 0.0
    model: LoadedModel | None = None
    sentence: str = ""
    detail: str = ""
    restarted: bool = False
    done_bytes: int = 0
    total_bytes: int = 0
    stepped_down: str = ""
    can_insist: bool = False


class LibraryChanged(_Change, frozen=True, kw_only=True):
    """The list of model files changed."""


class NetworkState(_Change, frozen=True, kw_only=True):
    """Whether the network may be reached. `mode` is the person's choice: ask, online or offline.

    `forced_by` names what keeps it offline whatever they chose (--offline, a variable), `words` is the line to show.
    `computing`: further computers (HOST:PORT) that the loaded model lies on, this one left out.
    """

    mode: str
    online: bool
    forced_by: str = ""
    words: str = ""
    computing: tuple[str, ...] = ()


class NetworkChanged(_Change, frozen=True, kw_only=True):
    """The switch was turned, or the way out is another one."""

    state: NetworkState


class LedgerChanged(_Change, frozen=True, kw_only=True):
    """The network ledger has something new; told at most about once a second."""


class MachineMeasured(_Change, frozen=True, kw_only=True):
    """What this computer can do is known (better) now: expectations of speed are other ones."""


class AccountChanged(_Change, frozen=True, kw_only=True):
    """The access token for the Hub is another one. `origin` says where it comes from: environment, keyring, session,
    or none."""

    origin: str


class SearchAnswered(_Change, frozen=True, kw_only=True):
    """More results of search `number`, in order; none of them came before. `first`: these begin a new list.

    `more`: there are further pages. `done`: nothing else comes until more are wanted.
    """

    number: int
    models: tuple[ModelSummary, ...]
    first: bool
    more: bool
    done: bool


class SearchFailed(_Change, frozen=True, kw_only=True):
    """Search `number` has ended; what came of it stays. `seconds` says how long to wait (0: unknown)."""

    number: int
    code: str
    sentence: str
    detail: str = ""
    seconds: int = 0


class ModelAnswered(_Change, frozen=True, kw_only=True):
    """What a repository holds is known. `repo` is the name it was asked by; it may be called otherwise now."""

    repo: str
    revision: str
    page: ModelPage


class CardAnswered(_Change, frozen=True, kw_only=True):
    """A model's card, as Markdown of a stranger; empty when there is none."""

    repo: str
    revision: str
    card: str


class PictureAnswered(_Change, frozen=True, kw_only=True):
    """A picture of a model's card is there: bytes of a stranger, of a kind that is an image by its own account."""

    repo: str
    address: str
    data: bytes


class ModelFailed(_Change, frozen=True, kw_only=True):
    """A repository (`card`: its card) could not be read. `link`: a web page where something can be done, or ''."""

    repo: str
    revision: str
    card: bool
    code: str
    sentence: str
    detail: str = ""
    link: str = ""
    seconds: int = 0


class DownloadsChanged(_Change, frozen=True, kw_only=True):
    """Downloads came, went, changed places or states. Empty `ids`: anything may have changed."""

    ids: tuple[str, ...] = ()


class DownloadProgressed(_Change, frozen=True, kw_only=True):
    """How far a download is; told at most four times a second. `checking`: all is there, and its fingerprint is being
    read. `remaining_s` is None while it cannot be known. `said` is what a person may want to know, or ''."""

    id: str
    done_bytes: int
    size_bytes: int
    checking: bool = False
    bytes_per_s: float = 0.0
    remaining_s: float | None = None
    said: str = ""


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
    | ContextChanged
    | NoteGrew
    | EngineChanged
    | LibraryChanged
    | NetworkChanged
    | LedgerChanged
    | MachineMeasured
    | AccountChanged
    | SearchAnswered
    | SearchFailed
    | ModelAnswered
    | CardAnswered
    | PictureAnswered
    | ModelFailed
    | DownloadsChanged
    | DownloadProgressed
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
