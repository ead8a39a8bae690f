"""Peers are bounded in time and never outlive their measurement."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.processes import BenchmarkError, Peer, end

ECHO = """
from benchmarks.peers.answering import answer_lines, keep_stdout
out = keep_stdout()
print("native code prints", flush=True)
def answer(question):
    if question.get("leave"):
        raise SystemExit("had enough")
    if question.get("hang"):
        import threading
        threading.Event().wait()
    return {"twice": question["number"] * 2}
answer_lines({"ready": True}, answer, out)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "echo_peer.py").write_text(ECHO, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(processes, "BUILD", processes.BUILD / "test-bench")
    monkeypatch.setattr(processes, "LEAVE_S", 1.0)
    return "echo_peer"


def test_a_peer_answers_each_question_and_leaves(module: str) -> None:
    with Peer(module) as peer:
        assert peer.read() == {"ready": True}
        assert peer.ask(number=4) == {"twice": 8}
        assert peer.ask(number=5) == {"twice": 10}
    assert peer.process.returncode == 0


def test_a_peer_that_ends_is_reported(module: str) -> None:
    with Peer(module) as peer:
        peer.read()
        with pytest.raises(BenchmarkError, match=r"ended early.*echo_peer\.log"):
            peer.ask(leave=True)


def test_a_peer_that_hangs_is_reported_and_killed(module: str) -> None:
    with Peer(module) as peer:
        peer.read()
        with pytest.raises(BenchmarkError, match="said nothing"):
            peer.ask(hang=True, timeout_s=0.2)
    assert peer.process.returncode is not None


def test_the_tree_of_a_process_is_weighed() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"1\n"
        tree = processes.process_tree(parent.pid)
        assert tree[0] == parent.pid
        assert len(tree) == 2
        assert parent.pid in processes.process_tree(os.getpid())
        assert processes.pss_mb(parent.pid) > 2
        assert 0 <= processes.cpu_s(parent.pid) < 60
    finally:
        parent.communicate(b"\n", timeout=30)
        end(parent)
    assert processes.pss_mb(parent.pid) == 0
