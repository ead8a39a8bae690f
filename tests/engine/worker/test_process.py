"""The worker as a real process: its streams, its commands, its failures, its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from app.engine.protocol import (
    VERSION,
    Cancel,
    Code,
    Delta,
    Describe,
    Described,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Measure,
    Measured,
    Ping,
    Pong,
    Progress,
    Shutdown,
    Started,
    Unload,
    Unloaded,
)
from app.engine.values import LoadOptions, Sampling
from tests.engine.worker.process import COMMAND, GUARD_S, ROOT, LoopHere, WorkerProcess, failed, user

MESSAGES = [user("the hound")]


def framed(value: object) -> bytes:
    body = msgspec.msgpack.encode(value)
    return len(body).to_bytes(4, "little") + body


def test_hello_comes_first(worker: WorkerProcess) -> None:
    assert worker.hello.protocol == VERSION
    assert worker.hello.pid == worker.process.pid
    assert worker.hello.llama_cpp[0].isdigit()


def test_describe_knows_the_machine(worker: WorkerProcess) -> None:
    event = worker.ask(Describe(id=1))
    assert isinstance(event, Described)
    assert "ggml" in event.info.llama_cpp_build
    assert any(device.kind == "cpu" and device.memory_total_bytes > 0 for device in event.info.devices)
    assert event.info.supports_gpu_offload == any(device.kind in ("gpu", "igpu") for device in event.info.devices)
    assert event.info.model is None


def test_load_tells_progress_and_facts(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    size = tiny("dense").stat().st_size
    worker.send(Load(id=7, path=str(tiny("dense")), options=LoadOptions(n_ctx=512)))
    events = [event for _, event in worker.events_of(7)]
    done = [(event.total, event.done) for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] == (size, size)
    model = events[-1].model
    assert isinstance(events[-1], Loaded)
    assert (model.architecture, model.n_ctx, model.n_ctx_train, model.n_layer) == ("llama", 512, 4096, 4)
    assert model.has_template
    assert not model.can_think
    assert model.n_threads >= 1
    assert worker.ask(Describe(id=8)).info.model == model
    assert isinstance(worker.ask(Unload(id=9)), Unloaded)
    assert worker.ask(Describe(id=10)).info.model is None


def test_a_window_is_never_longer_than_the_model_was_trained_for(
    worker: WorkerProcess, tiny: Callable[[str], Path]
) -> None:
    assert worker.load(tiny("dense"), n_ctx=1_000_000).model.n_ctx == 4096


def test_without_a_model(worker: WorkerProcess) -> None:
    failed(worker.write(MESSAGES).end, Code.NO_MODEL)
    failed(worker.ask(Measure(id=50, messages=MESSAGES)), Code.NO_MODEL)
    assert isinstance(worker.ask(Unload(id=51)), Unloaded)


def test_unknown_and_broken_frames_are_answered_and_survived(worker: WorkerProcess) -> None:
    worker.send_bytes(framed({"t": "sing", "id": 5, "song": "any"}))
    assert failed(worker.next_event(), Code.UNKNOWN_COMMAND).id == 5
    worker.send_bytes(framed({"t": "load", "id": 6, "path": 3}))
    assert failed(worker.next_event(), Code.BAD_FRAME).id == 6
    worker.send_bytes(framed([1, 2]))
    assert failed(worker.next_event(), Code.BAD_FRAME).id == 0
    worker.send_bytes(b"\x03\x00\x00\x00\xff\xff\xff")
    failed(worker.next_event(), Code.BAD_FRAME)
    worker.send(Ping(n=3))
    assert worker.next_event() == Pong(n=3)


def test_a_stream_that_cannot_be_frames_ends_the_process(worker: WorkerProcess) -> None:
    worker.send_bytes(b"\xff\xff\xff\xff")
    assert worker.wait() == 2


def test_what_native_code_prints_does_not_reach_the_frames(tmp_path: Path) -> None:
    code = (
        "import os, threading; from app.engine.worker import main as m; from app.engine.worker import llama\n"
        "start = llama.start_backends\n"
        "def noisy():\n    os.write(1, b'native noise'); print('python noise', flush=True); start()\n"
        "llama.start_backends = noisy\nraise SystemExit(m.main())"
    )
    with (tmp_path / "stderr").open("wb") as stderr:
        process = subprocess.run(
            [sys.executable, "-c", code], input=framed({"t": "describe", "id": 1}), stdout=subprocess.PIPE,
            stderr=stderr, cwd=ROOT, timeout=GUARD_S, check=False,
        )  # fmt: skip
    assert process.returncode == 0
    assert b"noise" not in process.stdout
    said = (tmp_path / "stderr").read_bytes()
    assert b"native noise" in said
    assert b"python noise" in said


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("vocabulary_only", Code.NOT_A_CHAT_MODEL),
        ("projector", Code.NOT_A_CHAT_MODEL),
        ("unknown_architecture", Code.UNKNOWN_ARCHITECTURE),
        ("missing_tensors", Code.LOAD_FAILED),
    ],
)
def test_a_file_that_is_no_chat_model_leaves_the_model_there_was(
    worker: WorkerProcess, tiny: Callable[[str], Path], kind: str, code: str
) -> None:
    assert not failed(worker.load(tiny(kind)), code).model_kept
    worker.load(tiny("dense"))
    event = failed(worker.load(tiny(kind)), code)
    assert event.model_kept
    assert event.detail
    assert worker.write(MESSAGES).facts.completion_tokens > 0


def test_broken_files(worker: WorkerProcess, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    whole = tiny("dense").read_bytes()
    worker.load(tiny("dense"))
    for content, code in (
        (whole[: len(whole) // 2], Code.GGUF_TRUNCATED),
        (whole[:100], Code.GGUF_TRUNCATED),
        (b"", Code.NOT_GGUF),
        (b"PK\x03\x04" * 100, Code.NOT_GGUF),
    ):
        path = tmp_path / "model.gguf"
        path.write_bytes(content)
        assert failed(worker.load(path), code).model_kept
    failed(worker.load(tmp_path / "nowhere.gguf"), Code.FILE_MISSING)
    failed(worker.load(tmp_path), Code.FILE_UNREADABLE)
    assert worker.write(MESSAGES).facts.completion_tokens > 0


def test_an_unknown_cache_type_is_refused(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    failed(worker.load(tiny("dense"), type_k="q1"), Code.LOAD_FAILED)
    assert isinstance(worker.load(tiny("dense"), type_k="bf16", type_v="bf16"), Loaded)


def test_loading_can_be_cancelled(worker: WorkerProcess, starter_model: Path) -> None:
    worker.send(Load(id=1, path=str(starter_model), options=LoadOptions(use_mmap=False)))
    worker.send(Cancel(target=1))
    failed(list(worker.events_of(1))[-1][1], Code.CANCELLED)
    failed(worker.write(MESSAGES).end, Code.NO_MODEL)
    assert isinstance(worker.load(starter_model), Loaded)


def test_pings_are_answered_while_tokens_flow_and_while_loading(
    worker: WorkerProcess, tiny: Callable[[str], Path]
) -> None:
    worker.send(Load(id=1, path=str(tiny("dense")), options=LoadOptions()))
    worker.send(Ping(n=1))
    worker.send(Generate(id=2, sequence="a", messages=MESSAGES, sampling=Sampling(max_tokens=3000, seed=1)))
    worker.send(Ping(n=2))
    order: list[object] = []
    while not (order and isinstance(order[-1], Started)):
        order.append(worker.next_event())
    worker.send(Ping(n=3))
    while not (order and isinstance(order[-1], Finished)):
        order.append(worker.next_event())
    assert Pong(n=1) in order
    assert order.index(Pong(n=3)) < len(order) - 2, "tokens came after it"


def test_questions_overtake_a_reply_and_loads_wait_for_it(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    worker.load(tiny("dense"))
    request = worker.begin(MESSAGES, max_tokens=600, temperature=1.0, seed=3)
    worker.send(Load(id=101, path=str(tiny("recurrent")), options=LoadOptions()))
    worker.send(Describe(id=102))
    worker.send(Measure(id=103, messages=MESSAGES))
    order = []
    while len(order) < 4:
        event = worker.next_event()
        if isinstance(event, Finished | Loaded | Described | Measured | Failed):
            order.append(event.id)
    assert order == [request, 101, 102, 103], "what was asked after a load is answered by the new model"


def test_measure_and_describe_do_not_wait_for_a_reply(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    worker.load(tiny("dense"))
    request = worker.begin(MESSAGES, max_tokens=3000, temperature=1.0, seed=3)
    waiting = worker.begin(MESSAGES, max_tokens=1)
    worker.send(Describe(id=102))
    worker.send(Measure(id=103, messages=MESSAGES))
    order = []
    while len(order) < 4:
        event = worker.next_event()
        if isinstance(event, Finished | Described | Measured):
            order.append(event.id)
    assert order == [102, 103, request, waiting]


def test_a_waiting_reply_can_be_cancelled(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    worker.load(tiny("dense"))
    request = worker.begin(MESSAGES, max_tokens=3000, temperature=1.0, seed=3)
    waiting = worker.begin(MESSAGES)
    worker.send(Cancel(target=waiting))
    assert worker.finish(waiting).facts.finish_reason == "stopped"
    worker.send(Cancel(target=request))
    worker.send(Cancel(target=12345))


@pytest.mark.parametrize("how", ["shutdown", "end of input"])
@pytest.mark.parametrize("what", ["nothing", "load", "reading", "writing"])
def test_the_end_is_prompt_whatever_runs(how: str, what: str, worker: WorkerProcess, starter_model: Path) -> None:
    if what == "load":
        worker.send(Load(id=90, path=str(starter_model), options=LoadOptions(use_mmap=False)))
    elif what != "nothing":
        worker.load(starter_model)
        text = "word " * (5000 if what == "reading" else 3)
        request = worker.begin([user(text)], max_tokens=5000)
        kind = Started if what == "reading" else Delta
        list(worker.events_of(request, until=lambda event: isinstance(event, kind)))
    started = time.perf_counter()
    if how == "shutdown":
        worker.send(Shutdown())
    else:
        worker.close_input()
    assert worker.wait() == 0
    assert time.perf_counter() - started < 10


def test_it_dies_with_its_parent() -> None:
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({COMMAND!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.read(4); print(child.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(GUARD_S)
    psutil.wait_procs([child], timeout=GUARD_S)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    parent.stdin.close()
    parent.stdout.close()


def test_the_log_of_llama_cpp_goes_to_stderr_with_its_level(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("wb") as stderr:
        worker = WorkerProcess(stderr)
        worker.load(tiny("missing_tensors"))
        worker.close()
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert any(line.startswith("llama.cpp error: ") and "not found" in line for line in lines)
    assert any(line.startswith("llama.cpp info: ") for line in lines)


def test_a_parent_that_no_longer_reads_ends_it(tiny: Callable[[str], Path]) -> None:
    read_end, write_end = os.pipe()
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=write_end, stderr=subprocess.DEVNULL, cwd=ROOT)
    os.close(write_end)
    os.read(read_end, 4)
    os.close(read_end)
    assert process.stdin is not None
    process.stdin.write(framed({"t": "ping", "n": 1}) * 3)
    process.stdin.flush()
    assert process.wait(GUARD_S) == 0
    process.stdin.close()


def test_a_thread_that_cannot_go_on_takes_its_process_along() -> None:
    """Answering takes memory too: where there is none, nothing else could be told."""
    script = (
        "from app.engine.protocol import Describe; from app.engine.worker.loop import Loop\n"
        "def emit(event): raise MemoryError\n"
        "loop = Loop(emit); loop.start(); loop.submit(Describe(id=1)); loop._thread.join()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=GUARD_S, check=False)
    assert done.returncode == 3
    assert "MemoryError" in done.stderr, "which its outcome is told from"


def test_memory_that_runs_out_in_a_command_is_said_so(loop_here: LoopHere, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> object:
        raise MemoryError

    monkeypatch.setattr("app.engine.worker.loop.devices.devices", exhausted)
    loop_here.send(Describe(id=1))
    failed = loop_here.next_event()
    assert isinstance(failed, Failed)
    assert failed.code is Code.OUT_OF_MEMORY
