"""What is read while a person types: how much of it the reply finds in memory, and that it costs nobody anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.engine.protocol import Keep, Kept, Measure, Measured, Restore, Restored
from app.engine.values import PromptMessage
from app.engine.worker.ahead import SLICE
from app.engine.worker.slots import Slot
from tests.engine.worker.control import CLOSE, LONG, apart, load, logits, prompt_of
from tests.engine.worker.process import LoopHere, Reply, user
from tests.support import tiny_models

TYPED = "and the other hound in the wind, the water and the den"
MORE = TYPED + " over the hill"

Tiny = Callable[[str], Path]


def typing(here: LoopHere, messages: list[PromptMessage], sequence: str = "a") -> int:
    """The last message is being typed; how much of the prompt is in memory when the engine has come to rest."""
    cached = measured(here, messages, sequence, ahead=True)
    while here.loop._ahead.name:
        cached = measured(here, messages, sequence)
    return measured(here, messages, sequence) if cached is not None else 0


def measured(here: LoopHere, messages: list[PromptMessage], sequence: str = "a", *, ahead: bool = False) -> int:
    event = here.ask(Measure(id=here.next_id(), messages=messages, sequence=sequence, ahead=ahead))
    assert isinstance(event, Measured)
    return event.cached


def slot_of(here: LoopHere, sequence: str = "a") -> Slot:
    slot = here.loaded.sequences.find(sequence)
    assert slot is not None
    return slot


def talked(here: LoopHere, sequence: str = "a", **more: Any) -> list[PromptMessage]:
    """A conversation of one turn."""
    messages = [user(LONG + sequence)]
    reply: Reply = here.write(messages, sequence=sequence, temperature=0.0, max_tokens=12, **more)
    return [*messages, here.said(reply)]


def kept_and_gone(here: LoopHere, model: Path, file: Path) -> tuple[list[PromptMessage], int]:
    """A conversation that is only in its snapshot, and how many tokens it has."""
    load(here, model)
    messages = talked(here, snapshot=str(file))
    settled = slot_of(here).n_past
    here.ask(Keep(id=here.next_id(), sequence="a"))
    load(here, model)
    return messages, settled


def test_a_reply_finds_what_was_typed_in_memory(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    messages = [*talked(loop_here), user(TYPED)]
    cold = measured(loop_here, messages)
    read = typing(loop_here, messages)
    total = len(prompt_of(loop_here, messages))
    closing = total - len(loop_here.loaded.prompts.beginning(messages, {}))
    assert cold < total - 20
    assert read == total - closing
    assert closing < 15
    reply = loop_here.write(messages, temperature=0.0, max_tokens=4)
    assert reply.facts.cached_tokens == read
    slot = slot_of(loop_here)
    assert slot.ahead == 0
    assert slot.dirty


def test_what_was_read_ahead_gives_the_same_answer(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    first = talked(loop_here)
    typing(loop_here, [*first, user(TYPED)])
    typing(loop_here, [*first, user(MORE)])
    loop_here.write([*first, user(MORE)], temperature=0.0, max_tokens=1)
    ahead = logits(loop_here)
    again = talked(loop_here, "b")
    messages = [*first, user(MORE)]
    assert again
    loop_here.write([user("x")], sequence="a", temperature=0.0, max_tokens=1)
    loop_here.write(messages, sequence="a", temperature=0.0, max_tokens=1)
    assert apart(ahead, logits(loop_here)) < CLOSE


def test_what_is_typed_on_is_read_on_and_what_is_taken_back_is_forgotten(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    messages = talked(loop_here)
    settled = slot_of(loop_here).n_past
    some = typing(loop_here, [*messages, user(TYPED)])
    more = typing(loop_here, [*messages, user(MORE)])
    other = typing(loop_here, [*messages, user("the")])
    assert settled < some < more
    assert settled < other < some
    slot = slot_of(loop_here)
    assert slot.settled == settled
    assert slot.n_past == other
    reply = loop_here.write([*messages, user("water")], temperature=0.0, max_tokens=2)
    assert settled <= reply.facts.cached_tokens < other


def test_the_next_turn_is_begun_before_anything_is_typed(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    messages = talked(loop_here)
    settled = slot_of(loop_here).n_past
    typing(loop_here, messages)
    reply = loop_here.write([*messages, user(TYPED)], temperature=0.0, max_tokens=2)
    assert reply.facts.cached_tokens > settled


def test_a_long_text_is_read_in_slices_and_given_up_for_another_reply(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    messages = [*talked(loop_here), user(LONG * 3)]
    slices: list[int] = []
    context = loop_here.loaded.context
    add = context.add

    def added(slot: int, tokens: list[int], position: int, *, output: bool) -> Any:
        slices.append(len(tokens))
        return add(slot, tokens, position, output=output)

    context.add = added
    whole = typing(loop_here, messages)
    assert len(slices) > 4
    assert max(slices) == SLICE
    typing(loop_here, [*messages[:-1], user("the")])
    slices.clear()
    measured(loop_here, messages, ahead=True)
    reply = loop_here.write([user("the wind")], sequence="b", temperature=0.0, max_tokens=2)
    assert reply.facts.completion_tokens == 2
    assert loop_here.loop._ahead.name == "", "nothing is read for somebody who did not ask again"
    assert measured(loop_here, messages) < whole


@pytest.mark.parametrize("kind", ["sliding", "recurrent", "hybrid"])
def test_a_memory_that_cannot_forget_reads_nothing_ahead(kind: str, tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny(kind))
    messages = talked(loop_here)
    held = slot_of(loop_here).n_past
    typing(loop_here, [*messages, user(TYPED)])
    assert slot_of(loop_here).n_past == held


def test_nothing_that_is_held_is_given_up(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"))
    messages = [*talked(loop_here), user(MORE)]
    reply = loop_here.write(messages, temperature=0.0, max_tokens=12)
    held = slot_of(loop_here).n_past
    typing(loop_here, [*messages[:1], user("something else")])  # as if an earlier message were edited
    assert slot_of(loop_here).n_past == held
    assert not slot_of(loop_here).ahead
    typing(loop_here, [user("the den")], "b")  # one slot, and somebody else's
    assert slot_of(loop_here).n_past == held
    assert loop_here.loaded.sequences.find("b") is None
    assert reply.facts.completion_tokens > 0


def test_a_new_conversation_is_read_only_once_something_is_typed(tiny: Tiny, loop_here: LoopHere) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    messages = talked(loop_here)
    assert typing(loop_here, messages, "b") == 0
    read = typing(loop_here, [*messages, user(TYPED)], "b")
    assert read > len(prompt_of(loop_here, messages)) // 2
    assert slot_of(loop_here, "b").settled == 0


def test_what_was_only_typed_is_in_no_snapshot(tiny: Tiny, loop_here: LoopHere, tmp_path: Path) -> None:
    file = tmp_path / "a.kv"
    load(loop_here, tiny("dense"))
    messages = talked(loop_here, snapshot=str(file))
    settled = slot_of(loop_here).n_past
    typing(loop_here, [*messages, user(TYPED)])
    kept = loop_here.ask(Keep(id=loop_here.next_id(), sequence="a"))
    assert isinstance(kept, Kept)
    assert kept.tokens == settled
    assert kept.size_bytes == file.stat().st_size
    assert not slot_of(loop_here).dirty
    typing(loop_here, [*messages, user(MORE)])
    typing(loop_here, [*messages, user("the")])
    written = file.stat().st_mtime_ns
    again = loop_here.ask(Keep(id=loop_here.next_id(), sequence="a"))
    assert isinstance(again, Kept)
    assert again.size_bytes == 0
    assert file.stat().st_mtime_ns == written


def test_a_reply_brings_its_snapshot_back_whatever_was_to_be_read(
    tiny: Tiny, loop_here: LoopHere, tmp_path: Path
) -> None:
    file = tmp_path / "a.kv"
    messages, settled = kept_and_gone(loop_here, tiny("dense"), file)
    asked = [*messages, user(LONG * 3)]
    number = loop_here.next_id()
    loop_here.send(Measure(id=number, messages=asked, sequence="a", ahead=True))
    reply = loop_here.write(asked, max_tokens=2, snapshot=str(file))
    assert reply.facts.cached_tokens == settled
    assert slot_of(loop_here).ahead == 0


def test_a_snapshot_comes_back_over_what_was_typed(tiny: Tiny, loop_here: LoopHere, tmp_path: Path) -> None:
    file = tmp_path / "a.kv"
    messages, settled = kept_and_gone(loop_here, tiny("dense"), file)
    typing(loop_here, [*messages, user(TYPED)])
    assert slot_of(loop_here).settled == 0 < slot_of(loop_here).n_past
    event = loop_here.ask(Restore(id=loop_here.next_id(), sequence="a", snapshot=str(file)))
    assert isinstance(event, Restored)
    assert event.tokens == settled == slot_of(loop_here).n_past


THINKS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)


def test_an_answer_whose_thinking_leaves_is_read_before_it_is_asked_for(tmp_path: Path, loop_here: LoopHere) -> None:
    load(loop_here, tiny_models.dense(tmp_path / "thinks.gguf", template=THINKS))
    question = user(LONG)
    reply = loop_here.write([question], temperature=0.0, max_tokens=60)
    piece = loop_here.loaded.vocabulary.piece
    answer = b"".join(piece(token) or b"" for token in reply.ids[20:]).decode("utf-8", "replace").strip()
    answered = [question, PromptMessage(role="assistant", content=answer)]

    for other in ("another answer " * 5, "", answer[:-8] + " but not so"):
        version = [question, PromptMessage(role="assistant", content=other), user(TYPED)]
        held = slot_of(loop_here).n_past
        typing(loop_here, version)
        assert slot_of(loop_here).n_past == held, "another version of the reply is given up for this one"

    cold = measured(loop_here, answered)
    assert typing(loop_here, answered) >= cold + 40  # nothing is typed yet
    messages = [*answered, user(TYPED)]
    read = typing(loop_here, messages)
    total = len(prompt_of(loop_here, messages))
    assert total - read < 15
    assert loop_here.write(messages, temperature=0.0, max_tokens=4).facts.cached_tokens == read
