"""What the model sees: marks, policies, notes and views, with a scripted engine whose requests are looked at."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bootstrap import Application
from app.chat.context_view import ContextView, Policy, Standing
from app.chat.messages import ReplyState, Role
from app.chat.prompt import NOTE_HEADING
from app.engine.errors import EngineDied
from app.engine.values import GenerateRequest, Sampling
from app.services import views
from app.services.changes import ContextChanged, EngineChanged, EngineState, NoteGrew, PathChanged, TroubleChanged
from app.services.errors import NoSuchThing, NoteFailed, ServiceError
from app.services.lookup import new_message
from app.services.sending import Choices
from app.services.summarising import REQUEST
from app.store.errors import DiskFull
from tests.support.application import Recorder, reply, running, slow_reply, until

K, P, S, T, O = Standing.KEPT, Standing.PINNED, Standing.SUMMARISED, Standing.TRIMMED, Standing.OUTSIDE  # noqa: E741
WORDS = "word " * 60  # 65 tokens with what the scripted template puts around them
PATIENCE_S = 30.0


class Chat:
    """A conversation in an application whose engine's requests are kept."""

    def __init__(self, app: Application, seen: Recorder) -> None:
        self.app, self.seen = app, seen
        self.id = ""
        self.ids: list[str] = []
        self.requests: list[GenerateRequest] = []
        generate = app.engine.generate

        def watched(request: GenerateRequest, on_event: Any = None) -> Any:
            self.requests.append(request)
            return generate(request, on_event)

        app.engine.generate = watched  # type: ignore[method-assign]

    def say(self, text: str = WORDS, *, state: ReplyState = ReplyState.DONE, **choices: Any) -> Any:
        """One turn; returns the facts of its reply."""
        sent = self.app.sending.send(self.id or None, text, choices=Choices(**choices))
        self.id = sent.conversation_id
        self.ids += [sent.message_id, sent.reply_id]
        return self.ended(sent.reply_id, state)

    def again(self, reply_id: str, state: ReplyState = ReplyState.DONE) -> Any:
        """Another reply to the same question; returns its facts."""
        other = self.app.sending.regenerate(reply_id)
        self.ids[self.ids.index(reply_id)] = other
        return self.ended(other, state)

    def ended(self, reply_id: str, state: ReplyState = ReplyState.DONE) -> Any:
        ended = self.seen.end_of(reply_id)
        assert ended.state is state, ended.facts
        assert ended.facts is not None
        return ended.facts

    def view(self, draft: str = "") -> ContextView:
        return self.app.contexts.view(self.id, draft).result(PATIENCE_S)

    def standings(self, draft: str = "") -> list[Standing]:
        return [entry.standing for entry in self.view(draft).entries if entry.kind == "message"]

    def sent(self) -> list[tuple[str, str]]:
        """What the engine was asked last."""
        return [(message.role, message.content) for message in self.requests[-1].messages]


@contextmanager
def chatting(*replies: dict[str, Any], n_ctx: int = 400, **script: Any) -> Iterator[Chat]:
    with running({"replies": list(replies) or [reply(WORDS)], "n_ctx": n_ctx, **script}) as (app, seen):
        yield Chat(app, seen)


# --- views ------------------------------------------------------------------------------------------------------------


def test_a_view_tells_what_would_be_sent() -> None:
    with chatting() as chat:
        chat.app.settings.change("generation.system_prompt", "Be kind.")
        before = chat.view("Hello there")
        assert (before.exact, before.conversation_id, before.limit > 0) == (False, "", True)
        assert [(e.kind, e.role, e.excerpt, e.standing) for e in before.entries] == [
            ("instructions", "system", "Be kind.", K), ("message", "user", "Hello there", K),
        ]  # fmt: skip
        chat.say("Hello there")
        view = chat.view("And now?")
        facts = chat.say("And now?")
        assert view.exact
        assert view.used == facts.generation.prompt_tokens
        assert (view.limit, view.reserve, view.model_name) == (400, 100, "SmolLM2-135M-Instruct")
        assert [e.message_id for e in view.entries] == ["", *chat.ids[:2], ""]
        assert [e.turn for e in view.entries] == [0, 1, 1, 2]
        assert sum(view.by_kind().values()) == view.used + view.reserve
        assert view.free == 400 - view.used - 100
        assert all(e.tokens == e.own_tokens > 0 for e in view.entries)


def test_views_that_wait_get_the_answer_to_the_last() -> None:
    with chatting() as chat:
        chat.say("Hello")
        held, go = threading.Event(), threading.Event()
        measure = chat.app.engine.measure

        def slow(*arguments: Any, **more: Any) -> Any:
            held.set()
            assert go.wait(PATIENCE_S)
            return measure(*arguments, **more)

        chat.app.engine.measure = slow  # type: ignore[method-assign]
        first = chat.app.contexts.view(chat.id, "a")
        assert held.wait(PATIENCE_S)
        later = [chat.app.contexts.view(chat.id, draft) for draft in ("b", "c", "d")]
        go.set()
        assert first.result(PATIENCE_S).entries[-1].excerpt == "a"
        assert {future.result(PATIENCE_S).entries[-1].excerpt for future in later} == {"d"}


def test_a_reply_that_is_being_written_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "COUNT_TIMEOUT_S", 0.5)  # the scripted engine counts nothing while it writes
    with chatting(slow_reply(), n_ctx=4000) as chat:
        sent = chat.app.sending.send(None, "Go on")
        chat.id = sent.conversation_id
        chat.seen.writing(sent.reply_id, 40)
        view = chat.view()
        assert [(e.role, e.standing) for e in view.entries] == [("user", K), ("assistant", K)]
        assert view.entries[-1].tokens > 5
        chat.app.sending.stop(sent.reply_id)
        chat.ended(sent.reply_id, ReplyState.STOPPED)


def test_without_an_answer_of_the_engine_it_is_estimated() -> None:
    with chatting() as chat:
        chat.say()
        exact = chat.view()
        assert chat.app.engine.pid is not None
        os.kill(chat.app.engine.pid, signal.SIGKILL)
        chat.seen.wait_for(EngineChanged, lambda c: c.restarted)
        view = chat.view()
        assert view.entries
        assert view.exact or abs(view.used - exact.used) < exact.used
        chat.app.loading.unload()
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF, len(chat.seen.changes) - 1)
        assert not chat.view().exact
        assert chat.app.contexts.view(chat.id, load=True).result(PATIENCE_S).exact


def test_what_cannot_be_viewed() -> None:
    with chatting() as chat, pytest.raises(NoSuchThing):
        chat.app.contexts.view("nowhere").result(PATIENCE_S)


def test_thinking_is_not_sent_again_and_that_is_told() -> None:
    with chatting(reply("Yes.", thinking="Let me see. " * 10), n_ctx=4000) as chat:
        chat.say("Is it?")
        view = chat.view("Sure?")
        assert view.old_thinking == view.entries[1].thinking_tokens > view.entries[1].tokens
        assert view.by_kind()["thinking"] == 0
        assert chat.say("Sure?").generation.prompt_tokens == view.used


# --- marks ------------------------------------------------------------------------------------------------------------


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
        assert chat.view().too_large == 457


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


# --- policies ---------------------------------------------------------------------------------------------------------


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


# --- the window -------------------------------------------------------------------------------------------------------


def test_a_message_larger_than_the_window_is_refused_with_numbers_and_an_offer() -> None:
    with chatting() as chat:
        facts = chat.say("word " * 500, state=ReplyState.FAILED)
        assert facts.error_code == "message_too_large"
        assert "needs 507 tokens and the model sees 399" in facts.error_sentence
        assert "A context of 800 tokens would hold it" in facts.error_sentence
        view = chat.view()
        assert (view.too_large, view.grow_to) == (507, 800)
        assert view.grow_bytes > 0
        chat.app.contexts.grow(chat.id, view.grow_to)
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 800)  # type: ignore[union-attr]
        chat.again(chat.ids[-1])
        assert (chat.view().limit, chat.view().too_large) == (800, 0)
        facts = chat.say("word " * 20_000, state=ReplyState.FAILED)
        assert "in parts, or choose a model with a longer context" in facts.error_sentence
        with pytest.raises(ServiceError, match="trained for"):
            chat.app.contexts.grow(chat.id, 10**6)


def test_a_longer_window_gives_back_what_had_left() -> None:
    with chatting() as chat:
        for _ in range(4):
            chat.say()
        assert T in chat.standings()
        chat.app.contexts.grow(chat.id, 2000)
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 2000)  # type: ignore[union-attr]
        assert chat.standings() == [K] * 8


def test_memory_that_is_not_there_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting() as chat:
        chat.say()
        assert chat.view().grow_to == 800
        machine = chat.app.fitting.machine()
        poor = msgspec.structs.replace(machine, memory_free_bytes=1024**3 + 1000)
        monkeypatch.setattr(chat.app.fitting, "machine", lambda: poor)
        assert (chat.view().grow_to, chat.view().grow_bytes) == (0, 0)


# --- where it is kept -------------------------------------------------------------------------------------------------


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


def test_ten_thousand_messages_are_listed_at_once() -> None:
    with chatting(n_ctx=400) as chat:
        store = chat.app.ground.store
        chat.say("First")
        parent = chat.ids[-1]
        written: list[Future[None]] = []
        for _ in range(300):
            question = new_message(chat.id, parent, Role.USER, WORDS)
            answer = new_message(chat.id, question.id, Role.ASSISTANT)
            written.append(store.messages.add_turn(None, question, answer))
            written.append(store.messages.finish(answer.id, WORDS, "", ReplyState.DONE, None))
            parent = answer.id
            chat.ids += [question.id, answer.id]
        for one in written:
            one.result(PATIENCE_S)
        chat.app.contexts.pin(chat.ids[0])
        view = chat.view("And?")
        entries = view.entries
        assert len(entries) == 603
        assert (entries[0].standing, entries[0].excerpt, entries[0].turn) == (P, "First", 1)
        assert (entries[2].standing, entries[2].excerpt, entries[2].own_tokens > 20) == (T, "", True)
        assert (entries[-2].standing, entries[-1].turn) == (K, 302)
        assert sum(e.tokens for e in entries) <= view.used <= 400
        facts = chat.say("And?")
        assert len(facts.left_out) + len(facts.kept_before) == 1
        assert facts.unseen > 590


def test_sampling_of_the_conversation_decides_the_room_for_the_reply() -> None:
    with chatting() as chat:
        chat.say("Hello")
        chat.app.conversations.configure(chat.id, sampling=Sampling(max_tokens=10))
        chat.seen.wait_for(ContextChanged)
        assert chat.view().reserve == 10


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


SAID = ("one two three", "word " * 20, "word " * 70)


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
