"""How a process ended, told apart by evidence; on recorded endings, and on real processes where there is a signal."""

from __future__ import annotations

import signal

import pytest

from app.engine.outcome import Cause, Ending, describe, memory_kills


def kind(returncode: int, *stderr: str, kills: int | None = 0) -> str:
    return describe(Ending(Cause.ITSELF, returncode, stderr, kills)).kind


@pytest.mark.parametrize(
    ("kills", "expected", "words"),
    [(1, "memory", "memory ran out"), (0, "killed", "from outside"), (None, "memory_likely", "most likely")],
)
def test_a_kill_is_blamed_on_memory_only_with_evidence(kills: int | None, expected: str, words: str) -> None:
    outcome = describe(Ending(Cause.ITSELF, -signal.SIGKILL, (), kills))
    assert outcome.kind == expected
    assert words in outcome.sentence
    assert "SIGKILL" in outcome.detail


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ((-signal.SIGABRT, "x.cpp:12: GGML_ASSERT(n > 0) failed"), "assertion"),
        ((-signal.SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'"), "memory_likely"),
        ((-signal.SIGABRT, "vk::DeviceLostError"), "driver"),
        ((-signal.SIGABRT, "vk::OutOfDeviceMemoryError"), "memory_likely"),
        ((-signal.SIGABRT, "CUDA error: an illegal memory access was encountered"), "driver"),
        ((-signal.SIGABRT, "CUDA error: out of memory"), "memory_likely"),
        ((-signal.SIGABRT, "ggml-rpc.cpp:9: Remote RPC server crashed or returned malformed response"), "driver"),
        ((-signal.SIGSEGV, "ggml_aligned_malloc: failed to allocate 9.00 MB"), "memory_likely"),
        ((-signal.SIGABRT, "terminate called without an active exception"), "aborted"),
        ((-signal.SIGSEGV,), "crashed"),
        ((-signal.SIGFPE,), "crashed"),
        ((-signal.SIGILL,), "instruction"),
        ((-signal.SIGBUS,), "file_vanished"),
        ((-signal.SIGTERM,), "killed"),
        ((-signal.SIGINT,), "killed"),
        ((-63,), "crashed"),
        ((1, "Traceback", "ModuleNotFoundError: No module named 'llama_cpp'"), "installation"),
        ((1, "MemoryError"), "memory_likely"),
        ((1, "Timeout (0:00:10)!", '  File "app/engine/worker/sandbox.py", line 170 in run'), "template"),
        ((1, "ValueError: oops"), "ended"),
        ((0,), "ended"),
        ((0xC0000005,), "crashed"),
        ((0xC000001D,), "instruction"),
        ((-1073741819,), "crashed"),  # the same as an access violation, read as a signed number
        ((0xC0000017,), "memory"),
        ((0xC0000135,), "installation"),
    ],
)
def test_an_ending_is_told_apart(ending: tuple[int, str], expected: str) -> None:
    assert kind(ending[0], *ending[1:]) == expected


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_sentence(cause: Cause) -> None:
    outcome = describe(Ending(cause, None, note="what was seen"))
    assert outcome.sentence.endswith(".")
    assert "what was seen" in outcome.detail
    assert outcome.expected is (cause is Cause.ASKED)


def test_the_detail_ends_with_the_last_words() -> None:
    outcome = describe(Ending(Cause.HUNG, -9, ("one", "two"), 2, note="15 pings unanswered"))
    assert outcome.detail.splitlines() == [
        "15 pings unanswered; signal 9 (SIGKILL); 2 process(es) ended for memory meanwhile",
        "one",
        "two",
    ]


def test_the_kernel_s_count_is_read_where_there_is_one() -> None:
    count = memory_kills()
    assert count is None or count >= 0
