"""The folder of snapshots: whose they are, the budget, and how they go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.base.ids import new_id
from app.engine.snapshots import AUTOMATIC_MOST_BYTES, SnapshotFolder

MODEL = "0123456789abcdef" * 4


def put(folder: SnapshotFolder, conversation_id: str, size: int, used: int, model: str = MODEL) -> Path:
    path = folder.path_for(conversation_id, model)
    assert path is not None
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> SnapshotFolder:
    return SnapshotFolder(tmp_path / "snapshots")


def test_a_folder_that_is_not_there_is_empty(folder: SnapshotFolder) -> None:
    assert folder.all() == []
    assert folder.size_bytes() == 0
    assert 0 < folder.automatic_budget() <= AUTOMATIC_MOST_BYTES
    folder.trim(0)
    folder.sweep()
    folder.remove_all()
    folder.remove(["one"])
    folder.remove_others(lambda ids: set())
    assert not folder.folder.exists()


def test_the_name_carries_conversation_and_model(folder: SnapshotFolder) -> None:
    one = new_id()
    path = put(folder, one, 10, 1)
    assert path.name == f"{one}.0123456789abcdef.kv"
    assert folder.has(str(path))
    assert [(found.conversation_id, found.size_bytes) for found in folder.all()] == [(one, 10)]
    for unfit in (("../up", MODEL), (one, ""), (f"{one}:note", MODEL), (one, "not hexadecimal")):
        assert folder.path_for(*unfit) is None
    assert SnapshotFolder(Path("/\udcff")).path_for("a", "b") is None, "no frame can name it"


def test_those_unused_for_longest_go_first(folder: SnapshotFolder) -> None:
    paths = [put(folder, f"c{number}", 100, used) for number, used in enumerate((30, 10, 20))]
    folder.trim(250)
    assert [path.exists() for path in paths] == [True, False, True]
    folder.trim(250)
    assert folder.size_bytes() == 200
    folder.trim(0)
    assert folder.all() == []


def test_one_larger_than_the_budget_goes_and_takes_no_other_along(folder: SnapshotFolder) -> None:
    put(folder, "old", 100, 1)
    large = put(folder, "large", 1000, 9)
    folder.trim(300)
    assert [found.conversation_id for found in folder.all()] == ["old"]
    assert not large.exists()


def test_a_conversation_takes_all_of_its_files_along(folder: SnapshotFolder) -> None:
    put(folder, "one", 1, 1)
    put(folder, "one", 1, 1, "f" * 64)
    put(folder, "two", 1, 1)
    folder.remove(["one"])
    assert [found.conversation_id for found in folder.all()] == ["two"]
    folder.remove_others(lambda ids: {one for one in ids if one == "two"})
    assert len(folder.all()) == 1
    folder.remove_others(lambda ids: set())
    assert folder.all() == []


def test_only_what_is_a_snapshot_is_touched(folder: SnapshotFolder, tmp_path: Path) -> None:
    put(folder, "one", 1, 1)
    others = [folder.folder / name for name in ("notes.txt", "x.kv", "movie.part", "a.kv.d")]
    for other in others[:3]:
        other.write_bytes(b"mine")
    others[3].mkdir()
    left = folder.folder / f"one.{MODEL[:16]}.kv.123.part"
    left.write_bytes(b"half")
    outside = tmp_path / "outside.part"
    outside.write_bytes(b"mine")
    (folder.folder / f"two.{MODEL[:16]}.kv.1.part").symlink_to(outside)
    folder.sweep()
    assert not left.exists()
    folder.remove_all()
    assert folder.all() == []
    assert all(other.exists() for other in others)
    assert outside.read_bytes() == b"mine"
