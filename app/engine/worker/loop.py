"""The llama.cpp thread: it alone owns model and context. It serves commands, and steps through the replies.

A step admits waiting replies, builds one batch of all sequences (a token for each that writes, the rest of the room for
those still reading), decodes it, samples, and emits. One reply at a time unless the context was made for more.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.engine.protocol import (
    Code,
    Command,
    Describe,
    Described,
    Ended,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Measure,
    Measured,
    Plan,
    Planned,
    Progress,
    Unload,
    Unloaded,
)
from app.engine.protocol import Loaded as LoadedEvent
from app.engine.values import EngineInfo, GenerationFacts
from app.engine.worker import llama
from app.engine.worker.context import ABORTED, ALLOCATION_FAILED, DECODED, Abort, Context
from app.engine.worker.generation import STOPPED, Generation
from app.engine.worker.loading import Loaded, LoadingError, check
from app.engine.worker.planning import plan
from app.engine.worker.sampling import Sampler
from app.engine.worker.templates import PromptTemplateError

PROGRESS_INTERVAL_S = 0.05


class Loop:
    """Runs on a thread of its own. `submit`, `cancel` and `stop` may be called from any thread."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._inbox: queue.SimpleQueue[tuple[Command, float] | None] = queue.SimpleQueue()
        self._waiting: deque[tuple[Command, float]] = deque()
        self._abort = Abort()
        self._open: set[int] = set()  # accepted and not yet answered
        self._running: set[int] = set()
        self._cancelled: set[int] = set()
        self._stopping = False
        self._active: list[Generation] = []
        self._loaded: Loaded | None = None
        self._thread = threading.Thread(target=self._run, name="llama.cpp", daemon=True)

    # --- from other threads -------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def submit(self, command: Command, request: int) -> None:
        """Take a command; it will be answered by one terminal event with the id `request`."""
        self._open.add(request)
        self._inbox.put((command, time.perf_counter()))

    def cancel(self, target: int) -> None:
        """Stop a load or a generation, running or waiting; an id that is answered already is ignored."""
        self._cancelled.add(target)
        if target not in self._open:  # looked at last: it may be answered at this very moment
            self._cancelled.discard(target)
        elif target in self._running:
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
        llama.start_backends()
        while not self._stopping:
            self._receive()
            self._serve()
            if self._active and not self._stopping:
                self._guarded(self._step, None)

    def _receive(self) -> None:
        """Take what has arrived; wait for something only when there is nothing to do."""
        idle = not self._active and not self._waiting
        while idle or not self._inbox.empty():
            item = self._inbox.get()
            if item is None:
                return
            self._waiting.append(item)
            idle = False

    def _serve(self) -> None:
        """Serve what waits, in order: loads wait for replies to end, replies for a slot, and questions overtake."""
        kept: deque[tuple[Command, float]] = deque()
        while self._waiting and not self._stopping:
            command, arrived = self._waiting.popleft()
            barrier = any(isinstance(earlier, Load | Unload) for earlier, _ in kept)
            if isinstance(command, Load | Unload):
                ready = not self._active and not kept
            elif isinstance(command, Generate):
                first = not any(isinstance(earlier, Generate) for earlier, _ in kept)
                ready = (first and not barrier and self._has_room()) or command.id in self._cancelled
            else:
                ready = not barrier
            if ready:
                self._guarded(partial(self._answer, command, arrived), command)
            else:
                kept.append((command, arrived))
        self._waiting = kept

    def _has_room(self) -> bool:
        return self._loaded is None or any(not slot.busy for slot in self._loaded.sequences.slots)

    def _guarded(self, action: Callable[[], None], command: Command | None) -> None:
        """The thread's edge: a fault of ours ends the command or the replies under way, not the thread."""
        try:
            action()
        except Exception:  # noqa: BLE001 - nothing may end this thread; the parent hears of it
            detail = traceback.format_exc(limit=-6)
            ids = [command.id] if command is not None and hasattr(command, "id") else []
            for generation in list(self._active):
                if command is None or generation.id in ids:
                    self._retire(generation)
                    ids += [generation.id] if generation.id not in ids else []
            for request in ids:
                self._finish(Failed(id=request, code=Code.INTERNAL, detail=detail))

    def _finish(self, event: Ended) -> None:
        """Send the one terminal event of a command."""
        self._close(event.id)
        self._emit(event)

    def _close(self, request: int) -> None:
        self._running.discard(request)
        self._open.discard(request)
        self._cancelled.discard(request)

    # --- commands -----------------------------------------------------------------------------------------------------

    def _answer(self, command: Command, arrived: float) -> None:
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
                self._finish(Described(id=command.id, info=self._info()))
            case Plan():
                self._plan(command)

    def _load(self, command: Load) -> None:
        request, path = command.id, Path(command.path)
        try:
            check(path, thoroughly=self._loaded is not None)
            if request in self._cancelled:
                raise LoadingError(Code.CANCELLED)
        except LoadingError as fault:
            kept = self._loaded is not None
            self._finish(
                Failed(id=request, code=fault.code, detail=fault.detail, numbers=fault.numbers, model_kept=kept)
            )
            return
        self._unload()
        self._abort.clear()
        self._running.add(request)
        told = (-1.0, 0.0)

        def progress(fraction: float) -> bool:
            nonlocal told
            now = time.perf_counter()
            if fraction > told[0] and (now - told[1] >= PROGRESS_INTERVAL_S or fraction >= 1.0):
                told = (fraction, now)
                self._emit(Progress(id=request, phase="load", done=fraction, total=1.0))
            return not self._stopping and request not in self._cancelled

        try:
            self._loaded = Loaded(path, command.options, self._abort, progress)
        except LoadingError as fault:
            self._finish(Failed(id=request, code=fault.code, detail=fault.detail, numbers=fault.numbers))
            return
        self._finish(LoadedEvent(id=request, model=self._loaded.info))

    def _unload(self) -> None:
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None

    def _measure(self, command: Measure) -> None:
        if self._loaded is None:
            self._finish(Failed(id=command.id, code=Code.NO_MODEL))
            return
        try:
            prompt = self._loaded.prompts.build(command.messages, command.template_options)
        except PromptTemplateError as fault:
            self._finish(Failed(id=command.id, code=fault.code, detail=fault.detail))
            return
        limit = self._loaded.info.n_ctx - 1
        self._finish(Measured(id=command.id, total=len(prompt.tokens), spans=prompt.spans, limit=limit))

    def _plan(self, command: Plan) -> None:
        try:
            found = plan(Path(command.path), command.options)
        except LoadingError as fault:
            self._finish(Failed(id=command.id, code=fault.code, detail=fault.detail, numbers=fault.numbers))
            return
        self._finish(Planned(id=command.id, plan=found))

    def _info(self) -> EngineInfo:
        return EngineInfo(
            llama_cpp=llama.package_version(),
            llama_cpp_build=llama.build(),
            system_info=llama.system_info(),
            devices=llama.devices(),
            supports_gpu_offload=llama.supports_gpu_offload(),
            model=self._loaded.info if self._loaded else None,
        )

    def _admit(self, command: Generate, arrived: float) -> None:
        """Begin a reply, or answer why not."""
        loaded = self._loaded
        if command.id in self._cancelled:
            self._finish(Finished(id=command.id, facts=_nothing()))
            return
        if loaded is None:
            self._finish(Failed(id=command.id, code=Code.NO_MODEL))
            return
        try:
            prompt = loaded.prompts.build(
                command.messages, command.template_options, continue_final=command.continue_final
            )
        except PromptTemplateError as fault:
            self._finish(Failed(id=command.id, code=fault.code, detail=fault.detail))
            return
        n, n_ctx = len(prompt.tokens), loaded.info.n_ctx
        if n == 0:
            self._finish(Failed(id=command.id, code=Code.TEMPLATE_BROKEN, detail="the prompt is empty"))
            return
        if n >= n_ctx:
            self._finish(Failed(id=command.id, code=Code.PROMPT_TOO_LONG, numbers={"n": n, "limit": n_ctx - 1}))
            return
        sampler = Sampler(command.sampling, n_vocab=loaded.vocabulary.n_tokens, n_ctx=n_ctx, recent=prompt.tokens)
        slot = loaded.sequences.acquire(command.sequence, prompt.tokens)
        assert slot is not None, "only called with room"
        generation = Generation(
            command, arrived, prompt, slot, sampler, loaded.vocabulary, loaded.template.stop, n_ctx, self._emit
        )
        self._active.append(generation)
        self._running.add(command.id)

    # --- the step loop ------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        loaded = self._loaded
        assert loaded is not None
        assert loaded.context is not None
        # In this order: an id that is cancelled later sets the switch again after it was cleared.
        self._abort.clear()
        if self._stopping:
            return
        if self._cancelled:
            for generation in [g for g in self._active if g.id in self._cancelled]:
                self._end(generation, STOPPED)
        context, outputs = loaded.context, self._batch(loaded.context)
        if not outputs:
            return
        status = context.decode()
        if status == DECODED:
            self._take(context, outputs)
            return
        for generation, _, _ in outputs:
            loaded.sequences.resync(generation.slot)
        if status == ABORTED:
            return
        code = Code.OUT_OF_MEMORY if status == ALLOCATION_FAILED else Code.DECODE_FAILED
        detail = f"llama_decode gave {status}\n{llama.log.errors()}"
        for generation, _, _ in outputs:
            generation.flush()
            self._retire(generation)
            self._finish(Failed(id=generation.id, code=code, detail=detail))

    def _batch(self, context: Context) -> list[tuple[Generation, int, int]]:
        """Fill the batch. For each sequence in it: how many tokens, and the index of its logits or -1."""
        context.clear_batch()
        room = context.n_batch
        outputs = []
        active = self._active
        if len(active) > 1:  # those that write go first: their next token waits for one of theirs only
            active = sorted(active, key=lambda generation: generation.is_reading)
        for generation in active:
            slot = generation.slot
            count = min(len(slot.tokens) - slot.n_past, room)
            if count <= 0:
                continue
            end = slot.n_past + count
            complete = end == len(slot.tokens)
            index = context.add(slot.index, slot.tokens[slot.n_past : end], slot.n_past, output=complete)
            outputs.append((generation, count, index if complete else -1))
            room -= count
        return outputs

    def _take(self, context: Context, outputs: list[tuple[Generation, int, int]]) -> None:
        for generation, count, index in outputs:
            slot = generation.slot
            reading = generation.is_reading
            slot.n_past += count
            if reading:
                generation.read()
            if index >= 0 and (reason := generation.take(context.sample(generation.sampler.handle, index))):
                self._end(generation, reason)

    def _end(self, generation: Generation, reason: str) -> None:
        self._retire(generation)
        self._close(generation.id)
        generation.finish(reason)

    def _retire(self, generation: Generation) -> None:
        """Take a reply out of the loop and give back what it held."""
        self._active.remove(generation)
        generation.sampler.close()
        if self._loaded is not None:
            self._loaded.sequences.release(generation.slot)


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
