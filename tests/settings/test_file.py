"""The settings file survives people, programs and other versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.settings.errors import BadValue, NotSaved, UnknownOption
from app.settings.file import SettingsFile
from app.settings.schema import Settings
from app.settings.upgrades import VERSION, upgrade


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "settings.json"


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def test_no_file_means_the_defaults_and_writes_nothing(path: Path) -> None:
    file = SettingsFile(path)
    assert file.current == Settings()
    assert file.trouble == ""
    assert not path.parent.exists()


def test_a_change_is_kept_and_told(path: Path) -> None:
    told: list[tuple[str, ...]] = []
    file = SettingsFile(path, on_change=told.append)
    file.change("appearance.theme", "night")
    file.change("appearance.theme", "night")
    assert told == [("appearance.theme",)]
    assert SettingsFile(path).current.appearance.theme == "night"
    assert json.loads(path.read_text()) == {"version": VERSION, "appearance": {"theme": "night"}}
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


def test_unknown_keys_stay(path: Path) -> None:
    write(path, {"version": 1, "future": {"a": 1}, "appearance": {"theme": "paper", "sparkle": True}})
    file = SettingsFile(path)
    file.change("generation.temperature", 0.2)
    raw = json.loads(path.read_text())
    assert raw["future"] == {"a": 1}
    assert raw["appearance"] == {"theme": "paper", "sparkle": True}


def test_a_newer_version_is_read_as_far_as_it_is_known(path: Path) -> None:
    write(path, {"version": 99, "appearance": {"theme": "night"}})
    file = SettingsFile(path)
    assert file.current.appearance.theme == "night"
    file.change("appearance.text_size", 18)
    assert json.loads(path.read_text())["version"] == 99


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\x00\xff", '{"a":' * 5000])
def test_a_damaged_file_is_set_aside(path: Path, text: str) -> None:
    write(path, text)
    file = SettingsFile(path)
    assert file.current == Settings()
    aside = [p for p in path.parent.iterdir() if p.name.startswith("settings.damaged-")]
    assert [p.read_text(encoding="utf-8") for p in aside] == [text]
    assert aside[0].name in file.trouble
    assert not path.exists()


def test_one_bad_value_costs_only_itself(path: Path) -> None:
    write(path, {"appearance": {"theme": "neon", "text_size": 18}, "engine": "fast"})
    file = SettingsFile(path)
    assert file.current.appearance.theme == "system"
    assert file.current.appearance.text_size == 18
    assert "appearance.theme" in file.trouble
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("appearance.text_size", 99), ("appearance.theme", "neon"), ("generation.top_p", "x"), ("generation.top_p", 1.5)],
)
def test_values_out_of_range_are_refused(path: Path, name: str, value: object) -> None:
    file = SettingsFile(path)
    with pytest.raises(BadValue):
        file.change(name, value)
    assert file.current == Settings()


@pytest.mark.parametrize("name", ["theme", "appearance.nothing", "nothing.theme", ""])
def test_unknown_options_are_refused(path: Path, name: str) -> None:
    with pytest.raises(UnknownOption):
        SettingsFile(path).change(name, 1)


def test_an_override_is_never_written(path: Path) -> None:
    file = SettingsFile(path)
    file.override("engine.n_ctx", 4096)
    file.change("appearance.theme", "paper")
    assert file.current.engine.n_ctx == 4096
    assert "engine" not in json.loads(path.read_text())


def test_where_nothing_can_be_written_the_change_holds_for_now(path: Path) -> None:
    path.parent.parent.joinpath("data").write_text("a file where the folder should be")
    told: list[tuple[str, ...]] = []
    file = SettingsFile(path, on_change=told.append)
    with pytest.raises(NotSaved):
        file.change("appearance.theme", "night")
    assert file.current.appearance.theme == "night"
    assert told == [("appearance.theme",)]


def test_upgrades_run_in_order_from_the_file_s_version() -> None:
    steps = (lambda raw: {**raw, "a": [1]}, lambda raw: {**raw, "a": [*raw.get("a", []), 2]})
    assert upgrade({}, steps) == {"a": [1, 2], "version": 3}
    assert upgrade({"version": 2}, steps) == {"a": [2], "version": 3}
    assert upgrade({"version": 3}, steps) == {"version": 3}
    assert upgrade({"version": "x"}, steps)["version"] == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [({"use_mmap": False}, "never"), ({"use_mmap": True}, "auto"), ({"n_ctx": 4096}, "auto"), ("damaged", "auto")],
)
def test_how_a_file_was_mapped_is_carried_forward(path: Path, before: object, after: str) -> None:
    write(path, {"version": 2, "engine": before})
    assert SettingsFile(path).current.engine.mmap == after


def test_half_a_surrogate_pair_is_kept(path: Path) -> None:
    SettingsFile(path).change("generation.system_prompt", "a\udcffé")
    again = SettingsFile(path)
    assert again.trouble == ""
    assert again.current.generation.system_prompt == "a\udcffé"
