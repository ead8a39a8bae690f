"""The library's rows."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.base.ids import new_id
from app.base.paths import Places, resources
from app.engine.values import ModelFile
from app.store.store import Store, open_store


def model(path: Path, name: str = "Model", fingerprint: str = "f", is_starter: bool = False) -> ModelFile:
    return ModelFile(
        id=new_id(),
        path=str(path),
        name=name,
        architecture="llama",
        quantization="Q4_1",
        size_bytes=98_000_000,
        n_params=135_000_000,
        n_ctx_train=2048,
        fingerprint=fingerprint,
        is_starter=is_starter,
        license="apache-2.0",
    )


def test_rows_come_back_as_they_were_given(store: Store, places: Places, tmp_path: Path) -> None:
    starter = model(resources() / "models" / "starter.gguf", "Starter", is_starter=True)
    own = model(places.models / "sub" / "own.gguf", "Own")
    elsewhere = model(tmp_path / "elsewhere.gguf", "Elsewhere")
    for given in (starter, own, elsewhere):
        assert store.models.upsert(given).result() == given
    assert store.models.list() == [elsewhere, own, starter]
    assert store.models.get(own.id) == own
    changed = msgspec.structs.replace(own, name="Renamed", problem="It is damaged.")
    store.models.upsert(changed).result()
    assert store.models.get(own.id) == changed
    store.models.remove(own.id).result()
    assert store.models.get(own.id) is None


def test_a_path_has_one_row(store: Store, places: Places) -> None:
    first, second = model(places.models / "a.gguf"), model(places.models / "a.gguf", "Again", "g")
    store.models.upsert(first).result()
    agreed = store.models.upsert(second).result()
    assert agreed == msgspec.structs.replace(second, id=first.id)
    assert store.models.list() == [agreed]


def test_the_data_folder_may_move(places: Places, tmp_path: Path) -> None:
    store = open_store(places)
    given = model(places.models / "a.gguf")
    store.models.upsert(given).result()
    store.close()
    moved = Places(tmp_path / "stick", tmp_path / "logs")
    places.data.rename(moved.data)
    store = open_store(moved)
    assert store.models.list() == [msgspec.structs.replace(given, path=str(moved.models / "a.gguf"))]
    store.close()
