"""What the model sees: marks, where they are kept, and that the view is what is sent."""

from __future__ import annotations

from concurrent.futures import Future
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.chat.context_view import Policy, Standing
from app.chat.messages import ReplyState
from app.services.changes import ContextChanged, TroubleChanged
from app.services.errors import NoSuchThing
from app.store.errors import DiskFull
from tests.support.application import reply
from tests.support.chatting import PATIENCE_S, chatting
from tests.support.processes import until

K, P, S, T, O = Standing.KEPT, Standing.PINNED, Standing.SUMMARISED, Standing.TRIMMED, Standing.OUTSIDE  # noqa: E741
SAID = ("one two three", "word " * 20, "word " * 70)


def test_pinned_messages_stay_and_others_go() -> None:
    with chatting() as chat:
        chat.say("The first question")
        chat.app.contexts.pin(chat.ids[0])
        for _ in range(4):
            chat.say()
        standings = chat.standings()
        assert standings[:2] == [P, T]
        assert standings[-2:] == [K, K]
        assert chat.sent()[0][1].startswith("The first question\n\nword")
        facts = chat.app.conversations.message(chat.ids[-1]).facts
        assert facts is not None
        assert facts.kept_before == [chat.ids[0]]
        assert facts.unseen == chat.ids.index(facts.first_kept) - 1
        chat.app.contexts.unmark(chat.ids[0])
        assert chat.standings()[0] is T


def test_left_out_messages_are_never_sent() -> None:
    with chatting(n_ctx=4000) as chat:
        chat.say("A secret question")
        chat.say("Another question")
        chat.app.contexts.leave_out(chat.ids[0])
        view = chat.view("Next")
        assert (view.entries[0].standing, view.entries[0].tokens, view.entries[0].own_tokens > 0) == (O, 0, True)
        chat.say("Next")
        assert "secret" not in str(chat.sent())
        assert [role for role, _ in chat.sent()] == ["user", "assistant"] * 2 + ["user"]
        chat.app.contexts.unmark(chat.ids[0])
        chat.say("Again")
        assert "secret" in str(chat.sent())


def test_the_newest_message_is_sent_whatever_its_mark() -> None:
    with chatting() as chat:
        chat.say("Hello")
        chat.app.contexts.leave_out(chat.ids[0])
        chat.again(chat.ids[1])
        assert chat.sent() == [("user", "Hello")]


def test_too_much_pinned_is_said() -> None:
    with chatting() as chat:
        for _ in range(3):
            chat.say()
            chat.app.contexts.pin(chat.ids[-1])
            chat.app.contexts.pin(chat.ids[-2])
        facts = chat.say(state=ReplyState.FAILED)
        assert facts.error_code == "message_too_large"
        assert "pinned" in facts.error_sentence
        view = chat.view()
        assert view.too_large == 457
        assert facts.error_sentence.startswith(view.too_large_said)
        assert view.too_large_said.endswith("of them are pinned: unpin some of it.")


def test_what_a_reply_saw_stays_known() -> None:
    with chatting() as chat:
        for _ in range(5):
            chat.say()
        last = chat.ids[-1]
        before = chat.app.contexts.seen_by(last).result(PATIENCE_S)
        assert [e.standing for e in before.entries][:3] == [T, T, T]
        assert sum(e.tokens for e in before.entries) <= before.used == before.cached + before.used - before.cached
        chat.app.contexts.leave_out(chat.ids[-2])
        chat.app.contexts.pin(chat.ids[0])
        chat.say()
        assert chat.app.contexts.seen_by(last).result(PATIENCE_S) == before
        with pytest.raises(NoSuchThing):
            chat.app.contexts.seen_by(chat.ids[0]).result(PATIENCE_S)


def test_positions_may_shift_only_for_what_the_window_let_go() -> None:
    with chatting() as chat:
        shifts = [chat.say() and chat.requests[-1].shift for _ in range(4)]
        assert shifts == [False, True, True, True]  # the last two after turns had left
        assert chat.app.conversations.message(chat.ids[-1]).facts.trimmed  # type: ignore[union-attr]
        chat.again(chat.ids[-1])
        assert chat.requests[-1].shift  # the same prompt once more
        chat.app.contexts.leave_out(chat.ids[-3])
        chat.say()
        assert not chat.requests[-1].shift
        chat.say()
        edited = chat.app.sending.edit(chat.ids[-2], "Other words")
        chat.ended(edited.reply_id)
        assert not chat.requests[-1].shift
        chat.say("short", system_prompt="Other instructions")
        assert not chat.requests[-1].shift


def test_a_temporary_conversation_has_its_marks_and_notes_in_memory() -> None:
    with chatting(*[reply("Fine.")] * 3, reply("A note."), reply("Fine."), n_ctx=4000) as chat:
        sent = chat.app.sending.send(None, "One", temporary=True)
        chat.id, chat.ids = sent.conversation_id, [sent.message_id, sent.reply_id]
        chat.ended(sent.reply_id)
        chat.say("Two")
        chat.say("Three")
        chat.app.contexts.pin(chat.ids[0])
        chat.app.contexts.leave_out(chat.ids[3])
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        assert chat.standings() == [P, S, K, O, K, K]
        chat.app.contexts.set_policy(chat.id, Policy.ASK)
        assert chat.view().policy is Policy.ASK
        chat.say("Four")
        chat.app.contexts.remove_note(chat.id)
        assert chat.view().note == ""
        store = chat.app.ground.store
        assert (store.contexts.marks(chat.id), store.contexts.notes(chat.id)) == ({}, [])


def test_a_temporary_copy_takes_its_marks_along() -> None:
    with chatting(*[reply("Fine.")] * 3, reply("A note."), reply("Fine."), n_ctx=4000) as chat:
        for number in range(3):
            chat.say(f"Question {number}")
        chat.app.contexts.pin(chat.ids[0])
        chat.app.contexts.leave_out(chat.ids[3])
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        before = chat.standings()
        sent = chat.app.sending.send(chat.id, "Aside", temporary=True)
        chat.ended(sent.reply_id)
        assert sent.conversation_id != chat.id
        chat.id = sent.conversation_id
        assert chat.standings() == [*before, K, K]
        assert chat.view().note == "A note."


def test_everything_is_there_after_a_restart() -> None:
    with chatting(*[reply("Fine.")] * 3, reply("A note."), n_ctx=4000) as chat:
        for number in range(3):
            chat.say(f"Question {number}")
        chat.app.contexts.pin(chat.ids[0])
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        chat.app.contexts.set_policy(chat.id, Policy.SUMMARISE)
        before, where = chat.view(), chat.id
    with chatting(n_ctx=4000) as chat:
        chat.id = where
        view = chat.view()
        assert (view.exact, view.note, view.policy) == (False, "A note.", Policy.SUMMARISE)
        assert [e.standing for e in view.entries] == [e.standing for e in before.entries]


def test_a_mark_that_the_disk_refuses_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting(n_ctx=4000) as chat:
        chat.say("Hello")
        refused: Future[None] = Future()
        monkeypatch.setattr(chat.app.ground.store.contexts, "set_marks", lambda *_: refused)
        chat.app.contexts.pin(chat.ids[0])
        assert chat.standings() == [P, K]
        refused.set_exception(DiskFull("The disk is full."))
        assert chat.seen.wait_for(TroubleChanged).sentence == "The disk is full."
        assert chat.standings() == [K, K]


@settings(max_examples=6)
@given(st.randoms(use_true_random=False))
def test_whatever_is_done_the_view_is_what_is_sent(random: Random) -> None:
    with chatting(*[reply(f"Reply {number}. {text}") for number, text in enumerate(SAID * 20)]) as chat:
        texts: dict[str, str] = {}
        marks: dict[str, str] = {}
        for number in range(14):
            for _ in range(random.randrange(3)):
                if not chat.ids:
                    break
                one = random.choice(chat.ids)
                verb = random.choice(["pin", "leave_out", "unmark", "unmark"])
                getattr(chat.app.contexts, verb)(one)
                marks[one] = verb
            policy = random.choice([*Policy, Policy.ROLLING])
            if chat.id:
                chat.app.contexts.set_policy(chat.id, policy)
                chat.seen.wait_for(ContextChanged, since=max(len(chat.seen.changes) - 1, 0))
                until(lambda policy=policy: chat.app.conversations.get(chat.id).policy is policy)  # type: ignore[misc, union-attr]
            draft = f"Question {number}. {random.choice(SAID)}"
            view = chat.view(draft)
            before = len(chat.requests)
            sent = chat.app.sending.send(chat.id or None, draft)
            chat.id = sent.conversation_id
            ended = chat.seen.end_of(sent.reply_id)
            assert ended.facts is not None
            texts[sent.message_id] = draft
            chat.ids.append(sent.message_id)
            if ended.state is ReplyState.DONE:
                chat.ids.append(sent.reply_id)
                texts[sent.reply_id] = chat.app.conversations.body(sent.reply_id)[0]
            else:
                told = {"context_full": view.needs_choice, "message_too_large": bool(view.too_large)}
                assert told[ended.facts.error_code]
                assert len(chat.requests) == before
                continue
            asked = str(chat.sent())
            assert chat.sent()[-1][1].endswith(draft)
            seen = chat.app.contexts.seen_by(sent.reply_id).result(PATIENCE_S)
            in_prompt = {e.message_id for e in seen.entries if e.standing.seen and e.kind == "message"}
            for one, text in texts.items():
                if one == sent.reply_id:
                    continue
                assert (text.strip() in asked) == (one in in_prompt), (one, marks.get(one))
                assert not (marks.get(one) == "leave_out" and one in in_prompt)
                assert not (marks.get(one) == "pin" and one not in in_prompt)
            if chat.requests[-1].messages and len(chat.requests) == before + 1:
                assert ended.facts.generation is not None
                if not view.too_large and not ended.facts.note:
                    assert view.exact is False or view.used == ended.facts.generation.prompt_tokens
