"""A context of its own to compare with: what it decodes, in the slices it is told, is what must come out.

llama.cpp's numbers depend on how a prompt was sliced, so equal means: bit-equal to a control that decoded the same
tokens in the same slices. Against another slicing only closeness can be asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.engine.protocol import Loaded as LoadedEvent
from app.engine.values import LoadOptions, PromptMessage
from app.engine.worker import llama, loading
from app.engine.worker.context import Abort, Context
from app.engine.worker.generation import boundaries
from tests.engine.worker.process import LoopHere

KINDS = ("dense", "sliding", "recurrent", "hybrid")
N_BATCH = 128
LONG = "the hound in the den and the wind over the water " * 12
CLOSE = 0.2  # cold reads in other slices lie 0.04 (CPU) to 0.05 (CUDA) apart, the logits themselves some 13


class Control:
    """A context of its own that decodes what it is told, slice by slice."""

    def __init__(self, path: Path, n_slots: int = 1, **more: Any) -> None:
        llama.start_backends()
        options = LoadOptions(n_batch=N_BATCH, n_ubatch=N_BATCH, n_threads=1, n_seq_max=n_slots, **more)
        self.loaded = loading.Loaded(
            path, options, Abort(), lambda done, total: True, loading.check(path, thoroughly=False)
        )
        self.position = 0

    @property
    def context(self) -> Context:
        assert self.loaded.context is not None
        return self.loaded.context

    def read(self, tokens: list[int], size: int = N_BATCH, cuts: list[int] | None = None) -> list[float]:
        """Decode `tokens` in slices of `size` that end at the positions `cuts` too; the logits of the last one."""
        context = self.context
        end = self.position + len(tokens)
        begun = self.position
        while self.position < end:
            stop = min([self.position + size, end, *(at for at in cuts or () if at > self.position)])
            part = tokens[self.position - begun : stop - begun]
            context.clear_batch()
            context.add(0, part, self.position, output=True)
            assert context.decode() == 0
            self.position += len(part)
        return context.logits(-1)

    def close(self) -> None:
        self.loaded.close()


def load(here: LoopHere, path: Path, **options: Any) -> None:
    assert isinstance(here.load(path, n_batch=N_BATCH, n_ubatch=N_BATCH, **options), LoadedEvent)


def logits(here: LoopHere) -> list[float]:
    return here.loaded.context.logits(-1)  # type: ignore[no-any-return]


def prompt_of(here: LoopHere, messages: list[PromptMessage]) -> list[int]:
    return here.loaded.prompts.build(messages, {}).tokens  # type: ignore[no-any-return]


def cuts_of(here: LoopHere, messages: list[PromptMessage]) -> list[int]:
    """Where slices of this prompt end so that a later one can come back there."""
    checkpoints = here.loaded.sequences.checkpoints
    return boundaries(here.loaded.prompts.build(messages, {}), checkpoints.room) if checkpoints else []


def apart(first: list[float], second: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(first, second, strict=True))
