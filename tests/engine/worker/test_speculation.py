"""Guessing ahead: what is proposed, when it is believed to pay, and that it ends where it does not."""

from __future__ import annotations

import random

import pytest

from app.engine.worker.speculation import MOST, Costs, Guesses

ONE_S = 0.0066
MEASURED = {1: 1.0, 2: 1.67, 4: 2.6, 8: 3.7, 16: 6.5}  # of a model of 135M on two cores


def took(n_tokens: int) -> float:
    """Seconds of a batch on a machine such as that one."""
    lower = max(size for size in MEASURED if size <= n_tokens)
    upper = min(size for size in MEASURED if size >= n_tokens)
    part = (n_tokens - lower) / max(upper - lower, 1)
    return ONE_S * (MEASURED[lower] + part * (MEASURED[upper] - MEASURED[lower]))


def write(prompt: list[int], reply: list[int]) -> tuple[float, int, int]:
    """Write a reply as steps.py does; how long it took over one by one, how many were guessed, and rightly."""
    guesses, costs, tokens = Guesses(), Costs(), list(prompt)
    costs.note(512, 512 * ONE_S * 0.38)
    seconds, drafted, accepted, done = 0.0, 0, 0, 0
    while done < len(reply):
        while guesses._seen < len(tokens):
            guesses.follow(tokens)
        draft = guesses.draft(tokens, costs, min(MOST, len(reply) - done - 1))
        right = next((at for at, token in enumerate(draft) if token != reply[done + at]), len(draft))
        tokens += reply[done : done + right + 1]
        done += right + 1
        drafted, accepted = drafted + len(draft), accepted + right
        costs.note(1 + len(draft), took(1 + len(draft)))
        seconds += took(1 + len(draft))
    return seconds / (len(reply) * ONE_S), drafted, accepted


def words(seed: int, count: int, different: int = 5000) -> list[int]:
    source = random.Random(seed)
    return [source.randrange(different) for _ in range(count)]


def test_a_repeated_text_is_written_in_large_steps() -> None:
    text = words(1, 300)
    time, _, accepted = write([1, 2, 3, *text, 7, 8], text)
    assert time < 0.5
    assert accepted > 250


def test_a_replaced_word_is_stepped_over() -> None:
    text = words(2, 300)
    changed = [9999 if at % 40 == 20 else token for at, token in enumerate(text)]
    time, drafted, accepted = write([*text, 7, 8], changed)
    assert time < 0.75
    assert accepted > 0.6 * drafted


def test_words_put_in_and_left_out_are_found_over() -> None:
    text = words(3, 400)
    changed = [token for at, token in enumerate(text) for token in ([8888, token] if at % 50 == 30 else [token])]
    del changed[100:103]
    assert write([*text, 7], changed)[0] < 0.75


def test_new_text_costs_nothing() -> None:
    assert write(words(4, 2000), words(5, 500)) == (pytest.approx(1.0), 0, 0)


@pytest.mark.parametrize("different", [3, 8, 30])
def test_what_only_seems_to_repeat_is_soon_left_alone(different: int) -> None:
    """Few different tokens: the last three always stood somewhere before, and what followed them means nothing."""
    assert write(words(6, 1000, different), words(7, 1000, different))[0] < 1.03


def test_text_that_goes_round_in_a_circle() -> None:
    time, _, accepted = write(words(8, 50), [1, 2] * 150)
    assert time < 0.5
    assert accepted > 200
    guesses, tokens = Guesses(), [9, 8, *[1, 2, 3] * 8]
    guesses.follow(tokens[:4])
    for end in range(5, len(tokens) + 1):
        guesses.follow(tokens[:end])
    draft = guesses.draft(tokens, Costs(), MOST)
    assert draft == ([1, 2, 3] * 8)[: len(draft)]
    assert len(draft) > 3


def test_guessing_begins_again_where_it_comes_true() -> None:
    text = words(9, 200)
    new = words(10, 300)
    time, drafted, accepted = write([*text, 7], [*new, *text])
    assert time < 0.8
    assert accepted > 150
    assert drafted - accepted < 40


def test_a_machine_that_gains_nothing_by_batches_is_left_alone() -> None:
    guesses, costs, tokens = Guesses(), Costs(), words(11, 40) * 2
    guesses.follow(tokens[:60])
    guesses.follow(tokens[:70])
    guesses.follow(tokens)
    assert guesses.draft(tokens, costs)
    for _ in range(20):
        costs.note(1, 0.01)
        for size in range(2, MOST + 2):
            costs.note(size, 0.01 * size)
    assert guesses.draft(tokens, costs) == []
    for _ in range(500):  # one by one for long: it may be different now
        costs.note(1, 0.01)
    assert guesses.draft(tokens, costs)


def test_a_long_conversation_is_taken_in_by_parts() -> None:
    tokens = words(12, 20_000)
    tokens += tokens[5000:5010]
    guesses = Guesses()
    guesses.follow(tokens)
    assert guesses.draft(tokens, Costs()) == []
    for _ in range(5):
        guesses.follow(tokens)
    draft = guesses.draft(tokens, Costs())
    assert draft == tokens[5010 : 5010 + len(draft)]
    assert draft


def test_costs_are_estimated_by_the_prompt_and_then_measured() -> None:
    costs = Costs()
    costs.note(512, 512 * 0.002)
    costs.note(1, 0.010)
    assert costs.ratio(6) == pytest.approx(2.0)
    for _ in range(30):
        costs.note(6, 0.030)
    assert costs.ratio(6) == pytest.approx(3.0, abs=0.05)
    assert costs.ratio(11) == pytest.approx(5.0, abs=0.1)
    costs.note(1, 5.0)
    assert costs.ratio(6) > 2.4, "one long pause says little"


def test_short_beginnings() -> None:
    guesses, costs = Guesses(), Costs()
    for tokens in ([], [1], [1, 2], [1, 2, 3]):
        guesses.follow(tokens)
        assert guesses.draft(tokens, costs) == []
