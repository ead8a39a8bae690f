"""Where state lies: the order of precedence, and that asking creates nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.base import paths


def test_the_option_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGLENOOK_HOME", str(tmp_path / "variable"))
    places = paths.find_places(tmp_path / "option")
    assert places.data == tmp_path / "option"
    assert all(
        path.is_relative_to(tmp_path / "option")
        for path in (places.logs, places.database, places.settings, places.models, places.owners, places.backups)
    )
    assert not (tmp_path / "option").exists()


def test_the_variable_wins_over_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGLENOOK_HOME", str(tmp_path / "vari able ü"))
    assert paths.find_places().data == tmp_path / "vari able ü"
    assert paths.find_places("").data == tmp_path / "vari able ü", "an option without a value is none"


def test_a_portable_file_counts_beside_a_frozen_executable_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INGLENOOK_HOME")
    (tmp_path / "portable").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "inglenook"))
    assert not paths.find_places().data.is_relative_to(tmp_path / "data")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert paths.find_places().data == tmp_path / "data"


def test_resources_are_those_of_the_checkout() -> None:
    assert paths.resources() == Path(__file__).resolve().parents[2] / "resources"


def test_resources_of_a_frozen_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert paths.resources() == tmp_path / "resources"


def test_a_folder_that_nobody_can_find_is_named_as_it_stands(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    assert paths.find_places(circle / "data").data == circle / "data"
    assert paths.find_places("~nobody-here/data").data.name == "data"
