"""Reading ahead: what a person is typing is read while nothing else is to be done, so that the reply begins at once.

On a processor, reading is slow where much stands before it: with 7,400 tokens in memory and two cores a question of 20
took a second. Typing takes longer than that. Nothing that is held is given up for it: only what goes on from all that a
conversation holds is read, and only where the memory can forget it again when something else is sent. The thinking of
the last reply is no loss: it leaves with the next question, so that its answer has to be read once more anyway.
"""

from __future__ import annotations

from collections.abc import Callable

from app.engine.errors import EngineError
from app.engine.protocol import Measure
from app.engine.worker.context import DECODED
from app.engine.worker.loading import Loaded
from app.engine.worker.slots import Overlay

_SAME = 24  # letters by which the beginning of an answer is found
SLICE = 64  # tokens of a batch: who sends meanwhile waits for one at most


class Ahead:
    """What is read ahead, of one conversation at a time. Everything is the llama.cpp thread's.

    `name` is that conversation's, '' when there is nothing to read.
    """

    def __init__(self) -> None:
        self.name = ""
        self._loaded: Loaded | None = None
        self._prompt: Measure | None = None
        self._tokens: list[int] = []
        self._overlay: Overlay = ()

    def want(self, loaded: Loaded, prompt: Measure) -> None:
        """Somebody is typing the last message of this prompt. `step` reads its beginning, unless it costs somebody."""
        self.drop()
        if prompt.sequence and loaded.sequences.checkpoints is None:
            self.name, self._loaded, self._prompt = prompt.sequence, loaded, prompt

    def drop(self) -> None:
        """Read nothing any more; what was read stays."""
        self.name, self._loaded, self._prompt, self._tokens = "", None, None, []

    def step(self, begin_decode: Callable[[], bool]) -> None:
        """Find out what to read, or read one slice. `begin_decode` is asked right before whether to."""
        going_on = False
        try:
            if self._loaded is not None and self._prompt is not None:
                going_on = self._find(self._loaded, self._prompt)
            elif self._loaded is not None:
                going_on = self._read(self._loaded, begin_decode)
        finally:
            if not going_on:
                self.drop()

    def _find(self, loaded: Loaded, prompt: Measure) -> bool:
        """What the prompt begins with, whatever is typed next. Whether it is to be read."""
        self._prompt = None
        try:
            self._tokens = tokens = loaded.prompts.beginning(prompt.messages, prompt.template_options)
            self._overlay = overlay = loaded.bring(prompt.adapters)
            return self._is_free(loaded, prompt, tokens, overlay)
        except EngineError:
            return False  # it takes this message, and not a longer one; what is wrong with an adapter, a reply will say

    def _is_free(self, loaded: Loaded, prompt: Measure, tokens: list[int], overlay: Overlay) -> bool:
        """Whether reading this costs nobody anything. Raises EngineError."""
        sequences = loaded.sequences
        slot = sequences.find(prompt.sequence)
        others = sequences.n_held - (slot.n_past if slot is not None else 0)
        if not 0 < len(tokens) < loaded.info.n_ctx or others + len(tokens) > sequences.n_cells:
            return False
        if slot is not None and slot.n_past > 0:
            held = slot.settled
            if slot.overlay != overlay:
                return False
            if slot.busy or slot.traces >= 0:
                return False
            goes_on = held < len(tokens) and slot.tokens[:held] == tokens[:held]
            return goes_on or _only_thinking_leaves(loaded, prompt, slot.tokens[:held])
        typed = prompt.messages[-1].role == "user"
        return typed and any(slot.n_past == 0 and not slot.busy for slot in sequences.slots)

    def _read(self, loaded: Loaded, begin_decode: Callable[[], bool]) -> bool:
        """Whether there is more to read."""
        sequences, context, tokens = loaded.sequences, loaded.context, self._tokens
        assert context is not None
        slot = sequences.find(self.name)
        if slot is not None and slot.busy:
            return False
        if slot is None or slot.n_past == 0 or slot.tokens[: slot.n_past] != tokens[: slot.n_past]:
            # A place for it, with what others share with it, or without what was read ahead and then taken back.
            new = slot is None or slot.settled == 0
            slot = sequences.acquire(self.name, tokens, overlay=self._overlay)
            if slot is None:
                return False
            slot.ahead = slot.n_past if new else slot.ahead
            sequences.release(slot)
        end = min(slot.n_past + SLICE, len(tokens))
        if end <= slot.n_past:
            return False
        if not begin_decode():
            return True
        slot.tokens[slot.n_past :] = tokens[slot.n_past : end]
        context.clear_batch()
        context.add(slot.index, tokens[slot.n_past : end], slot.n_past, output=False)
        decoded = loaded.decode(slot.overlay) == DECODED
        if decoded:
            sequences.advance(slot, end - slot.n_past, ahead=True)
        else:
            sequences.resync(slot)
        sequences.release(slot)
        return decoded and end < len(tokens)


def _only_thinking_leaves(loaded: Loaded, prompt: Measure, held: list[int]) -> bool:
    """Whether what is held is the last reply of this prompt as it was written, its thinking before it, and no more.

    Raises EngineError.
    """
    messages = prompt.messages
    last = next((at for at in range(len(messages) - 1, 0, -1) if messages[at].role == "assistant"), 0)
    answer = messages[last].content.strip()
    if not last or not answer:
        return False
    asked = loaded.prompts.build(messages[:last], prompt.template_options).tokens
    if held[: len(asked)] != asked:
        return False
    pieces = (loaded.vocabulary.piece(token) or b"" for token in held[len(asked) :])
    written = b"".join(pieces).decode("utf-8", "replace").rstrip("\ufffd")
    at = written.rfind(answer[:_SAME])
    return at > 0 and answer.startswith(written[at:].rstrip())  # the last token was never decoded
