"""One reply being written: its place in the cache, its sampler, its text, its measurements. Decodes nothing itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.engine.protocol import Delta, Event, Finished, Generate, Progress, Started
from app.engine.values import GenerationFacts
from app.engine.worker.prompts import Prompt
from app.engine.worker.sampling import Sampler
from app.engine.worker.sequences import Slot
from app.engine.worker.text import TextStream
from app.engine.worker.vocabulary import Vocabulary

DELTA_INTERVAL_S = 0.02  # about a frame of a screen: more could hardly be shown, and each costs both processes

STOP, LENGTH, STOPPED = "stop", "length", "stopped"


class Generation:
    """`slot.tokens` is the prompt and then the reply; the loop decodes what `slot.n_past` has not reached yet."""

    def __init__(
        self,
        command: Generate,
        arrived: float,
        prompt: Prompt,
        slot: Slot,
        sampler: Sampler,
        vocabulary: Vocabulary,
        stop: tuple[str, ...],
        n_ctx: int,
        emit: Callable[[Event], None],
    ) -> None:
        """`arrived`: time.perf_counter when the command was read."""
        self.id = command.id
        self.slot = slot
        self.sampler = sampler
        self._n_prompt = len(prompt.tokens)
        self._n_cached = slot.n_past
        self._piece = vocabulary.piece
        self._text = TextStream((*command.stop, *stop))
        self._text.feed(prompt.pending)
        limit = n_ctx - self._n_prompt
        self._limit = min(command.sampling.max_tokens or limit, limit)
        self._emit = emit
        self._arrived = arrived
        self._begun = time.perf_counter()
        self._first = self._last = self._sent = 0.0
        self._pending_text: list[str] = []
        self._pending_ids: list[int] = []
        self._count = 0
        emit(
            Started(
                id=self.id,
                prompt_tokens=self._n_prompt,
                cached_tokens=self._n_cached,
                thinking_open=prompt.thinking_open,
            )
        )

    @property
    def is_reading(self) -> bool:
        """Whether the prompt is still being decoded."""
        return self._count == 0 and self.slot.n_past < self._n_prompt

    def read(self) -> None:
        """A slice of the prompt was decoded."""
        self._emit(Progress(id=self.id, phase="prompt", done=self.slot.n_past, total=self._n_prompt))

    def take(self, token: int) -> str:
        """A token was sampled. Returns the finish reason if the reply ends with it, else an empty string."""
        now = time.perf_counter()
        if not self._first:
            self._first = now
        piece = self._piece(token)
        if piece is None:
            return STOP
        self.slot.tokens.append(token)
        self._last = now
        self._count += 1
        self._pending_ids.append(token)
        if text := self._text.feed(piece):
            self._pending_text.append(text)
        if self._text.stopped:
            return STOP
        if self._count >= self._limit:
            return LENGTH
        if now - self._sent >= DELTA_INTERVAL_S:
            self._flush()
            self._sent = now
        return ""

    def finish(self, reason: str) -> None:
        """Send what is left and the facts. The slot and the sampler are the loop's to release."""
        if rest := self._text.finish(cut=reason != STOP):
            self._pending_text.append(rest)
        self._flush()
        self._emit(Finished(id=self.id, facts=self._facts(reason)))

    def flush(self) -> None:
        """Send what is left, before a failure."""
        if rest := self._text.finish(cut=True):
            self._pending_text.append(rest)
        self._flush()

    def _flush(self) -> None:
        if self._pending_ids or self._pending_text:
            self._emit(Delta(id=self.id, text="".join(self._pending_text), token_ids=self._pending_ids))
            self._pending_text, self._pending_ids = [], []

    def _facts(self, reason: str) -> GenerationFacts:
        first = self._first or time.perf_counter()
        return GenerationFacts(
            prompt_tokens=self._n_prompt,
            cached_tokens=self._n_cached,
            completion_tokens=self._count,
            prompt_s=first - self._begun,
            decode_s=max(self._last - first, 0.0),
            ttft_s=first - self._arrived,
            seed=self.sampler.seed,
            finish_reason=reason,
        )
