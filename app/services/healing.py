"""From a plan that did not work to one that does: what failed, by the evidence, and what is tried next.

Out of memory, in a load or in a reply, leads to the next step of the ladder (engine/ladder); a fault of a device or of
its driver leads to the processor alone; a file that is bad, to nothing. Every step is told, and the one that worked is
kept by `placement`. Runs on the loading thread, but for `failed`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from app.engine.client import Call, EngineClient
from app.engine.errors import Blame, Cancelled, EngineError, size_pair
from app.engine.hardware import Machine
from app.engine.values import LoadedModel, LoadOptions, ModelFile, Step
from app.services.errors import WouldSwap
from app.services.growing import shape_of_file
from app.services.placement import Placement, Wanted
from app.services.workers import Workers

log = logging.getLogger(__name__)

CRASHED = "On the processor alone, because the engine crashed with a graphics device."


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A load that worked, and what was given up for it ('' for nothing)."""

    model: LoadedModel
    options: LoadOptions
    stepped_down: str


class Listener(msgspec.Struct, frozen=True):
    """Who follows a load: `progress(fraction, line)`, `begun(call)` so that it can be cancelled, and whether it was."""

    progress: Callable[[float, str], None]
    begun: Callable[[Call[LoadedModel]], None]
    cancelled: Callable[[], bool]


class _Descent:
    """The way down from one plan, a step at a time."""

    def __init__(self, file: ModelFile, wanted: Wanted, options: LoadOptions, machine: Machine, line: str) -> None:
        self.file = file
        self.wanted = wanted
        self.options = options
        self.line = line
        self._machine = machine
        self._steps: Iterator[Step] | None = None

    def after(self, error: EngineError) -> bool:
        """Goes to the next step. False: none would help."""
        from app.engine import ladder

        on_device = self.options.n_gpu_layers != 0 and bool(self._machine.devices)
        step: Step | None = None
        if error.blame is Blame.MEMORY:
            if self._steps is None:
                shape = shape_of_file(self.file.path, self.file.mtime_ns)
                self._steps = ladder.steps(shape, self.options, self._machine)
            step = next(self._steps, None)
        elif on_device and error.blame is Blame.DRIVER:
            step, self._steps = ladder.without_devices(self.options), None
        elif on_device and error.blame is Blame.CRASH:
            step = msgspec.structs.replace(ladder.without_devices(self.options), sentence=CRASHED)
            self._steps = None
        if step is None:
            return False
        log.info("stepping down after %s: %s", error.code, step.sentence)
        # Weights are copied only where there is ample room; now more of them may lie in main memory, or less is there.
        self.options = msgspec.structs.replace(step.options, use_mmap=self.wanted.options.use_mmap)
        self.line = step.sentence
        return True


class Healing:
    """Loads a model, with less where it must be."""

    def __init__(self, engine: EngineClient, placement: Placement, workers: Workers) -> None:
        self._engine = engine
        self._placement = placement
        self._workers = workers
        self._lock = threading.Lock()
        self._descent: _Descent | None = None  # that of the loaded model
        self._due: _Descent | None = None  # a step that the next load begins with

    def load(
        self, file: ModelFile, by_hand: LoadOptions | None, before: LoadedModel | None, listener: Listener, *,
        insist: bool,
    ) -> Loaded:  # fmt: skip
        """Loads this model with the first options that work. `by_hand`: a person set these. `before` is loaded now.
        `insist`: even if the system has to swap. Raises WouldSwap, or the EngineError of the last step."""
        reached = self._workers.reach(self._placement.workers)
        self._placement.seen(reached.info)
        wanted = self._placement.wanted(file.id) if by_hand is None else self._placement.by_hand(by_hand)
        gone, options = reached.line, msgspec.structs.replace(wanted.options, rpc=reached.endpoints)
        wanted = msgspec.structs.replace(wanted, options=options)
        machine = self._placement.machine(before)
        descent = self._begin(file, wanted, machine, gone)
        refused = self._short(descent, machine) if not insist else None
        if refused is not None:
            raise refused
        while True:
            call = self._engine.load(
                Path(file.path), descent.options, lambda fraction: listener.progress(fraction, descent.line)
            )
            listener.begun(call)
            try:
                model = call.result()
                break
            except EngineError as error:
                if listener.cancelled() or not self._next(descent, error, machine, insist=insist):
                    raise
            listener.progress(0.0, descent.line)
            self._engine.hurry()
        with self._lock:
            self._descent, self._due = descent, None
        self._placement.keep(file, wanted, descent.options, "" if descent.line == gone else descent.line, machine)
        self._workers.used(descent.options.rpc)
        return Loaded(model=model, options=descent.options, stepped_down=descent.line)

    def failed(self, file: ModelFile, error: EngineError) -> bool:
        """A reply failed, or the process died, with this model loaded. True: less of it may work, and the next load
        takes that."""
        with self._lock:
            descent, self._descent = self._descent, None
        if descent is None or descent.file.id != file.id or not descent.after(error):
            return False
        with self._lock:
            self._due = descent
        return True

    def owes(self, file: ModelFile) -> bool:
        """Whether the next load of this model begins with a step that was not tried yet."""
        due = self._due
        return due is not None and due.file.id == file.id

    def unloaded(self) -> None:
        """Nothing is loaded now."""
        with self._lock:
            self._descent = None
        self._workers.used(())

    # --- the first plan ---------------------------------------------------------------------------------------------

    def _begin(self, file: ModelFile, wanted: Wanted, machine: Machine, line: str) -> _Descent:
        with self._lock:
            due, self._due = self._due, None
        if due is not None and (due.file.id, due.wanted) == (file.id, wanted):
            return due
        try:
            goal = self._placement.goal(file, wanted, machine)
        except EngineError as error:  # loading it will say the same, and knows more
            log.info("the header of a model could not be read: %s", error.code)
            return _Descent(file, wanted, wanted.options, machine, line)
        return _Descent(file, wanted, goal.options, machine, goal.stepped_down or line)

    def _next(self, descent: _Descent, error: EngineError, machine: Machine, *, insist: bool) -> bool:
        """Goes to the next step that does not push the system into swap."""
        if isinstance(error, Cancelled):
            return False
        while descent.after(error):
            if insist or self._short(descent, machine) is None:
                return True
        return False

    def _short(self, descent: _Descent, machine: Machine) -> WouldSwap | None:
        from app.engine import fit

        try:
            shape = shape_of_file(descent.file.path, descent.file.mtime_ns)
        except EngineError:  # loading it says why
            return None
        short = fit.shortage(fit.estimate(shape, descent.options, machine.devices), machine)
        if short is None:
            return None
        needed, free = size_pair(*short)
        return WouldSwap(
            f"The model needs {needed} of memory and {free} are free. Loading it would push other programs' memory to "
            "the disk and make this computer very slow. A shorter context or a smaller model needs less.",
            detail=f"needed {short[0]}, free {short[1]}",
        )
