"""Downloads from a Hub on loopback: whole, cut, stalled, lied to, stopped and taken up again."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from app.base.errors import InglenookError
from app.hub import disk
from app.hub.downloader import Downloader, places, remove_leftovers
from app.hub.errors import AskForAccess, HubError, LogIn, NotFound
from app.hub.failures import (
    AlreadyRunning,
    BadName,
    FileChanged,
    FingerprintMismatch,
    LostTouch,
    NoSpace,
    ServerUnusable,
    Stopped,
)
from app.hub.values import RemoteFile
from app.privacy.errors import NetworkError, Offline
from tests.support.bodies import read_directly
from tests.support.hub.downloads import PIECE, World, random_bytes
from tests.support.hub.files import Answer, Kind

SIZE = 6 * PIECE + 1000
MODEL = random_bytes(SIZE)
PROJECTOR = random_bytes(50_001, 2)
NAME = "model-Q4_K_M.gguf"
PLACE = f"acme/tiny/{NAME}"
UNSHARED = {"piece_min_bytes": 2 * PIECE + 8}
"""No piece is large enough to be shared: which bytes are asked for does not depend on who is slow."""

BORDERS = sorted({0, SIZE - 1, *(n * PIECE + shift for n in range(7) for shift in (-1, 0, 1)), SIZE // 2, 12_345})
BORDERS = [place for place in BORDERS if 0 <= place < SIZE]


WAYS = ["usual", "direct"]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How bodies are read. Files of tests are small, and would never be read directly."""
    if request.param == "direct":
        read_directly(monkeypatch)
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, way: str) -> Iterator[World]:
    made = World(tmp_path / "models", {NAME: MODEL})
    yield made
    made.close()


def fetch(world: World, **manner: object) -> None:
    """Downloads, and the file is what it should be, with nothing beside it."""
    assert world.downloader(**manner).run() == [world.place(NAME)]
    assert world.place(NAME).read_bytes() == MODEL
    assert world.left() == [PLACE]


def begin(downloader: Downloader) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            downloader.run()
        except InglenookError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


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
    fetch(world, piece_min_bytes=2048, stall_s=2.0)
    assert len(world.cdn.seen) > 7


@pytest.mark.parametrize(
    ("at", "way"), [(at, way) for number, at in enumerate(BORDERS) for way in WAYS[number % 2 :]], indirect=["way"]
)
@pytest.mark.parametrize("kind", [Kind.CUT, Kind.DROP, Kind.WRONG_RANGE, Kind.SHORT, Kind.WHOLE])
def test_a_connection_that_fails_anywhere_goes_on(world: World, kind: Kind, at: int) -> None:
    world.cdn.fault(kind, at)
    fetch(world)


@pytest.mark.parametrize("at", BORDERS)
def test_a_stalled_connection_is_noticed(world: World, at: int) -> None:
    world.cdn.fault(Kind.STALL, at)
    fetch(world, stall_s=0.1)


@pytest.mark.parametrize("at", BORDERS)
def test_wrong_bytes_are_never_kept(world: World, at: int) -> None:
    world.cdn.fault(Kind.WRONG_BYTES, at)
    with pytest.raises(FingerprintMismatch, match=r"Fingerprint did not match; file removed"):
        world.downloader().run()
    assert world.left() == []


@pytest.mark.parametrize("at", [0, PIECE, 4 * PIECE + 5])
@pytest.mark.parametrize("status", [401, 403, 404, 410, 416, 429, 500, 502, 503])
def test_answers_that_pass(world: World, status: int, at: int) -> None:
    world.cdn.fault(Kind.STATUS, at, status=status)
    fetch(world, **UNSHARED)
    asked_again = len([seen for seen in world.hub.seen if seen.method == "HEAD"])
    assert asked_again == (2 if status in (401, 403, 404, 410, 416) else 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 418])
def test_answers_that_stay_are_said(world: World, status: int) -> None:
    world.cdn.fault(Kind.STATUS, times=-1, status=status)
    with pytest.raises(ServerUnusable):
        world.downloader().run()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_stays_busy_ends_patience(world: World, status: int) -> None:
    world.cdn.fault(Kind.STATUS, times=-1, status=status)
    with pytest.raises(LostTouch, match="busy"):
        world.downloader(patience_s=0.2).run()


def test_the_server_says_when_to_come_back(world: World) -> None:
    world.cdn.fault(Kind.STATUS, 0, status=429, headers={"Retry-After": "1"})
    began = time.monotonic()
    fetch(world)
    assert time.monotonic() - began >= 1.0


def test_the_rate_limit_header_counts_too(world: World) -> None:
    world.files.answers[NAME] = [Answer(429, {"RateLimit": '"resolvers";r=0;t=1'})]
    began = time.monotonic()
    fetch(world)
    assert time.monotonic() - began >= 1.0


def test_a_wait_longer_than_sensible_is_said(world: World) -> None:
    world.cdn.fault(Kind.STATUS, 0, status=503, headers={"Retry-After": "86400"}, times=-1)
    with pytest.raises(LostTouch):
        world.downloader().run()


def test_a_network_that_stays_away_is_said_and_what_came_stays(world: World) -> None:
    world.cdn.fault(Kind.DROP, 3 * PIECE + 5, times=-1)
    with pytest.raises(LostTouch, match="lost"):
        world.downloader(patience_s=0.3).run()
    world.cdn.faults.clear()
    before = len(world.cdn.seen)
    fetch(world)
    assert len(world.cdn.seen) - before <= 3


def test_addresses_that_end_are_asked_for_again(tmp_path: Path, way: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL}, uses=2)
    fetch(world)
    assert len({seen.path for seen in world.cdn.seen if seen.end}) >= 4
    world.close()


def test_an_address_that_ends_between_two_runs(world: World) -> None:
    stop_in_the_middle(world)
    world.cdn.expire()
    fetch(world)


@pytest.mark.parametrize(
    "change",
    [{"X-Linked-Size": str(SIZE + 1)}, {"X-Linked-Etag": f'"{"a" * 64}"'}, {"X-Repo-Commit": "b" * 40}],
)
def test_another_file_behind_the_same_address_is_refused(world: World, change: dict[str, str]) -> None:
    stop_in_the_middle(world)
    world.files.changes[NAME] = change
    world.cdn.expire()
    with pytest.raises(FileChanged):
        world.downloader().run()
    assert world.left() == [f"{PLACE}.part", f"{PLACE}.part.json"]


def test_a_new_upload_is_not_mixed_with_the_old_one(world: World) -> None:
    wanted = world.wanted()
    world.repository.replace(NAME, MODEL[::-1])
    with pytest.raises(HubError):
        world.downloader(wanted).run()
    assert not world.place(NAME).exists()


@pytest.mark.parametrize("at", [0, 3 * PIECE + 7, SIZE - 1])
def test_a_page_of_somebody_in_between_costs_nothing(world: World, at: int) -> None:
    """It says 200, whatever the range, and has an ETag of its own: that is no reason to begin anew."""
    world.cdn.fault(Kind.STATUS, at, status=200, headers={"ETag": '"page"'}, times=3)
    downloader = world.downloader(**UNSHARED)
    said: list[str] = []
    downloader._around.say = said.append
    downloader.run()
    assert world.place(NAME).read_bytes() == MODEL
    assert said == []
    assert sum((seen.end or SIZE) - seen.start for seen in world.cdn.seen) <= SIZE + 4 * PIECE


@pytest.mark.parametrize("kind", [Kind.OTHER_ETAG, Kind.WRONG_TOTAL])
@pytest.mark.parametrize("at", [PIECE, 3 * PIECE + 7, SIZE - 1])
def test_a_file_that_changes_between_two_ranges_begins_anew(world: World, kind: Kind, at: int) -> None:
    world.cdn.fault(kind, at)
    downloader = world.downloader()
    downloader.run()
    assert world.place(NAME).read_bytes() == MODEL


def test_a_file_that_keeps_changing_is_said(world: World) -> None:
    world.cdn.fault(Kind.WRONG_TOTAL, SIZE - 1, times=-1)
    with pytest.raises(FileChanged, match="again and again"):
        world.downloader().run()


def test_circles_end(world: World) -> None:
    world.cdn.fault(Kind.LOOP, times=-1)
    with pytest.raises(ServerUnusable):
        world.downloader().run()
    assert len(world.cdn.seen) < 150


def test_circles_of_the_hub_end(world: World) -> None:
    target = f"/acme/tiny/resolve/{world.repository.commit}/{NAME}"
    world.files.answers[NAME] = [Answer(302, {"Location": target})] * 50
    with pytest.raises(ServerUnusable, match="circles"):
        world.downloader().run()
    assert len(world.hub.seen) < 10


def test_packed_answers_are_refused(world: World) -> None:
    world.cdn.fault(Kind.GZIP, times=-1)
    with pytest.raises(NetworkError):
        world.downloader().run()


@pytest.mark.parametrize("direct", [False, True])
def test_a_server_without_ranges(tmp_path: Path, way: str, direct: bool) -> None:
    world = World(tmp_path / "models", {NAME: MODEL}, ranges=False)
    world.files.direct, world.files.ranges = direct, False
    fetch(world)
    world.close()


def test_without_ranges_a_cut_begins_again_and_says_so(tmp_path: Path, way: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL}, ranges=False)
    world.cdn.fault(Kind.CUT, 3 * PIECE, times=3)
    said: list[str] = []
    downloader = world.downloader()
    remember = downloader._say
    downloader._around.say = lambda words: (said.append(words), remember(words))[0]
    downloader.run()
    assert world.place(NAME).read_bytes() == MODEL
    assert any("starts from the beginning" in words for words in said)
    world.close()


def test_without_ranges_it_does_not_try_for_ever(tmp_path: Path, way: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL}, ranges=False)
    world.cdn.fault(Kind.CUT, 3 * PIECE, times=-1)
    with pytest.raises(ServerUnusable, match="again and again"):
        world.downloader().run()
    world.close()


def test_a_mirror_that_serves_the_files_itself(world: World) -> None:
    world.files.direct = True
    fetch(world)
    assert world.cdn.seen == []
    assert len([seen for seen in world.hub.seen if "Range" in seen.headers]) > 4


def wait_until(true: Callable[[], bool]) -> None:
    ends, pause = time.monotonic() + 20.0, threading.Event()
    while not true():
        assert time.monotonic() < ends, "it did not come to this in time"
        pause.wait(0.005)


def stop_in_the_middle(world: World) -> None:
    """Stops while a connection says nothing; what came stays."""
    fault = world.cdn.fault(Kind.STALL, 4 * PIECE + 10, times=-1)
    downloader = world.downloader(stall_s=30.0, **UNSHARED)
    thread, errors = begin(downloader)
    wait_until(lambda: downloader.progress().done_bytes >= SIZE - PIECE + 10)
    began = time.monotonic()
    downloader.stop()
    thread.join(20)
    assert time.monotonic() - began < 5.0
    assert [type(error) for error in errors] == [Stopped]
    world.cdn.faults.remove(fault)
    assert world.left() == [f"{PLACE}.part", f"{PLACE}.part.json"]


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


def test_the_limit_holds_for_all_connections_together(tmp_path: Path, way: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL})
    began = time.monotonic()
    assert world.downloader(limit=SIZE).run()
    assert time.monotonic() - began >= 0.8
    world.close()


@pytest.mark.parametrize(
    "path",
    ["../../escape.gguf", "/etc/passwd.gguf", "..", "a/../../b.gguf", "C:\\x.gguf", "CON.gguf", "x" * 300 + ".gguf",
     "\u202egguf.exe", "a\x00b.gguf", "m.gguf\n", "~/m.gguf", "././m.gguf", "a//b.gguf", "аdmin.gguf"],
)  # fmt: skip
def test_hostile_names_stay_inside(tmp_path: Path, path: str) -> None:
    around = tmp_path / "around"
    world = World(around / "models", {NAME: MODEL})
    file = RemoteFile(path=path, size_bytes=SIZE, sha256=hashlib.sha256(MODEL).hexdigest())
    download = msgspec.structs.replace(world.wanted(), files=(file,))
    (target,) = places(download).values()
    assert target.resolve().is_relative_to(world.folder.resolve() / "acme" / "tiny")
    with pytest.raises(InglenookError):
        world.downloader(download).run()  # the Hub has no such file
    assert all(one.startswith("acme/tiny/") for one in world.left())
    assert {one.name for one in around.iterdir()} <= {"models"}
    world.close()


@pytest.mark.parametrize("repo", ["../..", "..", "/etc", "a/../..", "acme/.."])
def test_hostile_repositories_stay_inside(tmp_path: Path, repo: str) -> None:
    world = World(tmp_path / "models", {NAME: MODEL})
    for target in places(msgspec.structs.replace(world.wanted(), repo=repo)).values():
        assert target.resolve().is_relative_to(world.folder.resolve())
        assert len(target.relative_to(world.folder).parts) >= 3
    world.close()


def test_names_that_would_be_one_file_are_refused(world: World) -> None:
    file = world.wanted().files[0]
    both = (file, msgspec.structs.replace(file, path=file.path.upper()))
    with pytest.raises(BadName):
        places(msgspec.structs.replace(world.wanted(), files=both))


def test_a_folder_that_leads_outside_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    world.folder.mkdir(parents=True)
    (world.folder / "acme").symlink_to(tmp_path / "outside")
    with pytest.raises(BadName):
        world.downloader().run()
    assert list((tmp_path / "outside").iterdir()) == []


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
