"""Engines for tests: real processes, watched closely enough to wait for what happens instead of sleeping."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from app.engine.client import Call, GenerationEvent
from app.engine.command import fake_command
from app.engine.engine import Engine
from app.engine.outcome import Outcome
from app.engine.protocol import Delta, Failed, Finished, Progress, Started
from app.engine.supervisor import State, Timing
from app.engine.values import GenerateRequest, GenerationFacts, PromptMessage, Sampling

WAIT_S = 30.0  # a guard, ten times what anything here takes
QUICK = Timing(tick_s=0.1, missed_ticks=20, start_ticks=300, back_off_s=(0.05, 0.1, 0.2, 0.3), healthy_ticks=1000)


class Watched:
    """An engine that remembers its states, and can be waited for."""

    def __init__(self, command: list[str], timing: Timing = QUICK) -> None:
        self.states: list[tuple[State, Outcome | None]] = []
        self._changed = threading.Condition()
        self.threads_before = set(threading.enumerate())
        self.engine = Engine(command, on_state=self._note, timing=timing)

    def _note(self, state: State, outcome: Outcome | None) -> None:
        with self._changed:
            self.states.append((state, outcome))
            self._changed.notify_all()

    def wait_for(self, *wanted: State) -> Outcome | None:
        """Wait until these states were reported, in this order, others between them or not; the last one's outcome."""

        def found() -> int | None:
            at = 0
            for index, (state, _) in enumerate(self.states):
                if state is wanted[at]:
                    at += 1
                    if at == len(wanted):
                        return index
            return None

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, WAIT_S), f"{wanted} not in {self.states}"
            return self.states[found() or 0][1]

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes of the states reported so far."""
        return [outcome for _, outcome in self.states if outcome is not None]

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.engine.pid is not None
        os.kill(self.engine.pid, number)

    def kill(self) -> None:
        """SIGKILL to the process."""
        self.signal(signal.SIGKILL)


class Reply:
    """A generation under way and everything it said."""

    def __init__(self, engine: Engine, request: GenerateRequest, also: Callable[[GenerationEvent], None] | None = None):
        self.events: list[GenerationEvent] = []
        self.also = also
        self._changed = threading.Condition()
        self.call: Call[GenerationFacts] = engine.generate(request, self._note)

    def _note(self, event: GenerationEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        if self.also is not None:
            self.also(event)

    def wait_for(self, kind: type, count: int = 1) -> None:
        """Wait for so many events of a kind."""
        with self._changed:
            seen = lambda: sum(isinstance(event, kind) for event in self.events) >= count  # noqa: E731
            assert self._changed.wait_for(seen, WAIT_S), f"no {count} {kind.__name__} in {self.events[-3:]}"

    def result(self) -> GenerationFacts:
        """The facts, or the error that is raised."""
        return self.call.result(WAIT_S)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def token_ids(self) -> list[int]:
        """The sampled tokens so far."""
        return [token for event in self.events if isinstance(event, Delta) for token in event.token_ids]

    def check_order(self) -> None:
        """Started once unless it ended before, then reading, then text, then exactly one end, and nothing after it."""
        kinds = [type(event) for event in self.events]
        assert sum(kind in (Finished, Failed) for kind in kinds) == 1
        assert kinds[-1] in (Finished, Failed)
        order = [kind for kind in kinds if kind is not Progress]
        assert order in ([Failed], [Finished], [Started, *[Delta] * (len(order) - 2), kinds[-1]])
        if Delta in kinds:
            assert Progress not in kinds[kinds.index(Delta) :]


def fake(script: dict[str, Any] | None = None) -> list[str]:
    """The command of a scripted engine."""
    return fake_command(json.dumps(script or {}))


def ask(text: str, *, sequence: str = "one", before: tuple[str, ...] = (), **options: Any) -> GenerateRequest:
    """A request: `before` are the turns before it, the person's and the model's in turn. Greedy unless said."""
    turns = [*before, text]
    messages = [
        PromptMessage(role="user" if index % 2 == 0 else "assistant", content=turn) for index, turn in enumerate(turns)
    ]
    stop = options.pop("stop", [])
    sampling = Sampling(**{"temperature": 0.0, "seed": 1, "max_tokens": 24, **options})
    return GenerateRequest(sequence=sequence, messages=messages, sampling=sampling, stop=stop)
