"""The client: calls, their one end, listeners that fail, many threads, and a flood of text. On scripted processes."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.engine.client import Call
from app.engine.command import fake_command
from app.engine.engine import Engine
from app.engine.errors import DecodeFailed, EngineClosed, EngineDied, FileUnreadable, InternalError, OutOfMemory
from app.engine.protocol import Delta, Failed, Started
from app.engine.values import LoadOptions
from tests.support.engines import WAIT_S, Reply, Watched, ask, fake

MODEL = Path("any.gguf")


@pytest.fixture
def start() -> Iterator[Callable[..., Engine]]:
    made: list[Watched] = []

    def make(script: dict[str, Any] | None = None, *, loaded: bool = True) -> Engine:
        made.append(Watched(fake(script)))
        if loaded:
            made[-1].engine.load(MODEL, LoadOptions()).result(WAIT_S)
        return made[-1].engine

    yield make
    for watched in made:
        watched.engine.close()


Start = Callable[..., Engine]


def test_a_call_can_be_waited_for(start: Start) -> None:
    engine = start({"load": {"seconds": 0.2}}, loaded=False)
    call = engine.load(MODEL, LoadOptions())
    with pytest.raises(TimeoutError):
        call.result(0)
    assert not call.done
    assert call.result(WAIT_S).name == "Scripted model"
    assert call.done
    call.cancel()  # after its end: nothing happens


def test_scripted_failures_arrive_as_errors(start: Start) -> None:
    numbers = {"needed_bytes": 9_100_000_000, "free_bytes": 6_400_000_000}
    engine = start({"load": {"code": "out_of_memory", "numbers": numbers}}, loaded=False)
    with pytest.raises(OutOfMemory, match=r"needs 9\.1 GB and 6\.4 GB are free"):
        engine.load(MODEL, LoadOptions()).result(WAIT_S)
    assert engine.model is None


def test_a_name_that_no_frame_can_carry_is_said(start: Start) -> None:
    with pytest.raises(FileUnreadable, match="Rename it"):
        start(loaded=False).load(Path("/models/\udcff.gguf"), LoadOptions())


def test_a_reply_that_fails_keeps_what_was_written(start: Start) -> None:
    engine = start({"replies": [{"text": "one two three four", "code": "decode_failed", "detail": "d", "after": 2}]})
    reply = Reply(engine, ask("Hello"))
    with pytest.raises(DecodeFailed):
        reply.result()
    assert reply.text == "one two"
    reply.check_order()


def test_thinking_comes_as_text(start: Start) -> None:
    replies = [{"text": "Yes.", "thinking": "Hm."}, {"text": "No.", "thinking": "Hm.", "thinking_open": True}]
    engine = start({"replies": replies})
    assert engine.model is not None
    assert engine.model.can_think
    first, second = Reply(engine, ask("Hello")), Reply(engine, ask("Hello"))
    first.result()
    second.result()
    assert first.text == "<think>\nHm.\n</think>\n\nYes."
    assert second.text == "Hm.\n</think>\n\nNo."
    started = second.events[0]
    assert isinstance(started, Started)
    assert started.thinking_open


def test_a_listener_that_fails_costs_nothing_but_a_log_line(start: Start, expected_warnings: list[str]) -> None:
    expected_warnings.append("a listener of call")
    engine = start({"replies": [{"text": "one two"}]})

    def fail(event: object) -> None:
        raise RuntimeError("a listener's fault")

    assert Reply(engine, ask("Hello"), also=fail).result().finish_reason == "stop"
    assert engine.describe().result(WAIT_S).model == engine.model


def test_a_listener_may_give_commands_but_not_wait(start: Start) -> None:
    engine = start({"replies": [{"text": "word " * 1000, "tokens_per_s": 200}]})
    calls: list[Call[Any]] = []

    def stop(event: object) -> None:
        if isinstance(event, Delta):
            reply.call.cancel()
            calls.append(engine.describe())

    reply = Reply(engine, ask("Hello", max_tokens=0))
    reply.also = stop
    assert reply.result().finish_reason == "stopped"
    assert calls[0].result(WAIT_S).model == engine.model


def test_closing_from_a_listener_does_not_lock_up(start: Start) -> None:
    engine = start({"replies": [{"text": "word " * 1000}]})
    closed = threading.Event()

    def close(event: object) -> None:
        if isinstance(event, Delta) and not closed.is_set():
            closed.set()
            engine.close()

    reply = Reply(engine, ask("Hello", max_tokens=0), also=close)
    assert closed.wait(WAIT_S)
    engine.close()
    reply.check_order()


def test_commands_from_many_threads_all_end(start: Start) -> None:
    engine = start({"replies": [{"text": "one two three", "tokens_per_s": 0}]})
    results: list[str] = []

    def work(name: str) -> None:
        for number in range(10):
            reply = Reply(engine, ask(f"{name} {number}", sequence=name))
            reply.result()
            reply.check_order()
            results.append(reply.text)
            engine.measure(ask("x").messages).result(WAIT_S)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert results == ["one two three"] * 60


def test_closing_ends_calls_of_many_threads(start: Start) -> None:
    engine = start({"replies": [{"text": "word " * 10_000}]})
    calls = [engine.generate(ask("Hello", sequence=str(number), max_tokens=0)) for number in range(20)]
    engine.close()
    assert all(call.done for call in calls)
    for call in calls:
        with contextlib.suppress(EngineClosed):
            assert call.result(0).finish_reason == "stopped"
    late = Reply(engine, ask("Too late"))
    with pytest.raises(EngineClosed):
        late.result()
    assert [type(event) for event in late.events] == [Failed]


def test_an_answer_of_the_wrong_kind_ends_its_call_only(start: Start, tmp_path: Path) -> None:
    import sys

    code = (
        "import os; from app.engine.protocol import *; from app.engine.wire import *; import sys\n"
        "os.write(1, pack(Hello(protocol=VERSION, pid=os.getpid(), llama_cpp='')))\n"
        "for body in read_bodies(sys.stdin.buffer):\n"
        "    command = unpack_command(body)\n"
        "    if isinstance(command, Ping): os.write(1, pack(Pong(n=command.n)))\n"
        "    elif isinstance(command, Shutdown): break\n"
        "    else: os.write(1, pack(Unloaded(id=command.id)) * 2)\n"
    )
    watched = Watched([sys.executable, "-c", code])
    try:
        with pytest.raises(InternalError):
            watched.engine.describe().result(WAIT_S)
        watched.engine.unload().result(WAIT_S)
        assert watched.outcomes == []
    finally:
        watched.engine.close()


def test_a_fast_reply_arrives_whole_and_at_its_speed(start: Start) -> None:
    text = "".join(f"w{number:06d} " for number in range(1500))
    engine = start({"n_ctx": 100_000, "replies": [{"text": text, "tokens_per_s": 1000}]})
    begin = time.perf_counter()
    reply = Reply(engine, ask("Hello", max_tokens=0))
    facts = reply.result()
    assert reply.text == text
    assert facts.completion_tokens == len(reply.token_ids)
    assert time.perf_counter() - begin >= 1.4


def test_the_script_can_be_a_file_and_is_checked(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": [{"text": "From a file: {last}"}]}))
    watched = Watched(fake_command(str(script)))
    try:
        watched.engine.load(MODEL, LoadOptions()).result(WAIT_S)
        reply = Reply(watched.engine, ask("hey"))
        reply.result()
        assert reply.text == "From a file: hey"
    finally:
        watched.engine.close()


GPU = {"name": "GPU0", "description": "scripted", "kind": "gpu", "memory_free_bytes": 1 << 33,
       "memory_total_bytes": 1 << 33, "backend": "GPU"}  # fmt: skip


def test_the_scripted_engine_has_devices_and_runs_out_of_memory_so_many_times(starter_model: Path) -> None:
    script: dict[str, Any] = {
        "load": {"check": True, "code": "out_of_memory", "times": 2},
        "devices": [GPU],
        "remote": {"far:1": [{**GPU, "name": "RPC0", "backend": "RPC", "host": "far"}]},
    }
    watched = Watched(fake(script))
    try:
        engine = watched.engine
        there = engine.describe(("far:1",)).result(WAIT_S)
        assert [device.name for device in there.devices] == ["CPU", "GPU0", "RPC0"]
        assert [device.name for device in engine.describe().result(WAIT_S).devices] == ["CPU", "GPU0"]
        for _ in range(2):
            with pytest.raises(OutOfMemory):
                engine.load(starter_model, LoadOptions()).result(WAIT_S)
        model = engine.load(starter_model, LoadOptions(n_gpu_layers=4)).result(WAIT_S)
        assert model.n_gpu_layers == 4
        assert [share.name for share in model.shares] == ["CPU", "GPU0"]
    finally:
        watched.engine.close()


def test_the_scripted_engine_dies_so_many_times(tmp_path: Path, expected_warnings: list[str]) -> None:
    expected_warnings.append("engine")
    die = {"at": "load", "how": "abort", "once": str(tmp_path / "deaths"), "times": 2}
    watched = Watched(fake({"die": die}))
    try:
        for _ in range(2):
            with pytest.raises(EngineDied):
                watched.engine.load(Path("m.gguf"), LoadOptions()).result(WAIT_S)
        assert watched.engine.load(Path("m.gguf"), LoadOptions()).result(WAIT_S)
    finally:
        watched.engine.close()
