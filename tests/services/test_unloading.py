"""A model's memory is given back: by hand, and when nobody used it for a while. The engine's process ends with it."""

from __future__ import annotations

import pytest

from app.chat.messages import ReplyState
from app.engine.values import Sampling
from app.services.changes import EngineChanged, EngineState
from app.services.sending import Choices
from tests.support.application import Recorder, reply, running, running_real, slow_reply
from tests.support.processes import gone

BRIEF = Choices(sampling=Sampling(seed=1, max_tokens=16))


def off(seen: Recorder, since: int = 0) -> None:
    seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF, since)


def test_a_model_that_nobody_uses_is_unloaded_and_comes_back_with_the_next_message() -> None:
    with running({"replies": [reply("Hello.")]}) as (app, seen):
        app.loading._minute_s = 0.1
        app.settings.change("engine.unload_minutes", 1)
        sent = app.sending.send(None, "Hi")
        assert seen.end_of(sent.reply_id).state is ReplyState.DONE
        off(seen)
        assert app.engine.pid is None
        assert app.loading.ready is None
        other = app.sending.send(sent.conversation_id, "Still there?")
        assert seen.end_of(other.reply_id).state is ReplyState.DONE


def test_it_is_never_unloaded_under_a_reply() -> None:
    with running({"replies": [slow_reply("word " * 60, 60.0)]}) as (app, seen):
        app.loading._minute_s = 0.05
        app.settings.change("engine.unload_minutes", 1)
        sent = app.sending.send(None, "Hi")
        assert seen.end_of(sent.reply_id).state is ReplyState.DONE
        assert EngineState.OFF not in [change.state for change in seen.of(EngineChanged)[1:-1]]
        off(seen)


def test_it_is_not_unloaded_while_a_message_is_being_typed() -> None:
    with running() as (app, seen):
        app.settings.change("engine.unload_minutes", 1)
        app.loading.warm()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY)
        app.loading.engine_in_use._left -= 100.0
        assert app.loading._unused
        app.loading.warm()  # as every key does
        assert not app.loading._unused


def test_zero_minutes_keep_it() -> None:
    with running() as (app, seen):
        app.loading._minute_s = 0.02
        app.settings.change("engine.unload_minutes", 0)
        app.loading.warm()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY)
        app.engine.describe().result(30.0)
        assert not app.loading._unused
        assert app.loading.ready is not None


@pytest.mark.usefixtures("starter_model")
def test_the_real_engine_is_gone_and_its_conversations_are_kept() -> None:
    with running_real(n_ctx=1024) as (app, seen):
        sent = app.sending.send(None, "Why is the sky blue?", choices=BRIEF)
        first = seen.end_of(sent.reply_id)
        pid = app.engine.pid
        assert pid is not None
        assert first.facts is not None
        app.loading.unload()
        off(seen)
        assert gone(pid)
        assert app.engine.pid is None
        other = app.sending.send(sent.conversation_id, "And at night?", choices=BRIEF)
        second = seen.end_of(other.reply_id).facts
        assert second is not None
        assert second.generation is not None
        assert second.generation.cached_tokens > 0  # from the snapshot that was written before the end
