"""`inglenook remove-data` as uninstallers and people call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.store.ownership import Owner
from tests.support.command import inglenook, json_of, one_sentence


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a conversation database, made by the application, and a model."""
    home = tmp_path / "home"
    assert inglenook(home, "chats", "list").returncode == 0
    (home / "models").mkdir()
    (home / "models" / "own.gguf").write_bytes(b"x" * 1_500_000)
    return home


def test_the_list_names_kinds_and_sizes_and_removes_nothing(home: Path) -> None:
    before = sorted(home.rglob("*"))
    found = json_of(home, "remove-data", "--list")
    assert {one["what"]: one["models"] for one in found}["Models"] is True
    done = inglenook(home, "remove-data", "--list")
    assert done.returncode == 0
    assert "Models: 1.5 MB, 1 file" in done.stdout
    assert "Conversations: " in done.stdout
    assert sorted(home.rglob("*")) == before


def test_nobody_to_ask_is_no_agreement(home: Path) -> None:
    done = inglenook(home, "remove-data")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert (home / "inglenook.db").exists()


def test_yes_keeps_the_models(home: Path) -> None:
    assert inglenook(home, "remove-data", "--yes").returncode == 0
    assert [path.name for path in home.rglob("*")] == ["models", "own.gguf"]


def test_yes_with_models_leaves_nothing(home: Path) -> None:
    assert inglenook(home, "remove-data", "--yes", "--models").returncode == 0
    assert not home.exists()
    assert "keeps nothing" in inglenook(home, "remove-data").stdout
    assert not home.exists()


def test_while_another_one_runs_it_says_what_to_do_and_asks_nothing(home: Path) -> None:
    owner = Owner(home / "owners")
    try:
        for words in (["--yes"], []):
            done = inglenook(home, "remove-data", *words)
            assert done.returncode == 1
            assert "Quit it, then try again." in one_sentence(done)
        assert inglenook(home, "remove-data", "--list").returncode == 0
    finally:
        owner.close()
    assert (home / "inglenook.db").exists()
