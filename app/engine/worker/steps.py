"""The replies under way: one batch of all sequences, decoded, sampled, and what becomes of each reply.

Runs on the llama.cpp thread and is stepped by loop.py. A step builds one batch (a token for each reply that writes, and
a slice for those still reading), decodes it, samples and emits. Nobody who writes waits longer than for one slice, and
those who read take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from app.engine.errors import DecodeFailed
from app.engine.protocol import Ended, Failed
from app.engine.worker.context import ABORTED, DECODED, NO_ROOM, Context
from app.engine.worker.generation import STOPPED, Generation
from app.engine.worker.loading import Loaded, decode_failure
from app.engine.worker.speculation import MOST, Costs
from app.engine.worker.turns import Turns

SLICE = 64  # tokens of a batch while somebody writes: costs an eighth of the reading speed, 512 hold everyone up
TILE = 64  # tokens of a batch from which llama.cpp's attention on the processor works in tiles (GGML_FA_TILE_Q)
RESERVE = 256  # cells that must be free beyond its own for a reply to go on that had to give up its cells

# What a batch costs, in tokens with nothing before them (decision 018). Looking back at a cell is `attention` times the
# arithmetic of a token; it takes longer than that, token by token more than in a tile, which costs TILED itself.
ONE_BY_ONE, TILED, IN_TILES = 7.0, 51.5, 2.87
DEEP = 1024  # there is little to gain before

Output = tuple[Generation, int, int]  # how many tokens of it are in the batch, and the index of its logits or -1


class Steps:
    """The active replies of one worker."""

    def __init__(
        self,
        closed: Callable[[int], None],
        finish: Callable[[Ended], None],
        begin_decode: Callable[[int], bool],
    ) -> None:
        """`closed(request)`: the request is answered, its last event is sent right after; `finish` sends a last event.

        `begin_decode(request)` is asked before each batch whether to decode it, for that request alone, or 0.
        """
        self._closed = closed
        self._finish = finish
        self._begin_decode = begin_decode
        self._loaded: Loaded | None = None
        self._freed = False  # a reply ended since one was suspended
        self._costs = Costs()
        self._turns = Turns()
        self._begun = 0.0  # when the decode under way began
        self._draft: list[int] = []  # the tokens at the end of the batch that are only guessed
        self.active: list[Generation] = []  # those that read: who waited longest first

    def begin(self, generation: Generation, loaded: Loaded) -> None:
        """Take in a reply of the model `loaded`, which stays until no reply is active."""
        if loaded is not self._loaded:
            self._costs = Costs()
        self._loaded = loaded
        self.active.append(generation)

    def stop(self, requests: set[int]) -> None:
        """End those replies that were asked to stop."""
        for generation in [g for g in self.active if g.id in requests]:
            self._end(generation, STOPPED)

    @property
    def is_crowded(self) -> bool:
        """Whether a reply waits for cells: then no further one should begin."""
        return any(generation.suspended for generation in self.active)

    def step(self) -> None:
        """Decode one batch, if there is something to decode."""
        loaded = self._loaded
        if loaded is None or not self.active:
            return
        context = loaded.context
        assert context is not None
        self._resume(loaded)
        outputs = self._batch(context)
        status = self._decode(loaded, outputs)
        while status == NO_ROOM and (loaded.sequences.evict_idle() or self._suspend(loaded)):
            outputs = self._batch(context)
            status = self._decode(loaded, outputs)
        if status is None:
            return
        if status == DECODED:
            self._take(loaded, context, outputs)
            return
        for generation, _, _ in outputs:
            loaded.sequences.resync(generation.slot, untouched=status == NO_ROOM)
        if status == ABORTED:
            return
        error = decode_failure(loaded.model, status, DecodeFailed)
        for generation, _, _ in outputs:
            generation.flush()
            self.retire(generation)
            self._finish(Failed(id=generation.id, code=error.code, detail=error.detail))

    def _batch(self, context: Context) -> list[Output]:
        """Fill the batch: a token for each that writes, then slices for those that read, who waited longest first."""
        context.clear_batch()
        self._draft = []
        running = [generation for generation in self.active if not generation.suspended]
        writes = any(generation.pending == 1 for generation in running)
        running = self._turns.of(running)
        outputs = [self._add(context, generation, 1) for generation in running if generation.pending == 1]
        room = max(min(SLICE, context.n_batch) - len(outputs), 1) if writes else context.n_batch
        for generation in running:
            if generation.pending > 1 and room > 0:
                outputs.append(self._add(context, generation, room))
                room -= outputs[-1][1]
        if self._pays_to_pad(context, outputs):
            context.pad(TILE)
        return outputs

    def _pays_to_pad(self, context: Context, outputs: list[Output]) -> bool:
        """Whether a whole tile is sooner computed than these few tokens one by one: deep in a conversation, where
        attention is most of the work."""
        loaded = self._loaded
        if loaded is None or context.spare < 0 or context.n_batch < TILE or not loaded.attention:
            return False
        count = sum(tokens for _, tokens, _ in outputs)
        if not 1 < count < TILE or loaded.sequences.n_held + TILE > context.n_cells:
            return False
        depth = sum(tokens * generation.slot.n_past for generation, tokens, _ in outputs) / count
        looked = depth * loaded.attention
        return depth >= DEEP and count * (1 + ONE_BY_ONE * looked) > TILED * (1 + IN_TILES * looked)

    def _add(self, context: Context, generation: Generation, room: int) -> Output:
        slot = generation.slot
        end = min(slot.n_past + room, generation.boundary)
        complete = end == len(slot.tokens)
        if complete and end - slot.n_past == 1 and (draft := self._guess(context, generation)):
            self._draft = draft
            index = context.add_guessed(slot.index, [slot.tokens[-1], *draft], slot.n_past)
            return generation, 1 + len(draft), index
        index = context.add(slot.index, slot.tokens[slot.n_past : end], slot.n_past, output=complete)
        return generation, end - slot.n_past, index if complete else -1

    def _guess(self, context: Context, generation: Generation) -> list[int]:
        """What may follow the token that is decoded next. Only for one that is alone: the others would wait for it."""
        loaded = self._loaded
        if loaded is None or loaded.sequences.whole_only or len(self.active) > 1 or generation.is_reading:
            return []
        room = loaded.sequences.n_cells - loaded.sequences.n_held - 1
        return generation.draft(self._costs, min(MOST, context.n_batch - 1, room))

    def _decode(self, loaded: Loaded, outputs: list[Output]) -> int | None:
        """llama_decode's status; None when there is nothing to decode (any more)."""
        alone = outputs[0][0].id if len(outputs) == 1 else 0
        if loaded.sequences.whole_only and outputs and outputs[0][1] == 1:
            alone = 0  # an abort costs such a memory all it holds, and one token is soon done
        if not outputs or not self._begin_decode(alone):
            return None
        self._begun = time.perf_counter()
        return loaded.decode(outputs[0][0].slot.overlay)

    def _take(self, loaded: Loaded, context: Context, outputs: list[Output]) -> None:
        if self._draft:
            self._take_guessed(loaded, context, *outputs[0])
            return
        for generation, count, index in outputs:
            slot = generation.slot
            reading = generation.is_reading
            loaded.sequences.advance(slot, count)
            if reading:
                generation.read()
                if generation.is_boundary:
                    loaded.sequences.checkpoint(slot)
            if count > 1 and len(self.active) > 1:  # the others' turn
                self.active.remove(generation)
                self.active.append(generation)
            if index < 0:
                continue
            token = context.sample(generation.sampler.handle, index)
            if len(outputs) == 1 and (count == 1 or count > SLICE):
                self._costs.note(count, time.perf_counter() - self._begun)
            if reason := generation.take(token):
                self._end(generation, reason)

    def _take_guessed(self, loaded: Loaded, context: Context, generation: Generation, count: int, index: int) -> None:
        """Draw one token after the other, each as if it were the only one, as long as it is the one that was guessed.

        The first other one is as good as any: it was drawn from what the model makes of the text before it.
        """
        slot, draft, accepted, reason = generation.slot, self._draft, 0, ""
        for guess in [*draft, -1]:
            token = context.sample(generation.sampler.handle, index + accepted)
            reason = generation.take(token)
            if reason or token != guess:
                break
            accepted += 1
        self._costs.note(count, time.perf_counter() - self._begun)
        generation.guessed(len(draft), accepted)
        loaded.sequences.advance(slot, 1 + accepted)
        loaded.sequences.trim(slot)
        if reason:
            self._end(generation, reason)

    def _suspend(self, loaded: Loaded) -> bool:
        """The cells are full of replies under way: the newest gives up its own and waits. False when there is one."""
        running = [generation for generation in self.active if not generation.suspended]
        if len(running) < 2:
            return False
        newest = max(running, key=lambda generation: generation.arrived)
        newest.suspended = True
        loaded.sequences.suspend(newest.slot)
        self._freed = False
        return True

    def _resume(self, loaded: Loaded) -> None:
        """Let the oldest that waits for cells go on, if a reply has ended since and there is room for it."""
        waiting = [generation for generation in self.active if generation.suspended]
        if not waiting:
            return
        oldest = min(waiting, key=lambda generation: generation.arrived)
        running = [generation for generation in self.active if not generation.suspended]
        needed = sum(len(generation.slot.tokens) for generation in (*running, oldest)) + RESERVE
        if not running or (self._freed and needed <= loaded.sequences.n_cells):
            oldest.suspended = False

    def _end(self, generation: Generation, reason: str) -> None:
        self.retire(generation)
        self._closed(generation.id)
        generation.finish(reason)

    def retire(self, generation: Generation) -> None:
        """Take a reply out and give back what it held. Its last event is the caller's to send."""
        self.active.remove(generation)
        self._freed = True
        generation.sampler.close()
        if self._loaded is not None:
            self._loaded.sequences.release(generation.slot)
