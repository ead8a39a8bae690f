"""Headers of files that are still on the Hub: what is fetched, what is bounded, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.errors import InglenookError
from app.engine.errors import GgufBroken, GgufTruncated, NotAChatModel, NotGguf
from app.engine.fit import estimate
from app.engine.gguf import check_loadable
from app.engine.shape import shape_of
from app.engine.values import LoadOptions
from app.hub import remote
from app.hub.client import prepare
from app.hub.errors import HubError, ServerTrouble
from app.hub.failures import FileChanged, ServerUnusable
from app.hub.parts import Promise
from app.hub.remote import RemoteModel, fetch_bare
from app.privacy.errors import NetworkError, Offline
from app.privacy.policy import Purpose
from tests.support.architectures import Shape, write
from tests.support.gguf_writer import TENSORS, Typed, gguf_bytes
from tests.support.hub.downloads import World
from tests.support.hub.files import Kind
from tests.support.hub.repository import HubFile

LARGE = Shape(62, 5376, 32, 16, 128, 21504, 262144, window=1024, kind=12)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 27 billion parameters with a header of 11 MB, sparse."""
    folder = tmp_path_factory.mktemp("large")
    return write(folder / "m.gguf", "gemma3", LARGE, n_merges=240_000)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A model whose header has 3 MB."""
    return write(tmp_path / "small.gguf", "llama", Shape(n_vocab=100_000))


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        world.close()


def world_of(worlds: list[World], files: dict[str, Path | bytes], folder: Path) -> World:
    held = {
        name: HubFile(name, content, sha256=f"{number:064x}") for number, (name, content) in enumerate(files.items())
    }
    world = World(folder / "models", held)
    worlds.append(world)
    prepare(world.gate)
    return world


def fetch(world: World, folder: Path, *names: str) -> RemoteModel:
    folder.mkdir(exist_ok=True)
    promises = [
        Promise(
            endpoint=world.hub.url,
            repo=world.repository.id,
            commit=world.repository.commit,
            path=file.path,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
        )
        for file in world.wanted(*names).files
    ]
    with world.gate.action(Purpose.HEADER, "Look whether it fits"):
        return fetch_bare(world.gate, promises, str, folder)


def test_the_header_of_a_large_model_is_all_that_is_fetched(worlds: list[World], large: Path, tmp_path: Path) -> None:
    world = world_of(worlds, {"m.gguf": large}, tmp_path)
    found = fetch(world, tmp_path / "here")
    assert 10_500_000 < found.headers[0].data_offset < found.fetched_bytes < 16_000_000
    asked = [seen for seen in world.cdn.seen if seen.method == "GET"]
    assert [seen.start for seen in asked] == [0, *(seen.end for seen in asked[:-1])]
    assert asked[0].end == 2 * MIB
    assert found.shape == shape_of(check_loadable(large))
    assert found.path.stat().st_blocks * 512 < 200_000
    assert found.path.stat().st_size > 15_000_000_000
    bare = shape_of(check_loadable(found.path))
    assert estimate(bare, LoadOptions()) == estimate(found.shape, LoadOptions())


def test_a_small_file_is_not_asked_beyond_its_end(worlds: list[World], tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf", "llama", Shape(n_layer=1, n_embd=64, n_head=2, n_head_kv=1, n_ff=64))
    world = world_of(worlds, {"m.gguf": path}, tmp_path)
    found = fetch(world, tmp_path / "here")
    assert found.fetched_bytes == path.stat().st_size < 2 * MIB
    assert found.shape == shape_of(check_loadable(path))


def test_all_parts_of_a_split_model_are_looked_at(worlds: list[World], tmp_path: Path) -> None:
    split = {"split.count": Typed(2, 2), "split.tensors.count": 3}
    llama = {"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 32}
    first = gguf_bytes(llama | split | {"split.no": Typed(2, 0)}, TENSORS)
    second = gguf_bytes(split | {"split.no": Typed(2, 1)}, (("blk.0.attn_k.weight", (32, 4), 0),))
    names = ["../../x-00001-of-00002.gguf", "../../x-00002-of-00002.gguf"]
    world = world_of(worlds, {"a": first, "b": second}, tmp_path)
    found = fetch(world, tmp_path / "here", "a", "b")
    assert sorted(one.name for one in (tmp_path / "here").iterdir()) == [
        "model-00001-of-00002.gguf",
        "model-00002-of-00002.gguf",
    ]
    assert found.shape.layer_bytes == (32 * 4 * 4,)
    assert not any((tmp_path / name).exists() for name in names)


@pytest.mark.parametrize(
    ("kind", "at", "error"),
    [
        (Kind.WRONG_RANGE, None, ServerUnusable),
        (Kind.WRONG_TOTAL, None, FileChanged),
        (Kind.CUT, 100_000, InglenookError),
        (Kind.DROP, None, NetworkError),
        (Kind.LOOP, None, HubError),
        (Kind.SHORT, None, InglenookError),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(
    worlds: list[World], small: Path, tmp_path: Path, kind: Kind, at: int | None, error: type[Exception]
) -> None:
    world = world_of(worlds, {"m.gguf": small}, tmp_path)
    world.cdn.fault(kind, at=at, times=-1)
    with pytest.raises(error) as caught:
        fetch(world, tmp_path / "here")
    assert isinstance(caught.value, InglenookError)
    assert caught.value.sentence


def test_a_server_that_knows_no_ranges_is_read_to_the_end_of_the_header_only(
    worlds: list[World], small: Path, tmp_path: Path
) -> None:
    world = world_of(worlds, {"m.gguf": small}, tmp_path)
    world.cdn.fault(Kind.WHOLE, times=-1)
    found = fetch(world, tmp_path / "here")
    assert found.shape == shape_of(check_loadable(small))


def test_an_address_that_ended_is_asked_for_again(worlds: list[World], small: Path, tmp_path: Path) -> None:
    world = world_of(worlds, {"m.gguf": small}, tmp_path)
    world.cdn.fault(Kind.STATUS, status=403)
    assert fetch(world, tmp_path / "here").shape == shape_of(check_loadable(small))
    world.cdn.fault(Kind.STATUS, status=403, times=-1)
    with pytest.raises(ServerUnusable):
        fetch(world, tmp_path / "again")


def test_a_server_in_trouble_is_told(worlds: list[World], small: Path, tmp_path: Path) -> None:
    world = world_of(worlds, {"m.gguf": small}, tmp_path)
    world.cdn.fault(Kind.STATUS, status=503, times=-1)
    with pytest.raises(ServerTrouble):
        fetch(world, tmp_path / "here")


def test_nothing_is_asked_offline(worlds: list[World], small: Path, tmp_path: Path) -> None:
    world = world_of(worlds, {"m.gguf": small}, tmp_path)
    world.online = False
    with pytest.raises(Offline):
        fetch(world, tmp_path / "here")
    assert not world.cdn.seen


def test_a_stalled_answer_is_given_up_when_nobody_wants_it(worlds: list[World], small: Path, tmp_path: Path) -> None:
    world = world_of(worlds, {"m.gguf": small}, tmp_path)
    world.cdn.fault(Kind.STALL, at=50_000, times=-1)
    errors: list[BaseException] = []
    inside = threading.Event()

    def run() -> None:
        try:
            with world.gate.action(Purpose.HEADER, "Look") as action:
                actions.append(action)
                inside.set()
                file = world.wanted().files[0]
                promise = Promise(
                    endpoint=world.hub.url,
                    repo=world.repository.id,
                    commit=world.repository.commit,
                    path=file.path,
                    size_bytes=file.size_bytes,
                )
                fetch_bare(world.gate, [promise], str, tmp_path)
        except InglenookError as error:
            errors.append(error)

    actions: list[object] = []
    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(20)
    world.gate.cancel(actions[0])  # type: ignore[arg-type]
    thread.join(20)
    assert [getattr(error, "code", "") for error in errors] == ["cancelled"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<!DOCTYPE html>" * 100, NotGguf),
        (b"", NotGguf),
        (gguf_bytes()[:60], GgufTruncated),
        (gguf_bytes({"general.architecture": "llama", "llama.block_count": 2**31}), GgufBroken),
        (gguf_bytes({"general.architecture": "clip", "general.type": "mmproj"}), NotAChatModel),
    ],
    ids=["page", "nothing", "cut", "layers", "projector"],
)
def test_what_is_no_model_is_refused(
    worlds: list[World], tmp_path: Path, body: bytes, error: type[InglenookError]
) -> None:
    world = world_of(worlds, {"m.gguf": body}, tmp_path)
    with pytest.raises(error):
        fetch(world, tmp_path / "here")


def test_a_header_without_an_end_is_left(worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.gguf", "llama", Shape(n_vocab=500_000))
    monkeypatch.setattr(remote, "MAX_BYTES", 3_000_000)
    world = world_of(worlds, {"m.gguf": path}, tmp_path)
    with pytest.raises(GgufBroken) as caught:
        fetch(world, tmp_path / "here")
    assert "3000000" in caught.value.detail
    assert sum((seen.end or 0) - seen.start for seen in world.cdn.seen if seen.method == "GET") <= 3_000_000
