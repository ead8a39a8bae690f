"""What the oldest turns become when a window is full: asked for, summarised in notes, or gone."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from app.chat.context_view import Policy, Standing
from app.chat.messages import ReplyState
from app.chat.prompt import NOTE_HEADING
from app.engine.errors import EngineDied
from app.services import views
from app.services.changes import ContextChanged, EngineChanged, EngineState, NoteGrew, PathChanged, TroubleChanged
from app.services.errors import NoSuchThing, NoteFailed, ServiceError
from app.services.summarising import REQUEST
from tests.support.application import reply, slow_reply
from tests.support.chatting import PATIENCE_S, WORDS, chatting

K, P, S, T, O = Standing.KEPT, Standing.PINNED, Standing.SUMMARISED, Standing.TRIMMED, Standing.OUTSIDE  # noqa: E741


def test_ask_sends_nothing_before_the_person_has_chosen() -> None:
    with chatting() as chat:
        chat.say()
        chat.app.contexts.set_policy(chat.id, Policy.ASK)
        chat.seen.wait_for(ContextChanged)
        chat.say()
        asked = len(chat.requests)
        facts = chat.say(state=ReplyState.FAILED)
        assert facts.error_code == "context_full"
        assert "needs 327 tokens and the model sees 399" in facts.error_sentence
        assert len(chat.requests) == asked
        view = chat.view()
        assert (view.needs_choice, view.policy) == (True, Policy.ASK)
        assert view.used + view.reserve > view.limit
        assert chat.standings()[:2] == [K, K]
        chat.app.contexts.leave_out_oldest(chat.id)
        chat.again(chat.ids[-1])
        assert chat.standings()[:3] == [O, O, K]
        assert not chat.requests[-1].shift
        with pytest.raises(ServiceError):
            chat.app.contexts.leave_out_oldest(chat.id)


def test_leaving_out_the_oldest_without_having_looked() -> None:
    with chatting() as chat:
        for _ in range(2):
            chat.say()
        chat.app.contexts.set_policy(chat.id, Policy.ASK)
        chat.seen.wait_for(ContextChanged)
        chat.say(state=ReplyState.FAILED)
        chat.app.contexts.leave_out_oldest(chat.id)
        chat.again(chat.ids[-1])


def test_the_oldest_turns_are_summarised_before_they_leave() -> None:
    with chatting(reply(WORDS), reply(WORDS), reply("They spoke of words."), reply(WORDS)) as chat:
        first = f"The first question. {WORDS}"
        chat.say(first)
        chat.app.contexts.set_policy(chat.id, Policy.SUMMARISE)
        chat.seen.wait_for(ContextChanged)
        chat.say()
        foreseen = chat.standings(WORDS)
        assert foreseen[0] is S
        facts = chat.say()
        assert facts.note == "They spoke of words."
        note, last = chat.requests[-2:]
        assert note.sequence == f"{chat.id}:note"
        assert note.messages[0].content == first
        assert note.messages[-1].content.startswith(REQUEST[:40])
        assert (note.snapshot, note.shift, note.sampling.max_tokens) == ("", False, 50)
        assert last.sequence == chat.id
        assert chat.sent()[0] == ("system", NOTE_HEADING + "They spoke of words.")
        assert not last.shift
        view = chat.view()
        assert view.note == "They spoke of words."
        assert view.entries[0].kind == "note"
        assert view.by_kind()["note"] == view.entries[0].tokens > 0
        assert chat.standings() == [S, S, K, K, K, K]
        assert chat.app.conversations.body(chat.ids[0])[0] == first
        assert [change.text for change in chat.seen.of(NoteGrew)][-1] == "They spoke of words."
        assert [e.standing for e in chat.app.contexts.seen_by(chat.ids[-1]).result(PATIENCE_S).entries][:3] == [K, S, S]


def test_a_note_can_be_edited_and_removed() -> None:
    with chatting(*[reply("Fine.")] * 4, reply("A note."), n_ctx=4000) as chat:
        for number in range(4):
            chat.say(f"Question {number}")
        with pytest.raises(NoSuchThing):
            chat.app.contexts.set_note(chat.id, "mine")
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        assert chat.standings() == [S, S, S, S, K, K, K, K]
        chat.app.contexts.set_note(chat.id, "  In my words. ")
        assert chat.view().note == "In my words."
        chat.say("Next")
        assert chat.sent()[0] == ("system", NOTE_HEADING + "In my words.")
        first = chat.again(chat.ids[1])  # another branch, which the note does not belong to
        assert (first.note, chat.sent()) == ("", [("user", "Question 0")])
        since = len(chat.seen.changes)
        chat.app.conversations.choose(chat.id, chat.ids[-1])
        chat.seen.wait_for(PathChanged, since=since)
        chat.app.contexts.set_note(chat.id, "")
        assert (chat.view().note, chat.standings()) == ("", [K] * 10)


def test_a_second_note_takes_up_the_first() -> None:
    with chatting(*[reply("Fine.")] * 3, reply("Note one."), reply("Fine."), reply("Note two."), n_ctx=4000) as chat:
        for number in range(3):
            chat.say(f"Question {number}")
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        with pytest.raises(NoteFailed):
            chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        chat.say("More")
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        asked = [(m.role, m.content) for m in chat.requests[-1].messages]
        assert asked[:2] == [("system", NOTE_HEADING + "Note one."), ("user", "Question 1")]
        assert (chat.view().note, chat.standings()) == ("Note two.", [S] * 4 + [K] * 4)
        chat.app.contexts.remove_note(chat.id)
        assert (chat.view().note, chat.standings()) == ("", [K] * 8)


def test_what_was_left_out_is_not_summarised() -> None:
    with chatting(*[reply("Fine.")] * 3, reply("A note."), n_ctx=4000) as chat:
        chat.say("A secret")
        chat.say("Public")
        chat.say("Next")
        chat.app.contexts.leave_out(chat.ids[0])
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        assert "secret" not in str(chat.sent())
        assert chat.standings()[:2] == [O, S]


def test_a_short_conversation_is_not_summarised() -> None:
    with chatting(reply("Fine.")) as chat:
        chat.say("Hello")
        with pytest.raises(NoteFailed, match="short"):
            chat.app.contexts.summarise(chat.id)


def test_a_long_past_is_summarised_in_rounds() -> None:
    notes = [reply(f"Note {number}.") for number in range(12)]
    with chatting(*[reply(WORDS)] * 8, *notes) as chat:
        for _ in range(8):
            chat.say()
        began = len(chat.requests)
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        rounds = chat.requests[began:]
        assert len(rounds) > 1
        assert rounds[1].messages[0].content == NOTE_HEADING + "Note 0."
        assert chat.view().note == f"Note {len(rounds) - 1}."
        assert chat.standings() == [S] * 12 + [K] * 4


def test_a_message_too_long_for_a_note_is_read_in_part() -> None:
    with chatting(reply("Fine."), reply("Fine."), reply("Fine."), reply("Note."), n_ctx=400) as chat:
        chat.say("word " * 340)  # fits with the room of the reply only
        chat.say("b")
        chat.say("c")
        chat.app.contexts.summarise(chat.id).result(PATIENCE_S)
        assert "\n[…]\n" in chat.sent()[0][1]
        assert chat.view().note == "Note."


def test_a_note_that_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "COUNT_TIMEOUT_S", 0.5)  # the scripted engine counts nothing while it writes
    with chatting(*[reply("Fine.")] * 3, slow_reply(), n_ctx=4000) as chat:
        for number in range(3):
            chat.say(f"Question {number}")
        future = chat.app.contexts.summarise(chat.id)
        with pytest.raises(NoteFailed, match="already"):
            chat.app.contexts.summarise(chat.id)
        grown = chat.seen.wait_for(NoteGrew, lambda c: bool(c.text))
        view = chat.view()
        assert view.summarising
        assert view.note.startswith(grown.text)
        chat.app.contexts.stop_summarising(chat.id)
        assert future.exception(PATIENCE_S) is not None
        assert (chat.view().note, chat.view().summarising) == ("", False)
        assert chat.standings() == [K] * 6
        assert not [c for c in chat.seen.of(TroubleChanged) if c.sentence]


@pytest.mark.parametrize("bad", [{"code": "decode_failed"}, {"text": "  "}])
def test_a_note_that_fails_is_told_and_changes_nothing(bad: dict[str, Any]) -> None:
    with chatting(*[reply("Fine.")] * 3, {**reply("x"), **bad}, n_ctx=4000) as chat:
        for number in range(3):
            chat.say(f"Question {number}")
        assert chat.app.contexts.summarise(chat.id).exception(PATIENCE_S) is not None
        assert chat.seen.wait_for(TroubleChanged, lambda c: c.code == "note").sentence
        assert (chat.view().note, chat.view().summarising) == ("", False)


def test_without_a_note_the_oldest_turns_leave_by_themselves_and_that_is_shown() -> None:
    with chatting(reply(WORDS), reply(WORDS), {**reply("x"), "code": "decode_failed"}, reply(WORDS)) as chat:
        chat.say()
        chat.app.contexts.set_policy(chat.id, Policy.SUMMARISE)
        chat.seen.wait_for(ContextChanged)
        chat.say()
        facts = chat.say()
        assert (facts.note, facts.unseen) == ("", 2)


def test_stopping_a_reply_that_waits_for_its_note() -> None:
    with chatting(reply(WORDS), reply(WORDS), slow_reply()) as chat:
        chat.say()
        chat.app.contexts.set_policy(chat.id, Policy.SUMMARISE)
        chat.seen.wait_for(ContextChanged)
        chat.say()
        sent = chat.app.sending.send(chat.id, WORDS)
        chat.seen.wait_for(NoteGrew, lambda c: bool(c.text))
        chat.app.contexts.stop_summarising(chat.id)
        chat.ended(sent.reply_id, ReplyState.STOPPED)
        assert chat.view().note == ""


def test_an_engine_that_dies_under_a_note() -> None:
    with chatting(*[reply("Fine.")] * 3, slow_reply(), n_ctx=4000) as chat:
        for number in range(3):
            chat.say(f"Question {number}")
        future = chat.app.contexts.summarise(chat.id)
        chat.seen.wait_for(NoteGrew, lambda c: bool(c.text))
        assert chat.app.engine.pid is not None
        os.kill(chat.app.engine.pid, signal.SIGKILL)
        assert isinstance(future.exception(PATIENCE_S), EngineDied)
        assert chat.seen.wait_for(TroubleChanged, lambda c: c.code == "note").sentence
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.restarted)
        assert (chat.view().note, chat.view().summarising) == ("", False)
        chat.say("Go on")
