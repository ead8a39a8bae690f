"""Which model is loaded, and what happens when that does not work."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from app.chat.messages import ReplyState
from app.services.changes import EngineChanged, EngineState
from app.services.errors import NoSuchThing
from tests.support import tiny_models
from tests.support.application import Recorder, reply, running, slow_reply


def ready(seen: Recorder, model_id: str, since: int = 0) -> EngineChanged:
    return seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.model_id == model_id, since)


@pytest.fixture
def own_model(tmp_path: Path, starter_model: Path) -> Path:
    """A person's own model beside the starter model."""
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    return tiny_models.dense(folder / "Own.gguf")


def test_load_and_unload(own_model: Path) -> None:
    with running({"load": {"seconds": 0.2}}) as (app, seen):
        own, starter = app.library.list()
        assert not own.is_starter
        assert starter.is_starter
        app.loading.load(starter.id)
        change = ready(seen, starter.id)
        assert change.model is not None
        assert app.loading.context_limit() == 8192
        fractions = [c.fraction for c in seen.of(EngineChanged) if c.state is EngineState.LOADING]
        assert fractions == sorted(fractions)
        assert len(fractions) > 2
        assert app.settings.current.general.last_model_id == starter.id
        assert app.library.default() == starter
        app.loading.unload()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF)
        assert app.loading.context_limit() == 0
        with pytest.raises(NoSuchThing):
            app.loading.load("nothing")


def test_the_person_s_own_model_comes_first(own_model: Path) -> None:
    with running({"replies": [reply("Hello.")]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        ended = seen.end_of(sent.reply_id)
        assert ended.facts is not None
        assert ended.facts.model_id == app.library.list()[0].id
        assert app.settings.current.general.last_model_id == ""  # nobody chose it


def test_a_load_can_be_cancelled() -> None:
    with running({"load": {"seconds": 20.0, "steps": 200}}) as (app, seen):
        app.loading.load(app.library.list()[0].id)
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.LOADING and c.fraction > 0)
        app.loading.cancel()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.OFF)
        assert app.loading.ready is None


def test_stopping_a_reply_that_waits_for_its_model() -> None:
    with running({"load": {"seconds": 20.0, "steps": 200}}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.LOADING)
        app.sending.stop(sent.reply_id)
        assert seen.end_of(sent.reply_id).state is ReplyState.STOPPED
        app.loading.cancel()


def test_a_refused_model_leaves_the_one_before(own_model: Path) -> None:
    with running({"load": {"check": True}, "replies": [reply("Still here.")]}) as (app, seen):
        own, starter = app.library.list()
        app.loading.load(starter.id)
        ready(seen, starter.id)
        since = len(seen.changes)
        own_model.unlink()
        own_model.write_bytes(b"GGUF" + bytes(100))
        app.loading.load(own.id)
        failed = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.FAILED, since)
        assert failed.model_id == own.id
        assert failed.sentence
        assert failed.model is not None
        again = ready(seen, starter.id, since)
        assert again.sentence == failed.sentence
        assert app.settings.current.general.last_model_id == starter.id
        sent = app.sending.send(None, "Hi")
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.DONE
        assert ended.facts is not None
        assert ended.facts.model_id == starter.id


@pytest.mark.parametrize("code", ["load_failed", "out_of_memory"])
def test_a_load_that_fails_late_brings_the_model_before_back(code: str, own_model: Path, tmp_path: Path) -> None:
    with running() as (app, seen):
        own, starter = app.library.list()
        app.loading.load(starter.id)
        ready(seen, starter.id)
    with running({"load": {"code": code}}) as (app, seen):
        app.loading.load(own.id)
        failed = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.FAILED)
        assert failed.sentence
        assert failed.model is None
        assert app.loading.ready is None


def test_a_reply_whose_model_is_refused_says_so() -> None:
    with running({"load": {"code": "out_of_memory", "numbers": {"needed_bytes": 9_100_000_000}}}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.FAILED
        assert ended.facts is not None
        assert "9.1 GB" in ended.facts.error_sentence


def test_choosing_another_model_waits_for_the_reply_under_way(own_model: Path) -> None:
    with running({"replies": [slow_reply("word " * 60, 40.0)]}) as (app, seen):
        own, starter = app.library.list()
        app.loading.load(starter.id)
        ready(seen, starter.id)
        sent = app.sending.send(None, "Hi")
        seen.writing(sent.reply_id)
        app.loading.load(own.id)
        assert seen.end_of(sent.reply_id).state is ReplyState.DONE
        ready(seen, own.id)


def test_choosing_another_model_gives_up_the_load_under_way(own_model: Path) -> None:
    with running({"load": {"seconds": 1.0}}) as (app, seen):
        own, starter = app.library.list()
        app.loading.load(own.id)
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.LOADING and c.fraction > 0)
        app.loading.load(starter.id)
        ready(seen, starter.id)
        assert not [c for c in seen.of(EngineChanged) if c.state is EngineState.READY and c.model_id == own.id]


def test_the_engine_killed_while_idle_comes_back_with_its_model() -> None:
    with running() as (app, seen):
        app.loading.warm()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY)
        assert app.engine.pid is not None
        os.kill(app.engine.pid, signal.SIGKILL)
        starting = seen.wait_for(EngineChanged, lambda c: c.restarted)
        assert starting.state is EngineState.STARTING
        assert starting.sentence
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.restarted)
        assert app.loading.ready is not None


def test_the_engine_killed_while_loading_another_model(own_model: Path, tmp_path: Path) -> None:
    with running({"load": {"seconds": 1.0}}) as (app, seen):
        own, starter = app.library.list()
        app.loading.load(starter.id)
        ready(seen, starter.id)
        since = len(seen.changes)
        app.loading.load(own.id)
        seen.wait_for(
            EngineChanged, lambda c: c.state is EngineState.LOADING and c.model_id == own.id and c.fraction > 0, since
        )
        assert app.engine.pid is not None
        os.kill(app.engine.pid, signal.SIGKILL)
        failed = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.FAILED, since)
        assert failed.model_id == own.id
        ready(seen, starter.id, since)


def test_other_options_load_the_model_again() -> None:
    with running() as (app, seen):
        starter = app.library.list()[0]
        app.loading.load(starter.id)
        assert ready(seen, starter.id).model is not None
        app.settings.change("engine.n_ctx", 2048)
        since = len(seen.changes)
        app.loading.load(starter.id)
        change = ready(seen, starter.id, since)
        assert change.model is not None
        assert change.model.n_ctx == 2048


def test_auto_load_only_when_it_is_wanted() -> None:
    with running() as (app, seen):
        assert app.engine.pid is None
        assert seen.of(EngineChanged) == []
        app.settings.change("engine.auto_load", True)
    with running() as (app, seen):
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY)


def test_quick_typing_wishes_for_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as (app, seen):
        wishes: list[object] = []
        put = app.loading._wishes.put
        monkeypatch.setattr(app.loading._wishes, "put", lambda wish: (wishes.append(wish), put(wish)))
        for _ in range(50):
            app.loading.warm()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY)
        app.loading.warm()
        assert app.jobs.submit(lambda: len(wishes)).result() == 1


def test_typing_does_not_try_a_refused_model_again() -> None:
    with running({"load": {"code": "load_failed"}}) as (app, seen):
        app.loading.warm()
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.FAILED)
        since = len(seen.changes)
        app.loading.warm()
        assert seen.end_of(app.sending.send(None, "Hi").reply_id).state is ReplyState.FAILED  # a message tries
        assert len([c for c in seen.of(EngineChanged)[1:] if c.state is EngineState.FAILED]) == 2
        assert since


def test_a_cancelled_load_stops_the_reply_that_waits_for_it() -> None:
    with running({"load": {"seconds": 20.0, "steps": 200}}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.LOADING and c.fraction > 0)
        app.loading.cancel()
        assert seen.end_of(sent.reply_id).state is ReplyState.STOPPED
