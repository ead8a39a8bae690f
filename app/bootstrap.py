"""The only file that builds concrete things and hands them to each other.

Start: `build` makes settings, engine client and services without touching the database, a model or a process; `open`
(off the window's thread) imports and opens the store, looks at the model folders and begins to watch; the engine
process starts with the first model that is wanted. What the first frame can do without is imported and built when it
is first asked for. End (`close`), in this order: replies stop and are kept, the gate shuts (who waits for the network
wakes up), the engine ends, the services' threads are joined, what the disk refused is tried a last time and the ledger
is written, the store closes. What the person agreed to lose goes after that (`leave`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from app.base.clock import now_ms
from app.base.errors import InglenookError
from app.base.paths import Places, resources
from app.engine.command import worker_command
from app.engine.engine import Engine
from app.engine.outcome import Outcome
from app.engine.snapshots import SnapshotFolder
from app.engine.supervisor import State
from app.services.adapters import Adapters
from app.services.cells import Cells
from app.services.changes import ConversationsChanged, EngineState, LibraryChanged, Publisher, SettingsChanged
from app.services.contexts import Contexts
from app.services.conversations import Conversations
from app.services.errors import NotOpen
from app.services.ground import Ground
from app.services.growing import LongerWindows
from app.services.healing import Healing
from app.services.jobs import Jobs
from app.services.keeping import Keeping
from app.services.library import Library
from app.services.live import LiveReplies
from app.services.loading import Loading
from app.services.lookup import Lookup
from app.services.marking import Marking
from app.services.memory import Memory
from app.services.network import Network
from app.services.placement import Placement
from app.services.plans import Plans
from app.services.prompts import Prompts
from app.services.refusals import Refusals
from app.services.sending import Sending
from app.services.snapshots import Snapshots
from app.services.summarising import Summarising
from app.services.views import Views
from app.services.wakefulness import Wakefulness
from app.services.watch import Watch
from app.services.workers import Workers
from app.services.writing import Writing
from app.settings.errors import SettingsError
from app.settings.file import SettingsFile

if TYPE_CHECKING:
    from app.hub.token import TokenSource
    from app.services.account import Account
    from app.services.browsing import Browsing
    from app.services.diagnostics import Diagnostics
    from app.services.downloading import Downloading
    from app.services.fitting import Fitting
    from app.services.leaving import Leaving
    from app.services.pictures import Pictures

T = TypeVar("T")

log = logging.getLogger(__name__)

STOP_REPLIES_S = 3.0
JOIN_S = 5.0
DAMAGED = "The conversations cannot be opened: a part of Inglenook is missing or damaged. Install it again."
UNDO_DELETE_MS = 60 * 60 * 1000
"""A deleted conversation is removed for good at a start that comes later than this."""


class _Late(Generic[T]):
    """A part of the application that is built when it is first asked for, once, whichever thread asks."""

    def __init__(self, build: Callable[[Application], T]) -> None:
        self._build = build

    def __get__(self, application: Application, owner: type[Application]) -> T:
        with application.building:
            parts = application.__dict__  # what is found here from now on, without coming by again
            if self._build.__name__ not in parts:
                parts[self._build.__name__] = self._build(application)
            part: T = parts[self._build.__name__]
            return part


class Application:
    """Everything a front needs, built and connected."""

    def __init__(
        self,
        places: Places,
        engine_command: Sequence[str],
        *,
        offline: bool = False,
        migrate_command: Sequence[str] | None = None,
    ) -> None:
        self.places = places
        self.building = threading.RLock()
        self._at_end: list[Callable[[], None]] = []  # how what was built late ends
        self._engine_command = engine_command
        self._migrate_command = migrate_command
        self.publisher = Publisher()
        self.settings = SettingsFile(places.settings, on_change=self._settings_changed)
        self.jobs = Jobs()
        self.ground = Ground(self.publisher)
        self.network = Network(self.settings, self.ground, self.publisher, self.jobs, offline=offline)
        self.gate = self.network.gate
        self.engine = Engine(engine_command, on_state=self._engine_changed)
        self.wakefulness = Wakefulness(self.jobs)
        self.library = Library(places, resources(), self.settings, self.ground, self.publisher)
        cells = Cells(lambda: self.fitting.machine())
        placement = Placement(
            self.settings, self.ground, cells, lambda: self.fitting.machine(),
            lambda devices: self.fitting.devices_seen(devices),
        )  # fmt: skip
        self._workers = Workers(self.engine, self.gate, self.network.computing)
        self.loading = Loading(
            self.engine, self.library, self.settings, cells, placement,
            Healing(self.engine, placement, self._workers), self.publisher, self.jobs,
        )  # fmt: skip
        self.plans = Plans(
            self.engine, self.library, self.settings, placement, self.loading, self._workers, self.publisher, self.jobs
        )
        self.adapters = Adapters(self.library, self.loading, self.jobs)
        memory, self._live = Memory(), LiveReplies()
        self._keeping = Keeping(self.ground, memory, self._live)
        lookup, marking = Lookup(self.ground, memory), Marking(self.ground, memory, self.publisher)
        self.snapshots = Snapshots(
            self.engine, SnapshotFolder(places.snapshots), self.loading, lookup, memory, self.ground, self.settings,
            self.publisher, self.jobs,
        )  # fmt: skip
        growing = LongerWindows(lambda: self.fitting.machine(), cells.chosen)
        prompts = Prompts(self.engine, lookup, marking)
        summarising = Summarising(self.engine, prompts, self.publisher)
        writing = Writing(
            self.engine, self.loading, prompts, summarising, marking, Refusals(growing, self.loading), self.snapshots,
            self._keeping, self.wakefulness, self.publisher,
        )  # fmt: skip
        self.conversations = Conversations(self.ground, memory, self._live, self.snapshots, self.publisher)
        self.contexts = Contexts(
            self.ground, lookup, self.conversations, self._live, self.loading, prompts, summarising, marking,
            Views(lookup, self._live, self.loading, prompts, summarising, growing, self.settings), self.publisher,
            self.jobs,
        )  # fmt: skip
        self.sending = Sending(
            self.ground, memory, self._live, self._keeping, writing, marking, self.settings, self.loading,
            self.publisher, self.jobs,
        )  # fmt: skip
        self._watch = Watch(self.ground, self._keeping, self.publisher, self.jobs, others_wrote=self._others_wrote)
        self._closed = False

    # --- built when first asked for ---------------------------------------------------------------------------------

    @_Late
    def _tokens(self) -> TokenSource:
        from app.hub.token import TokenSource

        return TokenSource(self.places.data, portable=self.places.portable)

    @_Late
    def account(self) -> Account:
        """The account on the Hub."""
        from app.services.account import Account

        return Account(self._tokens, self.publisher)

    @_Late
    def browsing(self) -> Browsing:
        """Looking around on the Hub."""
        from app.hub.catalog import Catalog
        from app.hub.client import HubClient
        from app.hub.licences import Licences
        from app.services.browsing import Browsing

        licences = Licences(resources())
        catalog = Catalog(HubClient(self.gate, lambda: self.network.endpoint, self._tokens.token), licences)
        browsing = Browsing(catalog, licences, self.gate, self.publisher, self.jobs, resources())
        self._at_end.append(browsing.close)
        return browsing

    @_Late
    def pictures(self) -> Pictures:
        """Pictures of model cards."""
        from app.services.pictures import Pictures

        pictures = Pictures(self.gate, self.publisher, self.jobs)
        self._at_end.append(pictures.stop)
        return pictures

    @_Late
    def downloading(self) -> Downloading:
        """The queue of downloads."""
        from app.services.downloading import Downloading

        downloading = Downloading(
            self.ground,
            self.network,
            self.library,
            self.settings,
            self.publisher,
            self.jobs,
            self.wakefulness,
            self._tokens.token,
        )
        self._at_end.append(downloading.close)
        return downloading

    @_Late
    def fitting(self) -> Fitting:
        """What a model will be like on this computer."""
        from app.services.fitting import Fitting

        fitting = Fitting(
            self._engine_command,
            self.places.data,
            self.gate,
            lambda: self.network.endpoint,
            self._tokens.token,
            _starter,
            self._busy,
            self.publisher,
            self.jobs,
        )
        self._at_end.append(fitting.close)
        return fitting

    @_Late
    def diagnostics(self) -> Diagnostics:
        """The state of this installation in facts."""
        from app.services.diagnostics import Diagnostics

        return Diagnostics(
            self.places, self.ground, self.library, self.settings, self.engine, self._workers, self.plans.devices
        )

    @_Late
    def leaving(self) -> Leaving:
        """Everything that is kept, and taking it away."""
        from app.services.leaving import Leaving

        return Leaving(self.places, self.ground, self.settings, self._tokens.forget)

    # --- start and end ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Opens the conversations and looks for models. Blocks for some tenths of a second; what fails is told as a
        trouble."""
        began = time.perf_counter()
        if self.settings.trouble:
            self.ground.trouble(SettingsError(self.settings.trouble), "settings")
        try:
            from app.store.store import open_store  # brings SQLAlchemy, which must not come before the first paint

            store = open_store(self.places, migrate_command=self._migrate_command)
            self.ground.opened(store)
            self._watch.start()
            store.conversations.purge(now_ms() - UNDO_DELETE_MS).add_done_callback(self._purged)
        except InglenookError as error:
            log.error("the conversations cannot be opened: %s %s", error.code, error.detail)
            self.ground.refused(error)
        except Exception as error:  # the edge of the thread that opens: the window waits for an answer
            log.exception("the conversations cannot be opened")
            self.ground.refused(NotOpen(DAMAGED, detail=f"{type(error).__name__}: {error}"))
        self.publisher.publish(ConversationsChanged())
        self.library.refresh()
        self.publisher.publish(LibraryChanged())
        log.info("opened in %.2f s", time.perf_counter() - began)
        if self.settings.current.engine.auto_load:
            self.loading.warm()

    def close(self) -> None:
        """Ends everything, bounded in time, and loses nothing. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if not self.sending.stop_all(STOP_REPLIES_S):
            log.info("a reply did not stop in time; the engine is ended under it")
        self.sending.close()
        self.contexts.close()
        self.loading.close()
        with self.building:
            endings = [*reversed(self._at_end)]
        for end in endings:
            end()
        self.network.stop()
        self.snapshots.stop()
        self.engine.close()
        self.jobs.close(JOIN_S)
        self.snapshots.end()
        self.wakefulness.close()
        store = self.ground.open_store
        if store is not None:
            try:
                self._keeping.retry()
            except InglenookError as error:
                log.info("not saved at the end: %s", error.code)
            self.network.close()
            self.ground.closed()
            store.close()

    def leave(self) -> str:
        """Removes what the person agreed to lose, after `close`; returns what stayed all the same, or ''."""
        return self.leaving.carry_out() if "leaving" in self.__dict__ else ""

    def _busy(self) -> bool:
        """Whether a reply is being written or a model loaded right now."""
        return bool(self._live.all()) or self.loading.state.state in (EngineState.STARTING, EngineState.LOADING)

    def _others_wrote(self) -> None:
        self.downloading.others_wrote()
        self.jobs.submit(self.library.others_wrote)

    def _settings_changed(self, names: tuple[str, ...]) -> None:
        self.publisher.publish(SettingsChanged(names=names))
        self.network.settings_changed(names)
        self.snapshots.settings_changed(names)
        if "general.models_dir" in names or any(name.startswith("models.") for name in names):
            self.jobs.submit(self.library.refresh)

    def _purged(self, done: Future[list[str]]) -> None:
        if (error := done.exception()) is not None:  # the next start tries again
            log.info("deleted conversations could not be removed for good: %s", type(error).__name__)
        self.snapshots.start()  # what is gone for good leaves nothing there either

    def _engine_changed(self, state: State, outcome: Outcome | None) -> None:
        self.loading.engine_changed(state, outcome)


def _starter() -> Path | None:
    return next(iter(sorted((resources() / "models").glob("*.gguf"))), None)


def build(
    places: Places,
    *,
    engine_command: Sequence[str] | None = None,
    offline: bool = False,
    migrate_command: Sequence[str] | None = None,
) -> Application:
    """The application, not yet open. `engine_command` is another engine process than our own, for tests; `offline`:
    nothing can switch it online in this run; `migrate_command`: the process that creates or updates the database, for
    one that lives long (without it, it happens here, which is sooner done but keeps Alembic in memory)."""
    return Application(
        places,
        engine_command if engine_command is not None else worker_command(),
        offline=offline,
        migrate_command=migrate_command,
    )
