"""Which model is loaded: load, cancel, unload, and loading it again after the engine process died.

One thread works off the wishes, so that the engine is never asked for two models at once. A model that is refused
leaves the one before it in place where the engine kept it; where it did not, the one before is loaded again. How a load
goes on when it does not work at first is the business of `healing`. A model that nobody used for the time of
`engine.unload_minutes` is unloaded; unloading ends the engine's process, so that all of its memory is back.
"""

from __future__ import annotations

import logging
import threading

import msgspec

from app.base.errors import InglenookError
from app.engine.client import Call, EngineClient
from app.engine.errors import Cancelled, EngineDied, EngineError
from app.engine.outcome import Outcome
from app.engine.protocol import Code
from app.engine.supervisor import State
from app.engine.values import LoadedModel, LoadOptions, ModelFile
from app.services.announcing import Announcing
from app.services.cells import CacheCosts, Cells
from app.services.changes import Change, EngineChanged, EngineState, NetworkChanged, Publisher
from app.services.errors import NoSuchThing, ServiceError, WouldSwap
from app.services.healing import Healing, Listener, Loaded
from app.services.jobs import Jobs
from app.services.library import Library
from app.services.load_wishes import Ready, Wish, Wishes
from app.services.placement import Placement, Wanted
from app.services.sharing import Shared
from app.settings.errors import NotSaved
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)

POLL_S = 0.05
MINUTE_S = 60.0


class Loading:
    """Public methods return at once, except `ensure`."""

    def __init__(
        self, engine: EngineClient, library: Library, settings: SettingsFile, cells: Cells, placement: Placement,
        healing: Healing, publisher: Publisher, jobs: Jobs, minute_s: float = MINUTE_S,
    ) -> None:  # fmt: skip
        """`minute_s`: how long a minute of `engine.unload_minutes` is."""
        self._engine = engine
        self._cells = cells
        self._placement = placement
        self._healing = healing
        self._minute_s = minute_s
        self._library = library
        self._settings = settings
        self._jobs = jobs
        self._lock = threading.Lock()
        self._wishes = Wishes(
            self._fulfil,
            self._broken,
            lambda: None if self._ready is None else self._minute_s,
            lambda: self._unused,
            jobs,
        )
        self._call: Call[LoadedModel] | None = None
        self._ready: Ready | None = None
        self._warming = False
        self._wanted: Wanted | None = None  # what the loaded model was loaded for
        self._insisted: set[str] = set()  # models that the person insists on, whatever they take
        self.insists = False
        """Every load of this run happens even if the system has to swap for it."""
        self.engine_in_use = Shared()
        """Held together by those who generate or measure, so that the model stays; a load holds it alone."""
        self._told = Announcing(publisher)
        publisher.subscribe(self._heard)

    @property
    def state(self) -> EngineChanged:
        """What was told last."""
        return self._told.state

    @property
    def ready(self) -> Ready | None:
        """What is loaded now."""
        return self._ready

    def load(
        self, model_id: str, options: LoadOptions | None = None, *, insist: bool = False, again: bool = False
    ) -> None:
        """Loads this model as the person's choice, with options set by hand, if any; the change comes as EngineChanged.
        `insist`: even if that pushes the system into swap. `again`: even if it is loaded. Raises NoSuchThing.

        The load of another model, for which no reply waits, is given up."""
        file = self._library.get(model_id)
        if file is None:
            raise NoSuchThing("This model is no longer there.", detail=model_id)
        wish = self._wishes.current
        if wish is not None and wish.file is not None and wish.file.id != file.id and not wish.awaited:
            self.cancel()
        self._wishes.put(Wish(file, remember=True, by_hand=options, insist=insist, again=again))

    def lengthen(self, model_id: str, n_ctx: int) -> None:
        """Loads this model with a longer context, from now on: in its own plan where one was set by hand, else for all.
        Raises NoSuchThing, and NotSaved when that cannot be kept."""
        wanted = self._placement.wanted(model_id)
        if wanted.by_person:
            self.load(model_id, msgspec.structs.replace(wanted.options, n_ctx=n_ctx))
        else:
            self._settings.change("engine.n_ctx", n_ctx)
            self.load(model_id)

    def options(self, model_id: str) -> LoadOptions:
        """What is asked of the next load of this model."""
        return self._placement.wanted(model_id).options

    def warm(self) -> None:
        """Loads the model used last, or the starter model: a message is about to be written.

        Nothing is done while one is wished for, nor after a refusal: the message itself tries again. One that is loaded
        stays for that message, however long it takes to write.
        """
        self.engine_in_use.touch()
        with self._lock:
            idle = self._ready is None and not self._wishes.any and not self._warming
            if not idle or self.state.state is EngineState.FAILED:
                return
            self._warming = True
        self._jobs.submit(self._warm)

    def _warm(self) -> None:
        try:
            self._wishes.put(Wish(self._library.default()))
        except InglenookError as error:
            log.info("nothing to load: %s", error.code)
        finally:
            self._warming = False

    def cancel(self) -> None:
        """Gives up the load that is under way."""
        wish, call = self._wishes.current, self._call
        if wish is not None:
            wish.cancelled.set()
        if call is not None:
            call.cancel()

    def unload(self) -> None:
        """Gives the model's memory back, once what is being written has ended."""
        self._wishes.put(Wish(None))

    @property
    def outdated(self) -> bool:
        """Whether the loaded model was loaded with other settings than those of this moment."""
        ready = self._ready
        return ready is not None and not self._as_wanted(ready)

    @property
    def waiting(self) -> bool:
        """Whether the next load waits until what is being written with the loaded model has ended."""
        wish = self._wishes.current
        loads = wish.file is not None if wish is not None else self._wishes.any
        return loads and self._ready is not None and self.engine_in_use.shared

    def cache_costs(self) -> tuple[str, CacheCosts] | None:
        """The model of the next reply by name, and what its cache takes with the settings of this moment; None if that
        cannot be told. May read the head of a file."""
        try:
            file = self.choice()
        except InglenookError:
            return None
        costs = self._cells.costs(file, self._settings.current.load_options())
        return (file.name, costs) if costs is not None else None

    def context_limit(self) -> int:
        """Tokens that the loaded model can see; 0 while none is loaded."""
        ready = self._ready
        return ready.model.n_ctx if ready is not None else 0

    def choice(self, model_id: str = "") -> ModelFile:
        """The model a reply is written with: the one asked for, the one loaded or being loaded, the last, the starter.

        Raises NoModelFound.
        """
        if model_id and (file := self._library.get(model_id)) is not None:
            return file
        wish, ready = self._wishes.current, self._ready
        if wish is not None and wish.file is not None:
            return wish.file
        if ready is not None:
            return ready.file
        return self._library.default()

    def refuse_without_models(self, model_id: str = "") -> None:
        """Raises NoModelFound where it is known that a reply could not be written with anything. Reads no disk."""
        if self._library.refreshed.is_set():
            self.choice(model_id)

    def ensure(self, file: ModelFile, stop: threading.Event) -> Ready:
        """Waits until `file` is loaded. Raises what loading raises, and Cancelled when `stop` is set meanwhile."""
        ready, wish = self._ready, self._wishes.current
        same = wish is not None and wish.file is not None and wish.file.id == file.id
        if ready is not None and ready.file.id == file.id and wish is None:
            return ready
        if wish is not None and same:
            wish.awaited = True
        else:
            wish = self._wishes.put(Wish(file, awaited=True))
        future = wish.future
        while not stop.is_set() and not self._jobs.ending.is_set():
            try:
                loaded = future.result(POLL_S)
            except TimeoutError:
                if future.done():
                    raise
                continue
            if loaded is not None:
                return loaded
            raise Cancelled()
        raise Cancelled()

    def failed_writing(self, ready: Ready, error: EngineError) -> None:
        """A reply failed. Where less of the model may work, it is loaded again with less."""
        if self._ready is ready and self._healing.failed(ready.file, error):
            self._wishes.put(Wish(ready.file))

    def close(self) -> None:
        """Ends the thread; a load under way is given up."""
        self.cancel()
        self._wishes.end()

    # --- the engine's own news --------------------------------------------------------------------------------------

    def engine_changed(self, state: State, outcome: Outcome | None) -> None:
        """What the engine process does. Called on the engine's reader thread."""
        if state is State.DIED:
            with self._lock:
                ready, self._ready = self._ready, None
            sentence, detail = (outcome.sentence, outcome.detail) if outcome is not None else ("", "")
            log.info("the engine died: %s", outcome.kind if outcome is not None else "?")
            if ready is not None:
                if outcome is not None:
                    self._healing.failed(ready.file, EngineDied.of(outcome.kind, sentence, detail))
                self._told.model(EngineState.STARTING, ready.file, sentence=sentence, detail=detail, restarted=True)
                self._wishes.put(Wish(ready.file, restarted=True))
        elif state is State.GIVEN_UP:
            with self._lock:
                self._ready = None
            if outcome is not None:
                self._told.publish(
                    EngineChanged(state=EngineState.FAILED, sentence=outcome.sentence, detail=outcome.detail)
                )
        elif state is State.STARTING and self.state.state is EngineState.LOADING:
            self._told.publish(msgspec.structs.replace(self.state, state=EngineState.STARTING))

    def _heard(self, change: Change) -> None:
        """Offline now: a model that lies on another computer too may not go on there."""
        if isinstance(change, NetworkChanged) and not change.state.online and change.state.computing:
            self._jobs.submit(self._come_home)

    def _come_home(self) -> None:
        with self._lock:
            ready, self._ready = self._ready, None
        self._engine.rest()
        if ready is not None:
            self._wishes.put(Wish(ready.file))

    # --- the loading thread -----------------------------------------------------------------------------------------

    def _broken(self, fault: ServiceError) -> None:
        self._told.publish(EngineChanged(state=EngineState.FAILED, sentence=fault.sentence, detail=fault.detail))

    @property
    def _unused(self) -> bool:
        """Whether nobody has used the model for as long as it may stay so."""
        minutes = self._settings.current.engine.unload_minutes
        return minutes > 0 and self.engine_in_use.quiet_s() >= minutes * self._minute_s

    def _fulfil(self, wish: Wish) -> Ready | None:
        if self._jobs.ending.is_set():
            raise Cancelled()
        with self.engine_in_use.alone(wish.cancelled, self._jobs.ending) as held:  # replies under way end first
            if not held:
                raise Cancelled()
            if wish.file is None:
                if not wish.idle or self._unused:
                    self._unload()
                return None
            before = self._ready
            if before is not None and before.file.id == wish.file.id and self._is_enough(wish, before):
                if not self._told.said(before):
                    self._told.ready(before)
                self._remember(wish)
                return before
            return self._load(wish, wish.file, before)

    def _is_enough(self, wish: Wish, ready: Ready) -> bool:
        """Whether the wish is fulfilled by what is loaded."""
        if wish.again or self._healing.owes(ready.file) or not self._as_wanted(ready):
            return False
        return wish.by_hand is None or self._placement.by_hand(wish.by_hand) == self._wanted

    def _as_wanted(self, ready: Ready) -> bool:
        """Whether this model is still in the engine, loaded with the options of this moment."""
        return ready.model == self._engine.model and self._wanted == self._placement.wanted(ready.file.id)

    def _load(self, wish: Wish, file: ModelFile, before: Ready | None) -> Ready:
        self._told.model(EngineState.LOADING, file, restarted=wish.restarted)
        try:
            loaded = self._attempt(wish, file, before)
        except (EngineError, WouldSwap) as error:
            self._refused(wish, file, before, error)
            raise
        self._wanted = self._placement.wanted(file.id)  # what was set by hand is kept by now
        ready = Ready(file=file, model=loaded.model, stepped_down=loaded.stepped_down)
        with self._lock:
            self._ready = ready
        self._remember(wish)
        self._told.ready(ready, restarted=wish.restarted)
        return ready

    def _attempt(self, wish: Wish, file: ModelFile, before: Ready | None) -> Loaded:
        def progress(fraction: float, line: str) -> None:
            self._told.model(EngineState.LOADING, file, fraction=fraction, restarted=wish.restarted, stepped_down=line)

        def begun(call: Call[LoadedModel]) -> None:
            with self._lock:
                self._call = call
            if wish.cancelled.is_set():
                call.cancel()

        listener = Listener(progress, begun, wish.cancelled.is_set)
        if wish.insist or self.insists:
            self._insisted.add(file.id)
        insist = file.id in self._insisted
        model = before.model if before is not None else None
        return self._healing.load(file, wish.by_hand, model, listener, insist=insist)

    def _refused(self, wish: Wish, file: ModelFile, before: Ready | None, error: InglenookError) -> None:
        log.info("loading was refused: %s", error.code)
        kept = self._engine.model
        with self._lock:
            self._ready = before if before is not None and kept is not None else None
        cancelled = error.code == Code.CANCELLED
        if not cancelled:
            self._told.model(
                EngineState.FAILED, file, sentence=error.sentence, detail=error.detail, model=kept,
                can_insist=isinstance(error, WouldSwap),
            )  # fmt: skip
        if self._ready is not None:
            self._told.ready(self._ready, sentence="" if cancelled else error.sentence)
        elif cancelled:
            self._told.publish(EngineChanged(state=EngineState.OFF))
        elif before is not None and before.file.id != file.id and not wish.restarted:
            self._wishes.put(Wish(before.file, restarted=isinstance(error, EngineDied)))

    def _unload(self) -> None:
        with self._lock:
            self._ready = None
        if self._engine.model is not None:
            try:
                self._engine.unload().result()  # what conversations left in memory goes to their snapshots
            except EngineError as error:  # it ended by itself meanwhile
                log.info("unloading: %s", error.code)
        self._engine.rest()
        self._healing.unloaded()
        self._told.publish(EngineChanged(state=EngineState.OFF))

    def _remember(self, wish: Wish) -> None:
        if wish.remember and wish.file is not None:
            try:
                self._settings.change("general.last_model_id", wish.file.id)
            except NotSaved as error:
                log.info("the last model is not remembered: %s", error.detail)
