"""A screen for all tests here, and windows that are gone when their test is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.screen import Screen
from tests.end_to_end.window import Window
from tests.support.command import log_text

Start = Callable[..., Window]

_LOUD = re.compile(r"^\S+ \S+ \d+ (WARNING|ERROR|CRITICAL) .*$", re.MULTILINE)


@pytest.fixture(scope="session")
def screen() -> Iterator[Screen]:
    """An X server for the whole run."""
    server = Screen()
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, starter_model: Path) -> Path:
    """A data folder. One thread and no chance: tests run beside each other, and the same question gets the same
    answer."""
    folder = tmp_path / "home"
    choose(folder)
    return folder


def choose(folder: Path, *, max_tokens: int = 0, read_ahead: bool = False) -> None:
    """Writes the settings. What is read while one types is read in other slices, which may change an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    generation = {"temperature": 0.0, "max_tokens": max_tokens}
    engine = {"n_threads": 1, "read_ahead": read_ahead}
    (folder / "settings.json").write_text(json.dumps({"generation": generation, "engine": engine}))


@pytest.fixture
def start(screen: Screen, home: Path, tmp_path: Path, expected_warnings: list[str]) -> Iterator[Start]:
    """Starts windows. At the end none is left, and no log has a warning that the test did not expect."""
    windows: list[Window] = []

    def begin(*arguments: str, at: Path = home, **options: Any) -> Window:
        windows.append(Window(screen, at, tmp_path, *arguments, **options))
        return windows[-1]

    yield begin
    for window in windows:
        window.end()
    loud = [line.group() for folder in [home, *tmp_path.iterdir()] for line in _LOUD.finditer(log_text(folder))]
    loud += [line for window in windows for line in window.stderr.splitlines()]
    assert not [line for line in loud if not any(part in line for part in expected_warnings)]
