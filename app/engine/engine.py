"""EngineClient on one supervised process: open calls, their ends, and errors with a sentence."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.engine import protocol
from app.engine.client import Call, GenerationEvent
from app.engine.errors import (
    EngineClosed,
    EngineDied,
    EngineError,
    EngineUnavailable,
    FileUnreadable,
    InternalError,
    error_from,
)
from app.engine.gguf import UNSPEAKABLE, is_text
from app.engine.hardware import DeviceSpeed, MemoryPlan
from app.engine.outcome import Outcome
from app.engine.protocol import Failed, Finished, Kept, Measured, Progress
from app.engine.supervisor import State, Supervisor, Timing
from app.engine.values import (
    Adapter,
    EngineInfo,
    GenerateRequest,
    GenerationFacts,
    LoadedModel,
    LoadOptions,
    PromptMessage,
    TemplateOptions,
)

_log = logging.getLogger(__name__)


class _Open:
    """Book-keeping of a call whose end has not been seen."""

    def __init__(
        self,
        call: Call[Any],
        ends_with: type,
        value: Callable[[Any], Any],
        on_event: Callable[[Any], None] | None,
    ) -> None:
        self.call, self.ends_with, self.value, self.on_event = call, ends_with, value, on_event
        self.run = 0


class Engine:
    """EngineClient on one supervised process, started by the first command.

    `on_state(state, outcome)` tells what the process is doing; after State.DIED it is started again by itself, without
    a model. Thread-safe.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_state: Callable[[State, Outcome | None], None] | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._open: dict[int, _Open] = {}
        self._closed = False
        self._last_exit: Outcome | None = None
        self._told_state = on_state
        self.model: LoadedModel | None = None
        self._supervisor = Supervisor(
            command,
            on_event=self._on_event,
            on_exit=self._on_exit,
            on_state=self._on_state,
            timing=timing,
        )

    @property
    def state(self) -> State:
        """What the process is doing."""
        return self._supervisor.state

    @property
    def pid(self) -> int | None:
        """The process id while there is one."""
        return self._supervisor.pid

    @property
    def last_exit(self) -> Outcome | None:
        """How the process ended the last time."""
        return self._last_exit

    def load(
        self, path: Path, options: LoadOptions, on_progress: Callable[[float], None] | None = None
    ) -> Call[LoadedModel]:
        if not is_text(str(path)):
            raise FileUnreadable("a name that is not UTF-8", sentence=UNSPEAKABLE)

        def progress(event: object) -> None:
            if on_progress is not None and isinstance(event, Progress):
                on_progress(event.done / event.total if event.total > 0 else 0.0)

        return self._begin(
            lambda number: protocol.Load(id=number, path=str(path), options=options),
            protocol.Loaded,
            lambda event: event.model,
            progress,
        )

    def unload(self) -> Call[None]:
        return self._begin(lambda number: protocol.Unload(id=number), protocol.Unloaded, lambda event: None)

    def generate(
        self, request: GenerateRequest, on_event: Callable[[GenerationEvent], None] | None = None
    ) -> Call[GenerationFacts]:
        return self._begin(
            lambda number: protocol.Generate(
                id=number,
                sequence=request.sequence,
                messages=request.messages,
                sampling=request.sampling,
                stop=request.stop,
                template_options=request.template_options,
                continue_final=request.continue_final,
                shift=request.shift,
                snapshot=request.snapshot,
                snapshot_limit=request.snapshot_limit,
                guess=request.guess,
                adapters=request.adapters,
            ),
            Finished,
            lambda event: event.facts,
            on_event,
        )

    def measure(
        self,
        messages: Sequence[PromptMessage],
        template_options: TemplateOptions | None = None,
        sequence: str = "",
        *,
        ahead: bool = False,
        adapters: tuple[Adapter, ...] = (),
    ) -> Call[Measured]:
        return self._begin(
            lambda number: protocol.Measure(
                id=number,
                messages=list(messages),
                template_options=template_options or {},
                sequence=sequence,
                ahead=ahead,
                adapters=adapters,
            ),
            Measured,
            lambda event: event,
        )

    def keep(self, sequence: str) -> Call[Kept]:
        return self._begin(
            lambda number: protocol.Keep(id=number, sequence=sequence), protocol.Kept, lambda event: event
        )

    def restore(
        self, sequence: str, snapshot: str, snapshot_limit: int = 0, adapters: tuple[Adapter, ...] = ()
    ) -> Call[int]:
        return self._begin(
            lambda number: protocol.Restore(
                id=number, sequence=sequence, snapshot=snapshot, snapshot_limit=snapshot_limit, adapters=adapters
            ),
            protocol.Restored,
            lambda event: event.tokens,
        )

    def forget(self, sequence: str) -> Call[None]:
        return self._begin(
            lambda number: protocol.Forget(id=number, sequence=sequence), protocol.Forgotten, lambda event: None
        )

    def describe(self, rpc: Sequence[str] = ()) -> Call[EngineInfo]:
        return self._begin(
            lambda number: protocol.Describe(id=number, rpc=tuple(rpc)), protocol.Described, lambda event: event.info
        )

    def plan(self, path: Path, options: LoadOptions) -> Call[MemoryPlan]:
        return self._begin(
            lambda number: protocol.Plan(id=number, path=str(path), options=options),
            protocol.Planned,
            lambda event: event.plan,
        )

    def gauge(self, device: str) -> Call[DeviceSpeed]:
        return self._begin(
            lambda number: protocol.Gauge(id=number, device=device), protocol.Gauged, lambda event: event.speed
        )

    def rest(self) -> None:
        self._supervisor.rest()

    def hurry(self) -> None:
        self._supervisor.hurry()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._supervisor.close()
        self._fail_open(EngineClosed(), lambda run: True)

    # --- calls ----------------------------------------------------------------------------------------------------

    def _begin(
        self,
        command: Callable[[int], protocol.Command],
        ends_with: type,
        value: Callable[[Any], Any],
        on_event: Callable[[Any], None] | None = None,
    ) -> Call[Any]:
        call: Call[Any] = Call(next(self._ids), self._cancel)
        entry = _Open(call, ends_with, value, on_event)
        frame = command(call.id)
        with self._lock:
            # Noted and sent under one lock, so that the end of a run finds every call that was sent to it.
            refused = self._closed
            if not refused:
                self._open[call.id] = entry
                entry.run = self._supervisor.send(frame)
        if refused:
            self._finish(entry, Failed(id=call.id, code=EngineClosed.code), EngineClosed())
        return call

    def _cancel(self, id: int) -> None:
        with self._lock:
            if not self._closed and id in self._open:
                self._supervisor.send(protocol.Cancel(target=id))

    def _finish(self, entry: _Open, event: Any, error: EngineError | None = None) -> None:
        """The terminal event first, then the result: whoever waits for the result has seen every event."""
        self._tell(entry, event)
        if error is not None:
            entry.call.fail(error)
        else:
            entry.call.succeed(entry.value(event))

    def _tell(self, entry: _Open, event: Any) -> None:
        if entry.on_event is None:
            return
        try:
            entry.on_event(event)
        except Exception:  # noqa: BLE001 - the edge of the reader thread: a listener's fault must not cost the engine
            _log.exception("a listener of call %d failed on %s", entry.call.id, type(event).__name__)

    def _fail_open(self, error: EngineError, concerned: Callable[[int], bool]) -> None:
        with self._lock:
            gone = [entry for entry in self._open.values() if concerned(entry.run)]
            for entry in gone:
                del self._open[entry.call.id]
        for entry in gone:
            failed = Failed(id=entry.call.id, code=error.code, detail=error.detail, numbers=error.numbers)
            self._finish(entry, failed, error)

    # --- the reader thread ----------------------------------------------------------------------------------------

    def _on_event(self, event: protocol.Event) -> None:
        if isinstance(event, (protocol.Hello, protocol.Pong)):
            return
        terminal = isinstance(event, protocol.TERMINAL)
        with self._lock:
            entry = self._open.pop(event.id, None) if terminal else self._open.get(event.id)
            if isinstance(event, protocol.Loaded):
                self.model = event.model
            elif isinstance(event, protocol.Unloaded):
                self.model = None
            elif isinstance(event, Failed) and entry is not None and entry.ends_with is protocol.Loaded:
                self.model = self.model if event.model_kept else None
        if entry is None:
            _log.debug("%s for call %d, which is not open", type(event).__name__, event.id)
        elif not terminal:
            self._tell(entry, event)
        elif isinstance(event, Failed):
            self._finish(entry, event, error_from(event.code, event.detail, event.numbers))
        elif isinstance(event, entry.ends_with):
            self._finish(entry, event)
        else:
            error = InternalError(f"{type(event).__name__} ended a call that ends with {entry.ends_with.__name__}")
            self._finish(entry, Failed(id=event.id, code=error.code, detail=error.detail), error)

    def _on_exit(self, outcome: Outcome, run: int) -> None:
        with self._lock:
            self.model = None
            self._last_exit = outcome
        error: EngineError
        if outcome.expected:
            error = EngineClosed(outcome.detail)
        elif outcome.kind in ("not_started", "no_room", "wrong_protocol", "slow_start", "installation", "instruction"):
            error = EngineUnavailable(outcome.detail, sentence=outcome.sentence)
        else:
            error = EngineDied.of(outcome.kind, outcome.sentence, outcome.detail)
        self._fail_open(error, lambda number: number <= run)

    def _on_state(self, state: State, outcome: Outcome | None) -> None:
        if self._told_state is not None:
            try:
                self._told_state(state, outcome)
            except Exception:  # noqa: BLE001 - the reader thread goes on whatever a listener does
                _log.exception("a listener failed on the engine's state %s", state.value)
