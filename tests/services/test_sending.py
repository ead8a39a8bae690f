"""The way of a message, through a real engine process that follows a script and a real store."""

from __future__ import annotations

import math

import pytest

from app.chat.messages import ReplyState, Role
from app.engine.values import Adapter, Sampling
from app.services.changes import ConversationsChanged, EngineChanged, EngineState, PathChanged, ReplyChanged, ReplyGrew
from app.services.errors import NoSuchThing, NotAllowed, NothingToSend, ServiceError
from app.services.sending import Choices
from tests.support.application import reply, running, slow_reply


def test_a_message_and_its_reply() -> None:
    with running({"replies": [reply("Because of Rayleigh.")]}) as (app, seen):
        sent = app.sending.send(None, "Why is the sky blue?")
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.DONE
        assert seen.states_of(sent.reply_id) == [ReplyState.READING, ReplyState.WRITING, ReplyState.DONE]
        grown = [c for c in seen.of(ReplyGrew) if c.message_id == sent.reply_id]
        assert "".join(c.text for c in grown) == "Because of Rayleigh."
        assert [c.offset for c in grown] == [sum(len(g.text) for g in grown[:i]) for i in range(len(grown))]
        assert seen.of(PathChanged)
        assert ConversationsChanged(ids=(sent.conversation_id,)) in seen.changes
        conversation = app.conversations.list()[0]
        assert (conversation.id, conversation.title) == (sent.conversation_id, "Why is the sky blue?")
        assert [e.id for e in app.conversations.path(sent.conversation_id)] == [sent.message_id, sent.reply_id]
        stored = app.conversations.message(sent.reply_id)
        assert (stored.text, stored.state) == ("Because of Rayleigh.", ReplyState.DONE)
        facts = stored.facts
        assert facts is not None
        assert facts.generation is not None
        assert facts.token_ids
        assert facts.tokenizer
        assert facts.model_name.startswith("SmolLM2")
        assert app.sending.live_reply(sent.conversation_id) is None


def test_everything_is_there_after_a_restart() -> None:
    with running({"replies": [reply("One.")]}) as (app, seen):
        sent = app.sending.send(None, "First")
        seen.end_of(sent.reply_id)
        app.conversations.set_draft("new", "unsent")
    with running({"replies": [reply("Two.")]}) as (app, seen):
        assert app.conversations.draft("new") == "unsent"
        again = app.sending.send(sent.conversation_id, "Second")
        seen.end_of(again.reply_id)
        texts = [message.text for message in app.conversations.messages(sent.conversation_id)]
        assert texts == ["First", "One.", "Second", "Two."]


@pytest.mark.parametrize(
    "choices",
    [
        Choices(sampling=Sampling(temperature=math.nan)),
        Choices(sampling=Sampling(top_k=10**20)),
        Choices(sampling=Sampling(seed=-1)),
        Choices(max_tokens=10**20),
        Choices(adapters=(Adapter(path="/a.gguf", scale=math.nan),)),
        Choices(adapters=(Adapter(path="/a.gguf", scale=-1),)),
        Choices(adapters=(Adapter(path="/a.gguf", scale=1e30),)),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_kept(choices: Choices) -> None:
    with running({"replies": [reply("One.")]}) as (app, seen):
        for temporary in (False, True):
            with pytest.raises(NotAllowed, match=" is a number from "):
                app.sending.send(None, "First", temporary=temporary, choices=choices)
        assert app.conversations.list() == []
        sent = app.sending.send(None, "First", choices=Choices(sampling=Sampling(seed=None)))
        seen.end_of(sent.reply_id)
        with pytest.raises(NotAllowed):
            app.sending.regenerate(sent.reply_id, choices=choices)
        with pytest.raises(NotAllowed):
            app.conversations.configure(
                sent.conversation_id, sampling=choices.for_turn(Sampling()), adapters=choices.adapters or ()
            )


def test_stop_keeps_what_was_written() -> None:
    with running({"replies": [slow_reply()]}) as (app, seen):
        sent = app.sending.send(None, "Go on")
        seen.writing(sent.reply_id, 20)
        app.sending.stop(sent.reply_id)
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.STOPPED
        text, _ = app.conversations.body(sent.reply_id)
        assert text == "".join(c.text for c in seen.of(ReplyGrew) if c.message_id == sent.reply_id)
        assert len(text) >= 20


def test_a_live_reply_can_be_read_in_the_middle() -> None:
    with running({"replies": [slow_reply()]}) as (app, seen):
        sent = app.sending.send(None, "Go on")
        seen.writing(sent.reply_id, 30)
        live = app.sending.live_reply(sent.conversation_id)
        assert live is not None
        assert live.state is ReplyState.WRITING
        assert len(live.text) >= 30
        assert app.conversations.body(sent.reply_id)[0].startswith(live.text)
        entry = app.conversations.path(sent.conversation_id)[-1]
        assert entry.state is ReplyState.WRITING
        assert entry.length >= 30


def test_as_many_replies_at_a_time_as_is_wished_for_the_others_wait() -> None:
    with running({"replies": [slow_reply(), reply("Second.")]}) as (app, seen):
        app.settings.override("cache.parallel", 1)
        first = app.sending.send(None, "One")
        seen.writing(first.reply_id)
        second = app.sending.send(None, "Two")
        third = app.sending.send(None, "Three")
        waiting = app.sending.live_reply(second.conversation_id)
        assert waiting is not None
        assert waiting.state is ReplyState.QUEUED
        app.sending.stop(third.reply_id)
        assert seen.end_of(third.reply_id).state is ReplyState.STOPPED
        assert app.sending.live_reply(first.conversation_id) is not None
        app.sending.stop(first.reply_id)
        assert seen.end_of(second.reply_id).state is ReplyState.DONE
        assert app.conversations.body(second.reply_id)[0] == "Second."


def test_replies_of_one_conversation_come_one_after_the_other() -> None:
    with running({"replies": [slow_reply(), reply("Second."), reply("Third.")]}) as (app, seen):
        first = app.sending.send(None, "One")
        seen.writing(first.reply_id)
        second = app.sending.send(first.conversation_id, "Two")
        other = app.sending.send(None, "Three")
        seen.wait_for(ReplyChanged, lambda c: c.message_id == other.reply_id and c.state is ReplyState.READING)
        assert not any(c.message_id == second.reply_id for c in seen.of(ReplyChanged))
        app.sending.stop(first.reply_id)
        assert seen.end_of(second.reply_id).state is ReplyState.DONE
        assert seen.end_of(other.reply_id).state is ReplyState.DONE


def test_regenerate_adds_a_sibling() -> None:
    with running({"replies": [reply("One."), reply("Two.")]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.end_of(sent.reply_id)
        second = app.sending.regenerate(sent.reply_id)
        seen.end_of(second)
        assert app.conversations.siblings(second) == [sent.reply_id, second]
        assert app.conversations.path(sent.conversation_id)[-1].id == second
        app.conversations.choose(sent.conversation_id, sent.reply_id)
        since = len(seen.changes) - 1
        seen.wait_for(PathChanged, since=max(0, since))
        assert app.conversations.body(sent.reply_id)[0] == "One."


def test_edit_adds_a_sibling_of_the_question() -> None:
    with running({"replies": [reply("One."), reply("You said: {last}")]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.end_of(sent.reply_id)
        edited = app.sending.edit(sent.message_id, "Hello")
        seen.end_of(edited.reply_id)
        assert app.conversations.siblings(edited.message_id) == [sent.message_id, edited.message_id]
        assert app.conversations.body(edited.reply_id)[0] == "You said: Hello"
        assert app.conversations.body(sent.message_id)[0] == "Hi"
        with pytest.raises(ServiceError):
            app.sending.edit(sent.reply_id, "Not mine")


def test_a_temporary_conversation_is_never_stored() -> None:
    with running({"replies": [reply("Secret one."), reply("Secret two.")]}) as (app, seen):
        sent = app.sending.send(None, "Very secret question", temporary=True)
        seen.end_of(sent.reply_id)
        again = app.sending.send(sent.conversation_id, "Secret again", temporary=True)
        seen.end_of(again.reply_id)
        texts = [message.text for message in app.conversations.messages(sent.conversation_id)]
        assert texts[1::2] == ["Secret one.", "Secret two."]
        assert app.conversations.list() == []
        second = app.sending.regenerate(again.reply_id)
        seen.end_of(second)
        assert app.conversations.siblings(second) == [again.reply_id, second]
        app.conversations.set_draft(sent.conversation_id, "Secret draft")
    files = [path for path in app.places.data.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"ecret" in path.read_bytes()]


def test_a_temporary_copy_of_a_stored_conversation() -> None:
    with running({"replies": [reply("One."), reply("Two.")]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.end_of(sent.reply_id)
        copy = app.sending.send(sent.conversation_id, "Only here", temporary=True)
        seen.end_of(copy.reply_id)
        assert copy.conversation_id != sent.conversation_id
        assert [m.text for m in app.conversations.messages(copy.conversation_id)] == ["Hi", "One.", "Only here", "Two."]
        assert len(app.conversations.path(sent.conversation_id)) == 2


def test_thinking_is_kept_apart() -> None:
    with running({"replies": [reply("Yes.", thinking="Let me see.")]}) as (app, seen):
        sent = app.sending.send(None, "Is it?")
        seen.end_of(sent.reply_id)
        assert app.conversations.body(sent.reply_id) == ("Yes.", "Let me see.")
        assert {c.thinking for c in seen.of(ReplyGrew)} == {True, False}


def test_a_failure_is_said_and_what_was_written_stays() -> None:
    with running({"replies": [reply("Some words that come.", code="decode_failed", after=2)]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.FAILED
        assert ended.facts is not None
        assert ended.facts.error_code == "decode_failed"
        assert "next token" in ended.facts.error_sentence
        text = app.conversations.body(sent.reply_id)[0]
        assert text
        assert "Some words that come.".startswith(text)


def test_choices_of_a_turn_are_kept_with_the_reply() -> None:
    with running() as (app, seen):
        choices = Choices(system_prompt="Be brief.", sampling=Sampling(temperature=0.1, seed=7))
        sent = app.sending.send(None, "Hi", choices=choices)
        ended = seen.end_of(sent.reply_id)
        assert ended.facts is not None
        assert ended.facts.sampling == Sampling(temperature=0.1, seed=7)
        assert ended.facts.system_prompt == "Be brief."
        conversation = app.conversations.get(sent.conversation_id)
        assert conversation is not None
        assert conversation.system_prompt == "Be brief."


def test_a_seed_and_a_limit_of_one_turn_stay_with_it() -> None:
    with running() as (app, seen):
        app.settings.change("generation.top_k", 7)
        sent = app.sending.send(None, "Hi", choices=Choices(seed=3, max_tokens=5))
        facts = seen.end_of(sent.reply_id).facts
        assert facts is not None
        assert facts.sampling == Sampling(top_k=7, seed=3, max_tokens=5)
        conversation = app.conversations.get(sent.conversation_id)
        assert conversation is not None
        assert conversation.sampling is None
        facts = seen.end_of(app.sending.send(sent.conversation_id, "More").reply_id).facts
        assert facts is not None
        assert facts.sampling == Sampling(top_k=7)


def test_the_model_is_loaded_by_the_first_message() -> None:
    with running() as (app, seen):
        assert app.loading.state.state is EngineState.OFF
        sent = app.sending.send(None, "Hi")
        seen.end_of(sent.reply_id)
        states = [change.state for change in seen.of(EngineChanged)]
        assert states[-1] is EngineState.READY
        assert EngineState.LOADING in states


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_is_not_sent(text: str) -> None:
    with running() as (app, _), pytest.raises(NothingToSend):
        app.sending.send(None, text)


def test_unknown_conversations_are_refused() -> None:
    with running() as (app, _):
        with pytest.raises(NoSuchThing):
            app.sending.send("019a0000-0000-7000-8000-000000000000", "Hi")
        app.sending.stop("nothing")


def test_closing_while_a_reply_is_written_loses_nothing() -> None:
    with running({"replies": [slow_reply(), slow_reply()]}) as (app, seen):
        sent = app.sending.send(None, "Go on")
        seen.writing(sent.reply_id, 40)
        waiting = app.sending.send(None, "Wait")
    assert seen.end_of(sent.reply_id).state is ReplyState.STOPPED
    told = "".join(c.text for c in seen.of(ReplyGrew) if c.message_id == sent.reply_id)
    with running() as (app, _):
        stored = app.conversations.message(sent.reply_id)
        assert (stored.text, stored.state, stored.role) == (told, ReplyState.STOPPED, Role.ASSISTANT)
        assert app.conversations.message(waiting.reply_id).state is ReplyState.STOPPED
        assert app.conversations.body(waiting.message_id)[0] == "Wait"
