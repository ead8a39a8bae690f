"""Which system packages a checkout asks for, and of whom."""

from __future__ import annotations

import pytest

from tests.scripts.loading import script

develop = script("develop")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A Linux with apt and nothing else; what is run on it."""
    ran: list[str] = []
    monkeypatch.setattr(develop.sys, "platform", "linux")
    monkeypatch.setattr(develop, "loads", lambda library: False)
    monkeypatch.setattr(develop, "has_a_font", lambda: False)
    monkeypatch.setattr(develop.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(develop, "run", lambda *words, **_more: ran.append(" ".join(words)))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return ran


def test_root_has_them_installed(bare: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(develop.os, "geteuid", lambda: 0)
    assert develop.system_libraries("test")
    assert bare[0] == "apt-get update -q"
    assert {"install", "libegl1", "xvfb", "strace", "fonts-dejavu-core"} <= set(bare[1].split())


def test_others_are_told_the_line(
    bare: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(develop.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("DISPLAY", ":0")
    assert not develop.system_libraries("run")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "apt-get" in line]
    assert line.startswith("  sudo apt-get install")
    assert "libegl1" in line
    assert "xvfb" not in line
    assert bare == []


def test_where_nothing_can_be_shown_the_window_needs_nothing(bare: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(develop.os, "geteuid", lambda: 1000)
    assert develop.system_libraries("run")
    assert not develop.system_libraries("test")
    assert bare == []
