"""What is said of the main thread: gaps, frames, and the words beside the figures. Nothing here is timed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from benchmarks import conversation
from benchmarks.mainthread import Beat, Beats, Frames
from benchmarks.transcript import memory_mb


def test_a_gap_is_told_with_the_time_the_thread_itself_ran_in_it() -> None:
    beats = Beats(gaps=[1.0, 20.0, 17.0, 1.0], own=[0.5, 3.0, 16.5, 0.5])
    assert beats.longest() == (20.0, 3.0)
    assert beats.long() == 2
    assert beats.p99() == 20.0


def test_a_beat_covers_all_of_the_time(qtbot: QtBot) -> None:
    beat = Beat()
    for _ in range(2):  # what was before does not count
        beats = beat.during(lambda: qtbot.wait(20))
        assert sum(beats.gaps) == pytest.approx(beats.seconds * 1000, abs=5)
        assert 0 < beats.thread_share <= beats.process_share * 1.01 + 0.01


def test_a_frame_is_its_input_and_the_events_up_to_the_next(qtbot: QtBot) -> None:
    happened: list[str] = []

    def act() -> None:
        happened.append("input")
        QTimer.singleShot(0, lambda: happened.append("event"))

    work, cpu = Frames().frame(act)
    assert happened == ["input", "event"]
    assert work > 0
    assert cpu > 0


def test_memory_is_read_as_linux_counts_it() -> None:
    found = memory_mb()
    assert 5 < found["private_mb"] <= found["pss_mb"] < 4000
    assert found["peak_mb"] > 5


def test_streaming_tells_the_idle_window_beside_and_takes_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {
        f"{name}_{key}": 1.0
        for name in ("live", "before", "after")
        for key in (
            "seconds",
            "share",
            "process_share",
            "p99_ms",
            "longest_ms",
            "longest_own_ms",
            "long",
            "most_own_ms",
        )
    }
    numbers |= {"characters": 200_000, "tokens": 31_000, "tokens_per_s": 500, "last_share": 0.2, "sent_longest_ms": 9.0}
    numbers |= {"live_share": 0.19, "before_share": 0.03, "live_longest_ms": 15.0, "before_longest_ms": 14.0}
    runs = [numbers, numbers | {"live_longest_ms": 31.0}, numbers | {"live_longest_ms": 12.0, "live_share": 0.25}]
    monkeypatch.setattr(conversation, "_measured", lambda _names, _runs: ([runs], "a screen"))
    share, gap = conversation.stream(1)
    assert (share.value, gap.value) == (19.0, 15.0), "medians"
    assert "15, 31, 12" in gap.note
    assert "19, 19, 25" in share.note
    assert share.met
    assert gap.met
    assert "31000 tokens at 500/s" in share.note
    assert "3.0 and" in share.note
    assert "longest 14, 14, 14 and 1, 1, 1" in gap.note
    assert "before the first token: longest 9, 9, 9" in gap.note
    assert "a screen" in gap.note
