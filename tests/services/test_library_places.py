"""Models in many places: other programs', further folders, drives that come and go; the same content once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.base.ids import new_id
from app.engine.values import ModelFile, Origin
from app.hub.elsewhere.folders import models_below
from app.hub.elsewhere.system import Found
from app.hub.values import Download, DownloadState, RemoteFile
from app.services import shelves
from app.services.changes import LibraryChanged
from app.services.queue import to_row
from app.services.sameness import shown_once
from tests.support import tiny_models
from tests.support.application import running
from tests.support.command import inglenook
from tests.support.libraries import ollama_model, own, sha256
from tests.support.split import split_in_two

COMMIT = "c" * 40


def test_every_place_is_listed_and_nothing_is_copied(
    folder: Path, person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tiny_models.dense(folder / "mine.gguf", seed=1)
    further = tmp_path / "further"
    further.mkdir()
    tiny_models.dense(further / "further.gguf", seed=2)
    studio = person / ".lmstudio" / "models" / "acme" / "studio"
    studio.mkdir(parents=True)
    tiny_models.dense(studio / "studio.gguf", seed=3)
    cache = person / "cache"
    snapshot = cache / "models--acme--cached" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    tiny_models.dense(snapshot / "cached.gguf", seed=4)
    blob = ollama_model(person, "tiny:1b", tiny_models.dense(tmp_path / "source.gguf", seed=5))
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    with running() as (app, _):
        app.settings.change("models.folders", (str(further),))
        found = {model.origin: model for model in app.library.refresh()}
        assert set(found) == {*Origin} - {Origin.FILE}
        assert found[Origin.OWN].path == str(mine)
        assert (found[Origin.OLLAMA].name, found[Origin.OLLAMA].path) == ("tiny:1b", str(blob))
        assert found[Origin.OLLAMA].sha256 == (sha256(blob),)
        assert found[Origin.HUGGING_FACE].commit == COMMIT
        assert found[Origin.LM_STUDIO].repo == "acme/studio"
        assert not any(model.problem for model in found.values())
        assert app.library.find("tiny:1b").origin is Origin.OLLAMA
        assert sorted(path.name for path in folder.iterdir()) == ["mine.gguf"]
        for switch in ("lm_studio", "ollama", "hugging_face"):
            app.settings.change(f"models.{switch}", False)
        origins = {model.origin for model in app.library.refresh()}
        assert origins == {Origin.OWN, Origin.FOLDER, Origin.STARTER}


def test_the_same_content_is_shown_once_with_its_places(folder: Path, person: Path, tmp_path: Path) -> None:
    mine = tiny_models.dense(folder / "mine.gguf")
    blob = ollama_model(person, "tiny:1b", mine)
    with running() as (app, _):
        (model,) = own(app.library.list())
        assert model.path == str(mine)
        assert [(place.path, place.origin) for place in model.also_at] == [(str(blob), Origin.OLLAMA)]
        assert model.sha256 == (sha256(mine),)
        assert app.library.get(model.also_at[0].id) == model
        for name in ("mine", blob.name, str(blob), str(mine), model.id):
            assert app.library.find(name) == model
        mine.unlink()
        (left,) = own(app.library.refresh())
        assert (left.path, left.name, left.also_at) == (str(blob), "tiny:1b", ())
        assert left.id in {model.id, model.also_at[0].id}
        assert app.library.get(left.id) == left


def test_other_bytes_are_another_model(tmp_path: Path) -> None:
    def model(number: int, **more: Any) -> ModelFile:
        return ModelFile(
            id=str(number), path=f"/{number}.gguf", name="n", architecture="llama", quantization="", size_bytes=1,
            n_params=1, n_ctx_train=1, **{"fingerprint": "f", **more},
        )  # fmt: skip

    one, two = model(1, sha256=("1" * 64,)), model(2, sha256=("2" * 64,))
    unknown, starter = model(0), model(3, fingerprint="s", is_starter=True)
    shown = shown_once([one, two, unknown, starter])
    assert [(one.id, len(one.also_at)) for one in shown] == [("0", 1), ("2", 0), ("3", 0)]
    broken = [model(4, fingerprint=""), model(5, fingerprint="")]
    assert len(shown_once(broken)) == 2
    assert [m.away for m in shown_once([msgspec.structs.replace(one, away=True), unknown])] == [False]


def test_a_drive_that_is_not_there_is_away_and_comes_back(tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    (drive / "models").mkdir(parents=True)
    tiny_models.dense(drive / "models" / "one.gguf", seed=1)
    single = tiny_models.dense(drive / "single.gguf", seed=2)
    with running() as (app, _):
        app.library.add_folder(drive / "models")
        app.library.add_file(single)
        there = own(app.library.list())
        assert [(model.name, model.away) for model in there] == [("Tiny one", False), ("Tiny single", False)]
    drive.rename(tmp_path / "unplugged")
    with running() as (app, _):
        away = own(app.library.list())
        assert [(model.id, model.away) for model in away] == [(model.id, True) for model in there]
        assert all("not there" in model.problem and model.n_params for model in away)
        assert app.library.default().is_starter
        assert app.library.whereabouts(away[0].id) == tmp_path
        (tmp_path / "unplugged").rename(drive)
        assert own(app.library.refresh()) == there
        (drive / "models" / "one.gguf").unlink()
        assert [model.name for model in own(app.library.refresh())] == ["Tiny single"]


def test_what_is_away_can_be_taken_out_of_the_list(tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    tiny_models.dense(drive / "one.gguf")
    with running() as (app, _):
        (model,) = app.library.add_folder(drive)
        drive.rename(tmp_path / "unplugged")
        app.library.refresh()
        removal = app.library.delete(model.id)
        assert (removal.only_forgets, removal.files, removal.frees_bytes) == (True, (), 0)
        assert own(app.library.list()) == []
    assert (tmp_path / "unplugged" / "one.gguf").exists()


def test_an_empty_own_folder_is_not_away(folder: Path) -> None:
    path = tiny_models.dense(folder / "one.gguf")
    with running() as (app, _):
        path.unlink()
        assert own(app.library.refresh()) == []
        folder.rmdir()
        assert own(app.library.refresh()) == []


def test_shards_are_one_model_with_everything_summed(folder: Path) -> None:
    whole = tiny_models.dense(folder.parent / "whole.gguf")
    parts = split_in_two(whole, folder / "sub")
    with running() as (app, _):
        (model,) = own(app.library.list())
        assert (model.parts, model.path) == (2, str(parts[0]))
        assert model.size_bytes == sum(part.stat().st_size for part in parts)
        assert model.n_params == app.library.add_file(whole).n_params
        assert len(own(app.library.list())) == 2
        assert model.problem == ""
        parts[1].unlink()
        missing = next(one for one in app.library.refresh() if one.path == str(parts[0]))
        assert "Part 2" in missing.problem


def test_a_header_is_not_read_again_by_the_next_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_models.dense(folder / "one.gguf")
    with running() as (app, _):
        (before,) = own(app.library.list())
    with monkeypatch.context() as patched:
        patched.setattr("app.services.reading.check_loadable", _only_the_starter)
        with running() as (app, _):
            assert own(app.library.list()) == [before]
    tiny_models.sliding(path)
    with running() as (app, _):
        (after,) = own(app.library.list())
        assert (after.id, after.architecture) == (before.id, "gemma2")
        assert after.fingerprint != before.fingerprint


def _only_the_starter(path: Path) -> None:
    raise AssertionError(f"{path} was read again")


def test_where_a_download_came_from_stays_known(folder: Path) -> None:
    path = tiny_models.dense(folder / "file.gguf")
    place = folder / "acme" / "tiny" / "tiny-Q4_0.gguf"
    place.parent.mkdir(parents=True)
    path.rename(place)
    projector = tiny_models.projector(place.with_name("mmproj-f16.gguf"))
    files = [RemoteFile(path=one.name, size_bytes=one.stat().st_size, sha256=sha256(one)) for one in (place, projector)]
    download = Download(
        id=new_id(), endpoint="https://huggingface.co", repo="acme/tiny", commit=COMMIT, label="Q4_0",
        files=tuple(files), folder=str(folder), state=DownloadState.DONE,
        finished_ms=place.stat().st_mtime_ns // 1_000_000 + 1,
    )  # fmt: skip
    with running() as (app, _):
        store = app.ground.store
        store.downloads.add(to_row(download)).result()
        (model,) = own(app.library.refresh())
        wanted = ("acme/tiny", COMMIT, place.name, (sha256(place),), str(projector))
        assert (model.repo, model.commit, model.remote_path, model.sha256, model.projector) == wanted
        store.downloads.remove(download.id).result()
        assert own(app.library.refresh()) == [model]
    with running() as (app, _):
        assert own(app.library.list()) == [model]


def test_what_another_process_learns_is_seen(folder: Path, tmp_path: Path) -> None:
    source = tiny_models.dense(tmp_path / "source.gguf")
    with running() as (app, seen):
        assert own(app.library.list()) == []
        since = len(seen.changes)
        done = inglenook(folder.parent, "models", "import", str(source), "--copy")
        assert done.returncode == 0, done.stderr
        seen.wait_for(LibraryChanged, since=since)
        assert [model.path for model in own(app.library.list())] == [str(folder / "source.gguf")]


@pytest.mark.parametrize("listed", [False, True])
def test_a_drive_that_goes_while_it_is_looked_through_has_not_lost_its_models(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    drive, unplugged = tmp_path / "drive", tmp_path / "unplugged"
    drive.mkdir()
    tiny_models.dense(drive / "a.gguf", seed=1)

    def goes(below: Path, **more: Any) -> tuple[Found, ...]:
        found = models_below(below, **more)
        if below == drive and drive.exists():
            drive.rename(unplugged)
            return found if listed else models_below(below, **more)
        return found

    with running() as (app, _):
        (before,) = app.library.add_folder(drive)
        monkeypatch.setattr(shelves, "models_below", goes)
        for _ in range(2):
            app.library.refresh()
            places = {place.path: (place.models, place.away) for place in app.library.places()}
            assert places[str(drive)] == (1, True)
        monkeypatch.setattr(shelves, "models_below", models_below)
        unplugged.rename(drive)
        app.library.refresh()
        assert app.library.get(before.id) == before


def test_places_say_what_lies_there_and_can_be_taken_off(folder: Path, tmp_path: Path) -> None:
    tiny_models.dense(folder / "mine.gguf", seed=1)
    further, drive = tmp_path / "further", tmp_path / "drive"
    for path, seed in ((further / "a.gguf", 2), (further / "sub" / "b.gguf", 3), (drive / "c.gguf", 4)):
        path.parent.mkdir(exist_ok=True, parents=True)
        tiny_models.dense(path, seed=seed)
    single = tiny_models.dense(tmp_path / "single.gguf", seed=5)
    with running() as (app, _):
        assert {model.path for model in app.library.add_folder(further)} == {
            str(further / "a.gguf"), str(further / "sub" / "b.gguf"),
        }  # fmt: skip
        app.library.add_folder(drive)
        app.library.add_file(single)
        drive.rename(tmp_path / "unplugged")
        app.library.refresh()
        places = {place.path: place for place in app.library.places()}
        assert (places[str(further)].models, places[str(further)].away) == (2, False)
        assert places[str(further)].size_bytes == sum(path.stat().st_size for path in further.rglob("*.gguf"))
        assert (places[str(drive)].models, places[str(drive)].away) == (1, True)
        assert (places[str(single)].origin, places[str(single)].models) == (Origin.FILE, 1)
        assert places[str(folder)].models == 1
        for path in (further, drive, single):
            app.library.take_off(str(path))
        assert (app.settings.current.models.folders, app.settings.current.models.files) == ((), ())
        assert {model.origin for model in app.library.list()} == {Origin.OWN, Origin.STARTER}
        assert single.exists()
        assert len([*further.rglob("*.gguf")]) == 2
