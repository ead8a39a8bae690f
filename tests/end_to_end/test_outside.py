"""What lies outside of the application: the network, which it leaves alone or reaches through its gate, and a display,
which it can do without."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.base.paths import Places
from app.privacy.ledger import Outcome
from app.store.store import open_store
from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.window import ended
from tests.privacy.servers import Answer, Server, closing
from tests.support.command import ROOT, command, environment, inglenook, one_sentence

TRACE = ["strace", "-f", "--seccomp-bpf", "-e", "trace=connect,sendto,bind", "-o"]
_ADDRESS = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')
_INTERNET = re.compile(r"^.*\bAF_INET6?\b.*$", re.MULTILINE)


@pytest.mark.parametrize("arguments", [(), ("--offline",)])
def test_a_window_and_its_engine_never_reach_for_the_network(
    start: Start, home: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    choose(home, max_tokens=8)
    traced = tmp_path / "window.strace"
    window = start(*arguments, before=[*TRACE[:1], "-D", *TRACE[1:], str(traced)]).ready()
    window.send("Hello")
    ended(home, 1, "done")
    assert window.quit() == 0
    assert "AF_UNIX" in traced.read_text(), "the trace works: the window talked with its screen"
    assert _INTERNET.findall(traced.read_text()) == []


def test_asking_never_reaches_for_the_network(home: Path, tmp_path: Path) -> None:
    traced = tmp_path / "ask.strace"
    asked = command("ask", "Hello", "--max-tokens", "8")
    done = subprocess.run([*TRACE, str(traced), *asked], env=environment(home), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "exited with 0" in traced.read_text(), "the trace works"
    assert _INTERNET.findall(traced.read_text()) == []


def reaching(home: Path, traced: Path, *urls: str, **more: str) -> tuple[list[int | str], list[str]]:
    """What asking for addresses brought, and every connection of the process and its children ('127.0.0.1:80')."""
    asked = [sys.executable, "-m", "tests.end_to_end.reaching", str(home), *urls]
    env = environment(home, **{"HF_ENDPOINT": "", "INGLENOOK_OFFLINE": "", "HF_HUB_OFFLINE": "", **more})
    done = subprocess.run([*TRACE, str(traced), *asked], env=env, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = _INTERNET.findall(traced.read_text())
    assert "exited with 0" in traced.read_text(), "the trace works"
    found = [_ADDRESS.search(line) for line in lines]
    assert all(found), lines
    return json.loads(done.stdout), [f"{one[2]}:{one[1]}" for one in found if one]


@pytest.mark.parametrize("more", [{"INGLENOOK_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "1"}])
def test_offline_the_gate_opens_no_socket_and_looks_up_no_name(
    home: Path, tmp_path: Path, more: dict[str, str]
) -> None:
    (home / "settings.json").write_text(json.dumps({"network": {"mode": "online"}}))
    urls = (
        "https://huggingface.co/api/models",
        "https://cdn.example/file",
        "http://127.0.0.1:9/x",
        "http://localhost/x",
    )
    told, connections = reaching(home, tmp_path / "trace", *urls, **more)
    assert told == ["offline"] * 5
    assert connections == []
    store = open_store(Places(home, home / "logs"))
    assert len(store.ledger.list()) == 5
    assert {(row.outcome, row.sent_bytes, row.received_bytes) for row in store.ledger.list()} == {
        (Outcome.REFUSED, 0, 0)
    }
    store.close()


def test_online_every_connection_is_to_an_allowed_host(home: Path, tmp_path: Path) -> None:
    hub, cdn, other = Server(), Server(), Server()
    with closing(hub, cdn, other):
        hub.answers["/file"] = Answer(302, headers={"Location": f"{cdn.origin}/bytes"})
        hub.answers["/api/models"] = Answer(body=b"[]")
        cdn.answers["/bytes"] = Answer(body=b"x" * 500_000)
        urls = (f"{hub.origin}/file", f"{cdn.origin}/bytes", f"{other.origin}/x", "https://huggingface.co/x")
        told, connections = reaching(home, tmp_path / "trace", *urls, HF_ENDPOINT=hub.origin)
        assert told == [500_000, "refused", "refused", "refused", "ok"]
        assert set(connections) == {f"127.0.0.1:{hub.port}", f"127.0.0.1:{cdn.port}"}
        assert other.seen == []


def test_help_and_version_need_nothing(home: Path) -> None:
    helped = inglenook(home, "--help")
    assert helped.returncode == 0
    assert all(verb in helped.stdout for verb in ("ask", "chats", "doctor", "models"))
    told = inglenook(home, "--version")
    assert told.returncode == 0
    assert re.search(r"\d+\.\d+\.\d+", told.stdout)
    wrong = inglenook(home, "--no-such-option")
    assert wrong.returncode == 2
    assert "no-such-option" in one_sentence(wrong)
