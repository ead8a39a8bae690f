"""The engine as everyone else sees it: commands that return a Call, events, and errors with a sentence.

`EngineClient` is the interface, which engine.py implements on a supervised process. Every call ends exactly once,
whatever happens to the process. Callbacks run on the engine's reader thread, one at a time, and must be quick; they may
issue further commands, and must not wait for one. Nothing here knows a conversation, a file's place, or a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from app.engine.errors import (
    EngineError,
)
from app.engine.hardware import DeviceSpeed, MemoryPlan
from app.engine.protocol import Delta, Failed, Finished, Kept, Measured, Progress, Started
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

T = TypeVar("T")
GenerationEvent = Started | Progress | Delta | Finished | Failed


class Call(Generic[T]):
    """One command under way. Ends exactly once, with a value or an EngineError."""

    def __init__(self, id: int, cancel: Callable[[int], None]) -> None:
        self.id = id
        self._cancel = cancel
        self._future: Future[T] = Future()

    @property
    def done(self) -> bool:
        """True once it has ended."""
        return self._future.done()

    def result(self, timeout_s: float | None = None) -> T:
        """The value, waiting for it. Raises EngineError if the command failed, TimeoutError if it has not ended yet."""
        return self._future.result(timeout_s)

    def succeed(self, value: T) -> None:
        """It has ended with this value. For the engine alone."""
        self._future.set_result(value)

    def fail(self, error: EngineError) -> None:
        """It has ended with this error. For the engine alone."""
        self._future.set_exception(error)

    def cancel(self) -> None:
        """Ask the engine to stop this load or generation. The call still ends by itself, soon."""
        if not self.done:
            self._cancel(self.id)


class EngineClient(Protocol):
    """What services use. No method waits for the engine but `rest` and `close`."""

    @property
    def model(self) -> LoadedModel | None:
        """The loaded model as last reported; None after the process ended."""

    def load(
        self, path: Path, options: LoadOptions, on_progress: Callable[[float], None] | None = None
    ) -> Call[LoadedModel]:
        """Load a model in place of the present one; `on_progress` gets fractions 0..1. Raises FileUnreadable for a name
        that is no text."""

    def unload(self) -> Call[None]:
        """Free the model."""

    def generate(
        self, request: GenerateRequest, on_event: Callable[[GenerationEvent], None] | None = None
    ) -> Call[GenerationFacts]:
        """Write a reply. `on_event` gets any Started, Progress and Delta, then exactly one Finished or Failed."""

    def measure(
        self,
        messages: Sequence[PromptMessage],
        template_options: TemplateOptions | None = None,
        sequence: str = "",
        *,
        ahead: bool = False,
        adapters: tuple[Adapter, ...] = (),
    ) -> Call[Measured]:
        """Count the tokens of a prompt, and how many of them are in memory for `sequence`.

        `ahead`: the engine may read what it can of it while it has nothing else to do, because it is about to be sent.
        """

    def keep(self, sequence: str) -> Call[Kept]:
        """Write the snapshot of a conversation, if it changed since."""

    def restore(
        self, sequence: str, snapshot: str, snapshot_limit: int = 0, adapters: tuple[Adapter, ...] = ()
    ) -> Call[int]:
        """Bring a conversation back into memory; how many tokens of it are there then."""

    def forget(self, sequence: str) -> Call[None]:
        """Drop a conversation from memory."""

    def describe(self, rpc: Sequence[str] = ()) -> Call[EngineInfo]:
        """Versions, devices, the loaded model. `rpc`: further computers (HOST:PORT) whose devices are to be told."""

    def plan(self, path: Path, options: LoadOptions) -> Call[MemoryPlan]:
        """How much memory a model would take, and where; a header with a hole behind it is enough."""

    def gauge(self, device: str) -> Call[DeviceSpeed]:
        """How fast a device of this computer reads and computes; zeros where that could not be measured."""

    def rest(self) -> None:
        """End the process and every open call, so that all its memory is back; the next command starts another.
        Waits."""

    def hurry(self) -> None:
        """After the process died: start it again at once."""

    def close(self) -> None:
        """End the process and every open call."""
