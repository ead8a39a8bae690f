"""The file of a snapshot: all or nothing under its name, and whatever is wrong with one is told, never believed."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.snapshots import SnapshotFolder
from app.engine.worker.snapshot_file import (
    MAGIC,
    Header,
    Key,
    Seal,
    SnapshotError,
    SnapshotMissingError,
    SnapshotReader,
    SnapshotWriter,
    as_it_is,
    room_for,
)
from tests.end_to_end.places import SMALL_BYTES, small_disk

ROOT = Path(__file__).resolve().parents[3]
KEY = Key(
    model="ab" * 32,
    build="1",
    architecture="llama",
    type_k="f16",
    type_v="f16",
    flash_attention=-1,
    long_rope=False,
    in_parts=True,
)
PARTS = [bytes(range(100)), b"x", bytes(100)]
HEADER = Header(key=KEY, tokens=list(range(30)), ends=[10, 11, 30], traces=-1)


def write(path: Path, parts: list[bytes] = PARTS, seal: Seal = as_it_is) -> int:
    file = SnapshotWriter(path, HEADER, seal)
    for part in parts:
        file.add(memoryview(part))
    return file.commit()


def read(path: Path, unseal: Seal = as_it_is) -> tuple[Header, list[bytes]]:
    parts = []
    with contextlib.closing(SnapshotReader(path, unseal)) as file:
        while size := file.next_size():
            buffer = bytearray(size)
            parts.append(bytes(buffer[: file.read(memoryview(buffer))]))
        return file.header, parts


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.kv"
    size = write(path)
    assert size == path.stat().st_size
    assert read(path) == (HEADER, PARTS)
    assert [one.name for one in path.parent.iterdir()] == ["a.kv"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_seal_sees_every_byte_and_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"

    def flip(data: memoryview, record: int) -> bytes:
        return bytes(byte ^ (record + 17) for byte in data)

    write(path, seal=flip)
    assert read(path, unseal=flip) == (HEADER, PARTS)
    assert PARTS[0][:32] not in path.read_bytes()
    with pytest.raises(SnapshotError):
        read(path)

    def refuse(data: memoryview, record: int) -> bytes:
        raise ValueError("tampered with")

    with pytest.raises(SnapshotError, match="unsealed"):
        read(path, unseal=refuse)


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"
    write(path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(SnapshotError):
            read(path)


def test_every_flipped_bit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"
    write(path)
    data = path.read_bytes()
    for place, bit in itertools.product(range(len(data)), (0, 7)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        with pytest.raises(SnapshotError):
            read(path)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_no_snapshot(tmp_path_factory: pytest.TempPathFactory, data: bytes, like_one: bool) -> None:
    path = tmp_path_factory.mktemp("any") / "a.kv"
    path.write_bytes(MAGIC + data if like_one else data)
    with pytest.raises(SnapshotError):
        read(path)


def test_the_parts_before_a_bad_one_are_good(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"
    write(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with contextlib.closing(SnapshotReader(path)) as file:
        for part in PARTS[:2]:
            buffer = bytearray(file.next_size())
            assert bytes(buffer[: file.read(memoryview(buffer))]) == part
        with pytest.raises(SnapshotError, match="checksum"):
            file.read(memoryview(bytearray(file.next_size())))


def test_parts_in_another_order_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"
    same = [bytes(100), bytes([1]) * 100, bytes(100)]
    write(path, same)
    data = path.read_bytes()
    path.write_bytes(data[:-240] + data[-120:] + data[-240:-120])
    with pytest.raises(SnapshotError):
        read(path)


def test_what_is_missing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SnapshotMissingError):
        SnapshotReader(tmp_path / "a.kv")


def test_an_older_one_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.kv"
    write(path)
    file = SnapshotWriter(path, HEADER)
    file.add(memoryview(b"new"))
    assert read(path) == (HEADER, PARTS)
    file.abandon()
    file.abandon()
    assert read(path) == (HEADER, PARTS)
    assert [one.name for one in tmp_path.iterdir()] == ["a.kv"]


def test_a_full_disk_leaves_nothing_but_what_was_there(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk.folder / "a.kv"
        write(path)
        big = [random.Random(1).randbytes(SMALL_BYTES)] * 3
        if disk.mounted:
            assert not room_for(path, SMALL_BYTES, 0)
            assert room_for(path, 1000, 0)
            assert not room_for(path, 1000, SMALL_BYTES)
            with pytest.raises(SnapshotError, match="space"):
                write(path, big)
        disk.fill()
        try:
            with pytest.raises(SnapshotError):
                write(path, big)
            assert [one.name for one in disk.folder.glob("*.kv*")] == ["a.kv"]
            assert read(path) == (HEADER, PARTS)
        finally:
            disk.free()


WRITES_FOR_EVER = """
import sys
from pathlib import Path
from tests.engine.worker.test_snapshot_file import HEADER, write
parts = [bytes([number]) * 3_000_000 for number in range(3)]
path = Path(sys.argv[1])
write(path, parts)
print("begun", flush=True)
while True:
    write(path, parts)
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    """What is written is 9 MB in some milliseconds; the kills come at random moments of that."""
    path = tmp_path / "a.kv"
    source = random.Random(7)
    expected = [bytes([number]) * 3_000_000 for number in range(3)]
    left = 0
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITES_FOR_EVER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(source.uniform(0.0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.wait(30)
        child.stdout.close()
        assert read(path) == (HEADER, expected)
        left += len(list(tmp_path.glob("*.part")))
    assert left > 0, "no kill came while something was written"
    SnapshotFolder(tmp_path).sweep()
    assert [one.name for one in tmp_path.iterdir()] == ["a.kv"]


def test_a_sweep_leaves_what_is_being_written(tmp_path: Path) -> None:
    file = SnapshotWriter(tmp_path / "a.kv", HEADER)
    SnapshotFolder(tmp_path).sweep()
    for part in PARTS:
        file.add(memoryview(part))
    file.commit()
    assert read(tmp_path / "a.kv") == (HEADER, PARTS)
