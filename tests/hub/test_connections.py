"""Downloads over connections and servers that fail: cut, stalled, lied to, busy, changed, led in circles."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.hub.errors import HubError
from app.hub.failures import (
    FileChanged,
    FingerprintMismatch,
    LostTouch,
    ServerUnusable,
)
from app.privacy.errors import NetworkError
from tests.hub.downloading import (
    MODEL,
    NAME,
    PLACE,
    SIZE,
    UNSHARED,
    WAYS,
    fetch,
    stop_in_the_middle,
)
from tests.support.hub.downloads import PIECE, World
from tests.support.hub.files import Answer, Kind

BORDERS = sorted({0, SIZE - 1, *(n * PIECE + shift for n in range(7) for shift in (-1, 0, 1)), SIZE // 2, 12_345})
BORDERS = [place for place in BORDERS if 0 <= place < SIZE]


@pytest.mark.parametrize(
    ("kind", "at", "way"),
    [
        (kind, at, WAYS[(number + shift) % 2])  # each place in one of the ways, its neighbours in the other
        for shift, kind in enumerate([Kind.CUT, Kind.DROP, Kind.WRONG_RANGE, Kind.SHORT, Kind.WHOLE])
        for number, at in enumerate(BORDERS)
    ],
    indirect=["way"],
)
def test_a_connection_that_fails_anywhere_goes_on(world: World, kind: Kind, at: int) -> None:
    world.cdn.fault(kind, at)
    fetch(world)


@pytest.mark.parametrize(("at", "way"), [(at, WAYS[number % 2]) for number, at in enumerate(BORDERS)], indirect=["way"])
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


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_a_network_that_stays_away_is_said_and_what_came_stays(world: World) -> None:
    world.cdn.fault(Kind.DROP, 3 * PIECE + 5, times=-1)
    with pytest.raises(LostTouch, match="lost"):
        world.downloader(patience_s=0.3).run()
    world.cdn.faults.clear()
    before = len(world.cdn.seen)
    fetch(world)
    assert len(world.cdn.seen) - before <= 3


def test_addresses_that_end_are_asked_for_again(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("way", WAYS, indirect=True)
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


@pytest.mark.parametrize("way", WAYS, indirect=True)
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


@pytest.mark.parametrize("way", WAYS, indirect=True)
def test_packed_answers_are_refused(world: World) -> None:
    world.cdn.fault(Kind.GZIP, times=-1)
    with pytest.raises(NetworkError):
        world.downloader().run()


@pytest.mark.parametrize("way", WAYS, indirect=True)
@pytest.mark.parametrize("direct", [False, True])
def test_a_server_without_ranges(tmp_path: Path, way: str, direct: bool) -> None:
    world = World(tmp_path / "models", {NAME: MODEL}, ranges=False)
    world.files.direct, world.files.ranges = direct, False
    fetch(world)
    world.close()


@pytest.mark.parametrize("way", WAYS, indirect=True)
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


def test_without_ranges_it_does_not_try_for_ever(tmp_path: Path) -> None:
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
