"""A person leaves: lists what is kept, agrees, and nothing of it is left when the window has closed."""

from __future__ import annotations

from pathlib import Path

from app.store.ownership import Owner
from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.window import ended


def test_all_data_goes_with_the_window_and_the_models_stay(start: Start, home: Path) -> None:
    choose(home, max_tokens=8)
    (home / "models").mkdir()
    (home / "models" / "own.gguf").write_bytes(b"GGUF")
    window = start().ready()
    window.send("Hello")
    assert ended(home, 1, "done")
    window.click("Settings")
    window.click("About")
    window.click("Show everything that Inglenook keeps on this computer")
    window.shows("Remove it for good")
    other = Owner(home / "owners")
    window.click("Remove all data for good and quit")
    window.shows("Nothing was removed: another Inglenook uses this data too")
    other.close()
    window.click("Remove all data for good and quit")
    assert window.exit_code() == 0
    assert sorted(path.relative_to(home).as_posix() for path in home.rglob("*")) == ["models", "models/own.gguf"]
