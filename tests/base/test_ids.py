"""Ids sort by time, are unique across threads and are RFC 9562's version 7."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from app.base import ids


def test_ids_of_one_thread_ascend() -> None:
    made = [ids.new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_version_variant_and_time() -> None:
    before = time.time_ns() // 1_000_000
    value = uuid.UUID(ids.new_id())
    after = time.time_ns() // 1_000_000
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert before <= value.int >> 80 <= after + 1


def test_a_clock_that_steps_back_does_not_disturb_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ids.new_id()
    real = time.time_ns
    monkeypatch.setattr(ids.time, "time_ns", lambda: real() - 3_600 * 10**9)
    assert ids.new_id() > first


def test_threads_never_share_an_id() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda row=row: row.extend(ids.new_id() for _ in range(2_000))) for row in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for row in made for one in row}) == 8_000
    assert all(row == sorted(row) for row in made)
