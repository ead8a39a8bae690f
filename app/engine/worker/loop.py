"""The llama.cpp thread: it alone owns model and context. It serves commands; steps.py carries the replies on.

Between two steps commands are served: questions at once, replies as soon as a sequence is free, loads when no reply is
under way.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from app.base.threads import NoRoom
from app.engine.errors import Cancelled, EngineError, NoModel, PromptTooLong, TemplateBroken
from app.engine.protocol import (
    Code,
    Describe,
    Described,
    Ended,
    Event,
    Failed,
    Finished,
    Forget,
    Gauge,
    Gauged,
    Generate,
    Keep,
    Load,
    Measure,
    Measured,
    Plan,
    Planned,
    Progress,
    Request,
    Restore,
    Unload,
    Unloaded,
)
from app.engine.protocol import Loaded as LoadedEvent
from app.engine.values import EngineInfo, GenerationFacts
from app.engine.worker import devices, llama, throughput
from app.engine.worker.ahead import Ahead
from app.engine.worker.context import Abort
from app.engine.worker.generation import STOPPED, Generation, boundaries
from app.engine.worker.loading import Loaded, check, check_devices, reach
from app.engine.worker.planning import plan
from app.engine.worker.sampling import Sampler
from app.engine.worker.snapshots import Snapshots
from app.engine.worker.steps import Steps

PROGRESS_INTERVAL_S = 0.05
THREAD_ENDED = 3  # the exit status of a process whose thread for llama.cpp cannot go on
NO_MEMORY = b"MemoryError\n"  # made beforehand
KEEP_S = 1.8  # at the end, and before another model: what is not written by then is read anew some day
_AHEAD = -1  # what the native call works for when it reads ahead, for no request


class Loop:
    """Runs on a thread of its own. `submit`, `cancel` and `stop` may be called from any thread."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._inbox: queue.SimpleQueue[tuple[Request, float] | None] = queue.SimpleQueue()  # None: look around
        self._waiting: deque[tuple[Request, float]] = deque()
        self._abort = Abort()
        self._open: set[int] = set()  # accepted and not yet answered
        self._lock = threading.Lock()  # over `_alone` together with the switch that aborts
        self._alone = 0  # the request that the native call under way works for, if it is a single one
        self._cancelled: set[int] = set()
        self._stopping = False
        self._steps = Steps(self._close, self._finish, self._begin_decode)
        self._snapshots = Snapshots(lambda: self._inbox.put(None), self._finish)
        self._ahead = Ahead()
        self._quiet = True  # nothing that waits can be served before something arrives
        self._loaded: Loaded | None = None
        self._thread = threading.Thread(target=self._run, name="llama.cpp", daemon=True)

    # --- from other threads -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def submit(self, command: Request) -> None:
        """Take a command; it will be answered by one terminal event with its id."""
        self._open.add(command.id)
        self._inbox.put((command, time.perf_counter()))
        with self._lock:
            if self._alone == _AHEAD and getattr(command, "sequence", "") != self._ahead.name:
                self._abort.set()

    def cancel(self, target: int) -> None:
        """Stop a load or a generation, running or waiting; an id that is answered already is ignored."""
        self._cancelled.add(target)
        if target not in self._open:  # looked at last: it may be answered at this very moment
            self._cancelled.discard(target)
            return
        with self._lock:
            if self._alone == target:
                self._abort.set()

    def stop(self, timeout_s: float) -> bool:
        """End at once, whatever runs. Whether the thread ended in time."""
        self._stopping = True
        self._abort.set()
        self._inbox.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Everything this thread does. Should a fault end it, the process ends too: its main thread would go on to say
        that all is well, and whoever waits for an answer would wait for ever."""
        try:
            self._work()
        except BaseException as fault:  # noqa: BLE001 - the edge of the thread
            try:
                short = isinstance(fault, MemoryError | NoRoom)
                os.write(2, NO_MEMORY if short else f"{type(fault).__name__}\n".encode())
            finally:
                os._exit(THREAD_ENDED)

    def _work(self) -> None:
        llama.start_backends()
        while not self._stopping:
            self._receive()
            self._guarded(self._snapshots.serve, None)
            self._serve()
            if self._steps.active and not self._stopping:
                self._quiet = False
                self._guarded(self._step, None)
            elif self._ahead.name and not self._stopping:
                self._guarded(partial(self._ahead.step, self._begin_ahead), None)
        self._guarded(partial(self._snapshots.detach, KEEP_S), None)
        self._snapshots.end()

    def _step(self) -> None:
        self._set_alone(0)
        if self._stopping:
            return
        if self._cancelled:
            self._steps.stop(self._cancelled)
        self._steps.step()

    def _set_alone(self, request: int) -> None:
        with self._lock:
            self._alone = request
            self._abort.clear()

    def _begin_decode(self, alone: int) -> bool:
        """A batch is ready, for the request `alone` or, with 0, for several. Whether it should still be decoded.

        An abort drops the slice for all who are in it. So a stop cuts a slice short only for one that is alone there;
        from here on it sets the switch, until here it is seen in the set.
        """
        with self._lock:
            self._alone = alone
        return not self._stopping and alone not in self._cancelled

    def _begin_ahead(self) -> bool:
        """As `_begin_decode`, for reading ahead: whatever else arrives, but for the same conversation, ends it."""
        self._set_alone(_AHEAD)
        return not self._stopping and self._inbox.empty()

    def _receive(self) -> None:
        """Take what has arrived; wait for something only when there is nothing to do."""
        idle = not self._steps.active and not self._ahead.name and (self._quiet or not self._waiting)
        while idle or not self._inbox.empty():
            item = self._inbox.get()
            if item is not None:
                self._waiting.append(item)
            idle = False

    def _serve(self) -> None:
        """Serve what waits, in order: loads wait for replies to end, replies for a slot, and questions overtake."""
        kept: deque[tuple[Request, float]] = deque()
        self._quiet = True
        while self._waiting and not self._stopping:
            command, arrived = self._waiting.popleft()
            barrier = any(isinstance(earlier, Load | Unload) for earlier, _ in kept)
            if isinstance(command, Load | Unload):
                ready = not self._steps.active and not kept
            elif isinstance(command, Generate):
                self._ahead.drop()
                first = not any(
                    isinstance(earlier, Generate) and not self._snapshots.is_restoring(earlier.sequence)
                    for earlier, _ in kept
                )
                ready = command.id in self._cancelled or (
                    first and not barrier and self._has_room() and not self._snapshots.waits(command)
                )
            else:
                ready = not barrier
            if ready:
                self._quiet = False
                self._guarded(partial(self._answer, command, arrived), command)
            else:
                kept.append((command, arrived))
        self._waiting = kept

    def _has_room(self) -> bool:
        """Whether a reply could begin: a free slot, and nobody who waits for cells already."""
        return self._loaded is None or (
            not self._steps.is_crowded and any(not slot.busy for slot in self._loaded.sequences.slots)
        )

    def _guarded(self, action: Callable[[], None], command: Request | None) -> None:
        """The thread's edge: a fault of ours ends the command or the replies under way, not the thread."""
        try:
            action()
        except Exception as fault:  # noqa: BLE001 - nothing may end this thread; the parent hears of it
            code = Code.OUT_OF_MEMORY if isinstance(fault, MemoryError | NoRoom) else Code.INTERNAL
            detail = traceback.format_exc(limit=-6)
            ids = [command.id] if command is not None else []
            for generation in list(self._steps.active):
                if command is None or generation.id in ids:
                    self._steps.retire(generation)
                    ids += [generation.id] if generation.id not in ids else []
            for request in ids:
                self._finish(Failed(id=request, code=code, detail=detail))

    def _finish(self, event: Ended) -> None:
        """Send the one terminal event of a command."""
        self._close(event.id)
        self._emit(event)

    def _close(self, request: int) -> None:
        self._open.discard(request)
        self._cancelled.discard(request)
        self._snapshots.answered(request)

    # --- commands -----------------------------------------------------------------------------------------------------

    def _answer(self, command: Request, arrived: float) -> None:
        try:
            self._do(command, arrived)
        except EngineError as error:
            kept = isinstance(command, Load) and self._loaded is not None
            self._finish(
                Failed(id=command.id, code=error.code, detail=error.detail, numbers=error.numbers, model_kept=kept)
            )

    def _do(self, command: Request, arrived: float) -> None:
        """Raises EngineError."""
        match command:
            case Generate():
                self._admit(command, arrived)
            case Load():
                self._load(command)
            case Unload():
                self._unload()
                self._finish(Unloaded(id=command.id))
            case Measure():
                self._measure(command)
            case Describe():
                self._finish(Described(id=command.id, info=self._info(command.rpc)))
            case Plan():
                self._finish(Planned(id=command.id, plan=plan(Path(command.path), command.options)))
            case Gauge():
                self._finish(Gauged(id=command.id, speed=throughput.of(devices.named(command.device))))
            case Keep():
                self._snapshots.keep(command)
            case Restore():
                self._ahead.drop()
                self._snapshots.restore(command)
            case Forget():
                self._ahead.drop()
                self._snapshots.forget(command)

    def _load(self, command: Load) -> None:
        request, path = command.id, Path(command.path)
        headers = check(path, thoroughly=self._loaded is not None)
        check_devices(path, command.options)
        if request in self._cancelled:
            raise Cancelled
        self._unload()
        self._set_alone(request)
        told = (-1, 0.0)

        def progress(done: int, total: int) -> bool:
            nonlocal told
            now = time.perf_counter()
            if done > told[0] and (now - told[1] >= PROGRESS_INTERVAL_S or done >= total):
                told = (done, now)
                self._emit(Progress(id=request, phase="load", done=float(done), total=float(total)))
            return not self._stopping and request not in self._cancelled

        self._loaded = Loaded(path, command.options, self._abort, progress, headers)
        self._snapshots.attach(self._loaded)
        self._finish(LoadedEvent(id=request, model=self._loaded.info))

    def _unload(self) -> None:
        self._ahead.drop()
        if self._loaded is not None:
            self._snapshots.detach(KEEP_S)
            self._loaded.close()
            self._loaded = None

    def _measure(self, command: Measure) -> None:
        if self._loaded is None:
            raise NoModel
        prompt = self._loaded.prompts.build(command.messages, command.template_options)
        limit = self._loaded.info.n_ctx - 1
        cached = 0
        with contextlib.suppress(EngineError):  # the reply will say what is wrong with an adapter
            overlay = self._loaded.adapters.overlay(command.adapters)
            cached = self._loaded.sequences.held(command.sequence, prompt.tokens, overlay)
        if command.ahead and not self._steps.active and not self._snapshots.is_restoring(command.sequence):
            self._ahead.want(self._loaded, command)
        self._finish(Measured(id=command.id, total=len(prompt.tokens), spans=prompt.spans, limit=limit, cached=cached))

    def _info(self, endpoints: Sequence[str]) -> EngineInfo:
        """What this process is and knows of, with the devices of further computers."""
        reach(endpoints)
        found = devices.devices(endpoints)
        return EngineInfo(
            llama_cpp=llama.package_version(),
            llama_cpp_build=llama.build(),
            system_info=llama.system_info(),
            devices=found,
            supports_gpu_offload=any(device.kind in devices.LAYERS_GO_TO for device in found),
            model=self._loaded.info if self._loaded else None,
        )

    def _admit(self, command: Generate, arrived: float) -> None:
        """Begin a reply."""
        loaded = self._loaded
        if command.id in self._cancelled:
            self._finish(Finished(id=command.id, facts=_nothing()))
            return
        if loaded is None:
            raise NoModel
        prompt = loaded.prompts.build(command.messages, command.template_options, continue_final=command.continue_final)
        n, n_ctx = len(prompt.tokens), loaded.info.n_ctx
        if n == 0:
            raise TemplateBroken("the prompt is empty")
        if n >= n_ctx:
            raise PromptTooLong(numbers={"n": n, "limit": n_ctx - 1})
        overlay = loaded.bring(command.adapters)
        sampler = Sampler(command.sampling, n_vocab=loaded.vocabulary.n_tokens, n_ctx=n_ctx, recent=prompt.tokens)
        slot = loaded.sequences.acquire(command.sequence, prompt.tokens, shift=command.shift, overlay=overlay)
        assert slot is not None, "only called with room"
        slot.dirty = slot.dirty or slot.snapshot != command.snapshot
        slot.snapshot, slot.snapshot_limit = command.snapshot, command.snapshot_limit
        checkpoints = loaded.sequences.checkpoints
        generation = Generation(
            command, arrived, prompt, slot, sampler, loaded.vocabulary, loaded.template.stop, n_ctx, self._emit,
            boundaries(prompt, checkpoints.room) if checkpoints else (),
        )  # fmt: skip
        self._steps.begin(generation, loaded)


def _nothing() -> GenerationFacts:
    """The facts of a reply that was stopped before it began."""
    return GenerationFacts(
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
        prompt_s=0.0,
        decode_s=0.0,
        ttft_s=0.0,
        seed=0,
        finish_reason=STOPPED,
    )
