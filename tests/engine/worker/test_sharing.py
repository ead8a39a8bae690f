"""What is copied from another conversation, shifted or taken back is bit for bit what the same steps give elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.protocol import Measure
from app.engine.values import PromptMessage
from tests.engine.worker.control import CLOSE, KINDS, LONG, Control, apart, cuts_of, load, logits, prompt_of
from tests.engine.worker.process import LoopHere, user
from tests.support.tiny_models import WINDOW

SYSTEM = PromptMessage(role="system", content="the water and the wind in the den " * 9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_system_prompt_is_read_once(kind: str, tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny(kind), n_seq_max=3)
    one, two = [SYSTEM, user("the hound " * 9)], [SYSTEM, user("another " * 7)]
    first = loop_here.write(one, sequence="a", max_tokens=9)
    second = loop_here.write(two, sequence="b", max_tokens=1)
    a, b = prompt_of(loop_here, one), prompt_of(loop_here, two)
    same = next(at for at in range(len(b)) if a[at] != b[at])
    keep = cuts_of(loop_here, two)[0] if kind != "dense" else same
    assert second.facts.cached_tokens == keep > 100
    found = logits(loop_here)

    control = Control(tiny(kind))
    if kind != "dense":
        control.read(a[:keep])
    else:
        control.read(a, cuts=cuts_of(loop_here, one))
        assert control.context.remove_from(0, keep)
    control.position = keep
    expected = control.read(b[keep:], cuts=cuts_of(loop_here, two))
    if kind == "sliding":  # its window lies in other cells now, and sums are made in the order of cells
        assert apart(expected, found) < CLOSE / 10
    else:
        assert expected == found, "bit for bit"
    control.close()

    one += [loop_here.said(first), user("and on")]
    again = loop_here.write(one, sequence="a", max_tokens=1)
    assert again.facts.cached_tokens == len(a) + 8, "the first conversation has all it had"
    cold = Control(tiny(kind))
    assert apart(cold.read(prompt_of(loop_here, one)), logits(loop_here)) < CLOSE
    cold.close()


@pytest.mark.parametrize("kind", KINDS)
def test_copies_go_their_own_ways(kind: str, tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    """A duplicated conversation: both are carried on in turn, far enough for windows to move on."""
    load(loop_here, tiny(kind), n_seq_max=3)
    talks = {"a": [user(LONG)]}
    talks["a"].append(loop_here.said(loop_here.write(talks["a"], sequence="a", max_tokens=20)))
    talks["b"] = list(talks["a"])
    for turn in range(6):
        for name, messages in talks.items():
            messages.append(user(f"turn {turn} of {name} " * 6))
            reply = loop_here.write(messages, sequence=name, max_tokens=WINDOW // 2)
            assert reply.facts.cached_tokens > 300
            messages.append(loop_here.said(reply))
    for name, messages in talks.items():
        asked = [*messages, user("so")]
        loop_here.write(asked, sequence=name, max_tokens=1)
        cold = Control(tiny(kind))
        assert apart(cold.read(prompt_of(loop_here, asked)), logits(loop_here)) < CLOSE
        cold.close()


@pytest.mark.parametrize("kind", ["sliding", "recurrent", "hybrid"])
def test_regenerate_and_edit_go_back_to_a_checkpoint(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    load(loop_here, tiny(kind))
    messages = [user(LONG)]
    messages.append(loop_here.said(loop_here.write(messages, max_tokens=WINDOW * 2)))
    held = loop_here.loaded.sequences.slots[0].n_past
    asked = [*messages, user("and the other hound " * 4)]
    loop_here.write(asked, max_tokens=WINDOW * 8)
    cuts = cuts_of(loop_here, asked)

    again = loop_here.write(asked, max_tokens=1, seed=2)
    assert again.facts.cached_tokens == cuts[-1], "regenerate"
    prompt = prompt_of(loop_here, asked)
    found = logits(loop_here)
    control = Control(tiny(kind))
    first = prompt_of(loop_here, messages[:1])
    control.read(first, cuts=cuts_of(loop_here, messages[:1]))
    control.read(prompt[len(first) : held], size=1)
    control.read(prompt[held:], cuts=cuts)
    if kind == "sliding":
        assert apart(control.context.logits(-1), found) < CLOSE / 10, "its window lies in other cells now"
    else:
        assert control.context.logits(-1) == found, "bit for bit"
    control.close()

    edited = [*messages, user("but no")]
    reply = loop_here.write(edited, max_tokens=1)
    assert reply.facts.cached_tokens >= held, "edit"
    cold = Control(tiny(kind))
    assert apart(cold.read(prompt_of(loop_here, edited)), logits(loop_here)) < CLOSE
    cold.close()


def rolled(loop_here: LoopHere, tiny: Callable[[str], Path], **options: int) -> tuple[list[PromptMessage], list[int]]:
    """A conversation of several turns in `a`, and its prompt so far."""
    load(loop_here, tiny("dense"), **options)
    messages = [SYSTEM]
    for turn in range(6):
        messages.append(user(f"turn {turn} " + f"word{turn} " * 9))
        messages.append(loop_here.said(loop_here.write(messages, sequence="a", max_tokens=16)))
    return messages, list(loop_here.loaded.sequences.slots[0].tokens)


def test_a_rolled_prompt_is_shifted_and_only_what_is_new_is_read(
    tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    messages, held = rolled(loop_here, tiny)
    assert loop_here.model_now.can_shift
    left = [messages[0], *messages[5:], user("and now")]
    prompt = prompt_of(loop_here, left)
    reply = loop_here.write(left, sequence="a", max_tokens=1, shift=True)
    found = logits(loop_here)
    new = len(prompt) - reply.facts.cached_tokens
    assert new <= len(prompt) - len(prompt_of(loop_here, left[:-1])) + 20
    start = next(at for at in range(len(prompt)) if prompt[at] != held[at])
    gap = len(held) - reply.facts.cached_tokens
    assert held[start + gap :] == prompt[start : reply.facts.cached_tokens]
    assert reply.facts.shifted_tokens == reply.facts.cached_tokens - start > 100
    assert reply.facts.dropped_tokens == 0

    control = Control(tiny("dense"))
    at = 0
    for turn in range(6):  # the same slices as the turns had
        asked = prompt_of(loop_here, messages[: 2 + 2 * turn])
        control.read(asked[at:])
        at = len(asked) + 15
        control.read(held[len(asked) : at], size=1)
    assert control.position == len(held)
    assert control.context.close_gap(0, start, start + gap)
    control.position -= gap
    assert control.read(prompt[control.position :]) == found, "bit for bit"
    control.close()

    later = loop_here.write(left, sequence="a", max_tokens=1, shift=True)
    assert later.facts.cached_tokens == len(prompt) - 1, "and it stays so"
    assert later.facts.shifted_tokens > 100
    strict = loop_here.write(left, sequence="a", max_tokens=1)
    assert strict.facts.cached_tokens == start, "without permission nothing with traces is used"
    cold = Control(tiny("dense"))
    assert apart(cold.read(prompt), logits(loop_here)) < CLOSE
    cold.close()


def test_a_left_out_message_is_processed_again(tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    messages, held = rolled(loop_here, tiny)
    left = [messages[0], *messages[5:], user("and now")]
    prompt = prompt_of(loop_here, left)
    reply = loop_here.write(left, sequence="a", max_tokens=1)
    start = next(at for at in range(len(prompt)) if prompt[at] != held[at])
    assert reply.facts.cached_tokens == start
    assert reply.facts.shifted_tokens == 0
    assert reply.facts.dropped_tokens == len(held) - start


def test_shifting_leaves_a_copy_where_it_is(tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    messages, _ = rolled(loop_here, tiny, n_seq_max=2)
    copied = [*messages, user("a copy")]
    assert loop_here.write(copied, sequence="b", max_tokens=1).facts.cached_tokens > 200
    before = logits(loop_here)
    reply = loop_here.write([messages[0], *messages[5:], user("and now")], sequence="a", max_tokens=1, shift=True)
    assert reply.facts.shifted_tokens > 100
    again = loop_here.write(copied, sequence="b", max_tokens=1)
    assert again.facts.cached_tokens == again.facts.prompt_tokens - 1
    assert apart(before, logits(loop_here)) < CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_measuring_tells_what_is_cached(kind: str, tiny: Callable[[str], Path], loop_here: LoopHere) -> None:
    load(loop_here, tiny(kind))
    messages = [user(LONG)]
    asked = Measure(id=loop_here.next_id(), messages=messages, sequence="a")
    assert loop_here.ask(asked).cached == 0
    messages += [loop_here.said(loop_here.write(messages, max_tokens=9)), user("more")]
    measured = loop_here.ask(Measure(id=loop_here.next_id(), messages=messages, sequence="a")).cached
    assert loop_here.ask(Measure(id=loop_here.next_id(), messages=messages, sequence="b")).cached == 0
    assert loop_here.write(messages, max_tokens=1).facts.cached_tokens == measured > 400
