"""The services with the real engine and the starter model: what a script cannot show."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from app.bootstrap import Application
from app.chat.messages import ReplyState
from app.engine.values import Sampling
from app.services.changes import EngineChanged, EngineState, ReplyChanged, ReplyProgressed
from app.services.sending import Choices
from tests.support.application import Recorder, running_real

pytestmark = pytest.mark.usefixtures("starter_model")

BRIEF = Choices(sampling=Sampling(seed=1, max_tokens=24))


@pytest.fixture
def running_app() -> Iterator[tuple[Application, Recorder]]:
    with running_real(n_ctx=2048, n_threads=1) as both:
        yield both


def test_the_next_turn_reads_only_what_is_new(running_app: tuple[Application, Recorder]) -> None:
    app, seen = running_app
    sent = app.sending.send(None, "Why is the sky blue?", choices=BRIEF)
    first = seen.end_of(sent.reply_id).facts
    other = app.sending.send(sent.conversation_id, "And at night?", choices=BRIEF)
    second = seen.end_of(other.reply_id).facts
    assert first is not None
    assert second is not None
    assert first.generation is not None
    assert second.generation is not None
    before = first.generation.prompt_tokens + first.generation.completion_tokens
    assert second.generation.cached_tokens >= before - 2
    assert second.generation.prompt_tokens - second.generation.cached_tokens < 25
    assert second.tokenizer == first.tokenizer != ""
    assert second.n_ctx == 2048


def test_two_conversations_are_written_at_the_same_time(running_app: tuple[Application, Recorder]) -> None:
    app, seen = running_app
    long = Choices(sampling=Sampling(seed=1, max_tokens=400))
    first = app.sending.send(None, "Tell a long story about a lighthouse.", choices=long)
    seen.writing(first.reply_id)
    second = app.sending.send(None, "Tell a long story about a heron.", choices=long)
    seen.writing(second.reply_id)
    live = app.sending.live_reply(first.conversation_id)
    assert live is not None, "the first is still being written"
    assert live.state is ReplyState.WRITING
    grown = len(live.text)
    seen.writing(first.reply_id, grown + 20)
    app.sending.stop(first.reply_id)
    app.sending.stop(second.reply_id)
    for sent in (first, second):
        assert seen.end_of(sent.reply_id).state in (ReplyState.STOPPED, ReplyState.DONE)
        assert app.conversations.body(sent.reply_id)[0]


def test_a_conversation_longer_than_the_window_goes_on(running_app: tuple[Application, Recorder]) -> None:
    app, seen = running_app
    app.settings.override("engine.n_ctx", 512)
    words = "The lighthouse keeper counts the ships that pass in the fog. " * 9
    sent = app.sending.send(None, words, choices=BRIEF)
    for _ in range(3):
        assert seen.end_of(sent.reply_id).state is ReplyState.DONE
        sent = app.sending.send(sent.conversation_id, words, choices=BRIEF)
    ended = seen.end_of(sent.reply_id)
    assert ended.state is ReplyState.DONE, ended.facts
    assert ended.facts is not None
    assert ended.facts.unseen


def test_killed_while_reading_a_long_prompt(running_app: tuple[Application, Recorder]) -> None:
    app, seen = running_app
    sent = app.sending.send(None, "All ships are counted in the fog. " * 80, choices=BRIEF)
    seen.wait_for(ReplyProgressed, lambda c: c.message_id == sent.reply_id)
    assert app.engine.pid is not None
    os.kill(app.engine.pid, signal.SIGKILL)
    ended = seen.end_of(sent.reply_id)
    assert ended.state is ReplyState.LOST
    assert app.conversations.body(sent.reply_id) == ("", "")
    seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.restarted)
    again = app.sending.regenerate(sent.reply_id)
    seen.wait_for(ReplyChanged, lambda c: c.message_id == again and c.state is ReplyState.READING)
    app.sending.stop(again)
    assert seen.end_of(again).state is ReplyState.STOPPED
