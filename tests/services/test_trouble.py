"""Bad things on the way of a message: dying engines, full disks, small windows. Nothing written is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.chat.messages import ReplyState
from app.services.changes import EngineChanged, EngineState, ReplyGrew, TroubleChanged
from app.services.errors import NotOpen
from tests.support.application import Recorder, reply, running, slow_reply

ROOT = Path(__file__).resolve().parents[2]


def told_text(seen: Recorder, reply_id: str) -> str:
    return "".join(c.text for c in seen.of(ReplyGrew) if c.message_id == reply_id)


def test_the_engine_killed_while_writing() -> None:
    with running({"replies": [slow_reply()]}) as (app, seen):
        sent = app.sending.send(None, "Go on")
        seen.writing(sent.reply_id, 40)
        first = app.engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.LOST
        assert ended.facts is not None
        assert ended.facts.error_sentence.endswith("What was written so far is kept.")
        text = app.conversations.body(sent.reply_id)[0]
        assert text == told_text(seen, sent.reply_id)
        assert len(text) >= 40
        back = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.restarted)
        assert back.model is not None
        assert app.engine.pid not in (None, first)
        assert len(app.conversations.path(sent.conversation_id)) == 2  # the prompt was not sent again by itself
        again = app.sending.send(sent.conversation_id, "Go on")
        seen.writing(again.reply_id, 10)
        app.sending.stop(again.reply_id)
        assert seen.end_of(again.reply_id).state is ReplyState.STOPPED


@pytest.mark.parametrize(
    ("at", "how"),
    [("prompt", "abort"), ("tokens", "abort"), ("prompt", "garbage"), ("tokens", "garbage"), ("tokens", "close")],
)
def test_other_ways_to_die(at: str, how: str, tmp_path: Path, expected_warnings: list[str]) -> None:
    expected_warnings += ["engine"]
    die = {"at": at, "how": how, "after": 2, "once": str(tmp_path / "died")}
    with running({"replies": [reply("One two three four five.")], "die": die}) as (app, seen):
        sent = app.sending.send(None, "Go on")
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.LOST
        assert ended.facts is not None
        assert ended.facts.error_sentence
        assert app.conversations.body(sent.reply_id)[0] == told_text(seen, sent.reply_id)
        seen.wait_for(EngineChanged, lambda c: c.state is EngineState.READY and c.restarted)
        again = app.sending.send(sent.conversation_id, "And now?")
        assert seen.end_of(again.reply_id).state is ReplyState.DONE


def test_the_engine_that_dies_at_every_load_is_not_loaded_for_ever(expected_warnings: list[str]) -> None:
    expected_warnings += ["engine"]
    with running({"die": {"at": "load", "how": "kill"}}) as (app, seen):
        sent = app.sending.send(None, "Go on")
        ended = seen.end_of(sent.reply_id)
        assert ended.state in (ReplyState.LOST, ReplyState.FAILED)
        assert ended.facts is not None
        assert ended.facts.error_sentence
        failed = seen.wait_for(EngineChanged, lambda c: c.state is EngineState.FAILED)
        assert failed.sentence
        assert [c for c in seen.of(EngineChanged) if c.state is EngineState.READY] == []


def test_turns_that_do_not_fit_are_left_out_and_told() -> None:
    words = "word " * 60
    with running({"replies": [reply(words)], "n_ctx": 400}) as (app, seen):
        sent = app.sending.send(None, words)
        ids = [sent.message_id, sent.reply_id]
        left_out: list[list[str]] = []
        for _ in range(4):
            seen.end_of(ids[-1])
            sent = app.sending.send(sent.conversation_id, words)
            ids += [sent.message_id, sent.reply_id]
            ended = seen.end_of(sent.reply_id)
            assert ended.state is ReplyState.DONE, ended.facts
            assert ended.facts is not None
            assert ended.facts.left_out == ended.facts.kept_before == []
            left_out.append(ids[: ids.index(ended.facts.first_kept)])
            assert ended.facts.unseen == len(left_out[-1])
        assert left_out[-1]
        assert ids[-2] not in left_out[-1]
        assert len(left_out[-1]) % 2 == 0
        assert len(app.conversations.path(sent.conversation_id)) == 10  # the screen still has all of it


def test_a_message_that_is_too_large_is_refused_with_numbers() -> None:
    with running({"n_ctx": 300}) as (app, seen):
        sent = app.sending.send(None, "word " * 1000)
        ended = seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.FAILED
        assert ended.facts is not None
        assert ended.facts.error_code == "message_too_large"
        assert "1,0" in ended.facts.error_sentence
        assert "299" in ended.facts.error_sentence
        again = app.sending.send(None, "Hi")
        assert seen.end_of(again.reply_id).state is ReplyState.DONE


def test_a_disk_that_is_full_for_a_while() -> None:
    command = [sys.executable, "-m", "tests.services.children", "cramped"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["streamed", "told", "readable", "saved", "over", "all there"]


def test_a_database_from_a_newer_version_is_not_touched(expected_warnings: list[str]) -> None:
    expected_warnings.append("cannot be opened")
    with running() as (app, _):
        database = app.places.database
    from sqlcipher3 import dbapi2

    connection = dbapi2.connect(str(database))
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = database.read_bytes()
    with running({"replies": [reply("Still here.")]}) as (app, seen):
        trouble = seen.of(TroubleChanged)
        assert [change.code for change in trouble] == ["database_newer"]
        assert app.conversations.list() == []
        with pytest.raises(NotOpen) as raised:
            app.sending.send(None, "Hi")
        assert raised.value.sentence == trouble[0].sentence
        sent = app.sending.send(None, "Hi", temporary=True)  # a chat that needs no disk goes on
        assert seen.end_of(sent.reply_id).state is ReplyState.DONE
        assert app.diagnostics.report()["database"]["ok"] is False
    assert database.read_bytes() == before


def test_a_corrupt_database_is_not_overwritten(expected_warnings: list[str]) -> None:
    expected_warnings.append("cannot be opened")
    with running(open_it=False) as (app, _):
        app.places.data.mkdir(parents=True)
        app.places.database.write_bytes(b"This was never a database." * 400)
        before = app.places.database.read_bytes()
        app.open()
        assert [trouble.code for trouble in app.ground.troubles] == ["database_corrupt"]
    assert app.places.database.read_bytes() == before
