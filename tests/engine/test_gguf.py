"""Which files are let through to llama.cpp, what is said of the others, and which file is which."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.engine.errors import (
    FileMissing,
    FileUnreadable,
    GgufBroken,
    GgufTruncated,
    ModelFileError,
    NotAChatModel,
    NotGguf,
    UnknownArchitecture,
)
from app.engine.gguf import check_loadable, file_type, fingerprint
from tests.support.gguf_writer import LLAMA, TENSORS, Typed, gguf_bytes


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf_bytes())
    return path


def test_a_model_is_let_through(model: Path, starter_model: Path) -> None:
    assert check_loadable(model).architecture == "llama"
    assert check_loadable(starter_model, {"llama"}).number("{arch}.context_length") == 8192


def test_a_missing_file(tmp_path: Path, model: Path) -> None:
    for path in (tmp_path / "none.gguf", model / "below-a-file.gguf"):
        with pytest.raises(FileMissing):
            check_loadable(path)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(FileUnreadable):
            check_loadable(path)


def test_a_file_without_permission(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model.chmod(0)
    if os.geteuid() == 0:  # root reads everything: let the system call refuse as it does for others

        def refuse(self: Path, *args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileUnreadable) as caught:
        check_loadable(model)
    assert caught.value.detail == "model.gguf: Permission denied"


def test_no_detail_names_a_folder(tmp_path: Path, model: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello there")
    for path in (tmp_path / "none.gguf", tmp_path, tmp_path / "text.gguf"):
        with pytest.raises(ModelFileError) as caught:
            check_loadable(path)
        assert str(tmp_path.parent) not in caught.value.detail + caught.value.sentence


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty.gguf"
    empty.touch()
    with pytest.raises(NotGguf) as caught:
        check_loadable(empty)
    assert "it is empty" in caught.value.sentence


def test_the_starter_model_cut_short_says_how_much_is_there(starter_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    shutil.copy(starter_model, path)
    for size in (98_362_431, 50_000_000, 1_000_000):
        os.truncate(path, size)
        with pytest.raises(GgufTruncated) as caught:
            check_loadable(path)
        assert caught.value.numbers["size_bytes"] == size


@pytest.mark.parametrize(
    ("kind", "metadata", "tensors"),
    [
        ("vocabulary", LLAMA, ()),
        ("projector", {"general.architecture": "clip"}, TENSORS),
        ("projector", {"general.architecture": "clip", "general.type": "mmproj"}, TENSORS),
        ("adapter", {**LLAMA, "general.type": "adapter", "adapter.type": "lora"}, TENSORS),
        ("adapter", {**LLAMA, "adapter.type": "lora"}, TENSORS),
        ("other", {"general.type": "imatrix"}, TENSORS),
        ("embedding", {"general.architecture": "bert"}, TENSORS),
        ("embedding", {"general.architecture": "qwen3", "qwen3.pooling_type": 3}, TENSORS),
        ("embedding", {**LLAMA, "llama.attention.causal": False}, TENSORS),
        ("part", {**LLAMA, "split.no": Typed(2, 1), "split.count": Typed(2, 3)}, TENSORS),
    ],
)
def test_what_is_no_chat_model_is_called_by_its_name(
    model: Path, kind: str, metadata: dict[str, Any], tensors: Any
) -> None:
    model.write_bytes(gguf_bytes(metadata, tensors))
    with pytest.raises(NotAChatModel) as caught:
        check_loadable(model)
    assert caught.value.detail == kind
    assert NotAChatModel.KINDS[kind] in caught.value.sentence


def test_a_model_without_an_architecture_is_broken(model: Path) -> None:
    model.write_bytes(gguf_bytes({"general.name": "x"}))
    with pytest.raises(GgufBroken):
        check_loadable(model)


def test_an_architecture_that_the_engine_does_not_know(model: Path) -> None:
    model.write_bytes(gguf_bytes({"general.architecture": "hal\n9000"}))
    assert check_loadable(model).architecture == "hal\n9000"
    with pytest.raises(UnknownArchitecture) as caught:
        check_loadable(model, {"llama"})
    assert "(hal 9000)" in caught.value.sentence


def test_a_model_in_parts_needs_all_of_them(tmp_path: Path) -> None:
    first = tmp_path / "big-00001-of-00003.gguf"
    first.write_bytes(gguf_bytes({**LLAMA, "split.no": Typed(2, 0), "split.count": Typed(2, 3)}))
    (tmp_path / "big-00002-of-00003.gguf").write_bytes(b"")
    with pytest.raises(FileMissing) as caught:
        check_loadable(first)
    assert caught.value.numbers == {"part": 3, "parts": 3}
    assert "Part 3 of the 3 files" in caught.value.sentence
    (tmp_path / "big-00003-of-00003.gguf").write_bytes(b"")
    check_loadable(first)


def test_a_fingerprint_knows_copies_and_tells_changes(starter_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other name.gguf"
    shutil.copy(starter_model, copy)
    mark = fingerprint(starter_model)
    assert len(mark) == 64
    assert fingerprint(copy) == mark
    size = copy.stat().st_size
    header = copy.read_bytes()[:1_785_664]
    name, token = header.index(b"Smollm2 135M"), header.index(b"lighthouse")
    for offset in (name, token, len(header), size - 1):  # the last two: first and last byte of the tensors
        with copy.open("r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 1]))
        assert fingerprint(copy) != mark
        with copy.open("r+b") as file:
            file.seek(offset)
            file.write(byte)
    assert fingerprint(copy) == mark
    with copy.open("ab") as file:
        file.write(b"\0")
    assert fingerprint(copy) != mark


def test_small_files_have_fingerprints_too(model: Path) -> None:
    assert len(fingerprint(model)) == 64


def test_the_quantization_is_named_by_the_file_or_by_its_tensors(model: Path, starter_model: Path) -> None:
    assert file_type(check_loadable(starter_model)) == "Q4_1"
    model.write_bytes(gguf_bytes({**LLAMA, "general.file_type": 15}))
    assert file_type(check_loadable(model)) == "Q4_K_M"
    model.write_bytes(gguf_bytes(LLAMA, [("a", (32, 2), 0), ("b", (64, 64), 8)]))
    assert file_type(check_loadable(model)) == "Q8_0"


def test_a_name_that_the_engine_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.gguf")
    path.write_bytes(gguf_bytes())
    with pytest.raises(FileUnreadable, match="Rename it"):
        check_loadable(path)
