"""What lies outside of the application: the network, which it leaves alone, and a display, which it can do without."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.window import ended
from tests.support.command import command, environment, inglenook, one_sentence

TRACE = ["strace", "-f", "--seccomp-bpf", "-e", "trace=connect,sendto,bind", "-o"]
_INTERNET = re.compile(r"^.*\bAF_INET6?\b.*$", re.MULTILINE)


def test_a_window_and_its_engine_never_reach_for_the_network(start: Start, home: Path, tmp_path: Path) -> None:
    choose(home, max_tokens=8)
    traced = tmp_path / "window.strace"
    window = start(before=[*TRACE[:1], "-D", *TRACE[1:], str(traced)]).ready()
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


def test_without_a_display_the_command_line_is_named(home: Path) -> None:
    done = inglenook(home)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert 'inglenook ask "Why is the sky blue?"' in done.stderr
    assert not (home / "inglenook.db").exists()


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
