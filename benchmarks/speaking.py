"""The engine as its client sees it: the real worker process, and when each event reached the reader's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.base.paths import resources
from app.engine.client import Call
from app.engine.command import worker_command
from app.engine.engine import Engine
from app.engine.gguf import check_loadable
from app.engine.placing import best
from app.engine.protocol import Delta, Failed, Finished, Progress, Started
from app.engine.shape import shape_of
from app.engine.values import GenerateRequest, GenerationFacts, LoadedModel, LoadOptions, PromptMessage, Sampling
from app.services.computer import machine
from benchmarks.processes import BenchmarkError

STARTER = resources() / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
SYSTEM = "You are a helpful assistant."
PATIENCE_S = 300.0

Event = Started | Progress | Delta | Finished | Failed


@dataclass
class Heard:
    """One generation as it arrived; times are time.perf_counter seconds."""

    asked: float = 0.0
    ended: float = 0.0
    text: str = ""
    started: Started | None = None
    failed: Failed | None = None
    facts: GenerationFacts | None = None
    deltas: list[tuple[float, int]] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    progress: list[tuple[float, float]] = field(default_factory=list)

    @property
    def first_token_s(self) -> float:
        """From asking to the first Delta that carries a token."""
        return self.deltas[0][0] - self.asked

    @property
    def tokens_per_s(self) -> float:
        """Tokens after the first Delta over the time they took to arrive."""
        count = sum(tokens for _, tokens in self.deltas[1:])
        return count / (self.deltas[-1][0] - self.deltas[0][0])


class Speaker:
    """A client with a model loaded as the application would load it here, closed at the end of the `with` block."""

    def __init__(self, options: LoadOptions, command: Sequence[str] | None = None) -> None:
        """`command` starts another worker than that of this checkout."""
        if not STARTER.is_file():
            raise BenchmarkError("the starter model is missing: `make run` or `make test` gets it")
        self.options = best(shape_of(check_loadable(STARTER)), options, machine())
        self.client = Engine(worker_command() if command is None else command)
        try:
            self.model: LoadedModel = self.client.load(STARTER, self.options).result(PATIENCE_S)
        except BaseException:
            self.client.close()
            raise

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def start(
        self,
        messages: list[PromptMessage],
        sampling: Sampling,
        sequence: str,
        watch: Callable[[Event, Heard], None] | None = None,
    ) -> tuple[Call[GenerationFacts], Heard]:
        """Sends the prompt; returns the call and what will be heard of it. `watch` runs on the reader's thread."""
        request = GenerateRequest(sequence=sequence, messages=messages, sampling=sampling)
        return self.ask(request, watch)

    def ask(
        self, request: GenerateRequest, watch: Callable[[Event, Heard], None] | None = None
    ) -> tuple[Call[GenerationFacts], Heard]:
        """Sends a request, as `start`."""
        heard = Heard()

        def hear(event: Event) -> None:
            now = time.perf_counter()
            match event:
                case Delta():
                    if event.token_ids:
                        heard.deltas.append((now, len(event.token_ids)))
                        heard.token_ids += event.token_ids
                    heard.text += event.text
                case Started():
                    heard.started = event
                case Progress():
                    heard.progress.append((now, event.done))
                case Finished():
                    heard.ended, heard.facts = now, event.facts
                case Failed():
                    heard.ended, heard.failed = now, event
            if watch is not None:
                watch(event, heard)

        heard.asked = time.perf_counter()
        return self.client.generate(request, hear), heard

    def say(self, messages: list[PromptMessage], sampling: Sampling, sequence: str) -> Heard:
        """One whole generation. Raises what the engine raises."""
        call, heard = self.start(messages, sampling, sequence)
        call.result(PATIENCE_S)
        if len(heard.deltas) == 0:
            raise BenchmarkError("the engine ended without a token")
        return heard

    def count(self, messages: list[PromptMessage]) -> int:
        """Tokens of the whole prompt."""
        return self.client.measure(messages).result(PATIENCE_S).total


def how_loaded(speaker: Speaker) -> str:
    """The model and how it lies in memory, for the note of a figure."""
    weights = "mapped" if speaker.model.mapped else "copied into large pages"
    return f"{speaker.model.n_threads} threads, SmolLM2-135M Q4_1, weights {weights}"


def peer_options(speaker: Speaker) -> dict[str, Any]:
    """What a peer needs to load the same model in the same way."""
    return {
        "model": str(STARTER),
        "n_ctx": speaker.model.n_ctx,
        "n_batch": speaker.options.n_batch,
        "n_threads": speaker.model.n_threads,
        "n_gpu_layers": speaker.model.n_gpu_layers,
    }


def chatml(messages: list[PromptMessage]) -> str:
    """The messages as the starter model's own template writes them (ChatML), open for the reply."""
    turns = "".join(f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages)
    return turns + "<|im_start|>assistant\n"


def asking(text: str, system: str = SYSTEM) -> list[PromptMessage]:
    """A conversation of one question."""
    return [PromptMessage(role="system", content=system), PromptMessage(role="user", content=text)]
