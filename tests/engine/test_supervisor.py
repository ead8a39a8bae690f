"""The life of the process: started late, watched, stopped step by step, started again, given up; all scripted."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.engine.errors import EngineClosed, EngineDied, EngineUnavailable
from app.engine.supervisor import State, Timing
from app.engine.values import LoadOptions
from tests.support.engines import QUICK, WAIT_S, Reply, Watched, ask, fake
from tests.support.processes import gone

MODEL = Path("any.gguf")
Start = Callable[..., Watched]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Watched] = []

    def make(script: dict[str, Any] | None = None, command: list[str] | None = None, **timing: Any) -> Watched:
        made.append(Watched(command or fake(script), replace(QUICK, **timing)))
        return made[-1]

    yield make
    for watched in made:
        watched.engine.close()


def load(watched: Watched) -> None:
    watched.engine.load(MODEL, LoadOptions()).result(WAIT_S)


def test_nothing_is_started_before_it_is_wanted(start: Start) -> None:
    watched = start()
    assert watched.engine.state is State.IDLE
    assert watched.engine.pid is None
    assert threading.active_count() == len(watched.threads_before)
    watched.engine.close()
    assert watched.states[0][0] is State.CLOSED


def test_it_starts_with_the_first_command_and_says_so(start: Start) -> None:
    watched = start({"hello_delay_s": 0.2})
    loading, describing = watched.engine.load(MODEL, LoadOptions()), watched.engine.describe()
    assert describing.result(WAIT_S).model == loading.result(WAIT_S)
    assert [state for state, _ in watched.states] == [State.STARTING, State.READY]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own setting")
@pytest.mark.parametrize(
    ("had", "given"),
    [
        ("", "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.arena_max=4", "glibc.malloc.arena_max=4:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
def test_what_it_allocates_is_to_lie_in_large_pages(
    start: Start, monkeypatch: pytest.MonkeyPatch, had: str, given: str
) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", had)
    watched = start()
    load(watched)
    told = Path(f"/proc/{watched.engine.pid}/environ").read_bytes()
    found = told.partition(b"GLIBC_TUNABLES=")[2].replace(b"\0", b":")  # glibc takes it apart in place
    assert found.startswith(given.encode())


def test_a_process_that_answers_is_left_alone(start: Start) -> None:
    watched = start(tick_s=0.02, missed_ticks=50)
    load(watched)
    pid = watched.engine.pid
    run = watched.engine._supervisor._run
    assert run is not None
    wait_until(lambda: run.ticks > 100)
    assert watched.engine.pid == pid
    assert watched.outcomes == []


def test_ticks_are_counted_and_clocks_are_not_compared(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a suspend looks like from inside: the clocks jump by hours between two ticks."""
    watched = start(tick_s=0.02, missed_ticks=50)
    load(watched)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 36_000)
    run = watched.engine._supervisor._run
    assert run is not None
    ticks = run.ticks
    wait_until(lambda: run.ticks > ticks + 60)
    assert watched.outcomes == []


def test_a_process_that_slept_with_the_computer_is_not_killed_when_it_goes_on(start: Start) -> None:
    watched = start(tick_s=0.05, missed_ticks=100)
    load(watched)
    watched.signal(signal.SIGSTOP)
    run = watched.engine._supervisor._run
    assert run is not None
    wait_until(lambda: run._late > 5)
    watched.signal(signal.SIGCONT)
    wait_until(lambda: run._late == 0)
    assert Reply(watched.engine, ask("Hello", max_tokens=2)).result().completion_tokens == 2
    assert watched.outcomes == []


# --- ways to die -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "kinds"),
    [
        ("kill", {"killed", "memory", "memory_likely"}),
        ("abort", {"assertion"}),
        ("segv", {"crashed"}),
        ("exit", {"ended"}),
        ("hang", {"hung"}),
        ("garbage", {"bad_frame"}),
        ("close", {"bad_frame"}),
    ],
)
@pytest.mark.parametrize(("at", "after"), [("load", 1), ("tokens", 3)])
def test_every_way_to_die_ends_every_call_and_the_process_comes_back(
    start: Start, tmp_path: Path, at: str, after: int, how: str, kinds: set[str]
) -> None:
    said = "ggml.c:1: GGML_ASSERT(x) failed" if how == "abort" else "something happened"
    die = {"at": at, "after": after, "how": how, "stderr": said, "once": str(tmp_path / "died")}
    watched = start({"die": die, "replies": [{"text": "one two three four five six"}]}, kill_s=0.5)
    loading = watched.engine.load(MODEL, LoadOptions())
    reply = Reply(watched.engine, ask("Hello"))
    with pytest.raises(EngineDied) as caught:
        reply.result()
    reply.check_order()
    if at == "load":
        with pytest.raises(EngineDied):
            loading.result(WAIT_S)
    else:
        assert reply.text == "one two three"
    outcome = watched.wait_for(State.DIED)
    assert outcome is not None
    assert outcome.kind in kinds
    assert not outcome.expected
    assert said in outcome.detail
    assert caught.value.sentence == outcome.sentence
    assert caught.value.detail == outcome.detail
    watched.wait_for(State.DIED, State.STARTING, State.READY)
    load(watched)
    assert Reply(watched.engine, ask("Hello")).result().finish_reason == "stop"


def test_a_call_made_while_it_is_down_waits_for_the_next_process(start: Start) -> None:
    watched = start(back_off_s=(0.3,))
    load(watched)
    watched.kill()
    watched.wait_for(State.DIED)
    assert watched.engine.model is None
    call = watched.engine.describe()
    assert not call.done
    assert call.result(WAIT_S).model is None


def test_restarts_back_off_and_a_healthy_time_begins_anew(start: Start) -> None:
    watched = start(back_off_s=(0.01, 0.3, 60.0), tick_s=0.02, missed_ticks=1000, healthy_ticks=20)
    load(watched)
    for count, least_s in ((1, 0.01), (2, 0.3)):
        died = time.monotonic()
        watched.kill()
        watched.wait_for(*[State.DIED, State.READY] * count)
        assert time.monotonic() - died >= least_s
    run = watched.engine._supervisor._run
    assert run is not None
    wait_until(lambda: run.ticks > 20)
    watched.kill()
    watched.wait_for(*[State.DIED, State.READY] * 3)  # a third step would have taken a minute


def test_a_process_that_dies_at_its_start_again_and_again_is_given_up(start: Start, tmp_path: Path) -> None:
    die = {"at": "start", "how": "exit", "stderr": "ImportError: libllama.so: cannot open shared object file"}
    watched = start({"die": die}, failed_starts=3, back_off_s=(0.01,))
    call = watched.engine.load(MODEL, LoadOptions())
    with pytest.raises(EngineUnavailable) as caught:
        call.result(WAIT_S)
    assert "missing or damaged" in caught.value.sentence
    outcome = watched.wait_for(State.GIVEN_UP)
    assert outcome is not None
    assert outcome.kind == "installation"
    assert [state for state, _ in watched.states].count(State.STARTING) == 3
    watched.states.clear()
    with pytest.raises(EngineUnavailable):
        watched.engine.describe().result(WAIT_S)  # a command tries once more
    watched.wait_for(State.GIVEN_UP)
    assert [state for state, _ in watched.states].count(State.STARTING) == 3


def test_a_start_that_fails_once_is_tried_again(start: Start, tmp_path: Path) -> None:
    watched = start({"die": {"at": "start", "how": "kill", "once": str(tmp_path / "died")}})
    with pytest.raises(EngineDied):
        watched.engine.describe().result(WAIT_S)
    watched.wait_for(State.DIED, State.STARTING, State.READY)
    load(watched)


def test_another_protocol_version_is_refused_at_once(start: Start) -> None:
    watched = start({"protocol": 99})
    with pytest.raises(EngineUnavailable) as caught:
        watched.engine.load(MODEL, LoadOptions()).result(WAIT_S)
    assert "another version" in caught.value.sentence
    outcome = watched.wait_for(State.GIVEN_UP)
    assert outcome is not None
    assert outcome.kind == "wrong_protocol"
    assert "protocol 99 instead of" in outcome.detail


def test_a_program_that_is_not_there(start: Start, tmp_path: Path) -> None:
    watched = start(command=[str(tmp_path / "nothing")], failed_starts=2, back_off_s=(0.01,))
    with pytest.raises(EngineUnavailable) as caught:
        watched.engine.describe().result(WAIT_S)
    assert "FileNotFoundError" in caught.value.detail
    outcome = watched.wait_for(State.GIVEN_UP)
    assert outcome is not None
    assert outcome.kind == "not_started"


def test_without_memory_for_another_thread_it_cannot_be_started(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "engine stderr":
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    watched = start(failed_starts=2, back_off_s=(0.01,))
    with pytest.raises(EngineUnavailable) as caught:
        watched.engine.describe().result(WAIT_S)
    assert "no memory is left" in caught.value.sentence
    watched.wait_for(State.GIVEN_UP)


def test_a_program_that_never_says_hello(start: Start) -> None:
    watched = start({"hello_delay_s": 600}, start_ticks=5, tick_s=0.05, failed_starts=1)
    with pytest.raises(EngineUnavailable) as caught:
        watched.engine.describe().result(WAIT_S)
    assert "in time" in caught.value.sentence
    watched.wait_for(State.GIVEN_UP)


def test_a_program_that_speaks_before_its_hello(start: Start) -> None:
    code = "import sys; sys.stdout.write('hello, I am a shell\\n'); sys.stdout.flush(); sys.stdin.read()"
    watched = start(command=[sys.executable, "-c", code], failed_starts=1)
    with pytest.raises(EngineDied):
        watched.engine.describe().result(WAIT_S)
    outcome = watched.wait_for(State.GIVEN_UP)
    assert outcome is not None
    assert outcome.kind == "bad_frame"


# --- the stop ladder -------------------------------------------------------------------------------------------------


def closed(watched: Watched) -> str:
    pid = watched.engine.pid
    watched.engine.close()
    assert pid is not None
    assert gone(pid)
    assert watched.engine.state is State.CLOSED
    assert not set(threading.enumerate()) - watched.threads_before
    outcome = watched.outcomes[-1]
    assert outcome.expected
    return outcome.detail


def test_first_it_is_asked(start: Start) -> None:
    watched = start()
    load(watched)
    assert "exit code 0" in closed(watched)


@pytest.mark.parametrize("shutdown_s", [0.0, 0.2])
def test_then_it_is_terminated(start: Start, shutdown_s: float) -> None:
    code = (
        "import os, time; from app.engine.protocol import *; from app.engine.wire import *; "
        "os.write(1, pack(Hello(protocol=VERSION, pid=os.getpid(), llama_cpp=''))); time.sleep(600)"
    )
    watched = start(command=[sys.executable, "-c", code], shutdown_s=shutdown_s)
    watched.engine.describe()
    watched.wait_for(State.READY)
    assert "SIGTERM" in closed(watched)


def test_then_it_is_killed(start: Start) -> None:
    watched = start({"die": {"at": "deaf"}}, shutdown_s=0.1, terminate_s=0.1)
    load(watched)
    assert "SIGKILL" in closed(watched)


def test_a_process_that_is_stopped_is_killed_too(start: Start) -> None:
    watched = start(shutdown_s=0.1, terminate_s=0.1, missed_ticks=10_000)
    load(watched)
    watched.signal(signal.SIGSTOP)
    assert "SIGKILL" in closed(watched)


def test_closing_while_it_starts(start: Start) -> None:
    watched = start({"hello_delay_s": 0.3})
    call = watched.engine.describe()
    watched.wait_for(State.STARTING)
    watched.engine.close()
    assert call.done
    assert not set(threading.enumerate()) - watched.threads_before


def test_closing_while_it_waits_to_start_again(start: Start) -> None:
    watched = start(back_off_s=(600.0,))
    load(watched)
    watched.kill()
    watched.wait_for(State.DIED)
    begin = time.monotonic()
    watched.engine.close()
    assert time.monotonic() - begin < 10
    assert [state for state, _ in watched.states].count(State.CLOSED) == 1


def test_a_child_that_reads_nothing_never_blocks_who_sends(start: Start) -> None:
    watched = start()
    load(watched)
    watched.signal(signal.SIGSTOP)
    reply = Reply(watched.engine, ask("x" * 3_000_000))  # more than any pipe holds
    with pytest.raises(EngineDied):
        reply.result()
    outcome = watched.wait_for(State.DIED)
    assert outcome is not None
    assert outcome.kind == "hung"


# --- the child's words -----------------------------------------------------------------------------------------------


def test_its_stderr_goes_to_the_log_and_never_louder_than_debug(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "app.engine.child")
    lines = "\n".join(
        ["first"] * 60 + ["bad \udcff bytes".encode("utf-8", "surrogateescape").decode("latin-1"), "y" * 9000]
    )
    watched = start({"die": {"at": "load", "how": "exit", "stderr": lines}})
    with pytest.raises(EngineDied) as caught:
        load(watched)
    records = [record for record in caplog.records if record.name == "app.engine.child"]
    assert {record.levelno for record in records} == {logging.DEBUG}
    assert all(record.getMessage().startswith("engine: ") for record in records)
    assert sum("first" in record.getMessage() for record in records) == 60
    assert len(caught.value.detail.splitlines()) <= 51
    assert "y" * 100 in caught.value.detail


def test_every_time_out_is_named() -> None:
    timing = Timing()
    assert timing.back_off_s == (0.2, 1.0, 5.0, 15.0)
    assert timing.shutdown_s + timing.terminate_s + timing.kill_s <= 10


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


# --- resting ------------------------------------------------------------------------------------------------------


def test_resting_ends_the_process_and_the_next_command_starts_another(start: Start) -> None:
    watched = start({"load": {"seconds": 0.0}})
    watched.engine.rest()  # nothing runs yet
    assert watched.engine.state is State.IDLE
    watched.engine.load(MODEL, LoadOptions()).result(WAIT_S)
    pid = watched.engine.pid
    assert pid is not None
    watched.engine.rest()
    assert gone(pid)
    assert watched.engine.pid is None
    outcome = watched.wait_for(State.READY, State.IDLE)
    assert outcome is not None
    assert outcome.expected
    assert watched.engine.model is None
    watched.engine.describe().result(WAIT_S)
    assert watched.engine.pid not in (None, pid)


def test_what_is_under_way_when_it_rests_ends_and_what_comes_after_goes_to_the_next_process(start: Start) -> None:
    watched = start({"load": {"seconds": 60.0, "steps": 600}})
    call = watched.engine.load(MODEL, LoadOptions())
    early = threading.Thread(target=watched.engine.rest)
    watched.wait_for(State.STARTING)
    early.start()
    with pytest.raises(EngineClosed):
        call.result(WAIT_S)
    asked = watched.engine.describe()
    assert asked.result(WAIT_S).llama_cpp == "scripted"
    early.join(WAIT_S)
    assert not early.is_alive()
    assert watched.engine.state is State.READY


def test_resting_between_two_restarts_starts_nothing(start: Start) -> None:
    watched = start({"die": {"at": "load"}}, back_off_s=(3600.0,))
    with pytest.raises(EngineDied):
        watched.engine.load(MODEL, LoadOptions()).result(WAIT_S)
    watched.wait_for(State.DIED)
    watched.engine.rest()
    assert watched.engine.state is State.IDLE
    assert watched.engine.pid is None


def test_who_knows_why_it_died_does_not_wait_for_the_next_one(start: Start) -> None:
    watched = start({"die": {"at": "load"}}, back_off_s=(3600.0,))
    for _ in range(3):
        with pytest.raises(EngineDied):
            watched.engine.load(MODEL, LoadOptions()).result(WAIT_S)
        watched.engine.hurry()
    watched.engine.describe().result(WAIT_S)
