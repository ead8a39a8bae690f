"""The crossing to the Qt thread: joined, in order, complete."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import (
    Change,
    ConversationsChanged,
    EngineChanged,
    EngineState,
    Publisher,
    ReplyChanged,
    ReplyGrew,
    ReplyProgressed,
)
from app.ui import bridge as bridge_module
from app.ui.bridge import Bridge, Pending


def grew(offset: int, text: str, message_id: str = "m", *, thinking: bool = False) -> ReplyGrew:
    return ReplyGrew(conversation_id="c", message_id=message_id, offset=offset, text=text, thinking=thinking)


def ended(message_id: str = "m") -> ReplyChanged:
    return ReplyChanged(conversation_id="c", message_id=message_id, state=ReplyState.DONE)


def joined(*changes: Change) -> list[Change]:
    pending = Pending()
    for change in changes:
        pending.add(change)
    return pending.take()


def test_growth_that_follows_is_joined() -> None:
    assert joined(grew(0, "ab"), grew(2, "c"), grew(3, "de")) == [grew(0, "abcde")]


def test_growth_with_a_gap_is_not_joined() -> None:
    assert joined(grew(0, "ab"), grew(3, "c")) == [grew(0, "ab"), grew(3, "c")]


def test_thinking_and_answer_are_not_joined() -> None:
    changes = [grew(0, "ab", thinking=True), grew(0, "c")]
    assert joined(*changes) == changes


def test_growth_is_joined_across_another_reply() -> None:
    assert joined(grew(0, "a"), grew(0, "x", "n"), grew(1, "b")) == [grew(0, "ab"), grew(0, "x", "n")]


def test_a_state_is_never_dropped_and_ends_the_joining() -> None:
    changes = [grew(0, "a"), ended(), grew(1, "b"), ended()]
    assert joined(*changes) == changes


def test_progress_keeps_only_the_last() -> None:
    def progress(done: int) -> ReplyProgressed:
        return ReplyProgressed(conversation_id="c", message_id="m", done=done, total=9)

    assert joined(progress(1), progress(5), progress(9)) == [progress(9)]


def test_loading_keeps_only_the_last_but_every_other_state() -> None:
    def loading(fraction: float) -> EngineChanged:
        return EngineChanged(state=EngineState.LOADING, model_id="a", fraction=fraction)

    ready = EngineChanged(state=EngineState.READY, model_id="a")
    assert joined(loading(0.1), loading(0.6), ready, loading(0.2)) == [loading(0.6), ready, loading(0.2)]


def test_many_threads_cross_complete_and_in_order(qtbot: QtBot) -> None:
    publisher = Publisher()
    bridge = Bridge(publisher)
    seen: list[Change] = []
    threads: set[int] = set()

    def take(change: Change) -> None:
        seen.append(change)
        threads.add(threading.get_ident())

    bridge.changed.connect(take)

    def stream(message_id: str) -> None:
        for at in range(2000):
            publisher.publish(grew(at, "x", message_id))
        publisher.publish(ended(message_id))

    writers = [threading.Thread(target=stream, args=(name,)) for name in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    qtbot.waitUntil(lambda: sum(isinstance(change, ReplyChanged) for change in seen) == 3, timeout=20_000)
    for writer in writers:
        writer.join()
    for name in ("a", "b", "c"):
        own = [change for change in seen if getattr(change, "message_id", "") == name]
        assert isinstance(own[-1], ReplyChanged)
        at = 0
        for change in own[:-1]:
            assert isinstance(change, ReplyGrew)
            assert change.offset == at
            at += len(change.text)
        assert at == 2000
        assert len(own) < 1000  # joined, not handed over one by one
    assert threads == {threading.get_ident()}
    bridge.close()


def test_what_waits_crosses_when_the_bridge_closes(qtbot: QtBot) -> None:
    publisher = Publisher()
    bridge = Bridge(publisher)
    seen: list[Change] = []
    bridge.changed.connect(seen.append)
    publisher.publish(ConversationsChanged())
    publisher.publish(grew(0, "a"))
    assert not seen
    bridge.close()
    assert seen == [ConversationsChanged(), grew(0, "a")]
    publisher.publish(ConversationsChanged())
    qtbot.wait(60)
    assert len(seen) == 2


def test_what_takes_long_lets_the_window_be_painted_in_between(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "AT_ONCE_S", 0.0)
    publisher = Publisher()
    bridge = Bridge(publisher)
    seen: list[str] = []
    painting = QTimer()
    painting.setInterval(0)
    painting.timeout.connect(lambda: seen.append("painted"))
    bridge.changed.connect(lambda change: seen.append(change.text))
    bridge.changed.connect(lambda _change: painting.start())
    for number, text in enumerate("abc"):
        publisher.publish(grew(0, text, f"m{number}"))
    qtbot.waitUntil(lambda: "c" in seen, timeout=5_000)
    painting.stop()
    assert [one for one in seen if one != "painted"] == ["a", "b", "c"]
    assert "painted" in seen[seen.index("a") : seen.index("b")]
    assert "painted" in seen[seen.index("b") : seen.index("c")]
    publisher.publish(grew(0, "d", "m4"))
    publisher.publish(grew(0, "e", "m5"))
    bridge.close()
    assert [one for one in seen if one != "painted"] == ["a", "b", "c", "d", "e"]
