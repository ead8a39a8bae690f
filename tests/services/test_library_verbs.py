"""What can be done with models: checking, removing to the trash, taking in, asking for a newer upload."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from app.engine.values import ModelFile, Origin
from app.hub.values import ModelPage, ModelSummary, RemoteFile, Variant
from app.services.errors import Interrupted, NoSuchThing, NotCopied, NotFromTheHub, NotRemovable, NotRemoved
from app.services.uploads import newer_upload
from app.services.verifying import Finding
from tests.support import tiny_models
from tests.support.application import running
from tests.support.libraries import ollama_model, own, sha256
from tests.support.split import split_in_two

COMMIT = "c" * 40


# --- checking -------------------------------------------------------------------------------------------------------


def test_verifying(folder: Path) -> None:
    path = tiny_models.dense(folder / "one.gguf")
    seen: list[tuple[int, int]] = []
    with running() as (app, _):
        (model,) = own(app.library.list())

        def verify(ended: threading.Event | None = None) -> Any:
            return app.library.verify(model.id, lambda *figures: seen.append(figures), ended or threading.Event())

        first = verify()
        assert (first.finding, first.sha256, first.known) == (Finding.NEW, (sha256(path),), ())
        assert seen[-1] == (model.size_bytes, model.size_bytes)
        assert own(app.library.list())[0].sha256 == (sha256(path),)
        assert verify().finding is Finding.SAME
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_END)
            file.write(bytes([byte ^ 1]))
        different = verify()
        assert different.finding is Finding.DIFFERENT
        assert "Download it again" in different.sentence
        ended = threading.Event()
        ended.set()
        with pytest.raises(Interrupted):
            verify(ended)
        with pytest.raises(NoSuchThing):
            app.library.verify("nobody", lambda *_: None, ended)


def test_verifying_shards_names_the_part(folder: Path) -> None:
    parts = split_in_two(tiny_models.dense(folder.parent / "whole.gguf"), folder)
    with running() as (app, _):
        (model,) = own(app.library.list())
        assert app.library.verify(model.id, lambda *_: None, threading.Event()).finding is Finding.NEW
        status = parts[1].stat()
        data = bytearray(parts[1].read_bytes())
        data[-1] ^= 1
        parts[1].write_bytes(data)
        os.utime(parts[1], ns=(status.st_atime_ns, status.st_mtime_ns))
        verdict = app.library.verify(model.id, lambda *_: None, threading.Event())
        assert verdict.finding is Finding.DIFFERENT
        assert "part 2 of 2" in verdict.sentence


# --- removing -------------------------------------------------------------------------------------------------------


def test_deleting_goes_to_the_trash_with_shards_and_projector(folder: Path, trash: Path) -> None:
    place = folder / "acme" / "tiny"
    parts = split_in_two(tiny_models.dense(folder.parent / "whole.gguf"), place)
    projector = tiny_models.projector(place / "mmproj-f16.gguf")
    sizes = sum(path.stat().st_size for path in (*parts, projector))
    with running() as (app, _):
        (model,) = own(app.library.list())
        plan = app.library.removal(model.id)
        assert (plan.frees_bytes, plan.stays, len(plan.files)) == (sizes, (), 3)
        assert all(path.exists() for path in (*parts, projector))
        assert app.library.delete(model.id) == plan
        assert own(app.library.list()) == []
    assert sorted(path.name for path in trash.iterdir()) == sorted(path.name for path in (*parts, projector))
    assert not (folder / "acme").exists()
    assert folder.exists()


def test_a_projector_that_another_model_uses_stays(folder: Path, trash: Path) -> None:
    for label, seed in (("Q4_0", 1), ("Q8_0", 2)):
        tiny_models.dense(folder / f"seeing-{label}.gguf", seed=seed)
    projector = tiny_models.projector(folder / "mmproj-seeing-f16.gguf")
    with running() as (app, _):
        one, other = own(app.library.list())
        assert one.projector == other.projector == str(projector)
        app.library.delete(one.id)
        assert projector.exists()
        app.library.delete(other.id)
    assert not projector.exists()


def test_what_belongs_to_others_stays(folder: Path, person: Path, trash: Path, tmp_path: Path) -> None:
    blob = ollama_model(person, "tiny:1b", tiny_models.dense(tmp_path / "source.gguf"))
    studio = person / ".lmstudio" / "models" / "acme" / "studio" / "studio.gguf"
    studio.parent.mkdir(parents=True)
    tiny_models.dense(studio, seed=7)
    with running() as (app, _):
        app.settings.change("models.folders", (str(studio.parent),))
        app.settings.change("models.files", (str(blob),))
        models = app.library.refresh()
        assert [model.origin for model in models] == [Origin.LM_STUDIO, Origin.OLLAMA, Origin.STARTER]
        words = []
        for model in models:
            with pytest.raises(NotRemovable) as caught:
                app.library.delete(model.id)
            words.append(caught.value.sentence)
        assert [("LM Studio" in words[0]), ("Ollama" in words[1]), ("comes with Inglenook" in words[2])] == [True] * 3
        copy = folder / "copy.gguf"
        shutil.copyfile(blob, copy)
        app.library.refresh()
        removal = app.library.delete(app.library.find("copy").id)
        assert removal.files == (str(copy),)
        assert [place.origin for place in removal.stays] == [Origin.OLLAMA]
        assert app.library.find("tiny:1b").also_at == ()
    assert blob.exists()
    assert studio.exists()


def test_a_link_frees_nothing_and_only_the_link_goes(folder: Path, trash: Path, tmp_path: Path) -> None:
    target = tiny_models.dense(tmp_path / "target.gguf")
    (folder / "link.gguf").symlink_to(target)
    hard = tiny_models.dense(tmp_path / "hard.gguf", seed=2)
    (folder / "hard.gguf").hardlink_to(hard)
    with running() as (app, _):
        for model in own(app.library.list()):
            assert app.library.delete(model.id).frees_bytes == 0
    assert target.exists()
    assert hard.exists()
    assert (trash / "link.gguf").is_symlink()


def test_a_trash_that_refuses_leaves_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_models.dense(folder / "one.gguf")

    def refuse(file: Path) -> None:
        raise PermissionError(file)

    with running() as (app, _):
        monkeypatch.setattr(app.library, "_to_trash", refuse)
        (model,) = own(app.library.list())
        with pytest.raises(NotRemoved) as caught:
            app.library.delete(model.id)
        assert "protected" in caught.value.sentence
        assert own(app.library.list()) == [model]
    assert path.exists()


# --- adding ---------------------------------------------------------------------------------------------------------


def bring(app: Any, path: Path, **more: Any) -> list[ModelFile]:
    found: list[ModelFile] = app.library.bring(path, ended=threading.Event(), **more)
    return found


def test_bringing_in_place(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more" / "sub").mkdir(parents=True)
    one = tiny_models.dense(tmp_path / "more" / "sub" / "one.gguf")
    two = tiny_models.dense(tmp_path / "two.gguf", seed=2)
    with running() as (app, _):
        assert [model.path for model in bring(app, tmp_path / "more")] == [str(one)]
        assert [model.path for model in bring(app, two)] == [str(two)]
        bring(app, tmp_path / "more")
        assert app.settings.current.models.folders == (str(tmp_path / "more"),)
        assert app.settings.current.models.files == (str(two),)
        assert [model.origin for model in own(app.library.list())] == [Origin.FOLDER, Origin.FILE]
        bring(app, folder)
        assert app.settings.current.models.folders == (str(tmp_path / "more"),)
        with pytest.raises(NoSuchThing):
            bring(app, tmp_path / "nothing")
    assert list(folder.iterdir()) == []


def test_bringing_a_copy(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    parts = split_in_two(tiny_models.dense(tmp_path / "whole.gguf"), source)
    tiny_models.projector(source / "mmproj-f16.gguf")
    with running() as (app, _):
        (model,) = bring(app, parts[0], copy=True)
        assert model.origin is Origin.OWN
        assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in source.iterdir())
        assert model.projector == str(folder / "mmproj-f16.gguf")
        (again,) = bring(app, source, copy=True)
        assert again.id == model.id
        places = {Path(path).parent.name for path in (again.path, *(place.path for place in again.also_at))}
        assert places == {"models", "source"}
        bring(app, parts[0], copy=True)
        assert (folder / "2" / parts[0].name).exists()
        (tmp_path / "empty").mkdir()
        with pytest.raises(NoSuchThing):
            bring(app, tmp_path / "empty", copy=True)


def test_a_copy_that_cannot_be_made_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tiny_models.dense(tmp_path / "source.gguf")
    with running() as (app, _):
        ended = threading.Event()
        ended.set()
        with pytest.raises(Interrupted):
            app.library.bring(source, copy=True, ended=ended)
        monkeypatch.setattr("app.hub.disk.free_bytes", lambda _: 1000)
        with pytest.raises(NotCopied) as caught:
            bring(app, source, copy=True)
        assert "1.0 kB are free" in caught.value.sentence
    assert list(folder.iterdir()) == []


# --- looking --------------------------------------------------------------------------------------------------------


def test_details_come_from_the_header(folder: Path) -> None:
    tiny_models.sliding(folder / "one.gguf")
    with running() as (app, _):
        (model,) = own(app.library.list())
        details = app.library.details(model.id)
    assert (details.architecture, details.layers, details.heads, details.kv_heads) == ("gemma2", 4, 4, 2)
    assert details.context_length == tiny_models.N_CTX
    assert details.template
    assert details.types == {"F32": details.tensors}
    assert details.name == "Tiny one"


def test_a_newer_upload() -> None:
    ours, theirs = "1" * 64, "2" * 64

    def model(**more: Any) -> ModelFile:
        known = {"sha256": (ours,), "repo": "acme/tiny", "commit": COMMIT, "remote_path": "a.gguf", **more}
        return ModelFile(
            id="m", path="/a.gguf", name="A", architecture="llama", quantization="", size_bytes=10, n_params=1,
            n_ctx_train=1, fingerprint="f", **known,
        )  # fmt: skip

    def look(digest: str, path: str = "a.gguf", size: int = 10) -> Any:
        file = RemoteFile(path=path, size_bytes=size, sha256=digest)
        variant = Variant(label="Q", name="Q", files=(file,), bits_per_weight=4.0, quality="")
        page = ModelPage(summary=ModelSummary(repo="acme/tiny"), commit="d" * 40, variants=(variant,))
        return lambda repo: page

    def never(repo: str) -> ModelPage:
        raise AssertionError("asked for more than needed")

    def changed(repo: str, commit: str) -> str:
        return "d" * 40

    assert not newer_upload(model(), lambda *_: "", never).newer
    assert newer_upload(model(), changed, look(theirs)).newer
    assert not newer_upload(model(), changed, look(ours)).newer
    assert newer_upload(model(), changed, look(ours, "b.gguf")).gone
    assert newer_upload(model(commit="", sha256=()), changed, look(theirs, size=11)).newer
    unsure = newer_upload(model(commit="", sha256=()), changed, look(theirs))
    assert not unsure.newer
    assert "Verify" in unsure.sentence
    with pytest.raises(NotFromTheHub):
        newer_upload(model(repo=""), changed, never)


def test_a_model_used_by_its_path_is_recalled_by_a_later_process(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.gguf"
    with running() as (app, _):
        before = app.library.find(str(tiny_models.dense(tmp_path / "before.gguf")))
        path = Path(before.path).rename(path)
        model = app.library.find(str(path))
        assert app.library.get(before.id) == model, "it moved"
    with running() as (app, _):
        assert app.library.get(model.id) is None, "it is on no list"
        assert app.library.recall("nonsense") is None
        recalled = app.library.recall(model.id)
        assert recalled is not None
        assert recalled.path == str(path)
        assert app.loading.choice(model.id).path == str(path)
    path.unlink()
    with running() as (app, _):
        assert app.library.recall(model.id) is None
