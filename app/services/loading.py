"""Which model is loaded: load, cancel, unload, and loading it again after the engine process died.

One thread works off the wishes, so that the engine is never asked for two models at once. A model that is refused
leaves the one before it in place where the engine kept it; where it did not, the one before is loaded again.
"""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.engine.client import Call, EngineClient
from app.engine.errors import Cancelled, EngineDied, EngineError
from app.engine.outcome import Outcome
from app.engine.protocol import Code
from app.engine.supervisor import State
from app.engine.values import LoadedModel, LoadOptions, ModelFile
from app.services.cells import CacheCosts, Cells
from app.services.changes import EngineChanged, EngineState, Publisher
from app.services.errors import NoSuchThing, ServiceError
from app.services.jobs import LOADING, Jobs
from app.services.library import Library
from app.services.sharing import Shared
from app.settings.errors import NotSaved
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)

POLL_S = 0.05
END_S = 5.0


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded model: the library's view and the engine's."""

    file: ModelFile
    model: LoadedModel


class _Wish:
    """One model to be loaded, or None to unload. Several may wait for the same wish."""

    def __init__(self, file: ModelFile | None, *, remember: bool = False, restarted: bool = False) -> None:
        self.file = file
        self.remember = remember
        self.restarted = restarted
        self.cancelled = threading.Event()
        self.future: Future[Ready | None] = Future()


class Loading:
    """`state` is the last EngineChanged. Public methods return at once, except `ensure`."""

    def __init__(
        self, engine: EngineClient, library: Library, settings: SettingsFile,
        cells: Cells, publisher: Publisher, jobs: Jobs,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._cells = cells
        self._library = library
        self._settings = settings
        self._publisher = publisher
        self._jobs = jobs
        self._lock = threading.Lock()
        self._wishes: queue.SimpleQueue[_Wish | None] = queue.SimpleQueue()
        self._current: _Wish | None = None
        self._call: Call[LoadedModel] | None = None
        self._ready: Ready | None = None
        self._running = False
        self._waiting = 0  # wishes that the thread has not taken up yet
        self._warming = False
        self._wanted = LoadOptions()  # what the loaded model was loaded with, before its cells were chosen
        self.engine_in_use = Shared()
        """Held together by those who generate or measure, so that the model stays; a load holds it alone."""
        self.state = EngineChanged(state=EngineState.OFF)

    @property
    def ready(self) -> Ready | None:
        """What is loaded now."""
        return self._ready

    def load(self, model_id: str) -> None:
        """Loads this model as the person's choice; the change comes as EngineChanged. Raises NoSuchThing."""
        file = self._library.get(model_id)
        if file is None:
            raise NoSuchThing("This model is no longer there.", detail=model_id)
        self._wish(file, remember=True)

    def warm(self) -> None:
        """Loads the model used last, or the starter model: a message is about to be written.

        Nothing is done while one is loaded or wished for, nor after a refusal: the message itself tries again.
        """
        with self._lock:
            idle = self._ready is None and self._current is None and not self._waiting and not self._warming
            if not idle or self.state.state is EngineState.FAILED:
                return
            self._warming = True
        self._jobs.submit(self._warm)

    def _warm(self) -> None:
        try:
            self._wish(self._library.default())
        except InglenookError as error:
            log.info("nothing to load: %s", error.code)
        finally:
            self._warming = False

    def cancel(self) -> None:
        """Gives up the load that is under way."""
        with self._lock:
            wish, call = self._current, self._call
        if wish is not None:
            wish.cancelled.set()
        if call is not None:
            call.cancel()

    def unload(self) -> None:
        """Frees the model's memory."""
        self._put(_Wish(None))

    @property
    def outdated(self) -> bool:
        """Whether the loaded model was loaded with other settings than those of this moment."""
        ready = self._ready
        return ready is not None and not self._as_wanted(ready)

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
        with self._lock:
            if self._current is not None and self._current.file is not None:
                return self._current.file
            if self._ready is not None:
                return self._ready.file
        return self._library.default()

    def refuse_without_models(self, model_id: str = "") -> None:
        """Raises NoModelFound where it is known that a reply could not be written with anything. Reads no disk."""
        if self._library.refreshed.is_set():
            self.choice(model_id)

    def ensure(self, file: ModelFile, stop: threading.Event) -> Ready:
        """Waits until `file` is loaded. Raises what loading raises, and Cancelled when `stop` is set meanwhile."""
        with self._lock:
            ready, wish = self._ready, self._current
            same = wish is not None and wish.file is not None and wish.file.id == file.id
        if ready is not None and ready.file.id == file.id and wish is None:
            return ready
        future = wish.future if same and wish is not None else self._wish(file).future
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

    def close(self) -> None:
        """Ends the thread; a load under way is given up."""
        self.cancel()
        self._wishes.put(None)

    # --- the engine's own news --------------------------------------------------------------------------------------

    def engine_changed(self, state: State, outcome: Outcome | None) -> None:
        """What the engine process does. Called on the engine's reader thread."""
        if state is State.DIED:
            with self._lock:
                ready, self._ready = self._ready, None
            sentence, detail = (outcome.sentence, outcome.detail) if outcome is not None else ("", "")
            log.info("the engine died: %s", outcome.kind if outcome is not None else "?")
            if ready is not None:
                self._tell(EngineState.STARTING, ready.file, sentence=sentence, detail=detail, restarted=True)
                self._put(_Wish(ready.file, restarted=True))
        elif state is State.GIVEN_UP:
            with self._lock:
                self._ready = None
            if outcome is not None:
                self._publish(EngineChanged(state=EngineState.FAILED, sentence=outcome.sentence, detail=outcome.detail))
        elif state is State.STARTING and self.state.state is EngineState.LOADING:
            self._publish(msgspec.structs.replace(self.state, state=EngineState.STARTING))

    # --- the loading thread -----------------------------------------------------------------------------------------

    def _wish(self, file: ModelFile, *, remember: bool = False) -> _Wish:
        wish = _Wish(file, remember=remember)
        self._put(wish)
        return wish

    def _put(self, wish: _Wish) -> None:
        with self._lock:
            start, self._running = not self._running, True
            self._waiting += 1
        self._wishes.put(wish)
        if start:
            self._jobs.start(LOADING, self._work)

    def _work(self) -> None:
        while (wish := self._wishes.get()) is not None:
            with self._lock:
                self._current = wish
                self._waiting -= 1
            result: Ready | None = None
            refusal: InglenookError | None = None
            try:
                result = self._fulfil(wish)
            except InglenookError as error:
                refusal = error
            except Exception as error:  # the edge of this thread: the next wish must still be heard
                log.exception("loading failed")
                sentence = "The model could not be loaded because of a fault in Inglenook."
                refusal = ServiceError(sentence, detail=type(error).__name__)
                self._publish(EngineChanged(state=EngineState.FAILED, sentence=sentence, detail=refusal.detail))
            with self._lock:
                self._current = self._call = None
            if refusal is not None:
                wish.future.set_exception(refusal)
            else:
                wish.future.set_result(result)

    def _fulfil(self, wish: _Wish) -> Ready | None:
        if self._jobs.ending.is_set():
            raise Cancelled()
        with self.engine_in_use.alone(wish.cancelled, self._jobs.ending) as held:  # replies under way end first
            if not held:
                raise Cancelled()
            if wish.file is None:
                self._unload()
                return None
            before = self._ready
            if before is not None and before.file.id == wish.file.id and self._as_wanted(before):
                if not self._told(before):
                    self._tell(EngineState.READY, before.file, model=before.model)
                self._remember(wish)
                return before
            return self._load(wish, wish.file, before)

    def _told(self, ready: Ready) -> bool:
        """Whether this was the last thing told, without a word about a refusal; a second wish then says nothing new."""
        state = self.state
        return state.state is EngineState.READY and state.model_id == ready.file.id and not state.sentence

    def _as_wanted(self, ready: Ready) -> bool:
        """Whether this model is still in the engine, loaded with the options of this moment."""
        return ready.model == self._engine.model and self._wanted == self._settings.current.load_options()

    def _load(self, wish: _Wish, file: ModelFile, before: Ready | None) -> Ready:
        self._tell(EngineState.LOADING, file, restarted=wish.restarted)
        wanted = self._settings.current.load_options()
        options = self._cells.chosen(file, wanted)
        call = self._engine.load(
            Path(file.path), options, lambda fraction: self._tell(EngineState.LOADING, file, fraction=fraction)
        )
        with self._lock:
            self._call = call
        if wish.cancelled.is_set():
            call.cancel()
        try:
            model = call.result()
        except EngineError as error:
            self._refused(wish, file, before, error)
            raise
        self._wanted = wanted
        ready = Ready(file=file, model=model)
        with self._lock:
            self._ready = ready
        self._remember(wish)
        self._tell(EngineState.READY, file, model=model, restarted=wish.restarted)
        return ready

    def _refused(self, wish: _Wish, file: ModelFile, before: Ready | None, error: EngineError) -> None:
        log.info("loading was refused: %s", error.code)
        kept = self._engine.model
        with self._lock:
            self._ready = before if before is not None and kept is not None else None
        cancelled = error.code == Code.CANCELLED
        if not cancelled:
            self._tell(EngineState.FAILED, file, sentence=error.sentence, detail=error.detail, model=kept)
        if self._ready is not None:
            self._tell(
                EngineState.READY,
                self._ready.file,
                model=self._ready.model,
                sentence="" if cancelled else error.sentence,
            )
        elif cancelled:
            self._publish(EngineChanged(state=EngineState.OFF))
        elif before is not None and before.file.id != file.id and not wish.restarted:
            self._put(_Wish(before.file, restarted=isinstance(error, EngineDied)))

    def _unload(self) -> None:
        with self._lock:
            self._ready = None
        if self._engine.model is not None:
            self._engine.unload().result()
        self._publish(EngineChanged(state=EngineState.OFF))

    def _remember(self, wish: _Wish) -> None:
        if wish.remember and wish.file is not None:
            try:
                self._settings.change("general.last_model_id", wish.file.id)
            except NotSaved as error:
                log.info("the last model is not remembered: %s", error.detail)

    def _tell(
        self, state: EngineState, file: ModelFile, *, fraction: float = 0.0, model: LoadedModel | None = None,
        sentence: str = "", detail: str = "", restarted: bool = False,
    ) -> None:  # fmt: skip
        self._publish(
            EngineChanged(
                state=state, model_id=file.id, model_name=file.name, fraction=fraction, model=model, sentence=sentence,
                detail=detail, restarted=restarted,
            )
        )  # fmt: skip

    def _publish(self, change: EngineChanged) -> None:
        self.state = change
        self._publisher.publish(change)
