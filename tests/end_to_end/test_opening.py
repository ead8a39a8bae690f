"""A person opens model files in the file manager: the window comes, or is there already, and talks with that model."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.window import ended
from tests.support import tiny_models


def test_files_are_opened_by_the_first_start_and_by_later_ones(start: Start, home: Path, tmp_path: Path) -> None:
    choose(home, max_tokens=4)
    first = tiny_models.dense(tmp_path / "a first model.gguf")
    second = tiny_models.dense(tmp_path / "a secönd model.gguf", seed=2)
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    window = start(str(first)).ready()
    window.told("EngineChanged", state="ready", model_name="Tiny a first model")
    window.send("Hello")
    ended(home, 1, "done")
    assert start(str(second)).exit_code() == 0
    window.told("EngineChanged", state="ready", model_name="Tiny a secönd model")
    assert start(str(tmp_path / "broken.gguf")).exit_code() == 0
    window.shows("broken.gguf was not opened")
    window.shows("This file is not a GGUF model")
    settings = (home / "settings.json").read_text()
    assert first.name in settings
    assert "broken" not in settings
    assert window.quit() == 0
