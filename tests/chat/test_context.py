"""Turns leave whole, oldest first; the system prompt and the newest question never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import context
from app.chat.messages import Message, ReplyFacts, Role
from app.engine.values import GenerationFacts

ROLES = ["system", "user", "assistant", "user", "assistant", "user"]


def test_what_fits_stays_whole() -> None:
    fit = context.fit(ROLES, [10] * 6, 65, 100, 20)
    assert (fit.kept, fit.left_out, fit.total) == ([0, 1, 2, 3, 4, 5], [], 65)


def test_the_oldest_turn_leaves_as_a_whole() -> None:
    fit = context.fit(ROLES, [10, 20, 20, 10, 10, 10], 85, 100, 20)
    assert (fit.kept, fit.left_out, fit.total) == ([0, 3, 4, 5], [1, 2], 45)


def test_once_something_leaves_there_is_room_for_some_turns() -> None:
    roles = ["user", "assistant"] * 20 + ["user"]
    fit = context.fit(roles, [50] * 41, 2060, 2000, 250)
    assert fit.total <= 2000 * context.AFTER_CUT
    assert fit.left_out == list(range(len(fit.left_out)))
    assert len(fit.left_out) % 2 == 0


def test_the_newest_question_may_use_the_reserve() -> None:
    fit = context.fit(["user"], [90], 95, 100, 25)
    assert fit.kept == [0]


def test_a_question_that_is_too_large_is_refused_with_numbers() -> None:
    with pytest.raises(context.TooLarge) as raised:
        context.fit(ROLES, [10, 20, 20, 20, 20, 200], 300, 200, 50)
    assert (raised.value.tokens, raised.value.limit) == (220, 200)
    assert raised.value.said == "This message needs 220 tokens and the model sees 200. Send it in parts."


@pytest.mark.parametrize(
    ("spans", "pinned", "said"),
    [
        ([150, 5, 5, 60], {1}, "150 of them are the instructions: shorten them."),
        ([50, 100, 5, 60], {1}, "100 of them are pinned: unpin some of it."),
        ([50, 5, 5, 160], {1}, "Send it in parts."),
        ([150, 80, 5, 90], {1}, "150 of them are the instructions: shorten them."),
    ],
)
def test_what_is_in_the_way_is_named(spans: list[int], pinned: set[int], said: str) -> None:
    with pytest.raises(context.TooLarge) as raised:
        context.fit(["system", "user", "assistant", "user"], spans, sum(spans), 200, 50, pinned)
    assert raised.value.said.endswith(said)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(64, 1000))
def test_never_cuts_what_must_stay(spans: list[int], limit: int) -> None:
    roles = ["system", *(("user", "assistant")[index % 2] for index in range(len(spans)))]
    if roles[-1] == "assistant":
        roles.append("user")
    spans = (spans * 2)[: len(roles)] if len(spans) > 1 else spans * len(roles)
    total = sum(spans) + 7
    reserve = context.reserve_for(limit)
    if 7 + spans[0] + spans[-1] > limit:  # what must stay does not fit
        with pytest.raises(context.TooLarge):
            context.fit(roles, spans, total, limit, reserve)
        return
    fit = context.fit(roles, spans, total, limit, reserve)
    assert 0 in fit.kept
    assert len(roles) - 1 in fit.kept
    assert fit.total <= limit
    assert sorted(fit.kept + fit.left_out) == list(range(len(roles)))
    assert fit.total == total - sum(spans[index] for index in fit.left_out)
    assert all(roles[index] != "assistant" or index - 1 in fit.kept for index in fit.kept)


def test_pinned_messages_stay_of_turns_that_leave() -> None:
    fit = context.fit(ROLES[1:], [20, 20, 10, 10, 10], 75, 80, 20, pinned={1})
    assert (fit.kept, fit.left_out, fit.first) == ([1, 4], [0, 2, 3], 4)


def test_too_much_is_pinned() -> None:
    with pytest.raises(context.TooLarge) as raised:
        context.fit(ROLES[1:], [60, 20, 10, 10, 30], 135, 80, 20, pinned={0})
    assert (raised.value.tokens, raised.value.limit, raised.value.pinned) == (95, 80, 60)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=30), st.integers(64, 1000), st.sets(st.integers(0, 29)))
def test_what_stays_before_the_first_uncut_turn_is_pinned(spans: list[int], limit: int, pinned: set[int]) -> None:
    roles = [("user", "assistant")[index % 2] for index in range(len(spans))]
    total, reserve = sum(spans) + 5, context.reserve_for(limit)
    newest = max(index for index, role in enumerate(roles) if role == "user")
    must = sum(span for index, span in enumerate(spans) if index in pinned or index >= newest)
    if must + 5 > limit:
        with pytest.raises(context.TooLarge) as raised:
            context.fit(roles, spans, total, limit, reserve, pinned)
        assert raised.value.tokens == must + 5
        assert raised.value.pinned == sum(spans[index] for index in pinned if index < newest)
        return
    fit = context.fit(roles, spans, total, limit, reserve, pinned)
    assert fit.total <= limit
    assert sorted(fit.kept + fit.left_out) == list(range(len(roles)))
    assert all(index in pinned for index in fit.kept if index < fit.first)
    assert all(index < fit.first for index in fit.left_out)
    assert not pinned & {*fit.left_out}
    assert roles[fit.first] == "user" or not fit.left_out


def test_reserve() -> None:
    assert context.reserve_for(8192) == context.RESERVE
    assert context.reserve_for(1000) == 250
    assert context.reserve_for(8192, max_tokens=20) == 20


def reply(tokens: int) -> Message:
    made = GenerationFacts(
        prompt_tokens=tokens, cached_tokens=0, completion_tokens=5, prompt_s=0, decode_s=0, ttft_s=0, seed=0,
        finish_reason="stop",
    )  # fmt: skip
    facts = ReplyFacts(model_id="m", n_ctx=100, tokenizer="v", generation=made)
    return Message(id="r", conversation_id="c", parent_id="u", role=Role.ASSISTANT, text="text", facts=facts)


USER = Message(id="u2", conversation_id="c", parent_id="r", role=Role.USER, text="x" * 30)


def test_what_is_known_of_the_length() -> None:
    assert context.known_so_far([reply(50), USER], "v") == (55, 30)
    assert context.known_so_far([reply(50), USER], "other vocabulary") == (0, 34)
    assert context.may_overflow(55, 30, 80, 20)
    assert not context.may_overflow(55, 30, 100 + context.AROUND, 20)
    assert context.may_overflow(55, 30, 89 + context.AROUND, 20)


def spoken(role: Role, text: str, number: int) -> Message:
    return Message(id=f"m{number}", conversation_id="c", parent_id=None, role=role, text=text)


def test_what_no_window_can_hold_is_not_even_counted() -> None:
    texts = ["q" * 10, "a" * 10_000, "q" * 10, "a" * 1_000, "q" * 10]
    path = [spoken([Role.USER, Role.ASSISTANT][n % 2], text, n) for n, text in enumerate(texts)]
    assert context.out_of_reach(path, 100) == {"m0", "m1"}
    assert context.out_of_reach(path, 10) == {"m0", "m1", "m2", "m3"}
    assert context.out_of_reach(path, 1_000) == set()
    assert context.out_of_reach([], 10) == set()


def test_the_newest_turn_is_never_out_of_reach() -> None:
    assert context.out_of_reach([spoken(Role.USER, "q" * 100_000, 0)], 10) == set()


@given(st.lists(st.integers(0, 3_000), max_size=30), st.integers(16, 400))
def test_what_is_out_of_reach_is_whole_turns_from_the_oldest_on(lengths: list[int], limit: int) -> None:
    path = [spoken([Role.USER, Role.ASSISTANT][n % 2], "x" * length, n) for n, length in enumerate(lengths)]
    gone = context.out_of_reach(path, limit)
    kept = [message for message in path if message.id not in gone]
    assert kept == path[len(gone) :]
    if gone:
        assert kept[0].role is Role.USER
        assert sum(len(message.text) for message in path[len(gone) - 2 :]) > limit * context.MOST_CHARACTERS
