"""Processes that are killed, stopped or closed in the middle of everything: what was written stays."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from app.base.paths import find_places
from app.chat.titles import title_for
from app.store.store import open_store
from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.window import LONG, Window, ended, replies, rows
from tests.support.processes import descendants, engine_of, gone, reads, until

LOST_AT_MOST_S = 2.0
QUICK = {"tick_s": 0.5, "missed_ticks": 6}  # an engine that is silent for three seconds is taken for dead
NIGHT_S = 5.0
KILLS = [signal.SIGKILL, signal.SIGABRT]


def told_before(window: Window, moment_s: float) -> str:
    """The text that had reached the window by a moment."""
    return "".join(change["text"] for change in window.changes("ReplyGrew") if change["at_s"] <= moment_s)


def last_words(text: str) -> str:
    """The end of a text, as it stands in one line of the window."""
    return text.strip()[-40:].split("\n")[-1]


def next_message_is_answered(window: Window, home: Path, count: int) -> None:
    """The window lives, the engine is back, and the next message gets text; some answers are too short to be
    stopped."""
    before = len(window.changes("ReplyChanged", state="writing"))
    window.send("And now?")
    window.told("ReplyChanged", before + 1, state="writing")
    window.keys("Escape")

    def answered() -> bool:
        found = replies(home)
        return len(found) == count and found[-1][0] in {"stopped", "done"}

    until(answered, f"reply {count} to have ended: {replies(home)}")


def test_the_window_killed_while_a_reply_streams(start: Start, home: Path) -> None:
    window = start().ready()
    window.send(LONG)
    until(lambda: len(rows(home, "SELECT 1 FROM growth")) >= 2, "the reply to be kept twice")
    window.writing(200)
    killed_s = time.monotonic()
    window.kill()  # nothing of it is left after five seconds
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]
    window_before, window = window, start().ready()
    text = ended(home, 1, "lost")
    assert text.startswith(told_before(window_before, killed_s - LOST_AT_MOST_S))
    assert told_before(window_before, killed_s + 1).startswith(text)
    window.click(title_for(LONG))
    window.shows(last_words(text))
    next_message_is_answered(window, home, 2)
    assert replies(home)[0] == ("lost", text)
    assert window.quit() == 0


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.name)
def test_the_engine_killed_while_writing(start: Start, home: Path, kill: signal.Signals) -> None:
    window = start().ready()
    window.send(LONG)
    window.writing(80)
    engine = window.engine()
    os.kill(engine, kill)
    text = ended(home, 1, "lost")
    assert text == told_before(window, time.monotonic())
    window.shows("The model is back")
    assert window.engine() != engine
    next_message_is_answered(window, home, 2)
    assert replies(home)[0] == ("lost", text)
    assert window.quit() == 0


def test_the_engine_killed_while_reading(start: Start, home: Path) -> None:
    store = open_store(find_places(home))
    store.conversations.set_draft("new", "The keeper climbed the stairs and lit the lamp. " * 150).result()
    store.close()
    window = start().ready()
    window.shows("The keeper climbed")
    window.keys("Return")
    window.told("ReplyProgressed")
    os.kill(window.engine(), signal.SIGABRT)
    assert ended(home, 1, "lost") == ""
    assert not window.changes("ReplyGrew"), "it was still reading"
    window.shows("The model is back")
    window.keys("ctrl+n")
    next_message_is_answered(window, home, 2)
    assert window.quit() == 0


def test_the_engine_killed_while_loading(start: Start, home: Path, starter_model: Path) -> None:
    window = start().ready()
    window.write("Hello")  # typing begins to load the model

    def loading() -> int:
        engine = engine_of(window.pid)
        return engine if engine is not None and reads(engine, starter_model.name) else 0

    engine = until(loading, "the engine to load", tick_s=0.002)
    os.kill(engine, signal.SIGSTOP)
    assert not window.changes("EngineChanged", state="ready"), "it was still loading"
    os.kill(engine, signal.SIGKILL)
    os.kill(engine, signal.SIGCONT)
    until(lambda: gone(engine), "the engine to die")
    choose(home)
    window.keys("Return")
    window.writing()
    window.keys("Escape")
    ended(home, 1, "stopped")
    next_message_is_answered(window, home, 2)
    assert window.quit() == 0


def test_closing_while_a_reply_is_written_asks_nothing(start: Start, home: Path) -> None:
    window = start().ready()
    window.send(LONG)
    window.writing(80)
    pressed_s = time.monotonic()
    assert window.quit() == 0  # and nothing of it is left
    state, text = replies(home)[0]
    assert state == "stopped"
    assert text.startswith(told_before(window, pressed_s))
    window = start().ready()
    window.shows(last_words(text))
    assert window.quit() == 0


def test_ending_a_session_while_a_reply_is_written(start: Start, home: Path) -> None:
    """A desktop that logs out sends SIGTERM: the same as closing."""
    window = start().ready()
    window.send(LONG)
    window.writing(80)
    family = descendants(window.pid)
    os.kill(window.pid, signal.SIGTERM)
    assert window.exit_code(family) == 0
    state, text = replies(home)[0]
    assert state == "stopped"
    assert len(text) >= 80


def test_a_suspended_computer_goes_on_where_it_was(start: Start, home: Path) -> None:
    """Everything stands still for longer than any heartbeat waits, then goes on: nobody takes the other for dead."""
    window = start(timing=QUICK).ready()
    window.send(LONG)
    window.writing(80)
    engine = window.engine()
    everything = [window.pid, *descendants(window.pid)]
    for pid in everything:
        os.kill(pid, signal.SIGSTOP)
    morning_s = time.monotonic() + NIGHT_S
    until(lambda: time.monotonic() >= morning_s, "the night to be over")
    for pid in reversed(everything):
        os.kill(pid, signal.SIGCONT)
    so_far = len(told_before(window, time.monotonic()))
    window.writing(so_far + 200)
    assert window.engine() == engine
    window.keys("Escape")
    ended(home, 1, "stopped")
    assert window.changes("EngineChanged", state="failed") == []
    assert window.quit() == 0
