"""Short batches deep in a conversation are filled up to a tile: nothing of that is seen but the time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.values import PromptMessage
from app.engine.worker import steps
from app.engine.worker.context import Context
from tests.engine.worker.control import CLOSE, LONG, Control, apart, load, logits
from tests.engine.worker.process import LoopHere


def test_what_a_batch_is_filled_up_with_leaves_nothing_behind(tiny: Callable[[str], Path]) -> None:
    plain, padded = Control(tiny("dense")), Control(tiny("dense"))
    try:
        tokens = padded.loaded.vocabulary.tokenize(LONG)[:180]
        seen = []
        for control in (plain, padded):
            control.read(tokens[:128])
            context = control.context
            context.clear_batch()
            context.add(0, tokens[128:158], 128, output=True)
            if control is padded:
                context.pad(steps.TILE)
            assert context.decode() == 0
            seen.append(context.logits(-1))
            assert context.last_position(context.spare) == -1
            assert context.last_position(0) == 157
            control.position = 158
        assert apart(*seen) < CLOSE
        assert apart(*(control.read(tokens[158:170]) for control in (plain, padded))) < CLOSE
    finally:
        plain.close()
        padded.close()


def test_a_short_question_behind_much_is_read_in_a_tile(
    loop_here: LoopHere, tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "DEEP", 100)
    monkeypatch.setattr(steps, "TILED", 0.1)
    counts: list[int] = []
    pad = Context.pad

    def noted(context: Context, count: int) -> None:
        counts.append(count)
        pad(context, count)

    monkeypatch.setattr(Context, "pad", noted)
    load(loop_here, tiny("dense"))
    first = [PromptMessage(role="user", content=LONG)]
    then = [*first, PromptMessage(role="assistant", content="den"), PromptMessage(role="user", content="the wind")]
    loop_here.write(first, max_tokens=1)
    del counts[:]
    reply = loop_here.write(then, max_tokens=1)
    assert reply.facts.prompt_tokens - reply.facts.cached_tokens < steps.TILE
    assert counts == [steps.TILE], "a token that is written alone is not padded"
    seen = logits(loop_here)
    control = Control(tiny("dense"))
    try:
        tokens = loop_here.loaded.prompts.build(then, {}).tokens
        assert apart(seen, control.read(tokens)) < CLOSE
    finally:
        control.close()
