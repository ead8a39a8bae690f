"""A real worker process and a thread that reads its events; a worker's loop in this process, for looking inside."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from app.engine.protocol import (
    TERMINAL,
    Command,
    Delta,
    Event,
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    Measure,
    Measured,
    Started,
)
from app.engine.values import GenerationFacts, LoadedModel, LoadOptions, PromptMessage, Sampling
from app.engine.wire import pack, read_bodies, unpack_event

GUARD_S = 120.0
ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-c", "from app.engine.worker.main import main; raise SystemExit(main())"]


class Reply:
    """All events of one generation."""

    def __init__(self, events: list[tuple[float, Any]]) -> None:
        self.events = [event for _, event in events]
        self.times = [at for at, _ in events]
        deltas = [event for event in self.events if isinstance(event, Delta)]
        self.text = "".join(delta.text for delta in deltas)
        self.ids = [token for delta in deltas for token in delta.token_ids]
        self.end = self.events[-1]

    @property
    def started(self) -> Started:
        return next(event for event in self.events if isinstance(event, Started))

    @property
    def facts(self) -> GenerationFacts:
        assert isinstance(self.end, Finished), self.end
        return self.end.facts


class Talk:
    """Sends commands and collects the events that answer them, in whatever way they travel."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[tuple[float, Event | None]] = queue.Queue()
        self.model: LoadedModel | None = None
        self._last = 0

    def send(self, command: Command) -> None:
        raise NotImplementedError

    def next_id(self) -> int:
        self._last += 1
        return self._last

    def next_event(self, timeout_s: float = GUARD_S) -> Event | None:
        return self.inbox.get(timeout=timeout_s)[1]

    def events_of(self, request: int, *, until: Callable[[Any], bool] | None = None) -> Iterator[tuple[float, Any]]:
        """The events of one request with their times, up to its terminal one or to the first that `until` accepts."""
        while True:
            at, event = self.inbox.get(timeout=GUARD_S)
            assert event is not None, "the worker ended"
            if getattr(event, "id", None) != request:
                continue
            yield at, event
            if isinstance(event, TERMINAL) or (until is not None and until(event)):
                return

    def ask(self, command: Any) -> Any:
        """Send a command; its terminal event."""
        self.send(command)
        return list(self.events_of(command.id))[-1][1]

    def ask_all(self, requests: list[int]) -> list[Any]:
        """The terminal events of several requests, in the order in which they come."""
        ended: list[Any] = []
        while len(ended) < len(requests):
            event = self.next_event(GUARD_S)
            if isinstance(event, TERMINAL) and event.id in requests:
                ended.append(event)
        return ended

    def load(self, path: Path, **options: Any) -> Any:
        """Load a model, on one thread unless said; the terminal event."""
        event = self.ask(Load(id=self.next_id(), path=str(path), options=LoadOptions(**{"n_threads": 1, **options})))
        if isinstance(event, Loaded):
            self.model = event.model
        return event

    def begin(self, messages: list[PromptMessage], *, sequence: str = "a", **more: Any) -> int:
        """Send a generation; its id. Keywords that Generate does not know are the sampling's.

        Nothing is guessed ahead unless asked for: tests that compare logits must know what was in each batch.
        """
        names = ("stop", "template_options", "continue_final", "shift", "snapshot", "guess", "adapters")
        fields = {"guess": False, **{key: more.pop(key) for key in names if key in more}}
        sampling = Sampling(**{"temperature": 0.0, "max_tokens": 24, **more})
        request = self.next_id()
        self.send(Generate(id=request, sequence=sequence, messages=messages, sampling=sampling, **fields))
        return request

    def finish(self, request: int) -> Reply:
        return Reply(list(self.events_of(request)))

    def write(self, messages: list[PromptMessage], **more: Any) -> Reply:
        return self.finish(self.begin(messages, **more))

    @property
    def model_now(self) -> LoadedModel:
        assert self.model is not None
        return self.model

    @property
    def tokenizer(self) -> str:
        return self.model_now.tokenizer

    @staticmethod
    def clock() -> float:
        return time.perf_counter()

    def measure(self, messages: list[PromptMessage]) -> int:
        """Tokens of a whole prompt."""
        event = self.ask(Measure(id=self.next_id(), messages=messages))
        assert isinstance(event, Measured), event
        return event.total

    def said(self, reply: Reply, **more: Any) -> PromptMessage:
        """A reply as it comes back in the next prompt."""
        values = {"content": reply.text, "token_ids": reply.ids, "tokenizer": self.tokenizer, **more}
        return PromptMessage(role="assistant", **values)


class WorkerProcess(Talk):
    """The worker as it really runs."""

    def __init__(self, stderr: int | BinaryIO = subprocess.DEVNULL) -> None:
        super().__init__()
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT)
        self._input = cast(BinaryIO, self.process.stdin)
        self._reader = threading.Thread(target=self._read, name="test worker reader")
        self._reader.start()
        hello = self.next_event()
        assert isinstance(hello, Hello)
        self.hello = hello

    def send(self, command: Command) -> None:
        self.send_bytes(pack(command))

    def send_bytes(self, data: bytes) -> None:
        self._input.write(data)
        self._input.flush()

    def close_input(self) -> None:
        self._input.close()

    def wait(self) -> int:
        return self.process.wait(GUARD_S)

    def close(self) -> None:
        """End it, by force if it still runs."""
        if not self._input.closed:
            self._input.close()
        self.process.kill()
        self.process.wait(GUARD_S)
        self._reader.join(GUARD_S)
        cast(BinaryIO, self.process.stdout).close()

    def _read(self) -> None:
        for body in read_bodies(cast(BinaryIO, self.process.stdout)):
            self.inbox.put((time.perf_counter(), unpack_event(body)))
        self.inbox.put((time.perf_counter(), None))


class LoopHere(Talk):
    """A worker's loop in this process: what it holds can be looked at between replies."""

    def __init__(self) -> None:
        super().__init__()
        from app.engine.worker.loop import Loop

        self.loop = Loop(lambda event: self.inbox.put((time.perf_counter(), event)))
        self.loop.start()

    def send(self, command: Any) -> None:
        self.loop.submit(command)

    @property
    def loaded(self) -> Any:
        return self.loop._loaded

    def close(self) -> None:
        assert self.loop.stop(GUARD_S)
        self.loop._unload()


def user(text: str) -> PromptMessage:
    return PromptMessage(role="user", content=text)


def failed(event: Any, code: str) -> Failed:
    assert isinstance(event, Failed), event
    assert event.code == code, event
    return event
