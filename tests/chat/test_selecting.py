"""What is seen of a path: marks, notes, what the window let go, and what is kept of that with a reply."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import context, selecting
from app.chat.context_view import Mark, Note, Standing
from app.chat.messages import Message, ReplyFacts, Role
from app.engine.values import GenerationFacts

K, P, S, T, O = Standing.KEPT, Standing.PINNED, Standing.SUMMARISED, Standing.TRIMMED, Standing.OUTSIDE  # noqa: E741


def made(prompt: int = 100, completion: int = 20) -> GenerationFacts:
    return GenerationFacts(
        prompt_tokens=prompt, cached_tokens=0, completion_tokens=completion, prompt_s=0, decode_s=0, ttft_s=0, seed=0,
        finish_reason="stop",
    )  # fmt: skip


def path(length: int, **facts: object) -> list[Message]:
    """m0 is a question, m1 its reply, and so on; every reply has the same facts."""
    known = ReplyFacts(**{"model_id": "m", "n_ctx": 100, "generation": made(), **facts})  # type: ignore[arg-type]
    return [
        Message(
            id=f"m{number}", conversation_id="c", parent_id=None, role=(Role.USER, Role.ASSISTANT)[number % 2],
            text="text", facts=known if number % 2 else None,
        )
        for number in range(length)
    ]  # fmt: skip


def note(upto: int, after: int | None = None, created_ms: int = 0) -> Note:
    after_id = None if after is None else f"m{after}"
    return Note(
        id=f"n{upto}", conversation_id="c", upto_id=f"m{upto}", after_id=after_id, text="N", created_ms=created_ms
    )


def chosen(messages: Sequence[Message], marks: dict[str, Mark] | None = None, notes: Sequence[Note] = (), *,
           first: int = 0, model_id: str = "m", n_ctx: int = 100) -> selecting.Selection:  # fmt: skip
    ids = [message.id for message in messages]
    last = selecting.last_reply(messages)
    return selecting.select(ids, marks or {}, notes, last, first=first, model_id=model_id, n_ctx=n_ctx)


def standings(selection: selecting.Selection) -> list[Standing]:
    return [selection.standing(place) for place in range(len(selection.ids))]


def test_everything_is_kept_at_first() -> None:
    selection = chosen(path(5))
    assert standings(selection) == [K, K, K, K, K]
    assert (selection.first_kept, selection.exceptions()) == ("m0", ([], [], 0))


def test_marks() -> None:
    marks = {"m0": Mark.PINNED, "m1": Mark.LEFT_OUT, "m4": Mark.LEFT_OUT}
    selection = chosen(path(5), marks, first=3)
    assert standings(selection) == [P, O, T, K, K]  # the newest is sent all the same
    assert selection.exceptions() == ([], ["m0"], 2)
    assert chosen(path(5), marks).exceptions() == (["m1"], [], 0)


def test_what_left_stays_out_for_the_same_model_and_window() -> None:
    messages = path(7, first_kept="m4")
    assert standings(chosen(messages)) == [T, T, T, T, K, K, K]
    assert chosen(messages, n_ctx=200).first == 0
    assert chosen(messages, model_id="other").first == 0
    assert chosen(messages, first=6).first == 6


def test_replies_of_earlier_versions_name_all_that_left() -> None:
    assert chosen(path(7, left_out=["m0", "m1"])).first == 2
    assert selecting.saw(ReplyFacts(left_out=["m0"]), ["m0", "m1"]) == {"m1"}


def test_the_note_that_reaches_furthest_applies() -> None:
    selection = chosen(path(9), notes=[note(1), note(5, after=1), note(20)])
    assert standings(selection) == [T, T, S, S, S, S, K, K, K]
    assert selection.note is not None
    assert selection.note.id == "n5"


def test_a_note_does_not_apply_on_a_branch_without_its_turns() -> None:
    assert chosen(path(3), notes=[note(4)]).note is None
    assert chosen(path(3), notes=[note(2)]).note is None  # the newest is never summarised


def test_a_note_that_was_removed_gives_its_turns_back() -> None:
    messages = path(7, first_kept="m4", note="N")
    assert chosen(messages).first == 0
    assert chosen(messages, notes=[note(3)]).first == 4


def test_pinned_messages_stand_beside_their_note() -> None:
    assert standings(chosen(path(7), {"m1": Mark.PINNED}, [note(3)])) == [S, P, S, S, K, K, K]


def test_cutting_moves_the_beginning_and_never_takes_a_pinned_message() -> None:
    messages = path(7)
    selection = chosen(messages, {"m0": Mark.PINNED})
    tokens = dict.fromkeys(selection.ids, 20)
    less = selecting.cut(selection, messages, tokens, 145, 100, 20)
    assert less is not None
    assert standings(less) == [P, T, T, T, T, T, K]
    assert selecting.cut(less, [messages[0], messages[6]], tokens, 45, 100, 20) is None
    with pytest.raises(context.TooLarge):
        selecting.cut(selection, messages, {**tokens, "m6": 200}, 325, 100, 20)


def follow(
    messages: list[Message], marks: dict[str, Mark] | None = None, notes: Sequence[Note] = (), first: int = 0,
    system: str = "", silent: Sequence[str] = (),
) -> tuple[bool, bool]:  # fmt: skip
    selection = chosen(messages, marks, notes, first=first)
    text = selection.note.text if selection.note else ""
    last = selecting.last_reply(messages)
    found = selecting.sequel(selection, silent, last, model_id="m", system_prompt=system, note=text)
    assert found.may_shift == ((found.extends or found.rolled) and not selection.left_out_before)
    return found.extends, found.rolled


def test_a_plain_next_turn_extends_the_one_before() -> None:
    assert follow(path(7, first_kept="m0")) == (True, False)
    assert follow(path(7, first_kept="m2")) == (True, False)
    assert follow(path(1)) == (False, False)  # there is none before


def test_only_the_window_may_let_turns_go_for_a_shift() -> None:
    messages = path(9, first_kept="m2")
    assert follow(messages, first=4) == (False, True)
    assert follow(messages, {"m5": Mark.LEFT_OUT}) == (False, False)
    assert follow(messages, {"m3": Mark.LEFT_OUT}, first=4) == (False, False)
    assert follow(messages, {"m0": Mark.PINNED}) == (False, False)  # it comes back
    assert follow(messages, notes=[note(3)]) == (False, False)
    assert follow(messages, system="other") == (False, False)
    assert follow(messages, {"m7": Mark.LEFT_OUT}) == (False, False)  # the last reply itself


def test_what_left_and_was_left_out_afterwards_leaves_no_trace() -> None:
    messages = path(9, first_kept="m4")
    selection = chosen(messages, {"m1": Mark.LEFT_OUT})
    found = selecting.sequel(selection, (), messages[7], model_id="m", system_prompt="", note="")
    assert (found.extends, found.may_shift) == (True, False)


def test_what_was_unpinned_is_no_roll() -> None:
    messages = path(9, first_kept="m4", kept_before=["m0"])
    assert follow(messages, {"m0": Mark.PINNED}) == (True, False)
    assert follow(messages) == (False, False)
    assert follow(messages, {"m0": Mark.PINNED}, first=6) == (False, True)


def test_taking_a_mark_back_is_no_sequel() -> None:
    messages = path(7, first_kept="m0", left_out=["m2"])
    assert follow(messages, {"m2": Mark.LEFT_OUT}) == (True, False)
    assert follow(messages) == (False, False)


def test_what_holds_nothing_does_not_count() -> None:
    messages = path(7, first_kept="m0")
    messages[3] = msgspec.structs.replace(messages[3], text="")
    assert follow(messages, {"m3": Mark.LEFT_OUT}, silent=["m3"]) == (True, False)


def test_reading_again_is_a_surprise_only_without_a_reason() -> None:
    last = path(2)[1]
    extends = selecting.Sequel(extends=True)
    assert selecting.reread(extends, last, 500) == 500
    assert selecting.reread(extends, last, selecting.SLACK) == 0
    assert selecting.reread(selecting.Sequel(rolled=True), last, 500) == 0
    assert selecting.reread(selecting.Sequel(), last, 500) == 0
    thought = msgspec.structs.replace(last, thinking="Hm")  # thinking left, and the answer after it is read once more
    assert selecting.reread(extends, thought, 20) == 0
    assert selecting.reread(extends, thought, 120) == 100


@given(
    st.integers(1, 20),
    st.integers(0, 20),
    st.dictionaries(st.integers(0, 19).map("m{}".format), st.sampled_from(Mark)),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=2),
)
def test_what_a_reply_saw_is_found_again_from_its_facts(
    length: int, first: int, marks: dict[str, Mark], ranges: list[tuple[int, int]]
) -> None:
    notes = [note(max(pair), min(pair)) for pair in ranges]
    messages = path(length, generation=None)
    selection = chosen(messages, marks, notes, first=first)
    left_out, kept_before, trimmed = selection.exceptions()
    text = selection.note.text if selection.note else ""
    facts = ReplyFacts(
        first_kept=selection.first_kept, left_out=left_out, kept_before=kept_before, trimmed=trimmed, note=text
    )
    seen = {one for place, one in enumerate(selection.ids) if selection.standing(place).seen}
    assert selecting.saw(facts, selection.ids) == seen
    again = selecting.as_seen(selection.ids, facts, notes)
    assert {one for place, one in enumerate(again.ids) if again.standing(place).seen} == seen
    assert facts.unseen == trimmed == sum(one not in seen for one in selection.ids[: selection.first])
    assert selection.ids[-1] in seen
    assert all(one in seen for one, mark in marks.items() if mark is Mark.PINNED and one in selection.ids)
    assert not any(one in seen for one, mark in marks.items() if mark is Mark.LEFT_OUT and one != selection.ids[-1])


def test_a_long_conversation_is_kept_in_few_words() -> None:
    messages = path(10_001)
    selection = chosen(messages, {"m3": Mark.PINNED, "m9999": Mark.LEFT_OUT}, first=9_990)
    assert selection.exceptions() == (["m9999"], ["m3"], 9_989)
