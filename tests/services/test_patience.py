"""What waits too long, what comes at the wrong moment, and what no other reply may suffer from."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from app.bootstrap import Application
from app.chat.messages import ReplyState
from app.services.changes import ConversationsChanged, EngineChanged, EngineState, PathChanged, TroubleChanged
from app.services.errors import NotOpen
from app.services.jobs import Jobs
from app.store.errors import DatabaseLocked
from tests.support.application import reply, running, slow_reply

BUSY_MS = 300


@contextmanager
def held_by_another(app: Application) -> Iterator[None]:
    """Inside this block another program holds the database's write lock."""
    store = app.ground.store

    def less_patience(connection: Any) -> None:
        connection.connection.driver_connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    store._writer.submit(less_patience, transaction=False).result()
    other = dbapi2.connect(str(app.places.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_reply_that_ends_while_another_program_holds_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.keeping.FINISH_TIMEOUT_S", BUSY_MS / 5000)
    monkeypatch.setattr("app.services.memory.RETRY_TIMEOUT_S", BUSY_MS / 5000)
    with running({"replies": [slow_reply("word " * 30, 60.0)]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.writing(sent.reply_id)
        with held_by_another(app):
            assert seen.end_of(sent.reply_id).state is ReplyState.DONE
            assert seen.wait_for(TroubleChanged, lambda c: c.code == "not_saved").sentence
            app._keeping.retry()  # no exception, though the writer does not answer in time
            assert app.conversations.body(sent.reply_id)[0] == "word " * 30
        monkeypatch.undo()
        app._keeping.retry()
        assert not app.sending.unsaved
        assert app.ground.troubles == []
        assert app.ground.store.messages.body(sent.reply_id)[0] == "word " * 30


def test_a_waiting_reply_stopped_before_its_turn_could_be_stored() -> None:
    with running({"replies": [slow_reply()]}) as (app, seen):
        first = app.sending.send(None, "Write")
        seen.writing(first.reply_id)
        with held_by_another(app):
            second = app.sending.send(None, "Wait")
            app.sending.stop(second.reply_id)
            assert seen.end_of(second.reply_id).state is ReplyState.STOPPED
            assert app.jobs.submit(lambda: "free").result(30) == "free"
        app.sending.stop(first.reply_id)
        seen.end_of(first.reply_id)
        app._keeping.retry()
        assert app.ground.store.messages.get(second.reply_id).state is ReplyState.STOPPED


def test_an_unsaved_conversation_is_renamed_branched_and_deleted_like_any_other() -> None:
    with running({"replies": [reply("One."), reply("Two."), reply("Three.")]}) as (app, seen):
        with held_by_another(app):
            sent = app.sending.send(None, "Hi")
            seen.end_of(sent.reply_id)
            app.conversations.rename(sent.conversation_id, "Mine")
            second = app.sending.regenerate(sent.reply_id)
            seen.end_of(second)
            app.conversations.choose(sent.conversation_id, sent.reply_id)
            seen.wait_for(PathChanged, lambda c: c.conversation_id == sent.conversation_id)
            gone = app.sending.send(None, "Not this")
            seen.end_of(gone.reply_id)
            app.conversations.delete(gone.conversation_id)
            assert [c.title for c in app.conversations.list()] == ["Mine"]
            assert app.conversations.get(gone.conversation_id) is None
        app._keeping.retry()
        assert not app.sending.unsaved
        stored = app.ground.store.conversations.list()
        assert [(c.title, c.leaf_id) for c in stored] == [("Mine", sent.reply_id)]
        app.conversations.undo_delete(gone.conversation_id)
        seen.wait_for(ConversationsChanged, lambda c: gone.conversation_id in c.ids, len(seen.changes) - 1)
    with running() as (app, _):
        assert len(app.conversations.list()) == 2


def test_a_temporary_conversation_deleted_while_it_is_written_is_no_trouble() -> None:
    with running({"replies": [slow_reply(), reply("Next.")]}) as (app, seen):
        sent = app.sending.send(None, "Hi", temporary=True)
        seen.writing(sent.reply_id)
        app.conversations.delete(sent.conversation_id)
        assert seen.end_of(sent.reply_id).state is ReplyState.STOPPED
        assert app.ground.troubles == []
        assert seen.end_of(app.sending.send(None, "Hi").reply_id).state is ReplyState.DONE


def test_a_fault_of_ours_costs_one_reply(monkeypatch: pytest.MonkeyPatch, expected_warnings: list[str]) -> None:
    expected_warnings.append("a turn failed")
    with running({"replies": [reply("Hello.")]}) as (app, seen):
        with monkeypatch.context() as patched:
            patched.setattr(app._keeping, "finish", lambda message, facts: 1 / 0)
            failed = app.sending.send(None, "Hi")
            assert seen.end_of(failed.reply_id).state is ReplyState.FAILED
        assert seen.wait_for(TroubleChanged).sentence
        assert seen.end_of(app.sending.send(None, "Hi").reply_id).state is ReplyState.DONE


def test_a_fault_while_loading_costs_one_load(monkeypatch: pytest.MonkeyPatch, expected_warnings: list[str]) -> None:
    expected_warnings.append("loading failed")
    with running({"replies": [reply("Hello.")]}) as (app, seen):
        with monkeypatch.context() as patched:
            patched.setattr(app.engine, "load", lambda *_: 1 / 0)
            failed = seen.end_of(app.sending.send(None, "Hi").reply_id)
            assert failed.state is ReplyState.FAILED
            assert failed.facts is not None
            assert "fault in Inglenook" in failed.facts.error_sentence
        assert seen.wait_for(EngineChanged, lambda c: c.state is EngineState.FAILED).sentence
        assert seen.end_of(app.sending.send(None, "Hi").reply_id).state is ReplyState.DONE


def test_half_a_surrogate_pair_is_sent_as_it_is_kept() -> None:
    with running({"replies": [reply("{last}")]}) as (app, seen):
        for temporary in (False, True):
            sent = app.sending.send(None, "a\udcffb", temporary=temporary)
            assert seen.end_of(sent.reply_id).state is ReplyState.DONE
            assert app.conversations.message(sent.message_id).text == "a\ufffdb"
            assert app.conversations.body(sent.reply_id)[0] == "a\ufffdb"


def test_a_database_that_cannot_be_looked_at_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise DatabaseLocked("Another program holds it.")

    with running() as (app, _):
        monkeypatch.setattr(app.ground.store, "check", refuse)
        report = app.diagnostics.report(thorough=True)
        assert report["database"]["ok"] is False
        assert report["problems"] == ["Another program holds it."]


def test_a_task_that_hangs_does_not_hold_up_the_end(expected_warnings: list[str]) -> None:
    expected_warnings.append("did not end in time")
    jobs, hanging, go_on = Jobs(), threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        go_on.wait()

    running_task, waiting = jobs.submit(hang), jobs.submit(lambda: 1)
    assert hanging.wait(30)
    jobs.close(0.05)
    go_on.set()
    running_task.result(30)
    with pytest.raises(CancelledError):
        waiting.result(30)


def test_a_damaged_installation_is_said(monkeypatch: pytest.MonkeyPatch, expected_warnings: list[str]) -> None:
    expected_warnings.append("cannot be opened")
    with running(open_it=False) as (app, seen), monkeypatch.context() as patched:
        patched.setitem(sys.modules, "app.store.store", None)
        app.open()
        assert "Install it again" in seen.wait_for(TroubleChanged).sentence
        with pytest.raises(NotOpen, match="Install it again"):
            app.sending.send(None, "Hi")


def test_what_comes_later_is_called_off_by_the_end() -> None:
    jobs, ran = Jobs(), threading.Event()
    jobs.later("soon", 0.0, ran.set)
    assert ran.wait(30)
    jobs.later("never", 3600.0, ran.clear)
    jobs.close()
    assert ran.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name in ("soon", "never")]
