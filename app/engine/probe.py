"""Questions to an engine process of its own, beside the one that chats: what would this model take?

A probe starts one child for the first question and ends it with `close`; a header that kills the child kills nothing
else. It is not started again by itself. Every question has a time-out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from app.engine.client import Call
from app.engine.engine import Engine
from app.engine.errors import Cancelled, EngineUnavailable
from app.engine.hardware import DeviceSpeed, MemoryPlan
from app.engine.outcome import Outcome
from app.engine.supervisor import State, Timing
from app.engine.values import EngineInfo, GenerateRequest, GenerationFacts, LoadedModel, LoadOptions

QUESTION_S = 30.0
ONCE = Timing(back_off_s=(3600.0,), failed_starts=1, shutdown_s=1.0)

T = TypeVar("T")


class Probe:
    """One child process, asked from one thread at a time; `close` may come from any."""

    def __init__(self, command: Sequence[str]) -> None:
        self._closed = threading.Event()
        self.engine = Engine(command, on_state=self._on_state, timing=ONCE)

    @property
    def ended(self) -> bool:
        """Nothing can be asked any more: it was closed, or its child died."""
        return self.engine.state is State.CLOSED

    def _on_state(self, state: State, outcome: Outcome | None) -> None:
        if state in (State.DIED, State.GIVEN_UP):
            self.engine.close()  # what was open has failed by now; what comes later is to fail at once

    def start(self) -> None:
        """Brings the child up in the background, before the first question is known."""
        self.engine.describe()

    def plan(self, path: Path, options: LoadOptions) -> MemoryPlan:
        """The exact plan for a file, or for a header with a hole behind it. Raises EngineError."""
        return self._wait(self.engine.plan(path, options))

    def describe(self, rpc: Sequence[str] = ()) -> EngineInfo:
        """Build and devices, with those of further computers (HOST:PORT). Raises EngineError."""
        return self._wait(self.engine.describe(rpc))

    def gauge(self, device: str) -> DeviceSpeed:
        """How fast a device reads and computes; zeros where it could not be measured. Raises EngineError."""
        return self._wait(self.engine.gauge(device))

    def load(self, path: Path, options: LoadOptions) -> LoadedModel:
        """Loads a model to measure with. Raises EngineError."""
        return self._wait(self.engine.load(path, options))

    def unload(self) -> None:
        """Gives the model's memory back. Raises EngineError."""
        self._wait(self.engine.unload())

    def generate(self, request: GenerateRequest) -> GenerationFacts:
        """Writes something, for the sake of its figures. Raises EngineError."""
        return self._wait(self.engine.generate(request))

    def _wait(self, call: Call[T]) -> T:
        try:
            return call.result(QUESTION_S)
        except TimeoutError as error:
            self.engine.close()
            if self._closed.is_set():
                raise Cancelled("the probe was closed") from error
            raise EngineUnavailable(f"no answer within {QUESTION_S:.0f} s") from error

    def close(self) -> None:
        """Ends the child; a question under way fails."""
        self._closed.set()
        self.engine.close()


@contextlib.contextmanager
def probing(command: Sequence[str]) -> Iterator[Probe]:
    """A probe for some questions."""
    probe = Probe(command)
    try:
        yield probe
    finally:
        probe.close()
