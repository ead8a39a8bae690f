"""Guessing ahead with real models: the words stay the model's own, and the book agrees with the memory at each step."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.engine.worker.generation import Generation
from app.engine.worker.speculation import MOST, Costs
from app.engine.worker.steps import Steps
from tests.engine.worker.control import CLOSE, LONG, Control, apart, load, prompt_of
from tests.engine.worker.process import LoopHere, Reply, WorkerProcess, user
from tests.support.tiny_models import WINDOW

STORY = (
    "The lighthouse stood on the northern cliff for more than a hundred years. Every evening Martha climbed the iron "
    "stairs and lit the great lamp. The fishermen of the village knew her by name, and in winter they brought her "
    "bread, fish and dry wood. When the storm of November came, the waves rose higher than the chapel roof."
)
REPEAT = [user(f"Repeat this text word for word, but write Anna instead of Martha:\n\n{STORY}")]


class Told:
    """What every reply guesses, told by `guess(tokens so far, most)`; and whether the book was right after each."""

    def __init__(self, here: LoopHere, patch: pytest.MonkeyPatch, guess: Callable[[list[int], int], list[int]]) -> None:
        self.books: list[tuple[int, int, int]] = []  # held by the memory, said by the book, tokens known
        self.accepted: list[int] = []
        take = Steps._take_guessed

        def draft(generation: Generation, costs: Costs, most: int) -> list[int]:
            room = generation._limit - generation._count - 1
            return guess(generation.slot.tokens, min(most, room)) if generation._guesses else []

        def taken(steps: Steps, loaded: Any, context: Any, generation: Generation, count: int, index: int) -> None:
            slot, before = generation.slot, generation.slot.n_past
            take(steps, loaded, context, generation, count, index)
            self.accepted.append(slot.n_past - before - 1)
            self.books.append((context.last_position(slot.index) + 1, slot.n_past, len(slot.tokens)))

        patch.setattr(Generation, "draft", draft)
        patch.setattr(Steps, "_take_guessed", taken)
        self.here = here

    def check(self) -> None:
        assert self.books
        assert all(held == said for held, said, _ in self.books)
        assert all(0 <= known - said <= 1 for _, said, known in self.books)


def partly(prompt: list[int], reply: list[int], seed: int) -> Callable[[list[int], int], list[int]]:
    """Guesses of any length that are right up to any place."""
    source = random.Random(seed)

    def guess(tokens: list[int], most: int) -> list[int]:
        right = reply[len(tokens) - len(prompt) :][: source.randint(0, MOST)]
        wrong = [source.randrange(3, 40) for _ in range(source.randint(0, 4))]
        return (right + wrong)[: max(most, 0)]

    return guess


def check_close(path: Path, prompt: list[int], ids: list[int]) -> None:
    """Every token is one that a reader of the same text, one by one, finds best or as good."""
    control = Control(path)
    row = control.read(prompt)
    for token in ids:
        assert row[token] > max(row) - 2 * CLOSE
        row = control.read([token])
    control.close()


@pytest.mark.parametrize("kind", ["dense", "sliding"])
@pytest.mark.parametrize("seed", range(3))
def test_after_any_guess_the_book_is_the_memory(
    kind: str, seed: int, tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loop_here, tiny(kind))
    asked = [user(LONG[: 40 + 100 * seed])]
    loop_here.loaded.vocabulary.piece = lambda token: b"x"  # it does not end by itself
    plain = loop_here.write(asked, sequence="a", max_tokens=WINDOW * 4)
    prompt = prompt_of(loop_here, asked)
    told = Told(loop_here, monkeypatch, partly(prompt, plain.ids, seed))
    reply = loop_here.write(asked, sequence="b", max_tokens=WINDOW * 4, guess=True)
    told.check()
    assert len(set(told.accepted)) > 4, "many different numbers of right guesses"
    assert len(reply.ids) == reply.facts.completion_tokens == WINDOW * 4
    assert sum(told.accepted) == reply.facts.accepted_tokens < reply.facts.drafted_tokens
    check_close(tiny(kind), prompt, reply.ids)
    after = [*asked, loop_here.said(reply), user("and so on")]
    monkeypatch.undo()
    again = loop_here.write(after, sequence="b", max_tokens=10)
    assert again.facts.cached_tokens == len(prompt) + len(reply.ids) - 1
    check_close(tiny(kind), prompt_of(loop_here, after), again.ids)


def test_a_memory_that_cannot_go_back_is_read_anew(
    tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the memory refuse to forget what was guessed wrong, nothing of the guess is believed."""
    load(loop_here, tiny("dense"))
    asked = [user(LONG[:200])]
    plain = loop_here.write(asked, sequence="a", max_tokens=60)
    prompt = prompt_of(loop_here, asked)
    Told(loop_here, monkeypatch, partly(prompt, plain.ids, 1))
    context = loop_here.loaded.context
    remove, left = context.remove_from, iter(range(3))
    context.remove_from = lambda slot, at: (at == 0 or next(left, None) is None) and remove(slot, at)
    reply = loop_here.write(asked, sequence="b", max_tokens=60, guess=True)
    assert next(left, None) is None
    assert len(reply.ids) == reply.facts.completion_tokens
    check_close(tiny("dense"), prompt, reply.ids)


@pytest.mark.parametrize("kind", ["recurrent", "hybrid"])
def test_what_cannot_go_back_is_never_guessed(
    kind: str, tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loop_here, tiny(kind))
    Told(loop_here, monkeypatch, lambda tokens, most: [5, 6, 7][: max(most, 0)])
    reply = loop_here.write([user(LONG[:100])], max_tokens=20, guess=True)
    assert reply.facts.completion_tokens > 0
    assert reply.facts.drafted_tokens == 0


def test_a_reply_ends_where_it_would_without(
    tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loop_here, tiny("dense"))
    asked = [user(LONG[:200])]
    plain = loop_here.write(asked, sequence="a", max_tokens=40)
    prompt = prompt_of(loop_here, asked)
    told = Told(loop_here, monkeypatch, lambda tokens, most: plain.ids[len(tokens) - len(prompt) :][: max(most, 0)])
    short = loop_here.write(asked, sequence="b", max_tokens=11, guess=True)
    assert short.ids == plain.ids[:11]
    assert short.facts.finish_reason == "length"
    assert short.facts.accepted_tokens == 9, "one to begin with, one drawn after the guesses"
    stop = plain.text[12:18]
    ended = loop_here.write(asked, sequence="b", max_tokens=40, stop=[stop], guess=True)
    assert ended.text == plain.text[: plain.text.index(stop)]
    assert ended.facts.finish_reason == "stop"
    slot = loop_here.loaded.sequences.find("b")
    assert loop_here.loaded.context.last_position(slot.index) + 1 == slot.n_past == len(slot.tokens)
    told.check()


def test_nobody_waits_for_the_guesses_of_another(
    tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loop_here, tiny("dense"), n_seq_max=2)
    loop_here.loaded.vocabulary.piece = lambda token: b"x"
    together: list[int] = []
    guess = Steps._guess

    def guessed(steps: Steps, context: Any, generation: Generation) -> list[int]:
        found = guess(steps, context, generation)
        together.extend([len(found)] if len(steps.active) > 1 else [])
        return found

    monkeypatch.setattr(Steps, "_guess", guessed)
    Told(loop_here, monkeypatch, lambda tokens, most: [5, 6, 7][: max(most, 0)])
    requests = [loop_here.begin([user(LONG[:99])], sequence=name, max_tokens=200, guess=True) for name in "ab"]
    loop_here.ask_all(requests)
    assert len(together) > 100
    assert not any(together)


def test_guesses_push_nobody_out_of_memory(
    tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(loop_here, tiny("dense"), n_ctx=256, n_cells=512, n_seq_max=2)
    loop_here.loaded.vocabulary.piece = lambda token: b"x"
    loop_here.write([user("a " + LONG[:330])], sequence="a", max_tokens=2)
    held = loop_here.loaded.sequences.n_held
    asked = [user("b")]
    room = min(256, 512 - held) - len(prompt_of(loop_here, asked))
    told = Told(loop_here, monkeypatch, lambda tokens, most: [5] * max(most, 0))
    left: list[str] = []
    loop_here.loaded.sequences.on_leave = lambda slot: left.append(slot.name)
    reply = loop_here.write(asked, sequence="b", max_tokens=room, guess=True)
    assert len(reply.ids) == room
    assert left == []
    assert loop_here.loaded.sequences.n_held > 512 - MOST, "a full guess would have had no room"
    told.check()
    assert loop_here.loaded.sequences.find("a").n_past == held


def test_greedy_text_of_the_starter_is_the_same(starter: WorkerProcess, starter_model: Path) -> None:
    """It may part only where the two best candidates are closer than what other slices alone make of the numbers."""
    for name, asked in (("repeat", REPEAT), ("free", [user("Tell me of the sea.")])):
        plain = starter.write(asked, sequence=name, max_tokens=100)
        ahead = starter.write(asked, sequence=name, max_tokens=100, guess=True)
        if name == "repeat":
            assert ahead.facts.accepted_tokens > 20
            assert ahead.facts.accepted_tokens <= ahead.facts.drafted_tokens
        assert plain.facts.drafted_tokens == 0
        check_parting(starter_model, asked, plain, ahead)


def check_parting(path: Path, asked: list[Any], plain: Reply, ahead: Reply) -> None:
    if plain.ids == ahead.ids:
        return
    at = next(at for at, (one, other) in enumerate(zip(plain.ids, ahead.ids, strict=False)) if one != other)
    singly, together = Control(path), Control(path)
    prompt = singly.loaded.prompts.build(asked, {}).tokens
    singly.read(prompt)
    together.read(prompt)
    row = singly.read(plain.ids[:at], size=1)
    tolerance = apart(row, together.read(plain.ids[:at], size=MOST + 1))
    assert abs(row[plain.ids[at]] - row[ahead.ids[at]]) <= 2 * tolerance
    singly.close()
    together.close()


ROUNDS = 400


def test_what_is_drawn_is_distributed_as_without_guessing(
    tiny: Callable[[str], Path], loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second token after a fixed prompt, which is guessed rightly or wrongly, and the third, which is drawn beside
    it, against the engine without guessing: other seeds on both sides, chi-square tests at 0.1 %. Nobody's words are
    needed for that, only many of them."""
    load(loop_here, tiny("dense"))
    asked = [user("the hound")]
    prompt = prompt_of(loop_here, asked)
    chain = {"temperature": 1.0, "top_k": 40, "top_p": 0.95, "min_p": 0.02, "repeat": 1.1, "max_tokens": 3}
    drawn: dict[bool, Counter[tuple[int, ...]]] = {}

    def likeliest(tokens: list[int], most: int) -> list[int]:
        """What came most often after these tokens, without guessing."""
        begun = tuple(tokens[len(prompt) :])
        found = next((ids for ids, _ in drawn[False].most_common() if ids[: len(begun)] == begun), ())
        return list(found[len(begun) :][: max(most, 0)])

    Told(loop_here, monkeypatch, likeliest)
    drafted = accepted = 0
    for guess in (False, True):
        drawn[guess] = Counter()
        for number in range(ROUNDS):
            reply = loop_here.write(asked, guess=guess, seed=number + guess * ROUNDS, **chain)
            drawn[guess][tuple(reply.ids[:3])] += 1
            drafted += reply.facts.drafted_tokens
            accepted += reply.facts.accepted_tokens
    assert 0.1 * drafted < accepted < 0.9 * drafted, "both kinds of guesses came"
    for part in (slice(1, 2), slice(2, 3), slice(1, 3)):
        statistic, freedom = chi_square(only(drawn[False], part), only(drawn[True], part))
        assert freedom >= 4
        assert statistic < quantile(freedom), (part, statistic, freedom)


def only(drawn: Counter[tuple[int, ...]], part: slice) -> Counter[tuple[int, ...]]:
    """How often each came at these places."""
    found: Counter[tuple[int, ...]] = Counter()
    for ids, count in drawn.items():
        found[ids[part]] += count
    return found


def chi_square(one: Counter[tuple[int, ...]], other: Counter[tuple[int, ...]]) -> tuple[float, int]:
    """The statistic of two samples of equal size and its degrees of freedom; what came rarely counts together."""
    both = one + other
    common = [value for value, count in both.items() if count >= 10]
    pairs = [(one[value], other[value]) for value in common]
    rest = sum(one.values()) - sum(first for first, _ in pairs), sum(other.values()) - sum(last for _, last in pairs)
    pairs += [rest] if sum(rest) >= 10 else []
    return sum((first - last) ** 2 / (first + last) for first, last in pairs), len(pairs) - 1


def quantile(freedom: int, deviations: float = 3.09) -> float:
    """What chi-square exceeds once in a thousand times, by Wilson and Hilferty."""
    part = 2 / (9 * freedom)
    return freedom * float((1 - part + deviations * part**0.5) ** 3)
