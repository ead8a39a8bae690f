"""The files a person can choose from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.engine.errors import NotGguf
from app.services.changes import LibraryChanged
from app.services.errors import NoModelFound, NoSuchThing
from tests.support import tiny_models
from tests.support.application import running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "models"
    path.mkdir(parents=True)
    return path


def test_own_models_first_then_the_starter(folder: Path) -> None:
    tiny_models.dense(folder / "zeta.gguf")
    (folder / "sub").mkdir()
    tiny_models.dense(folder / "sub" / "alpha.gguf")
    (folder / "notes.txt").write_text("no model")
    (folder / ".hidden.gguf").write_bytes(b"")
    with running() as (app, _):
        listed = app.library.list()
        assert sorted(Path(model.path).name for model in listed[:2]) == ["alpha.gguf", "zeta.gguf"]
        assert listed[-1].is_starter
        assert listed[-1].name == "SmolLM2-135M-Instruct"
        assert listed[-1].license.lower() == "apache-2.0"
        assert listed[0].architecture == "llama"
        assert listed[0].n_params > 0
        assert listed[0].problem == ""


def test_a_broken_file_is_listed_with_its_problem(folder: Path) -> None:
    (folder / "broken.gguf").write_bytes(b"not a model at all")
    with running() as (app, _):
        assert "GGUF" in app.library.list()[0].problem
        assert app.library.default().is_starter


def test_ids_stay_and_headers_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_models.dense(folder / "one.gguf")
    with running() as (app, _):
        first = app.library.list()[0]
        with monkeypatch.context() as patched:
            patched.setattr("app.services.reading.check_loadable", _never)
            assert app.library.refresh()[0] == first
    with running() as (app, _):
        assert app.library.list()[0] == first
        path.rename(folder / "renamed.gguf")
        assert app.library.refresh()[0].id == first.id


def _never(path: Path) -> None:
    raise AssertionError(f"{path} was read again")


def test_changes_in_the_folder_are_told_once(folder: Path) -> None:
    with running() as (app, seen):
        before = len(seen.of(LibraryChanged))
        tiny_models.dense(folder / "one.gguf")
        app.library.refresh()
        app.library.refresh()
        assert len(seen.of(LibraryChanged)) == before + 1


def test_a_single_file_where_it_lies(tmp_path: Path) -> None:
    path = tiny_models.dense(tmp_path / "elsewhere.gguf")
    (tmp_path / "bad.gguf").write_bytes(b"bad")
    with running() as (app, _):
        added = app.library.add_file(path)
        assert added.path == str(path)
        assert app.library.list()[0].id == added.id
        with pytest.raises(NotGguf):
            app.library.add_file(tmp_path / "bad.gguf")
    with running() as (app, _):
        assert app.library.list()[0].id == added.id
        path.unlink()
        assert [model.is_starter for model in app.library.refresh()] == [True]


def test_finding(folder: Path, tmp_path: Path) -> None:
    tiny_models.dense(folder / "Gemma-3-4B.gguf")
    tiny_models.dense(folder / "Gemma-3-12B.gguf", seed=2)
    outside = tiny_models.dense(tmp_path / "outside.gguf", seed=3)
    with running() as (app, _):
        find = app.library.find
        assert find("gemma-3-4b").path.endswith("Gemma-3-4B.gguf")
        assert find("12b").path.endswith("Gemma-3-12B.gguf")
        assert find("smollm").is_starter
        assert find(str(outside)).path == str(outside)
        assert find(find("12b").id) == find("12b")
        assert str(outside) not in [model.path for model in app.library.list()]
        for wrong in ("gemma", "nothing", "", str(tmp_path / "none.gguf"), str(tmp_path)):
            with pytest.raises(NoSuchThing):
                find(wrong)


def test_no_model_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.bootstrap.resources", lambda: tmp_path / "no resources")
    with running() as (app, _):
        with pytest.raises(NoModelFound):
            app.library.default()
        with pytest.raises(NoModelFound):  # and nothing is kept that would wait for an answer
            app.sending.send(None, "Hi")
        assert app.conversations.list() == []
        assert any("no model" in problem for problem in app.diagnostics.report()["problems"])


def test_a_folder_that_is_none_is_empty(tmp_path: Path) -> None:
    with running() as (app, _):
        app.settings.change("general.models_dir", str(tmp_path / "nowhere"))
        assert [model.is_starter for model in app.library.refresh()] == [True]
        (tmp_path / "file").write_text("no folder")
        app.settings.change("general.models_dir", str(tmp_path / "file"))
        assert [model.is_starter for model in app.library.refresh()] == [True]


def test_names_and_links_that_nobody_can_follow(folder: Path) -> None:
    (folder / "a-link").symlink_to(folder / "a-link")
    strange = folder / os.fsdecode(b"\xff.gguf")
    tiny_models.dense(folder / "plain.gguf").rename(strange)
    tiny_models.dense(folder / "zeta.gguf")
    for _ in range(2):
        with running() as (app, _):
            problems = {Path(model.path).name: model.problem for model in app.library.list()[:2]}
            assert problems["zeta.gguf"] == ""
            assert "Rename" in problems[strange.name]


def test_a_home_folder_that_nobody_has() -> None:
    with running() as (app, _):
        app.settings.override("general.models_dir", "~nobody-here/models")
        assert all(model.is_starter for model in app.library.refresh())
        with pytest.raises(NoSuchThing):
            app.library.find("~nobody-here")
