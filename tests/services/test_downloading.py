"""The queue of downloads in a whole application, with a Hub on loopback and other processes beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from app.base.paths import find_places
from app.bootstrap import Application
from app.hub.values import Download, DownloadState, ModelPage, ModelSummary, RemoteFile, Variant
from app.services.changes import DownloadProgressed, DownloadsChanged, LibraryChanged
from app.settings.errors import BadValue
from app.store.errors import DiskFull
from tests.support.application import Recorder, running
from tests.support.hub.downloads import World, random_bytes
from tests.support.hub.files import Kind
from tests.support.processes import until

SIZE = 12 * (1 << 20) + 77
ROOT = Path(__file__).resolve().parents[2]

WAITING, RUNNING, CHECKING, PAUSED, DONE, FAILED = (
    DownloadState.WAITING,
    DownloadState.RUNNING,
    DownloadState.CHECKING,
    DownloadState.PAUSED,
    DownloadState.DONE,
    DownloadState.FAILED,
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    files: dict[str, bytes | Path] = {f"model-{n}.gguf": random_bytes(SIZE, n) for n in range(4)}
    files["mmproj-F16.gguf"] = random_bytes(70_000, 9)
    made = World(find_places().models, files)  # type: ignore[arg-type]
    monkeypatch.setenv("HF_ENDPOINT", made.hub.url)
    yield made
    made.close()


@pytest.fixture
def started(world: World) -> Iterator[tuple[Application, Recorder]]:
    with running() as (application, recorder):
        application.network.go_online()
        yield application, recorder


def variant(world: World, *paths: str) -> Variant:
    found = [world.repository.files[path] for path in paths]
    files = tuple(RemoteFile(path=file.path, size_bytes=file.size, sha256=file.sha256) for file in found)
    return Variant(label="Q4_K_M", name="Q4_K_M", files=files, bits_per_weight=4.8, quality="good")


def page(world: World, *, projector: bool = False) -> ModelPage:
    projectors = variant(world, "mmproj-F16.gguf").files if projector else ()
    return ModelPage(
        summary=ModelSummary(repo=world.repository.id),
        commit=world.repository.commit,
        variants=(),
        projectors=projectors,
    )


def add(application: Application, world: World, number: int = 0, **more: bool) -> Download:
    given = page(world, projector=more.pop("projector", False))
    return application.downloading.add(given, variant(world, f"model-{number}.gguf"), **more).result(20)


def state(application: Application, id: str) -> DownloadState | None:
    found = application.downloading.get(id)
    return None if found is None else found.state


def reaches(application: Application, id: str, wanted: DownloadState | None) -> None:
    until(lambda: state(application, id) is wanted, f"{wanted}, it is {application.downloading.get(id)}")


def done_bytes(application: Application, id: str) -> int:
    found = application.downloading.get(id)
    return 0 if found is None else found.done_bytes


def test_a_model_comes_with_its_projector_and_is_in_the_library(
    world: World, started: tuple[Application, Recorder]
) -> None:
    application, recorder = started
    download = add(application, world, projector=True)
    assert [file.path for file in download.files] == ["model-0.gguf", "mmproj-F16.gguf"]
    assert state(application, download.id) is WAITING
    application.downloading.begin()
    reaches(application, download.id, DONE)
    assert world.place("model-0.gguf").read_bytes() == world.repository.files["model-0.gguf"].content
    assert world.place("mmproj-F16.gguf").exists()
    recorder.wait_for(LibraryChanged, since=1)
    until(lambda: any("model-0.gguf" in model.path for model in application.library.list()))
    found = application.downloading.get(download.id)
    assert found is not None
    assert (found.done_bytes, found.sentence) == (found.size_bytes, "")
    assert found.finished_ms > 0
    entries = [entry for entry in application.network.ledger() if entry.purpose == "download"]
    assert {entry.what for entry in entries} == {"Download acme/tiny Q4_K_M"}
    application.downloading.clear_finished()
    reaches(application, download.id, None)
    assert world.place("model-0.gguf").exists()


def test_two_at_a_time_in_the_order_wanted(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    stall = world.cdn.fault(Kind.STALL, 5 << 20, times=-1)
    downloads = [add(application, world, number) for number in range(4)]
    application.downloading.move_up(downloads[3].id).result(20)
    application.downloading.move_up(downloads[3].id).result(20)
    order = [one.id for one in application.downloading.list()]
    assert order == [downloads[n].id for n in (0, 3, 1, 2)]
    application.downloading.begin()
    until(lambda: done_bytes(application, order[0]) > 5 << 20 and done_bytes(application, order[1]) > 5 << 20)
    assert [state(application, one) for one in order] == [RUNNING, RUNNING, WAITING, WAITING]
    world.cdn.faults.remove(stall)
    world.cdn.released.set()
    for one in order:
        reaches(application, one, DONE)


def test_pause_at_once_while_stalled_resume_and_cancel(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    stall = world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    download = add(application, world)
    application.downloading.begin()
    until(lambda: done_bytes(application, download.id) >= SIZE - (4 << 20))
    began = time.monotonic()
    application.downloading.pause(download.id).result(20)
    assert state(application, download.id) is PAUSED
    until(lambda: application.downloading._turns.progress(download.id) is None)
    assert time.monotonic() - began < 5.0
    kept = done_bytes(application, download.id)
    assert kept >= SIZE - (4 << 20)
    world.cdn.faults.remove(stall)
    before = len(world.cdn.seen)
    application.downloading.resume(download.id).result(20)
    reaches(application, download.id, DONE)
    assert sum((seen.end or SIZE) - seen.start for seen in world.cdn.seen[before:]) <= SIZE - kept + (1 << 20)

    world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    other = add(application, world, 1)
    until(lambda: done_bytes(application, other.id) > 1 << 20)
    assert application.downloading.cancel(other.id).result(20)
    until(lambda: world.left() == ["acme/tiny/model-0.gguf"])
    assert state(application, other.id) is None


def test_cancelled_while_it_waits(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    download = add(application, world)
    application.downloading.begin()
    until(lambda: done_bytes(application, download.id) > 1 << 20)
    application.downloading.pause_all()
    reaches(application, download.id, PAUSED)
    until(lambda: application.downloading._turns.progress(download.id) is None)
    application.downloading.cancel(download.id).result(20)
    until(lambda: world.left() == [])
    application.downloading.resume_all()


def test_offline_waits_and_says_so(world: World, started: tuple[Application, Recorder]) -> None:
    application, recorder = started
    world.cdn.fault(Kind.STALL, 9 << 20, times=1)
    download = add(application, world)
    application.downloading.begin()
    until(lambda: done_bytes(application, download.id) > 1 << 20)
    application.network.go_offline()
    reaches(application, download.id, WAITING)
    found = application.downloading.get(download.id)
    assert found is not None
    assert (found.code, found.sentence) == ("offline", "Waits until Inglenook may go online.")
    application.network.go_online()
    reaches(application, download.id, DONE)
    assert recorder.of(DownloadsChanged)


def test_a_failure_is_said_and_can_be_tried_again(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    world.cdn.fault(Kind.WRONG_BYTES, 5)
    download = add(application, world)
    application.downloading.begin()
    reaches(application, download.id, FAILED)
    found = application.downloading.get(download.id)
    assert found is not None
    assert found.code == "fingerprint_mismatch"
    assert found.sentence.startswith("Fingerprint did not match; file removed.")
    assert world.left() == []
    again = add(application, world)
    assert again.id == download.id
    reaches(application, download.id, DONE)


def test_two_clicks_are_one_download(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    given, wanted = page(world), variant(world, "model-0.gguf")
    adding = [application.downloading.add(given, wanted) for _ in range(2)]
    assert len({one.result(20).id for one in adding}) == 1
    assert len(application.downloading.list()) == 1


def test_forgetting_what_is_done_leaves_its_newer_version_alone(
    world: World, started: tuple[Application, Recorder]
) -> None:
    application, _ = started
    done = add(application, world)
    application.downloading.begin()
    reaches(application, done.id, DONE)
    world.repository.replace("model-0.gguf", random_bytes(SIZE, 77))
    stall = world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    newer = add(application, world)
    until(lambda: done_bytes(application, newer.id) >= SIZE - (4 << 20))
    application.downloading.pause(newer.id).result(20)
    until(lambda: application.downloading._turns.progress(newer.id) is None)
    application.downloading.clear_finished()
    reaches(application, done.id, None)
    application.jobs.submit(lambda: None).result(20)  # whatever was to be cleaned is cleaned
    assert world.place("model-0.gguf.part").exists()
    world.cdn.faults.remove(stall)
    application.downloading.resume(newer.id).result(20)
    reaches(application, newer.id, DONE)


def test_an_end_that_the_disk_did_not_take_is_written_later(
    world: World, started: tuple[Application, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download that fills the disk leaves no room to write down that it failed; it must not seem to run for ever."""
    application, _ = started
    world.cdn.fault(Kind.WRONG_BYTES, 5)
    download = add(application, world)
    downloads = application.ground.store.downloads
    real, refused = downloads.release, [DiskFull("The disk is full.")] * 2

    def release(*arguments: Any, **options: Any) -> Future[bool]:
        if not refused:
            return real(*arguments, **options)
        failed: Future[bool] = Future()
        failed.set_exception(refused.pop())
        return failed

    monkeypatch.setattr(downloads, "release", release)
    application.downloading.begin()
    reaches(application, download.id, FAILED)
    found = application.downloading.get(download.id)
    assert found is not None
    assert found.code == "fingerprint_mismatch"
    until(lambda: not application.ground.troubles)
    application.downloading.resume(download.id).result(20)
    reaches(application, download.id, DONE)


def test_it_tells_how_far_it_is_and_not_too_often(world: World, started: tuple[Application, Recorder]) -> None:
    application, recorder = started
    application.settings.change("downloads.limit_bytes_per_s", SIZE // 2)
    download = add(application, world)
    application.downloading.begin()
    began = time.monotonic()
    reaches(application, download.id, DONE)
    took = time.monotonic() - began
    told = [change for change in recorder.of(DownloadProgressed) if change.id == download.id]
    assert took > 1.5
    assert 3 <= len(told) <= 4.5 * took + 2
    assert any(change.bytes_per_s > 0 and change.remaining_s for change in told)
    assert [change.done_bytes for change in told] == sorted(change.done_bytes for change in told)


def test_closing_keeps_everything_for_the_next_start(world: World) -> None:
    stall = world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    with running() as (application, _):
        application.network.go_online()
        first, second = add(application, world), add(application, world, 1)
        application.downloading.begin()
        until(lambda: done_bytes(application, first.id) >= SIZE - (4 << 20))
        application.downloading.pause(second.id).result(20)
        began = time.monotonic()
    assert time.monotonic() - began < 8.0
    world.cdn.faults.remove(stall)
    with running() as (application, _):
        assert [state(application, one.id) for one in (first, second)] == [WAITING, PAUSED]
        assert done_bytes(application, first.id) >= SIZE - (4 << 20)
        application.downloading.begin()
        reaches(application, first.id, DONE)
        assert state(application, second.id) is PAUSED


CHILD = """
import sys, threading
from tests.support.application import running
from tests.support.processes import until
from app.hub.values import DownloadState
with running() as (application, recorder):
    application.network.go_online()
    application.downloading.begin(*sys.argv[1:])
    print("begun", flush=True)
    until(lambda: all(one.state is DownloadState.DONE for one in application.downloading.list()), guard_s=120)
    print("done", flush=True)
"""


def child(*ids: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *ids],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_another_process_is_left_alone_listened_to_and_inherited_from(
    world: World, started: tuple[Application, Recorder]
) -> None:
    application, _ = started
    stall = world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    download = add(application, world)
    other = child(download.id)
    until(lambda: state(application, download.id) is RUNNING)
    until(lambda: done_bytes(application, download.id) >= SIZE - (1 << 20) - 77)  # all but what stalls: it asks no more
    before = len(world.cdn.seen)
    application.downloading.begin()
    application.downloading.pause(download.id).result(20)
    until(lambda: application.ground.store.downloads._reader.sql("SELECT owner FROM downloads") == [(None,)])
    assert state(application, download.id) is PAUSED
    assert len(world.cdn.seen) == before
    other.kill()
    other.wait()
    assert other.stdout is not None
    other.stdout.close()
    world.cdn.faults.remove(stall)
    application.downloading.resume(download.id).result(20)
    reaches(application, download.id, DONE)


def test_killed_by_the_system_and_taken_over(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    stall = world.cdn.fault(Kind.STALL, 9 << 20, times=-1)
    download = add(application, world)
    other = child(download.id)
    part = world.place("model-0.gguf.part.json")
    until(lambda: part.exists() and sum(e - s for s, e in json.loads(part.read_bytes())["spans"]) >= SIZE - (4 << 20))
    other.kill()
    other.wait()
    assert other.stdout is not None
    other.stdout.close()
    world.cdn.faults.remove(stall)
    before = len(world.cdn.seen)
    application.downloading.begin()
    reaches(application, download.id, DONE)
    assert sum((seen.end or SIZE) - seen.start for seen in world.cdn.seen[before:]) <= 4 << 20
    assert world.left() == ["acme/tiny/model-0.gguf"]


def test_a_command_takes_its_own_and_leaves_the_rest(world: World, started: tuple[Application, Recorder]) -> None:
    application, _ = started
    rest = add(application, world)
    own = add(application, world, 1, mine=True)
    reaches(application, own.id, DONE)
    assert state(application, rest.id) is WAITING
    assert not world.place("model-0.gguf").exists()


def test_values_out_of_range_are_refused(started: tuple[Application, Recorder]) -> None:
    with pytest.raises(BadValue):
        started[0].settings.change("downloads.at_once", 0)
