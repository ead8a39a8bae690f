"""A partial file: what is remembered, what is believed of it, and who may write."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.hub import disk
from app.hub.checking import Fingerprint, Follower
from app.hub.failures import AlreadyRunning, BadName, NoSpace, NotWritten, Stopped, from_os_error
from app.hub.locks import FileLock
from app.hub.parts import Part, Promise, remove_parts
from app.hub.pieces import Piece, Pieces
from app.hub.spans import Spans, plausible
from tests.support.hub.downloads import random_bytes

DATA = random_bytes(100_000)
PROMISE = Promise(
    endpoint="http://127.0.0.1:1", repo="a/b", commit="c" * 40, path="m.gguf", size_bytes=len(DATA), sha256="0" * 64
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


def journal(at: Path) -> Path:
    return at / "m.gguf.part.json"


def test_what_came_is_there_for_the_next_one(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.reserve()
    part.write(50_000, [DATA[50_000:60_000]], 0)
    part.write(0, [DATA[:10_000]], 0)
    part.save()
    part.close()
    again = Part(folder / "m.gguf", PROMISE)
    assert again.restored_bytes == again.done_bytes == 20_000
    assert again.missing() == [(10_000, 50_000), (60_000, 100_000)]
    assert again.prefix == 10_000
    assert again.path.read_bytes()[50_000:60_000] == DATA[50_000:60_000]
    again.close()


def test_a_journal_tells_only_of_what_was_saved(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.reserve()
    part.write(0, [DATA[:10_000]], 0)
    part.save()
    part.write(10_000, [DATA[10_000:20_000]], 0)
    part.close()
    again = Part(folder / "m.gguf", PROMISE)
    assert again.missing() == [(10_000, 100_000)]
    again.close()


@pytest.mark.parametrize("changes", [{"sha256": "1" * 64}, {"size_bytes": 100_001}, {"sha256": "", "commit": "d" * 40}])
def test_a_journal_of_another_file_counts_for_nothing(folder: Path, changes: dict[str, object]) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.write(0, [DATA], 0)
    part.save()
    part.close()
    other = Part(folder / "m.gguf", msgspec.structs.replace(PROMISE, **changes))
    assert other.restored_bytes == 0
    assert other.path.stat().st_size == 0
    other.close()


def test_the_same_bytes_at_another_commit_go_on(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.write(0, [DATA[:100]], 0)
    part.save()
    part.close()
    other = Part(folder / "m.gguf", msgspec.structs.replace(PROMISE, commit="d" * 40, endpoint="http://127.0.0.1:2"))
    assert other.restored_bytes == 100
    other.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"promise": 1}',
        b'{"promise": {}, "spans": [[0, 100000]]}',
        b" " * 2_000_000,
    ],
)
def test_a_damaged_journal_begins_anew(folder: Path, body: bytes) -> None:
    (folder / "m.gguf.part").write_bytes(DATA)
    journal(folder).write_bytes(body)
    part = Part(folder / "m.gguf", PROMISE)
    assert part.restored_bytes == 0
    part.close()


@pytest.mark.parametrize("spans", [[[-5, 100]], [[5, 2]], [[90_000, 10**30]], [[0, 10**18]], [["a", 1]]])
def test_impossible_spans_are_not_believed(folder: Path, spans: list[list[object]]) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.reserve()
    part.write(0, [DATA[:10]], 0)
    part.save()
    part.close()
    told = json.loads(journal(folder).read_bytes())
    journal(folder).write_text(json.dumps({**told, "spans": spans}))
    again = Part(folder / "m.gguf", PROMISE)
    assert 0 <= again.restored_bytes <= len(DATA)
    assert all(0 <= start < end <= len(DATA) for start, end in again.missing())
    again.close()


def test_a_file_that_lost_its_end_is_fetched_again_from_there(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.write(0, [DATA], 0)
    part.save()
    part.close()
    os.truncate(part.path, 30_000)
    again = Part(folder / "m.gguf", PROMISE)
    assert again.missing() == [(30_000, 100_000)]
    again.close()


def test_a_journal_is_not_believed_of_a_file_that_was_lost(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.write(0, [DATA], 0)
    part.save()
    part.close()
    part.path.unlink()
    fresh = Part(folder / "m.gguf", PROMISE)
    fresh.reserve()
    fresh.close()  # killed before anything was saved
    again = Part(folder / "m.gguf", PROMISE)
    assert again.restored_bytes == 0
    again.close()


def test_verified_is_believed_only_of_an_untouched_file(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.write(0, [DATA], 0)
    part.save(verified=True)
    part.close()
    again = Part(folder / "m.gguf", PROMISE)
    assert again.verified
    again.close()
    os.utime(part.path, ns=(1, 1))
    touched = Part(folder / "m.gguf", PROMISE)
    assert not touched.verified
    touched.close()


def test_nobody_else_writes_at_the_same_time(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    with pytest.raises(AlreadyRunning):
        Part(folder / "m.gguf", PROMISE)
    remove_parts(folder / "m.gguf")
    assert part.path.exists()
    part.close()
    remove_parts(folder / "m.gguf")
    assert list(folder.iterdir()) == []


def test_a_thread_that_is_late_writes_nothing(folder: Path) -> None:
    part = Part(folder / "m.gguf", PROMISE)
    part.reserve()
    part.write(0, [DATA], 0)
    part.restart()
    with pytest.raises(Stopped):
        part.write(0, [b"late"], 0)
    assert part.done_bytes == 0
    part.close()
    with pytest.raises(Stopped):
        part.write(0, [b"late"], part.generation)
    again = Part(folder / "m.gguf", PROMISE)
    assert again.restored_bytes == 0
    again.close()


def test_a_link_is_not_followed(folder: Path) -> None:
    outside = folder / "outside"
    outside.write_bytes(b"keep")
    (folder / "m.gguf.part").symlink_to(outside)
    with pytest.raises(BadName):
        Part(folder / "m.gguf", PROMISE)
    assert outside.read_bytes() == b"keep"


def test_it_takes_its_place_over_an_older_one(folder: Path) -> None:
    (folder / "m.gguf").write_bytes(b"older")
    part = Part(folder / "m.gguf", PROMISE)
    part.write(0, [DATA], 0)
    part.save(verified=True)
    assert (folder / "m.gguf").read_bytes() == b"older"
    part.promote()
    assert (folder / "m.gguf").read_bytes() == DATA
    assert [one.name for one in folder.iterdir()] == ["m.gguf"]


def test_the_space_is_taken_at_once(folder: Path) -> None:
    part = Part(folder / "m.gguf", msgspec.structs.replace(PROMISE, size_bytes=8_000_000))
    assert part.wanted_bytes == 8_000_000
    part.reserve()
    assert part.path.stat().st_size == 8_000_000
    assert part.wanted_bytes == 0
    assert part.done_bytes == 0
    part.close()


def test_without_reserving_the_file_has_its_size_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_linux_fallocate", lambda file, size: False)
    part = Part(folder / "m.gguf", PROMISE)
    part.reserve()
    assert part.path.stat().st_size == len(DATA)
    part.close()


@pytest.mark.parametrize(
    ("code", "kind"),
    [(errno.ENOSPC, NoSpace), (errno.EDQUOT, NoSpace), (errno.EFBIG, NotWritten), (errno.EROFS, NotWritten),
     (errno.EACCES, NotWritten), (errno.EIO, NotWritten)],
)  # fmt: skip
def test_what_the_disk_says_in_words(code: int, kind: type[Exception]) -> None:
    error = from_os_error(OSError(code, os.strerror(code)), Path("/models/m.gguf"))
    assert type(error) is kind
    assert "/models" in error.sentence
    assert os.strerror(code) in error.detail


def test_a_lock_ends_with_its_holder_and_leaves_nothing(folder: Path) -> None:
    lock = FileLock.take(folder / "x.lock")
    assert lock is not None
    assert FileLock.take(folder / "x.lock") is None
    lock.release()
    lock.release()
    assert list(folder.iterdir()) == []
    again = FileLock.take(folder / "x.lock")
    assert again is not None
    again.release()


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_spans_are_what_a_set_of_bytes_is(given_spans: list[tuple[int, int]]) -> None:
    spans, there = Spans(), set()
    for start, end in given_spans:
        spans.add(start, end)
        there |= set(range(start, end))
    assert spans.total == len(there)
    assert spans.prefix == next(n for n in range(100) if n not in there)
    assert {n for start, end in spans.all() for n in range(start, end)} == there
    missing = {n for start, end in spans.missing(70) for n in range(start, end)}
    assert missing == set(range(70)) - there
    assert all(before[1] < after[0] for before, after in zip(spans.all(), spans.all()[1:], strict=False))
    assert all(0 <= start < end <= 50 for start, end in plausible(given_spans, 50))


@given(st.integers(1, 500), st.integers(1, 9), st.integers(1, 40), st.integers(1, 60), st.integers(0, 10**6))
def test_pieces_share_every_byte_once(size: int, connections: int, least: int, most: int, seed: int) -> None:
    source = random.Random(seed)
    pieces = Pieces([(0, size)], connections, least, most)
    held: list[Piece] = []
    written = [0] * size
    while True:
        if held and source.random() < 0.5:
            piece = source.choice(held)
            start, count = piece.claim(source.randint(1, 30))
            for place in range(start, start + count):
                written[place] += 1
            if piece.left <= 0:
                pieces.done(piece)
                held.remove(piece)
        elif (taken := pieces.take()) is not None:
            held.append(taken)
        elif not held:
            break
    assert written == [1] * size


def test_the_fingerprint_follows_bytes_out_of_order(folder: Path) -> None:
    promise = msgspec.structs.replace(PROMISE, sha256=hashlib.sha256(DATA).hexdigest())
    part = Part(folder / "m.gguf", promise)
    part.reserve()
    follower = Follower(part, Fingerprint(promise.sha256, "", len(DATA)), 0.01, threading.Event())
    verdict: list[bool] = []
    thread = threading.Thread(target=lambda: verdict.append(follower.run()))
    thread.start()
    for start in (60_000, 20_000, 80_000, 0, 40_000):
        part.write(start, [DATA[start : start + 9_000], DATA[start + 9_000 : start + 20_000]], 0)
    thread.join(10)
    assert verdict == [True]
    part.close()


def test_git_ids_are_checked_for_small_files() -> None:
    body = b"{}\n"
    etag = hashlib.sha1(b"blob 3\0" + body).hexdigest()
    good, bad, unknown = Fingerprint("", etag, 3), Fingerprint("", etag, 3), Fingerprint("", "abc", 3)
    good.update(memoryview(body))
    bad.update(memoryview(b"{]\n"))
    unknown.update(memoryview(body))
    assert good.right
    assert not bad.right
    assert unknown.right
