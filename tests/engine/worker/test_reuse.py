"""What the cache gives back is what reading anew would have given, for every kind of memory.

llama.cpp's numbers depend on how a prompt was sliced, so equal means: bit-equal to a control that decoded the same
tokens in the same slices. Against another slicing only closeness can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.worker.control import CLOSE, KINDS, LONG, Control, apart, cuts_of, load, logits, prompt_of
from tests.engine.worker.process import LoopHere, user
from tests.support.tiny_models import WINDOW


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_turn_equals_a_control_in_the_same_slices(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    load(loop_here, tiny(kind))
    messages = [user(LONG)]
    first = loop_here.write(messages, max_tokens=40)
    assert first.facts.completion_tokens == 40
    before, cuts = prompt_of(loop_here, messages), cuts_of(loop_here, messages)
    messages += [loop_here.said(first), user("and the other hound")]
    after = prompt_of(loop_here, messages)
    second = loop_here.write(messages, max_tokens=1)
    held = len(before) + 39
    assert second.facts.cached_tokens == held
    assert after[: held + 1] == [*before, *first.ids]

    control = Control(tiny(kind))
    control.read(before, cuts=cuts)
    control.read(first.ids[:39], size=1)
    assert control.read(after[held:], cuts=cuts_of(loop_here, messages)) == logits(loop_here), "bit for bit"
    control.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_turn_is_close_to_reading_all_anew(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    load(loop_here, tiny(kind))
    messages = [user(LONG)]
    first = loop_here.write(messages, max_tokens=200)
    messages += [loop_here.said(first), user("and the other hound")]
    second = loop_here.write(messages, max_tokens=1)
    assert second.facts.cached_tokens > len(first.ids)
    warm = logits(loop_here)
    control = Control(tiny(kind))
    assert apart(control.read(prompt_of(loop_here, messages)), warm) < CLOSE
    control.close()


@pytest.mark.parametrize("back", [3, 40, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_tail_is_as_if_it_had_never_been(
    kind: str, back: int, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    """Regenerating and editing: the cache goes back `back` tokens, or is read anew where it cannot."""
    load(loop_here, tiny(kind))
    words = LONG.split()
    loop_here.write([user(" ".join(words))], max_tokens=60)
    shorter = [user(" ".join(words[: -back // 3]) + " but")]
    reply = loop_here.write(shorter, max_tokens=1)
    prompt = prompt_of(loop_here, shorter)
    control = Control(tiny(kind))
    assert apart(control.read(prompt), logits(loop_here)) < CLOSE
    assert reply.ids[0] == control.loaded.context.logits(-1).index(max(control.loaded.context.logits(-1)))  # type: ignore[union-attr]
    if kind in ("recurrent", "hybrid"):
        assert reply.facts.cached_tokens == 0
    elif kind == "dense":
        assert reply.facts.cached_tokens > len(prompt) - 30
    elif back == 300:
        assert reply.facts.cached_tokens == 0, f"the window of {WINDOW} has moved on"
    control.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_prompt_twice_gives_the_same_reply(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    load(loop_here, tiny(kind))
    first = loop_here.write([user(LONG)], max_tokens=1)
    cold = logits(loop_here)
    second = loop_here.write([user(LONG)], max_tokens=1)
    assert apart(cold, logits(loop_here)) < CLOSE
    assert first.ids == second.ids
    at_most = second.facts.prompt_tokens - 1 if kind in ("dense", "sliding") else cuts_of(loop_here, [user(LONG)])[-1]
    assert second.facts.cached_tokens == at_most > 300


@pytest.mark.parametrize("kind", KINDS)
def test_an_abort_in_the_middle_of_a_prompt_leaves_no_trace(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    """An abort that nobody asked for is repeated work, never another result: the prompt is read to its end."""
    load(loop_here, tiny(kind))
    loaded = loop_here.loaded
    decode, aborts = loaded.context.decode, iter([False, True, False, True])

    def aborted() -> int:
        if next(aborts, False):
            loop_here.loop._abort.set()
        return decode()  # type: ignore[no-any-return]

    loaded.context.decode = aborted
    reply = loop_here.write([user(LONG)], max_tokens=1)
    assert next(aborts, None) is None
    held = loaded.sequences.slots[0]
    assert loaded.context.last_position(0) == held.n_past - 1
    control = Control(tiny(kind))
    assert apart(control.read(prompt_of(loop_here, [user(LONG)])), logits(loop_here)) < CLOSE
    assert reply.facts.cached_tokens == 0
    control.close()


@pytest.mark.parametrize("kind", KINDS)
def test_switching_between_conversations(kind: str, tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny(kind))
    first = loop_here.write([user("the hound")], sequence="a", max_tokens=12)
    loop_here.write([user("another wind")], sequence="b", max_tokens=12)
    assert loop_here.write([user("the hound")], sequence="a", max_tokens=12).text == first.text
