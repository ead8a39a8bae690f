"""What the KV cache holds for each conversation, and how much of it the next prompt may reuse.

The cache's own positions are believed, not this book: after an abort or a failed removal they are looked up again. No
native call here; the memory is a small Protocol (slots.py), so that every trap can be tested without a model. How a
stretch in the middle goes is rolling.py.
"""

from __future__ import annotations

from collections.abc import Callable

from app.engine.worker.checkpoints import Checkpoints
from app.engine.worker.rolling import common_prefix, find_gap
from app.engine.worker.slots import Memory, Overlay, Slot


class Sequences:
    """The slots of one context.

    `n_swa`: the sliding window in tokens, 0 for none. `whole_only`: a recurrent or hybrid memory, of which only all or
    nothing can be kept, because its state cannot be taken back. `can_shift`: positions can be changed. `n_cells`: how
    many tokens all slots have room for. `on_leave` is told of a slot whose content is about to go.
    """

    def __init__(
        self,
        memory: Memory,
        n_slots: int,
        *,
        n_swa: int = 0,
        whole_only: bool = False,
        can_shift: bool = False,
        n_cells: int = 0,
    ) -> None:
        self._memory = memory
        self._n_swa = n_swa
        self.whole_only = whole_only
        self.can_shift = can_shift and not n_swa and not whole_only
        self.n_cells = n_cells
        self._clock = 0
        self.slots = [Slot(index) for index in range(n_slots)]
        self.checkpoints = Checkpoints(memory, n_slots) if n_swa or whole_only else None
        self.on_leave: Callable[[Slot], None] = lambda slot: None

    # --- places -------------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Slot | None:
        """The slot of a conversation; None when it is not in memory."""
        return next((slot for slot in self.slots if name and slot.name == name), None)

    def acquire(self, name: str, prompt: list[int], *, shift: bool = False, overlay: Overlay = ()) -> Slot | None:
        """The slot to write `name`'s reply in, cut back to what `prompt` shares with it; None when all are busy.

        The slot of that name, else an empty one, else the one that was unused for longest. Where another slot has more
        of the prompt, that is copied, and the other keeps its own. `shift`: what is missing in the prompt may be cut
        out of the cache, and what carries traces of it may be used. What was read with another `overlay` is of no use.
        `prompt` must not be empty; at least its last token stays to be decoded, because its logits are wanted.
        """
        if all(slot.busy for slot in self.slots):
            return None
        own = next((slot for slot in self.slots if slot.name == name and not slot.busy), None)
        had = own.n_past if own else 0
        if own and shift and own.overlay == overlay:
            had -= self._roll(own, prompt)
        reach = {slot.index: self._reach(slot, prompt, overlay, traces=shift and slot is own) for slot in self.slots}
        source = max(self.slots, key=lambda slot: (reach[slot.index], slot is own, not slot.busy))
        keep = reach[source.index]
        slot = own or self._vacate(source if keep else None)
        if slot is not source and keep:
            self._copy(source, slot, keep)
        if self.checkpoints and keep == slot.n_past:
            self.checkpoints.take(slot.index, keep)
        self._cut(slot, keep)
        if slot.name != name:
            slot.name, slot.snapshot, slot.dirty = name, "", True
        slot.busy, slot.used, slot.overlay = True, self._tick(), overlay
        slot.dropped = max(had - slot.n_past, 0)
        slot.tokens = list(prompt)
        return slot

    def place(self, name: str, n_tokens: int, overlay: Overlay = ()) -> Slot | None:
        """An empty slot for `name`, busy, with room for so many tokens made; None where that cannot be had now."""
        own = self.find(name)
        if (own and own.busy) or all(slot.busy for slot in self.slots):
            return None
        slot = own or self._vacate(None)
        self._empty(slot)
        slot.name, slot.tokens, slot.busy, slot.used = name, [], True, self._tick()
        slot.overlay = overlay
        while self.n_held + n_tokens > self.n_cells:
            if not self.evict_idle():
                self.release(slot)
                return None
        return slot

    def leave_next(self, name: str) -> list[Slot]:
        """The slots of which one would have to leave if `name` came in now: the one unused for longest, or the next,
        where the first shares more of the prompt than any other."""
        idle = [slot for slot in self.slots if not slot.busy]
        if self.find(name) or any(slot.n_past == 0 for slot in idle):
            return []
        return sorted(idle, key=lambda slot: slot.used)[:2]

    def release(self, slot: Slot) -> None:
        """The reply ended: forget what was never decoded."""
        del slot.tokens[slot.n_past :]
        slot.busy = False

    def evict_idle(self) -> bool:
        """Free the cells of the idle slot that was unused for longest; False when there is none that holds any."""
        idle = [slot for slot in self.slots if not slot.busy and slot.n_past > 0]
        if not idle:
            return False
        self.evict(min(idle, key=lambda slot: slot.used))
        return True

    def evict(self, slot: Slot) -> None:
        """An idle slot's conversation leaves memory."""
        self.on_leave(slot)
        self.forget(slot)

    def forget(self, slot: Slot) -> None:
        """Drop an idle slot's conversation, telling nobody."""
        self._empty(slot)
        slot.name, slot.tokens, slot.snapshot, slot.dirty, slot.overlay = "", [], "", False, ()

    def holds(self, slot: Slot, count: int) -> bool:
        """Whether the memory holds this many tokens of a slot, so that one could go on from there."""
        return self._holds(slot.index, count)

    @property
    def n_held(self) -> int:
        """The tokens that all slots hold, those that they share counted for each."""
        return sum(slot.n_past for slot in self.slots)

    def held(self, name: str, prompt: list[int], overlay: Overlay = ()) -> int:
        """How many tokens of a prompt the slot of that name would not have to decode again."""
        slot = self.find(name)
        return self._reach(slot, prompt, overlay, traces=True) if slot and prompt else 0

    # --- while a reply is written -------------------------------------------------------------------------------------

    def advance(self, slot: Slot, count: int, *, ahead: bool = False) -> None:
        """So many more tokens were decoded; `ahead`: of what was not sent yet."""
        slot.n_past += count
        slot.ahead = slot.ahead + count if ahead else 0
        slot.dirty = slot.dirty or not ahead

    def trim(self, slot: Slot) -> None:
        """Drop what was decoded beyond the slot's `n_past`, on trial. Where that fails, `n_past` goes back further."""
        self._cut(slot, slot.n_past)

    def checkpoint(self, slot: Slot) -> None:
        """Make it possible to come back to what the slot holds now."""
        if self.checkpoints:
            self.checkpoints.take(slot.index, slot.n_past)

    def resync(self, slot: Slot, *, untouched: bool = False) -> None:
        """After a decode that went wrong: go back to what the cache really holds. `tokens` are kept as they are.

        `untouched`: the decode was refused before it began.
        """
        held = self._memory.last_position(slot.index) + 1
        if untouched and held == slot.n_past:
            return
        if self.whole_only:
            # Layers before the aborted node have already taken the tokens in, the others have not.
            self._go_back(slot, slot.n_past)
            return
        self._cut(slot, min(held, slot.n_past))

    def suspend(self, slot: Slot) -> None:
        """Free the cells of a busy slot, whose tokens will be read again."""
        self._empty(slot)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _vacate(self, source: Slot | None) -> Slot:
        """An idle slot to fill anew: an empty one, else the one unused for longest; `source` only when it is the last.

        `source` comes back with what it holds; any other is empty.
        """
        idle = [slot for slot in self.slots if not slot.busy and slot is not source]
        if not idle:
            assert source is not None
            self.on_leave(source)
            return source
        slot = min(idle, key=lambda slot: (slot.n_past > 0, slot.used))
        if slot.n_past > 0:
            self.on_leave(slot)
        self.forget(slot)
        return slot

    def _reach(self, slot: Slot, prompt: list[int], overlay: Overlay, *, traces: bool) -> int:
        """How many tokens of the prompt could be taken from a slot; `traces`: those that carry traces too."""
        if slot.overlay != overlay:
            return 0
        held = slot.n_past if traces or slot.traces < 0 else slot.traces
        same = min(common_prefix(slot.tokens[:held], prompt), len(prompt) - 1)
        if same <= 0:
            return 0
        last = self._memory.last_position(slot.index)
        if last + 1 >= same and self._looks_back(slot.index, same) and (not self.whole_only or last + 1 == same):
            return same
        found = self.checkpoints.before(slot.index, same) if self.checkpoints else None
        return found.count if found else 0

    def _copy(self, source: Slot, target: Slot, keep: int) -> None:
        self._empty(target)
        self._memory.copy(source.index, target.index)
        target.tokens, target.n_past = source.tokens[: source.n_past], source.n_past
        target.traces, target.dirty, target.ahead = source.traces, True, 0
        target.shared = keep
        source.shared = max(source.shared, keep)
        if self.checkpoints:
            self.checkpoints.copy(source.index, target.index)

    def _roll(self, slot: Slot, prompt: list[int]) -> int:
        """Cut out the stretches that the prompt lacks and move up what follows; how many tokens went."""
        before = slot.n_past
        while self.can_shift:
            start, end = find_gap(slot.tokens[: slot.n_past], prompt)
            if start == end or not self._cut_out(slot, start, end):
                break
        return before - slot.n_past if slot.n_past else 0

    def _cut_out(self, slot: Slot, start: int, end: int) -> bool:
        memory, index = self._memory, slot.index
        # Positions belong to cells: where another sequence has them too, it would be moved along. A copy is not shared.
        moved = (slot.shared <= start or memory.set_state(index, memory.state(index))) and memory.close_gap(
            index, start, end
        )
        slot.shared = min(slot.shared, start)
        left = slot.n_past - (end - start)
        if not moved or memory.last_position(index) != left - 1 or memory.first_position(index) != 0:
            self._empty(slot)
            return False
        del slot.tokens[start:end]
        slot.n_past = left
        slot.traces = start if slot.traces < 0 else min(slot.traces, start)
        slot.dirty = True
        return True

    def _cut(self, slot: Slot, keep: int) -> None:
        """Keep the first `keep` tokens of a slot, or fewer where the memory could not go on from there."""
        memory, index = self._memory, slot.index
        last = memory.last_position(index)
        keep = min(keep, slot.n_past)
        if keep > last + 1 or not self._looks_back(index, keep) or (self.whole_only and last + 1 > keep):
            self._go_back(slot, keep)
        elif (last + 1 > keep and not memory.remove_from(index, keep)) or not self._holds(index, keep):
            # A sliding window answers True to a removal that left nothing: only the positions tell.
            self._go_back(slot, keep)
        else:
            self._set(slot, keep)

    def _go_back(self, slot: Slot, keep: int) -> None:
        """To the last checkpoint that has not more than `keep` tokens, or to nothing."""
        memory, index = self._memory, slot.index
        found = self.checkpoints.before(index, min(keep, slot.n_past)) if self.checkpoints else None
        if (
            found
            and memory.set_state(index, found.data)
            and memory.remove_from(index, found.count)
            and self._holds(index, found.count)
        ):
            self._set(slot, found.count)
        else:
            self._empty(slot)

    def _set(self, slot: Slot, count: int) -> None:
        if count < slot.settled:
            slot.dirty = True
        slot.ahead = max(slot.ahead - max(slot.n_past - count, 0), 0)
        slot.n_past = count
        slot.shared = min(slot.shared, count)
        if slot.traces >= count:
            slot.traces = -1
        if self.checkpoints:
            self.checkpoints.cut(slot.index, count)

    def _holds(self, index: int, count: int) -> bool:
        """Whether `count` tokens are held, and all that the next one looks back on."""
        return count > 0 and self._memory.last_position(index) == count - 1 and self._looks_back(index, count)

    def _looks_back(self, index: int, count: int) -> bool:
        """Whether everything that a token at position `count` looks back on is held."""
        first = self._memory.first_position(index)
        if self.whole_only:
            return first >= 0
        return 0 <= first <= (max(0, count - self._n_swa + 1) if self._n_swa else 0)

    def _empty(self, slot: Slot) -> None:
        self._memory.remove_from(slot.index, 0)
        self._set(slot, 0)
