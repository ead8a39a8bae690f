"""The log file: one, small, shared, and never in anybody's way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import log as logs

log = logging.getLogger("app.test")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, hook = root.level, threading.excepthook
    yield
    logs.stop_log()
    root.setLevel(level)
    threading.excepthook = hook


def test_levels_and_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(logs.LEVEL_VARIABLE, raising=False)
    path = logs.start_log(tmp_path / "logs")
    assert path is not None
    log.debug("hidden")
    log.info("shown %d", 7)
    text = path.read_text()
    assert "INFO    app.test: shown 7" in text
    assert "hidden" not in text
    logs.stop_log()
    monkeypatch.setenv(logs.LEVEL_VARIABLE, "debug")
    logs.start_log(tmp_path / "logs")
    log.debug("now shown")
    assert "now shown" in path.read_text()


def test_it_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 2000)
    logs.start_log(tmp_path)
    for number in range(200):
        log.info("line %d of a long story about nothing", number)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sorted(sizes) == ["inglenook.log", "inglenook.log.1", "inglenook.log.2", "inglenook.log.3"]
    assert max(sizes.values()) <= 2000


def test_another_process_may_rotate_it_away(tmp_path: Path) -> None:
    path = logs.start_log(tmp_path)
    assert path is not None
    log.info("before")
    path.rename(tmp_path / "inglenook.log.1")
    log.info("after")
    assert "after" in path.read_text()
    assert "before" not in path.read_text()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert logs.start_log(tmp_path / "file" / "logs") is None


def test_a_thread_that_ends_by_an_error_is_logged(tmp_path: Path, expected_warnings: list[str]) -> None:
    expected_warnings.append("ended by an error")
    path = logs.start_log(tmp_path)
    assert path is not None
    thread = threading.Thread(target=lambda: 1 / 0, name="doomed")
    thread.start()
    thread.join()
    assert "thread doomed ended by an error" in path.read_text()
    assert "ZeroDivisionError" in path.read_text()
