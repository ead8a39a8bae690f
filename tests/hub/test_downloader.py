"""Downloads from a Hub on loopback: whole, in sets, stopped, taken up again, with limits and without room."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from app.hub import disk
from app.hub.downloader import Downloader, remove_leftovers
from app.hub.errors import AskForAccess, LogIn, NotFound
from app.hub.failures import (
    AlreadyRunning,
    FingerprintMismatch,
    NoSpace,
    ServerUnusable,
    Stopped,
)
from app.privacy.errors import Offline
from tests.hub.downloading import (
    MODEL,
    NAME,
    PLACE,
    PROJECTOR,
    SIZE,
    UNSHARED,
    WAYS,
    begin,
    fetch,
    stop_in_the_middle,
    wait_until,
)
from tests.support.hub.downloads import PIECE, World
from tests.support.hub.files import Kind


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_a_set_arrives_with_its_projector(tmp_path: Path, way: str) -> None:
    files = {"q4/m-00001-of-00002.gguf": MODEL, "q4/m-00002-of-00002.gguf": MODEL[::-1], "mmproj-F16.gguf": PROJECTOR}
    world = World(tmp_path / "models", {**files, "config.json": b"{}\n"})
    downloader = world.downloader()
    assert downloader.run() == [world.place(name) for name in (*files, "config.json")]
    for name, body in files.items():
        assert world.place(name).read_bytes() == body
    progress = downloader.progress()
    assert progress.done_bytes == progress.size_bytes == 2 * SIZE + len(PROJECTOR) + 3
    assert not any("Authorization" in seen.headers for seen in (*world.cdn.seen, *world.hub.seen))
    assert {seen.headers["Accept-Encoding"] for seen in world.cdn.seen} == {"identity"}
    world.close()


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_several_connections_share_a_file(world: World) -> None:
    fetch(world, **UNSHARED)
    asked = sorted((seen.start, seen.end or 0) for seen in world.cdn.seen)
    assert len(asked) > 4
    assert asked[0][0] == 0
    assert asked[-1][1] == SIZE
    assert max(end - start for start, end in asked) <= PIECE
    assert {end for _, end in asked[:-1]} == {start for start, _ in asked[1:]}  # each byte once
    assert len([seen for seen in world.hub.seen if seen.method == "HEAD"]) == 1


def test_a_small_file_uses_one_connection(world: World) -> None:
    fetch(world, piece_min_bytes=1 << 20, piece_max_bytes=1 << 20)
    assert [(seen.start, seen.end) for seen in world.cdn.seen] == [(0, SIZE)]


def test_the_slow_tail_is_shared(world: World) -> None:
    world.cdn.fault(Kind.STALL, 3 * PIECE + 100)
    fetch(world, piece_min_bytes=2048, stall_s=1.0)
    assert len(world.cdn.seen) > 7


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_stopped_while_stalled_and_taken_up_again(world: World) -> None:
    stop_in_the_middle(world)
    before = len(world.cdn.seen)
    fetch(world, **UNSHARED)
    again = world.cdn.seen[before:]
    assert sum((seen.end or SIZE) - seen.start for seen in again) <= PIECE


def test_stopped_before_it_began(world: World) -> None:
    downloader = world.downloader()
    downloader.stop()
    with pytest.raises(Stopped):
        downloader.run()
    assert world.hub.seen == []


def test_stopped_while_it_waits_to_try_again(world: World) -> None:
    world.cdn.fault(Kind.STATUS, times=-1, status=503, headers={"Retry-After": "300"})
    downloader = world.downloader(patience_s=1000.0)
    thread, errors = begin(downloader)
    world.cdn.wait_for(lambda cdn: len(cdn.seen) >= 1)
    downloader.stop()
    thread.join(20)
    assert [type(error) for error in errors] == [Stopped]


def test_cancelled_leaves_nothing(world: World) -> None:
    stop_in_the_middle(world)
    remove_leftovers(world.wanted())
    assert list(world.folder.iterdir()) == []


def test_cancelled_leaves_what_another_download_goes_on_with(world: World) -> None:
    stop_in_the_middle(world)
    newer = msgspec.structs.replace(world.wanted(), id="d2", commit="e" * 40)
    remove_leftovers(world.wanted(), [newer])
    assert world.left() == [f"{PLACE}.part", f"{PLACE}.part.json"]


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_offline_says_so_and_keeps_what_came(world: World) -> None:
    stop_in_the_middle(world)
    world.online = False
    with pytest.raises(Offline):
        world.downloader().run()
    world.online = True
    fetch(world)


def test_the_old_file_stays_until_the_new_one_is_right(world: World) -> None:
    world.place(NAME).parent.mkdir(parents=True)
    world.place(NAME).write_bytes(b"older")
    world.cdn.fault(Kind.WRONG_BYTES, 5)
    with pytest.raises(FingerprintMismatch):
        world.downloader().run()
    assert world.place(NAME).read_bytes() == b"older"
    fetch(world)


def test_an_updated_set_changes_all_at_once(tmp_path: Path) -> None:
    world = World(tmp_path / "models", {"m-00001-of-00002.gguf": MODEL, "m-00002-of-00002.gguf": PROJECTOR})
    first, second = world.place("m-00001-of-00002.gguf"), world.place("m-00002-of-00002.gguf")
    first.parent.mkdir(parents=True)
    first.write_bytes(b"old 1")
    second.write_bytes(b"old 2")
    fault = world.cdn.fault(Kind.STATUS, times=-1, status=403, where="00002-of-00002")
    with pytest.raises(ServerUnusable):
        world.downloader().run()
    assert (first.read_bytes(), second.read_bytes()) == (b"old 1", b"old 2")
    world.cdn.faults.remove(fault)
    before = len(world.cdn.seen)
    world.downloader().run()
    assert (first.read_bytes(), second.read_bytes()) == (MODEL, PROJECTOR)
    assert all("00001-of" not in seen.path for seen in world.cdn.seen[before:])
    world.close()


def test_what_is_there_is_not_fetched(world: World) -> None:
    fetch(world)
    before = len(world.cdn.seen)
    fetch(world)
    assert len(world.cdn.seen) == before


def test_the_speed_is_that_of_what_comes(tmp_path: Path) -> None:
    """Neither a file that was there nor what a former run left."""
    world = World(tmp_path / "models", {NAME: MODEL, "other.gguf": MODEL[::-1]})
    world.downloader(world.wanted(NAME)).run()
    world.cdn.fault(Kind.STALL, 4 * PIECE + 10, times=-1, where="other")

    def run_until(true: Callable[[Downloader], bool]) -> Downloader:
        downloader = world.downloader(stall_s=30.0)
        assert downloader.progress().done_bytes == 0
        thread, _ = begin(downloader)
        wait_until(lambda: downloader.progress().done_bytes > 2 * SIZE - PIECE and true(downloader))
        downloader.stop()
        thread.join(20)
        return downloader

    run_until(lambda _: True)
    speeds: list[float] = []
    began = time.monotonic()

    def measured(downloader: Downloader) -> bool:
        speeds.append(downloader.progress().bytes_per_s)
        return time.monotonic() > began + 0.5

    run_until(measured)
    assert max(speeds) < PIECE / 0.2
    world.close()


def test_two_at_once_fetch_one(world: World) -> None:
    world.cdn.fault(Kind.STALL, 10, times=-1)
    downloader = world.downloader(stall_s=30.0)
    thread, _ = begin(downloader)
    world.cdn.wait_for(lambda cdn: bool(cdn.seen))
    with pytest.raises(AlreadyRunning):
        world.downloader().run()
    downloader.stop()
    thread.join(20)


def test_too_little_space_is_said_before_anything_is_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 64 * 1024 * 1024 + SIZE - 1)
    with pytest.raises(NoSpace, match=r"needs 99 KB and 99 KB are free") as caught:
        world.downloader().run()
    assert (caught.value.needed, caught.value.free) == (SIZE, SIZE - 1)
    assert not any(world.cdn.seen)


def test_the_token_goes_to_the_hub_alone(world: World) -> None:
    world.repository.gated = "manual"
    with pytest.raises(LogIn):
        world.downloader().run()
    with pytest.raises(AskForAccess):
        world.downloader(token="hf_other").run()
    world.files.tokens.add("hf_mine")
    assert world.downloader(token="hf_mine").run()
    assert {seen.headers.get("Authorization") for seen in world.hub.seen[2:]} == {"Bearer hf_mine"}
    assert not any("Authorization" in seen.headers for seen in world.cdn.seen)


@pytest.mark.parametrize(
    "spoil", [lambda world: world.repository.files.clear(), lambda world: world.files.repositories.clear()]
)
def test_what_is_gone_is_said(world: World, spoil: Callable[[World], None]) -> None:
    wanted = world.wanted()
    spoil(world)
    with pytest.raises(NotFound):
        world.downloader(wanted).run()


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_the_limit_holds_for_all_connections_together(tmp_path: Path, way: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL})
    began = time.monotonic()
    assert world.downloader(limit=SIZE).run()
    assert time.monotonic() - began >= 0.8
    world.close()


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_a_disk_that_gets_full_is_said_and_goes_on_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where space cannot be taken beforehand it may end in between."""
    real, left = disk.write_at, [3 * PIECE]

    def full(file: int, offset: int, blocks: Sequence[bytes]) -> int:
        left[0] -= sum(map(len, blocks))
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, offset, blocks)

    monkeypatch.setattr(disk, "write_at", full)
    with pytest.raises(NoSpace, match="full"):
        world.downloader().run()
    monkeypatch.setattr(disk, "write_at", real)
    assert world.place(NAME + ".part").exists()
    fetch(world)
    shutil.rmtree(world.folder)
