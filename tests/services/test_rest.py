"""Conversations, other processes' writes, diagnostics, keeping awake, threads."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from app.base.paths import find_places
from app.base.threads import NoRoom
from app.bootstrap import build
from app.engine.values import Sampling
from app.services.changes import ConversationsChanged, PathChanged, ReplyChanged
from app.services.diagnostics import shortened
from app.services.errors import NoSuchThing
from app.services.jobs import Jobs
from app.services.wakefulness import Wakefulness, inhibit_command
from tests.support.application import reply, running, slow_reply
from tests.support.processes import until


def test_arranging_conversations() -> None:
    with running({"replies": [reply("The answer mentions heliotropes.")]}) as (app, seen):
        app.settings.override("cache.parallel", 1)  # the second one ends last
        first = app.sending.send(None, "First question")
        second = app.sending.send(None, "Second question")
        seen.end_of(second.reply_id)
        assert [c.id for c in app.conversations.list()] == [second.conversation_id, first.conversation_id]
        since = len(seen.changes)
        app.conversations.rename(first.conversation_id, "  My\n title ")
        seen.wait_for(ConversationsChanged, lambda c: first.conversation_id in c.ids, since)
        renamed = app.conversations.get(first.conversation_id)
        assert renamed is not None
        assert (renamed.title, renamed.title_by_person) == ("My title", True)
        hits = app.conversations.search("heliotr")
        assert {hit.message_id for hit in hits} == {first.reply_id, second.reply_id}
        with pytest.raises(NoSuchThing, match="More than one conversation begins with '0'"):
            app.conversations.find("0")
        since = len(seen.changes)
        app.conversations.delete(second.conversation_id)
        seen.wait_for(ConversationsChanged, lambda c: second.conversation_id in c.ids, since)
        assert [c.id for c in app.conversations.list()] == [first.conversation_id]
        since = len(seen.changes)
        app.conversations.undo_delete(second.conversation_id)
        seen.wait_for(ConversationsChanged, lambda c: second.conversation_id in c.ids, since)
        assert len(app.conversations.list()) == 2
        since = len(seen.changes)
        app.conversations.configure(first.conversation_id, system_prompt="Be kind.", sampling=Sampling(seed=3))
        seen.wait_for(ConversationsChanged, lambda c: first.conversation_id in c.ids, since)
        configured = app.conversations.get(first.conversation_id)
        assert configured is not None
        assert (configured.system_prompt, configured.sampling) == ("Be kind.", Sampling(seed=3))
        third = app.sending.send(first.conversation_id, "Third")
        facts = seen.end_of(third.reply_id).facts
        assert facts is not None
        assert (facts.system_prompt, facts.sampling) == ("Be kind.", Sampling(seed=3))


def test_deleting_a_conversation_stops_its_reply() -> None:
    with running({"replies": [slow_reply()]}) as (app, seen):
        sent = app.sending.send(None, "Hi")
        seen.writing(sent.reply_id)
        app.conversations.delete(sent.conversation_id)
        assert not seen.end_of(sent.reply_id).state.live


def test_two_applications_see_each_other() -> None:
    script = {"replies": [slow_reply("word " * 80, 60.0)]}
    with running(script) as (one, seen_one), running(script) as (two, seen_two):
        mine = one.sending.send(None, "From one")
        others = two.sending.send(None, "From two")
        for recorder, other in ((seen_one, others), (seen_two, mine)):
            recorder.wait_for(ConversationsChanged, lambda c, other=other: other.conversation_id in c.ids)
            recorder.wait_for(PathChanged, lambda c, other=other: c.conversation_id == other.conversation_id)
        seen_one.end_of(mine.reply_id)
        seen_two.end_of(others.reply_id)
        until(lambda: not one.conversations.message(others.reply_id).state.live, "the other's reply")
        assert one.conversations.body(others.reply_id)[0] == "word " * 80
        assert {c.id for c in one.conversations.list()} == {c.id for c in two.conversations.list()}
        assert [c for c in seen_one.of(ReplyChanged) if c.message_id == others.reply_id] == []


def test_diagnostics_hold_no_message_and_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with running({"replies": [reply("A very private answer.")]}) as (app, seen):
        sent = app.sending.send(None, "A very private question")
        seen.end_of(sent.reply_id)
        text = app.diagnostics.text()
        assert "private" not in text
        assert str(tmp_path) not in text
        assert "Data: ~/home" in text
        assert "Database: ok" in text
        report = app.diagnostics.report()
        assert report["problems"] == []
        assert report["devices"]


def test_shortening_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert shortened("see /home/ada/models and /home/other") == "see ~/models and /home/other"
    monkeypatch.setenv("HOME", "/")
    assert shortened("/usr/lib") == "/usr/lib"


def test_diagnostics_text_starts_no_engine() -> None:
    with running() as (app, _):
        assert app.diagnostics.text()
        assert app.engine.pid is None


WAITS = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_awake_while_needed_and_not_longer() -> None:
    awake = Wakefulness(Jobs(), lambda: WAITS, linger_s=0.0)
    with awake.hold():
        assert awake.held
        with awake.hold():
            assert awake.held
        assert awake.held
    until(lambda: not awake.held, "the end of the hold")
    awake.close()


def test_a_quick_exchange_keeps_one_helper() -> None:
    started: list[int] = []

    def command() -> list[str]:
        started.append(1)
        return WAITS

    awake = Wakefulness(Jobs(), command, linger_s=60.0)
    for _ in range(3):
        with awake.hold():
            pass
    assert len(started) == 1
    awake.close()
    assert not awake.held


@pytest.mark.parametrize("command", [None, ["/nowhere/program"], [sys.executable, "-c", "raise SystemExit(1)"]])
def test_where_nothing_keeps_awake_nothing_happens(command: list[str] | None) -> None:
    awake = Wakefulness(Jobs(), lambda: command, linger_s=0.0)
    with awake.hold():
        pass
    awake.close()
    assert not awake.held


def test_the_platforms_own_programs() -> None:
    linux = inhibit_command("linux")
    assert linux is None or linux[0].endswith("systemd-inhibit")
    assert inhibit_command("win32") is None


def test_a_reply_keeps_the_computer_awake() -> None:
    with running({"replies": [slow_reply()]}) as (app, seen):
        app.wakefulness._command = lambda: WAITS
        sent = app.sending.send(None, "Hi")
        seen.writing(sent.reply_id)
        assert app.wakefulness.held
    assert not app.wakefulness.held


def test_threads_are_named_and_end() -> None:
    before = set(threading.enumerate())
    with running({"replies": [reply("Hello.")]}) as (app, seen):
        seen.end_of(app.sending.send(None, "Hi").reply_id)
        names = {thread.name for thread in set(threading.enumerate()) - before}
        assert {"inglenook-replies", "inglenook-loading", "inglenook-watch"} <= names
        assert not [name for name in names if name.startswith("Thread-")]
    assert set(threading.enumerate()) - before == set()


def test_a_failed_task_is_logged(expected_warnings: list[str]) -> None:
    expected_warnings.append("a task failed")
    jobs = Jobs()
    with pytest.raises(ZeroDivisionError):
        jobs.submit(lambda: 1 / 0).result()
    jobs.close()
    assert jobs.submit(lambda: 1).cancelled()


def test_a_system_without_another_thread_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs()

    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("threading._start_new_thread", refused)
        for wish in (
            lambda: jobs.start("one", lambda: None),
            lambda: jobs.later("two", 0.0, lambda: None),
            lambda: jobs.submit(lambda: None),
        ):
            with pytest.raises(NoRoom, match="no memory left"):
                wish()
    assert jobs.submit(lambda: "later").result(10) == "later", "when there is room again"
    jobs.close()


def test_a_store_without_another_thread(monkeypatch: pytest.MonkeyPatch, expected_warnings: list[str]) -> None:
    expected_warnings.append("the conversations cannot be opened")

    def refused(*_: object) -> None:
        raise NoRoom("No room.")

    monkeypatch.setattr("app.store.writer.start_thread", refused)
    application = build(find_places())
    application.open()
    assert application.ground.refusal is not None
    assert application.ground.refusal.sentence == "No room."
    application.close()
