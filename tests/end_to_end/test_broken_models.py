"""Files that are no chat model: refused in words; the model before stays and answers."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import Window, ended
from tests.support import tiny_models
from tests.support.command import inglenook, one_sentence


def truncated(path: Path) -> None:
    whole = tiny_models.dense(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def no_gguf(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def random_bytes(path: Path) -> None:
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + os.urandom(100_000))


def fuzzed(path: Path) -> None:
    """A file in order, but for its counts and its first lengths."""
    data = bytearray(tiny_models.dense(path).read_bytes())
    data[8:72] = random.Random(7).randbytes(64)
    path.write_bytes(bytes(data))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def unknown_architecture(path: Path) -> None:
    tiny_models.unknown_architecture(path)


def vocabulary_only(path: Path) -> None:
    tiny_models.vocabulary_only(path)


def projector(path: Path) -> None:
    tiny_models.projector(path)


def missing_tensors(path: Path) -> None:
    """Its header is in order: only the engine finds out."""
    tiny_models.missing_tensors(path)


BROKEN: list[Callable[[Path], None]] = [
    truncated, no_gguf, random_bytes, fuzzed, empty, unknown_architecture, vocabulary_only, projector, missing_tensors,
]  # fmt: skip


@pytest.mark.parametrize("make", BROKEN)
def test_asking_a_broken_model_gives_one_sentence(home: Path, tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / f"{make.__name__}.gguf"
    make(path)
    done = inglenook(home, "ask", "Hello", "--model", str(path), "--temporary")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(one_sentence(done)) > 20


def open_file(window: Window, screen: Screen, path: Path) -> None:
    """As a person does: Ctrl+O, the path, Enter."""
    window.keys("ctrl+o")
    dialog = window.until(lambda: screen.windows_of(window.pid, "Open a model"), "the file dialog")[0]
    screen.do("windowfocus", "--sync", dialog)
    window.write(str(path))
    window.keys("Return")
    window.until(lambda: not screen.windows_of(window.pid, "Open a model"), "the file dialog to close")
    screen.do("windowfocus", "--sync", window.id)


def test_the_model_before_stays_and_answers(start: Start, home: Path, tmp_path: Path, screen: Screen) -> None:
    choose(home, max_tokens=8)
    window = start().ready()
    window.send("Hello")
    ended(home, 1, "done")
    answered = 1
    for make in (truncated, projector, missing_tensors):
        path = tmp_path / f"{make.__name__}.gguf"
        make(path)
        sentence = one_sentence(inglenook(home, "ask", "Hello", "--model", str(path), "--temporary"))
        open_file(window, screen, path)
        window.shows(sentence)
        screen.picture(f"refused_{make.__name__}")
        window.keys("Escape")
        window.click("Message")
        window.send("Are you still there?")
        answered += 1
        ended(home, answered, "done")
    names = {change["facts"]["model_name"] for change in window.changes("ReplyChanged", state="done")}
    assert names == {"SmolLM2-135M-Instruct"}
    assert window.quit() == 0
