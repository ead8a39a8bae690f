"""Files that are no chat model: refused in words; the model before stays and answers."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import Window, ended
from tests.support import tiny_models
from tests.support.command import inglenook, one_sentence


def truncated(path: Path) -> None:
    whole = tiny_models.dense(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def projector(path: Path) -> None:
    tiny_models.projector(path)


def missing_tensors(path: Path) -> None:
    """Its header is in order: only the engine finds out."""
    tiny_models.missing_tensors(path)


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
