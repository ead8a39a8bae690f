"""One reply being written: its place in the cache, its sampler, its text, its measurements. Decodes nothing itself."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

from app.engine.protocol import Delta, Event, Finished, Generate, Progress, Started
from app.engine.values import GenerationFacts
from app.engine.worker.prompts import Prompt
from app.engine.worker.sampling import Sampler
from app.engine.worker.slots import Slot
from app.engine.worker.speculation import Costs, Guesses
from app.engine.worker.text import TextStream
from app.engine.worker.vocabulary import Vocabulary

DELTA_INTERVAL_S = 0.02  # about a frame of a screen: more could hardly be shown, and each costs both processes

LAST = 8  # messages: each of them may be edited, and begin anew from there
APART = 256  # tokens: slices that are shorter are read more slowly

STOP, LENGTH, STOPPED = "stop", "length", "stopped"


class Generation:
    """`slot.tokens` is the prompt and then the reply; steps.py decodes what `slot.n_past` has not reached yet.

    `suspended`: its cells went to an older reply, and it waits until there is room to read all again.
    """

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
        boundaries: Sequence[int] = (),
    ) -> None:
        """`arrived`: time.perf_counter when the command was read. `boundaries`: what later prompts may come back to."""
        self.id = command.id
        self.slot = slot
        self.sampler = sampler
        self._n_prompt = len(prompt.tokens)
        self._n_cached = slot.n_past
        self._n_shifted = max(slot.n_past - slot.traces, 0) if slot.traces >= 0 else 0
        self._n_dropped = slot.dropped
        self._boundaries = boundaries
        self._guesses = Guesses() if command.guess else None
        self._drafted = self._accepted = 0
        self.suspended = False
        self._piece = vocabulary.piece
        self._text = TextStream((*command.stop, *stop))
        self._text.feed(prompt.pending)
        limit = n_ctx - self._n_prompt
        self._limit = min(command.sampling.max_tokens or limit, limit)
        self._emit = emit
        self.arrived = arrived
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

    @property
    def pending(self) -> int:
        """How many tokens are still to be decoded before the next one can be drawn."""
        return len(self.slot.tokens) - self.slot.n_past

    @property
    def boundary(self) -> int:
        """Where the slice should end that is read next, so that a later prompt can come back there."""
        return next((at for at in self._boundaries if at > self.slot.n_past), len(self.slot.tokens))

    @property
    def is_boundary(self) -> bool:
        """Whether a later prompt is likely to come back to what is decoded now."""
        return self.slot.n_past in self._boundaries

    def read(self) -> None:
        """A slice of the prompt was decoded."""
        if self._guesses:
            self._guesses.follow(self.slot.tokens)
        self._emit(Progress(id=self.id, phase="prompt", done=self.slot.n_past, total=self._n_prompt))

    def draft(self, costs: Costs, most: int) -> list[int]:
        """Up to `most` tokens that may follow, if it is likely to be faster to decode them on trial."""
        if not self._guesses:
            return []
        tokens = self.slot.tokens
        self._guesses.follow(tokens)
        draft = self._guesses.draft(tokens, costs, min(most, self._limit - self._count - 1))
        return draft[: next((at for at, token in enumerate(draft) if self._piece(token) is None), len(draft))]

    def guessed(self, drafted: int, accepted: int) -> None:
        """So many tokens were decoded on trial, and so many of them are the model's own."""
        self._drafted += drafted
        self._accepted += accepted

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
            ttft_s=first - self.arrived,
            seed=self.sampler.seed,
            finish_reason=reason,
            shifted_tokens=self._n_shifted,
            dropped_tokens=self._n_dropped,
            drafted_tokens=self._drafted,
            accepted_tokens=self._accepted,
        )


def boundaries(prompt: Prompt, most: int) -> list[int]:
    """Where prompts part: behind the instructions, where an edited message begins, where another reply begins.

    Of a history that is read at once, all of the last turns, and more of them further back only so far apart that it is
    hardly read more slowly; no more than the first and `most` others.
    """
    ends = list(itertools.accumulate(prompt.spans))
    found = set(ends[:1])
    for end in ends[:-LAST]:
        if end - max(found) >= APART:
            found.add(end)
    inside = sorted(at for at in found | set(ends[-LAST:]) if 0 < at < len(prompt.tokens))
    return [*inside[:1], *inside[1:][-most:]]
