"""The header reader: right on real and written files, and bounded and refusing on everything else."""

from __future__ import annotations

import contextlib
import ctypes
import struct
import time
import tracemalloc
from collections.abc import Container
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.engine.errors import GgufBroken, GgufTruncated, ModelFileError, NotGguf
from app.engine.gguf_header import MAX_HEADER_BYTES, MAX_STRINGS, Header, SkippedArray, read_header
from app.engine.gguf_types import FILE_TYPES, TENSOR_TYPES
from tests.support.gguf_writer import LLAMA, TENSORS, Typed, gguf_bytes, string, typed


def read(data: bytes, size: int | None = None, *, wanted: Container[str] = ()) -> Header:
    return read_header(
        lambda offset, length: data[offset : offset + length], len(data) if size is None else size, wanted=wanted
    )


def test_the_starter_model_as_the_reference_reader_sees_it(starter_model: Path) -> None:
    import gguf

    with starter_model.open("rb") as file:

        def read_at(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        header = read_header(read_at, starter_model.stat().st_size, wanted={"tokenizer.ggml.merges"})
        reference = gguf.GGUFReader(starter_model)
    assert header.data_offset == 1_785_664
    assert sum(tensor.elements for tensor in header.tensors) == 134_515_008
    assert [(t.name, t.shape, t.type, t.offset, t.size_bytes) for t in header.tensors] == [
        (t.name, tuple(int(n) for n in t.shape), int(t.tensor_type), t.data_offset, t.n_bytes)
        for t in reference.tensors
    ]
    for key, value in header.metadata.items():
        if isinstance(value, SkippedArray):
            assert value.count == len(reference.fields[key].data)
        elif isinstance(value, tuple):
            assert list(value) == list(reference.fields[key].contents())
        else:
            assert value == reference.fields[key].contents()
    merges = header.metadata["tokenizer.ggml.merges"]
    assert isinstance(merges, tuple)
    assert len(merges) == 48_900


def test_every_kind_of_value() -> None:
    values = {
        "u8": Typed(0, 200), "i8": Typed(1, -3), "u16": Typed(2, 60_000), "i16": Typed(3, -7), "u32": Typed(4, 1 << 31),
        "i32": Typed(5, -9), "f32": Typed(6, 0.5), "bool": Typed(7, True), "text": Typed(8, "é☃"),
        "u64": Typed(10, 1 << 63), "i64": Typed(11, -(1 << 62)), "f64": Typed(12, 0.1),
    }  # fmt: skip
    header = read(gguf_bytes({**values, "list": [1, 2, 3], "names": ["a", "b"], "none": []}, ()))
    expected = {key: value.value for key, value in values.items()} | {
        "list": (1, 2, 3),
        "names": ("a", "b"),
        "none": (),
    }
    assert header.metadata == expected


def test_text_that_is_not_utf8_is_read_anyway() -> None:
    assert read(gguf_bytes({"general.name": b"caf\xe9"})).text("general.name") == "caf�"


def test_a_long_array_is_measured_and_skipped_unless_wanted() -> None:
    data = gguf_bytes({**LLAMA, "tokens": [f"token {n}" for n in range(3000)], "scores": [0.5] * 3000})
    header = read(data)
    tokens, scores = header.metadata["tokens"], header.metadata["scores"]
    assert isinstance(tokens, SkippedArray)
    assert isinstance(scores, SkippedArray)
    assert (tokens.count, tokens.item_type, scores.size_bytes) == (3000, 8, 12_000)
    assert data[tokens.offset : tokens.offset + 15] == string("token 0")
    wanted = read(data, wanted={"tokens"}).metadata["tokens"]
    assert isinstance(wanted, tuple)
    assert wanted[2999] == "token 2999"


def test_a_source_that_is_read_in_ranges_is_read_only_as_far_as_needed() -> None:
    data = gguf_bytes()
    asked: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return data[offset : offset + length]

    read_header(read_at, 5_000_000_000)
    assert len(asked) == 1


def test_a_file_cut_anywhere_is_truncated_or_no_gguf_and_says_what_is_missing() -> None:
    data = gguf_bytes()
    last = read(data).tensors[-1]
    for size in range(last.offset + last.size_bytes):
        with pytest.raises(ModelFileError) as caught:
            read(data[:size])
        if size < 4:
            assert isinstance(caught.value, NotGguf)
        else:
            assert isinstance(caught.value, GgufTruncated)
            assert caught.value.numbers["size_bytes"] == size < caught.value.numbers["needed_bytes"] <= len(data)
    read(data[: last.offset + last.size_bytes])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"GGU", id="three bytes"),
        pytest.param(b"<!DOCTYPE html><html>Not Found</html>", id="a web page"),
        pytest.param(b"\x80\x02}q\x00" * 20, id="a pickle"),
        pytest.param(b"ggjt" + bytes(100), id="the format before"),
    ],
)
def test_something_else_is_no_gguf(data: bytes) -> None:
    with pytest.raises(NotGguf):
        read(data)


HEAD = b"GGUF" + struct.pack("<I", 3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gguf_bytes(version=1), id="version 1"),
        pytest.param(gguf_bytes(version=4), id="a version to come"),
        pytest.param(b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + bytes(64), id="big-endian"),
        pytest.param(HEAD + struct.pack("<QQ", 1 << 60, 0) + bytes(64), id="too many tensors"),
        pytest.param(HEAD + struct.pack("<QQ", 0, 1 << 60) + bytes(64), id="too many keys"),
        pytest.param(HEAD + struct.pack("<QQ", 0, 1) + struct.pack("<Q", 1 << 62) + bytes(64), id="an endless key"),
        pytest.param(HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<I", 99), id="value type 99"),
        pytest.param(
            HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<IIQ", 9, 9, 3) + bytes(64),
            id="array of arrays",
        ),
        pytest.param(
            HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, 1 << 62) + bytes(64),
            id="endless array",
        ),
        pytest.param(HEAD + struct.pack("<QQ", 0, 2) + (string("k") + typed(1)) * 2 + bytes(64), id="a key twice"),
        pytest.param(gguf_bytes({"general.alignment": 0}), id="alignment 0"),
        pytest.param(gguf_bytes({"general.alignment": 33}), id="alignment 33"),
        pytest.param(gguf_bytes({"general.alignment": "32"}), id="alignment in words"),
        pytest.param(gguf_bytes(tensors=[TENSORS[0], TENSORS[0]]), id="a tensor twice"),
        pytest.param(gguf_bytes(tensors=[("a", (33, 2), 2)]), id="a row that is no multiple of the block"),
        pytest.param(gguf_bytes(tensors=[("a", (1, 1, 1, 1, 1), 0)]), id="five dimensions"),
        pytest.param(gguf_bytes(tensors=[("a", (), 0)]), id="no dimension"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(data: bytes) -> None:
    with pytest.raises(GgufBroken):
        read(data)


def test_offsets_and_sizes_that_overflow_are_refused() -> None:
    info = string("a") + struct.pack("<I2QIQ", 2, 1 << 33, 1 << 33, 0, 0)
    with pytest.raises(GgufBroken):
        read(HEAD + struct.pack("<QQ", 1, 0) + info + bytes(64))
    info = string("a") + struct.pack("<IQIQ", 1, 32, 0, (1 << 64) - 32)
    with pytest.raises(GgufBroken):
        read(HEAD + struct.pack("<QQ", 1, 0) + info + bytes(64))


def test_an_unknown_number_format_is_named() -> None:
    info = string("a") + struct.pack("<IQIQ", 1, 32, 77, 0)
    with pytest.raises(GgufBroken) as caught:
        read(HEAD + struct.pack("<QQ", 1, 0) + info + bytes(64))
    assert caught.value.numbers == {"tensor_type": 77}
    assert "type 77" in caught.value.sentence


BODY = gguf_bytes({**LLAMA, "tokenizer.ggml.tokens": ["<s>", "a", "b"] * 400, "tokenizer.ggml.scores": [0.25] * 1200})


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_damage_ends_in_a_header_or_in_one_of_our_errors(data: st.DataObject) -> None:
    damaged = bytearray(BODY)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(BODY) - 1))
        patch = data.draw(st.one_of(st.binary(min_size=1, max_size=9), st.sampled_from([b"\xff" * 8, bytes(8)])))
        damaged[at : at + len(patch)] = patch
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    with contextlib.suppress(ModelFileError):
        header = read(bytes(damaged))
        assert all(tensor.offset + tensor.size_bytes <= len(damaged) for tensor in header.tensors)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 1 << 63))
def test_any_bytes_after_the_magic_are_survived(data: bytes, claimed: int) -> None:
    for body in (data, b"GGUF" + data, HEAD + data, HEAD + struct.pack("<QQ", 1, 1) + data):
        with contextlib.suppress(ModelFileError):
            read(body, max(len(body), claimed))


class Endless:
    """A file of any size that repeats a pattern after its beginning: what a hostile sparse file can be."""

    def __init__(self, head: bytes, pattern: bytes) -> None:
        self.head, self.pattern, self.bytes_read = head, pattern, 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.bytes_read += length
        begin = self.head[offset : offset + length]
        phase = (offset + len(begin) - len(self.head)) % len(self.pattern)
        return begin + (self.pattern * (length // len(self.pattern) + 2))[phase : phase + length - len(begin)]


HOSTILE = [
    pytest.param(HEAD + struct.pack("<QQ", 0, 60_000), string("k") + typed([1] * 1000), id="one key for ever"),
    pytest.param(
        HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, 1000),
        string("x" * 1_000_000),
        id="long strings that are kept",
    ),
    pytest.param(
        HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, 100_000),
        string("x" * 1_100_000),
        id="long strings that are skipped",
    ),
    pytest.param(HEAD + struct.pack("<QQ", 60_000, 0), string("t" * 60_000) + bytes(32), id="long tensor names"),
]


@pytest.mark.parametrize(("head", "pattern"), HOSTILE)
def test_memory_and_reading_are_bounded_whatever_a_file_claims(head: bytes, pattern: bytes) -> None:
    source = Endless(head, pattern)
    tracemalloc.start()
    with pytest.raises(ModelFileError):
        read_header(source.read_at, 1 << 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.bytes_read <= 2 * MAX_HEADER_BYTES
    assert peak < 200 * 1024 * 1024


def test_time_is_bounded_by_the_number_of_strings() -> None:
    claim = HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, MAX_STRINGS)
    begin = time.process_time()
    read_header(Endless(claim, bytes(8)).read_at, 1 << 50)
    assert time.process_time() - begin < 20  # it is about half a second
    with pytest.raises(GgufBroken):
        read(HEAD + struct.pack("<QQ", 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, MAX_STRINGS + 1), 1 << 50)


def test_tables_agree_with_the_library_in_use() -> None:
    import gguf
    import llama_cpp

    folder = Path(llama_cpp.__file__).parent / "lib"
    names = ("libggml-base.so.0", "libggml-base.so", "libggml-base.dylib", "ggml-base.dll")
    library = ctypes.CDLL(str(next(folder / name for name in names if (folder / name).exists())))
    library.ggml_type_size.restype = ctypes.c_size_t
    library.ggml_blck_size.restype = ctypes.c_int64
    library.ggml_type_name.restype = ctypes.c_char_p
    for kind, (name, block, block_bytes) in TENSOR_TYPES.items():
        assert library.ggml_type_name(kind).decode().upper() == name.upper()
        assert (library.ggml_blck_size(kind), library.ggml_type_size(kind)) == (block, block_bytes)
    for member in gguf.LlamaFileType:
        if member.name != "GUESSED":
            assert FILE_TYPES[member.value] == member.name.removeprefix("ALL_").removeprefix("MOSTLY_")
