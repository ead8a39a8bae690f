"""Views of what the model sees: what would be sent, counted or estimated, and what a longer window would hold."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from app.chat.context_view import Standing
from app.chat.messages import ReplyState, Role
from app.engine.values import LoadOptions, Sampling
from app.services import views
from app.services.changes import ContextChanged, EngineChanged, EngineState
from app.services.errors import NoSuchThing, ServiceError
from app.services.lookup import new_message
from tests.support.application import reply, slow_reply
from tests.support.chatting import PATIENCE_S, WORDS, chatting

K, P, S, T, O = Standing.KEPT, Standing.PINNED, Standing.SUMMARISED, Standing.TRIMMED, Standing.OUTSIDE  # noqa: E741


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


def test_a_message_larger_than_the_window_is_refused_with_numbers_and_an_offer() -> None:
    with chatting() as chat:
        facts = chat.say("word " * 500, state=ReplyState.FAILED)
        assert facts.error_code == "message_too_large"
        assert "needs 507 tokens and the model sees 399" in facts.error_sentence
        assert "Send it in parts. Or use a context of 800 tokens" in facts.error_sentence
        view = chat.view()
        assert (view.too_large, view.grow_to) == (507, 800)
        assert view.grow_bytes > 0
        chat.app.contexts.grow(chat.id, view.grow_to)
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 800)  # type: ignore[union-attr]
        chat.again(chat.ids[-1])
        assert (chat.view().limit, chat.view().too_large) == (800, 0)
        facts = chat.say("word " * 20_000, state=ReplyState.FAILED)
        assert facts.error_sentence.endswith("Send it in parts. Or choose a model with a longer context.")
        with pytest.raises(ServiceError, match="trained for"):
            chat.app.contexts.grow(chat.id, 10**6)


def test_instructions_larger_than_the_window_are_named() -> None:
    with chatting() as chat:
        chat.app.settings.change("generation.system_prompt", "word " * 500)
        said = chat.say("Hello", state=ReplyState.FAILED).error_sentence
        assert said.startswith("This message and the instructions need")
        assert "are the instructions: shorten them." in said
        assert said.startswith(chat.view().too_large_said)


def test_a_longer_window_gives_back_what_had_left() -> None:
    with chatting() as chat:
        for _ in range(4):
            chat.say()
        assert T in chat.standings()
        chat.app.contexts.grow(chat.id, 2000)
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 2000)  # type: ignore[union-attr]
        assert chat.standings() == [K] * 8


def test_a_longer_window_that_waits_for_replies_is_said() -> None:
    with chatting(slow_reply()) as chat:
        sent = chat.app.sending.send(None, "Hello")
        chat.seen.writing(sent.reply_id)
        assert not chat.view().waiting
        chat.app.contexts.grow(sent.conversation_id, 800)
        assert chat.view().waiting
        chat.app.sending.stop(sent.reply_id)
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 800)  # type: ignore[union-attr]
        assert not chat.view().waiting


def test_a_longer_window_becomes_part_of_a_plan_that_was_set_by_hand() -> None:
    with chatting() as chat:
        chat.say()
        chat.app.loading.load(chat.app.loading.choice().id, LoadOptions(n_ctx=500))
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 500)  # type: ignore[union-attr]
        assert chat.view().grow_to == 1000
        chat.app.contexts.grow(chat.id, 1000)
        chat.seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model.n_ctx == 1000)  # type: ignore[union-attr]
        assert chat.app.settings.current.engine.n_ctx == 400, "that of other models"


def test_memory_that_is_not_there_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting() as chat:
        chat.say()
        assert chat.view().grow_to == 800
        machine = chat.app.fitting.machine()
        poor = msgspec.structs.replace(machine, memory_free_bytes=1024**3 + 1000)
        monkeypatch.setattr(chat.app.fitting, "machine", lambda: poor)
        assert (chat.view().grow_to, chat.view().grow_bytes) == (0, 0)


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
