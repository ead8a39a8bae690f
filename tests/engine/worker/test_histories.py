"""Whatever happens to conversations, the book says what the memory holds, and nothing is read twice without need."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.engine.values import PromptMessage
from app.engine.worker.rolling import common_prefix
from tests.engine.worker.control import CLOSE, KINDS, Control, apart, load, logits, prompt_of
from tests.engine.worker.process import LoopHere, Reply, user

SYSTEM = PromptMessage(role="system", content="the water and the wind " * 6)
WORDS = ["the", "hound", "in", "a", "den", "and", "wind", "over", "water", "other"]


@dataclass
class Talk:
    """A conversation with the branches that were left."""

    name: str
    messages: list[PromptMessage] = field(default_factory=lambda: [SYSTEM])
    left: list[list[PromptMessage]] = field(default_factory=list)


class Life:
    """What people do to conversations, in a few slots that are not enough for all of them."""

    def __init__(self, here: LoopHere) -> None:
        self.here = here
        self.talks = [Talk(name) for name in "abcd"]
        self.count = 0

    def ask(self, talk: Talk, size: int) -> Reply:
        """One more turn, or the same again where the reply is missing."""
        if talk.messages[-1].role != "user":
            self.count += 1
            source = random.Random(self.count)
            talk.messages.append(user(f"{self.count} " + " ".join(source.choices(WORDS, k=size))))
        reply = self.here.write(talk.messages, sequence=talk.name, max_tokens=1 + size // 2)
        talk.messages.append(self.here.said(reply))
        return reply

    def do(self, action: str, number: int, size: int) -> Reply:
        talk = self.talks[number % len(self.talks)]
        turns = [at for at, message in enumerate(talk.messages) if message.role == "user"]
        if action == "regenerate" and turns:
            talk.left.append(talk.messages)
            talk.messages = talk.messages[: turns[-1] + 1]
        elif action == "edit" and turns:
            talk.left.append(talk.messages)
            talk.messages = talk.messages[: turns[size % len(turns)]]
        elif action == "branch" and talk.left:
            talk.left.append(talk.messages)
            talk.messages = list(talk.left.pop(size % (len(talk.left) - 1) if len(talk.left) > 1 else 0))
        elif action == "leave out" and len(turns) > 2:
            talk.messages = [talk.messages[0], *talk.messages[turns[1] :]]
        return self.ask(talk, size)


actions = st.lists(
    st.tuples(
        st.sampled_from(("ask", "ask", "regenerate", "edit", "branch", "leave out")),
        st.integers(0, 3),
        st.integers(1, 60),
    ),
    min_size=4,
    max_size=14,
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_book_always_says_what_the_memory_holds(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    control = Control(tiny(kind))

    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(actions)
    def live(steps: list[tuple[str, int, int]]) -> None:
        load(loop_here, tiny(kind), n_seq_max=3, n_ctx=2048)
        life = Life(loop_here)
        context, sequences = loop_here.loaded.context, loop_here.loaded.sequences
        for action, number, size in steps:
            life.do(action, number, size)
            for slot in sequences.slots:
                assert context.last_position(slot.index) + 1 == slot.n_past == len(slot.tokens)
        for slot in sequences.slots:
            if slot.n_past == 0:
                continue
            context.clear_batch()
            context.add(slot.index, [40], slot.n_past, output=True)
            assert context.decode() == 0
            control.context.remove_from(0, 0)
            control.position = 0
            assert apart(control.read([*slot.tokens, 40]), logits(loop_here)) < CLOSE

    live()
    control.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_turns_read_only_what_follows_the_change(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere
) -> None:
    """Regenerated, edited and with branches switched: all that was the same before the change comes from the cache."""
    load(loop_here, tiny(kind), n_seq_max=2)
    life, source = Life(loop_here), random.Random(4)
    life.talks = life.talks[:1]
    twice = needless = read = 0
    held: list[int] = []
    for turn in range(100):
        action = source.choices(("ask", "regenerate", "edit", "branch"), (10, 2, 1, 1))[0]
        size = source.randrange(100) if action == "branch" else source.randrange(4, 12)
        if action == "edit":
            size = max(sum(message.role == "user" for message in life.talks[0].messages) - 1 - turn % 4, 0)
        facts = life.do(action, 0, size).facts
        prompt = prompt_of(loop_here, life.talks[0].messages[:-1])
        same = min(common_prefix(held, prompt), len(prompt) - 1)
        needless += same - facts.cached_tokens
        read += facts.prompt_tokens - facts.cached_tokens
        twice += len(held) - same
        held = list(loop_here.loaded.sequences.slots[0].tokens)
    assert len(held) < loop_here.model_now.n_ctx
    assert twice > 0
    if kind == "dense":
        assert needless == 0
    else:  # back to the boundary of a turn: what stands between it and the change is read again
        assert needless < 0.1 * read
