"""Limits, waiting, speed, and which projector comes along: pure figures."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.hub.fetching import _More
from app.hub.pace import MIB, Manner, Speed, Throttle, pause_s
from app.hub.projectors import projector_for
from app.hub.values import RemoteFile, Variant


def test_small_files_use_one_connection() -> None:
    manner = Manner()
    assert [manner.connections_for(size) for size in (0, MIB, 7 * MIB, 8 * MIB, 33 * MIB, 10**11)] == [1, 1, 1, 2, 8, 8]


def test_waiting_doubles_is_bounded_and_never_less_than_asked() -> None:
    manner = Manner(backoff_s=1.0, backoff_max_s=8.0, asked_wait_max_s=100.0)
    for failures, longest in ((1, 1.0), (2, 2.0), (4, 8.0), (50, 8.0), (10_000, 8.0)):
        pauses = [pause_s(manner, failures) for _ in range(50)]
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest
        assert len(set(pauses)) > 10
    assert all(30.0 <= pause_s(manner, 1, 30.0) <= 31.0 for _ in range(50))
    assert pause_s(manner, 1, 1e9) <= 101.0


def test_a_limit_is_shared_and_none_costs_nothing() -> None:
    ended = threading.Event()
    began = time.monotonic()
    Throttle().wait(10**12, ended)
    assert time.monotonic() - began < 1.0
    throttle = Throttle(lambda: 100_000)
    threads = [threading.Thread(target=throttle.wait, args=(10_000, ended)) for _ in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.35 <= time.monotonic() - began < 5.0


def test_a_limited_wait_ends_at_once() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=Throttle(lambda: 1).wait, args=(10**9, ended))
    thread.start()
    ended.set()
    thread.join(10)
    assert not thread.is_alive()


def test_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed(over_s=2.0)
    assert speed.note(0, 0.0) == 0.0
    assert speed.note(100, 1.0) == 100.0
    assert speed.note(200, 2.0) == 100.0
    for second in range(3, 8):
        slow = speed.note(200, float(second))
    assert slow == 0.0
    assert speed.note(0, 8.0) == 0.0  # it began anew
    assert speed.note(50, 9.0) == 50.0


@pytest.mark.parametrize(("per_tick", "due"), [(10_000_000, False), (10_000, True)])
def test_more_connections_only_where_one_is_slow(per_tick: int, due: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    reader = cast("Any", SimpleNamespace(received=0))
    more = _More(reader, Manner(), lambda: None)
    found = False
    for _ in range(20):
        clock.now += _More.TICK_S
        reader.received += per_tick
        found = found or more.due()
    assert found is due


def test_more_connections_when_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    more = _More(cast("Any", SimpleNamespace(received=0)), Manner(), lambda: None)
    assert not more.due()
    clock.now = 1.0
    assert more.due()


def projector(path: str) -> RemoteFile:
    return RemoteFile(path=path, size_bytes=1)


@pytest.mark.parametrize(
    ("model", "bits", "projectors", "chosen"),
    [
        ("m-Q4_K_M.gguf", 4.8, ["mmproj-BF16.gguf", "mmproj-Q8_0.gguf", "mmproj-F32.gguf"], "mmproj-Q8_0.gguf"),
        ("m-F16.gguf", 16.0, ["mmproj-Q8_0.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        ("m-Q4_K_M.gguf", 4.8, ["mmproj-Q4_K_M.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        ("q4/m-Q4_0.gguf", 4.5, ["other/mmproj-Q8_0.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        ("q4/m-Q4_0.gguf", 4.5, ["mmproj-Q8_0.gguf", "q4/mmproj-F16.gguf"], "q4/mmproj-F16.gguf"),
        ("m-Q4_0.gguf", 4.5, [], None),
    ],
)
def test_the_projector_that_comes_along(model: str, bits: float, projectors: list[str], chosen: str | None) -> None:
    files = (projector(model),)
    variant = Variant(label="", name="", files=files, bits_per_weight=bits, quality="")
    found = projector_for(variant, [projector(path) for path in projectors])
    assert (found.path if found else None) == chosen
