"""What a model will be like here: guesses at once, exact answers from headers, and a computer measured once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from app.base.errors import InglenookError
from app.engine.command import fake_command, worker_command
from app.engine.errors import FileMissing, NotGguf
from app.engine.fit import estimate
from app.engine.gguf import check_loadable
from app.engine.hardware import DeviceSpeed
from app.engine.shape import shape_of
from app.engine.values import LoadOptions
from app.hub.client import prepare
from app.hub.values import ModelSummary, RemoteFile, Variant
from app.privacy.errors import Offline
from app.services import fitting, measuring, questions
from app.services import machine as machines
from app.services.changes import MachineMeasured, Publisher
from app.services.fitting import Fitting
from app.services.jobs import FITTING, Jobs
from app.services.machine import Measured
from tests.support.application import Recorder
from tests.support.architectures import Shape, write
from tests.support.engines import fake
from tests.support.hub.downloads import World
from tests.support.hub.files import Kind
from tests.support.hub.repository import HubFile
from tests.support.processes import gone, until

GUARD_S = 60.0
GIB = 1024**3
EIGHT = Shape(32, 4096, 32, 8, 128, 14336, 32000, kind=12)


class Place:
    """A service with a Hub that holds one model of eight billion parameters, as large as it says and sparse."""

    def __init__(self, folder: Path, starter: Path | None, command: list[str]) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.file = write(folder / "eight.gguf", "llama", EIGHT)
        self.world = World(folder / "models", {"eight-Q4_K_M.gguf": HubFile("x", self.file, sha256="8" * 64)})
        prepare(self.world.gate)
        self.busy = False
        self.asked_busy = threading.Event()
        self.recorder = Recorder()
        self.jobs = Jobs()
        publisher = Publisher()
        publisher.subscribe(self.recorder)
        self.fitting = Fitting(
            command,
            self.data,
            self.world.gate,
            lambda: self.world.hub.url,
            str,
            lambda: starter,
            self._is_busy,
            publisher,
            self.jobs,
        )

    def _is_busy(self) -> bool:
        self.asked_busy.set()
        return self.busy

    @property
    def variant(self) -> Variant:
        size = self.file.stat().st_size
        (name,) = self.world.repository.files
        files = (RemoteFile(path=name, size_bytes=size, sha256="8" * 64),)
        return Variant(label="Q4_K_M", name="Q4_K_M", files=files, bits_per_weight=4.5, quality="")

    def exact(self, **more: object):  # type: ignore[no-untyped-def]
        repository = self.world.repository
        return self.fitting.exact(repository.id, repository.commit, self.variant, **more)  # type: ignore[arg-type]

    def requests(self) -> int:
        return len(self.world.cdn.seen)

    def close(self) -> None:
        self.fitting.close()
        self.jobs.close()
        self.world.close()


@pytest.fixture
def make(tmp_path: Path, starter_model: Path) -> Iterator[Callable[..., Place]]:
    made: list[Place] = []

    def build(*, starter: Path | None = starter_model, command: list[str] | None = None) -> Place:
        made.append(Place(tmp_path, starter, command or worker_command()))
        return made[-1]

    yield build
    for place in made:
        place.close()


SUMMARY = ModelSummary(repo="acme/Eight-8B-GGUF", params=8_030_000_000, architecture="llama", context_length=32768)


def test_a_model_on_the_hub_is_planned_exactly_by_its_header_alone(make: Callable[..., Place]) -> None:
    place = make()
    found = place.exact(n_ctx=4096).result(GUARD_S)
    assert found.plan.exact
    assert found.plan == place.fitting.exact_local(place.file, n_ctx=4096).result(GUARD_S).plan
    computed = estimate(shape_of(check_loadable(place.file)), LoadOptions(n_ctx=4096))
    assert found.plan.total_bytes == pytest.approx(computed.total_bytes, rel=0.001)
    assert found.fits == (found.max_ctx > 0)
    sent = sum((seen.end or 0) - seen.start for seen in place.world.cdn.seen if seen.method == "GET")
    assert sent < 4 * 1024 * 1024


def test_an_answer_is_kept(make: Callable[..., Place]) -> None:
    place = make()
    first = place.exact(n_ctx=4096).result(GUARD_S)
    asked = place.requests()
    assert place.exact(n_ctx=4096).result(0).plan == first.plan
    assert place.requests() == asked
    other = place.exact(n_ctx=4096, kv="q8_0").result(GUARD_S)
    assert other.plan.kv_bytes == pytest.approx(first.plan.kv_bytes * 34 / 64, rel=0.001)
    assert place.requests() > asked


def test_the_same_question_is_asked_once(make: Callable[..., Place]) -> None:
    place = make()
    assert place.exact() is place.exact()
    place.exact().result(GUARD_S)


def test_a_question_nobody_wants_any_more_ends(make: Callable[..., Place]) -> None:
    place = make()
    place.world.cdn.fault(Kind.STALL, at=100, times=1)
    stuck, waiting = place.exact(), place.exact(n_ctx=1000)
    until(lambda: place.requests() > 0)
    place.fitting.cancel(stuck)
    with pytest.raises((InglenookError, CancelledError)):
        stuck.result(GUARD_S)
    assert waiting.result(GUARD_S).plan.n_ctx == 1000


def test_what_is_wrong_reaches_whoever_asked(make: Callable[..., Place], tmp_path: Path) -> None:
    place = make()
    place.world.online = False
    with pytest.raises(Offline):
        place.exact().result(GUARD_S)
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(NotGguf):
        place.fitting.exact_local(page).result(GUARD_S)
    with pytest.raises(FileMissing):
        place.fitting.exact_local(tmp_path / "none.gguf").result(GUARD_S)
    assert place.fitting.exact_local(place.file).result(GUARD_S).plan.exact


def test_a_process_that_dies_costs_one_question(make: Callable[..., Place]) -> None:
    place = make()
    place.exact().result(GUARD_S)
    probe = place.fitting._questions._probe
    assert probe is not None
    pid = probe.engine.pid
    assert pid is not None
    probe.engine._supervisor._run._process.kill()  # type: ignore[union-attr]
    answers = [place.exact(n_ctx=n) for n in (2000, 3000, 4000)]
    ends = []
    for answer in answers:
        try:
            ends.append(answer.result(GUARD_S).plan.n_ctx)
        except InglenookError as error:
            ends.append(error.code)
    assert ends[-2:] == [3000, 4000]
    assert gone(pid)


def test_the_process_ends_when_nobody_asks(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "KEEP_PROBE_S", 0.0)
    monkeypatch.setattr(questions, "LOOK_S", 0.02)
    place = make()
    place.exact().result(GUARD_S)
    thread = next((one for one in threading.enumerate() if one.name == FITTING), None)
    if thread is not None:
        thread.join(GUARD_S)
        assert not thread.is_alive()
    assert place.fitting._questions._probe is None
    assert place.exact(n_ctx=700).result(GUARD_S).plan.n_ctx == 700


def test_closing_ends_everything(make: Callable[..., Place]) -> None:
    place = make()
    place.world.cdn.fault(Kind.STALL, at=100, times=-1)
    stuck = place.exact()
    until(lambda: place.requests() > 0)
    measuring = place.fitting.prepare()
    place.fitting.close()
    place.jobs.close()
    for future in (stuck, measuring, place.exact(n_ctx=99)):
        with pytest.raises((InglenookError, CancelledError)):
            future.result(GUARD_S)


# --- this computer --------------------------------------------------------------------------------------------------


def test_this_computer_is_measured_once(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "RUN_S", 0.03)
    monkeypatch.setattr(measuring, "TRIES_S", 0.0)
    place = make()
    assert place.fitting.machine().measured_ms == 0
    assert place.fitting.badge(SUMMARY).tokens_per_s == 0
    found = place.fitting.prepare(now=True).result(GUARD_S)
    place.recorder.wait_for(MachineMeasured)
    assert found.bandwidth_bytes_per_s > 1e8
    assert found.compute_flops > 1e9
    assert found.memory_total_bytes > found.memory_free_bytes > 0
    assert place.fitting.badge(SUMMARY).tokens_per_s > 0
    assert (place.data / machines.FILE).is_file()
    assert place.fitting.prepare().result(0).measured_ms == found.measured_ms
    again = Fitting([], place.data, place.world.gate, str, str, lambda: None, lambda: False, Publisher(), place.jobs)
    assert again.machine().measured_ms == found.measured_ms


def test_measuring_waits_until_nothing_is_written(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "LOOK_S", 0.02)
    monkeypatch.setattr(questions, "QUIET_S", 0.1)
    measured = Measured(key="", build="", devices=(), speeds=(), measured_ms=1)
    monkeypatch.setattr(fitting, "measure", lambda *_: measured)
    place = make()
    place.busy = True
    future = place.fitting.prepare()
    for _ in range(20):
        place.asked_busy.clear()
        assert place.asked_busy.wait(GUARD_S)
    assert not future.done()
    assert place.exact().result(GUARD_S).plan.exact  # questions do not wait behind it
    place.busy = False
    assert future.result(GUARD_S).measured_ms > 0


def test_measuring_stops_when_a_reply_begins(make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "LOOK_S", 0.02)
    monkeypatch.setattr(questions, "QUIET_S", 0.05)
    seen: list[bool] = []

    def run(started: object, starter: Path, stop: Callable[[], bool]) -> Measured | None:
        place.busy = not seen
        seen.append(stop())
        place.busy = False
        return None if seen[-1] else Measured(key="", build="", devices=(), speeds=(), measured_ms=1)

    monkeypatch.setattr(fitting, "measure", run)
    place = make(command=fake_command())
    place.fitting.prepare().result(GUARD_S)
    assert seen == [True, False]


def test_a_driver_that_crashes_leaves_the_processor_measured(
    make: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "RUN_S", 0.03)
    monkeypatch.setattr(measuring, "TRIES_S", 0.0)
    card = {"name": "CUDA0", "kind": "gpu", "description": "", "memory_free_bytes": GIB, "memory_total_bytes": GIB}
    place = make(command=fake({"devices": [card], "die": {"at": "gauge", "how": "segv"}}))
    found = place.fitting.prepare(now=True).result(GUARD_S)
    assert found.measured_ms > 0
    assert found.bandwidth_bytes_per_s > 0
    assert ([device.name for device in found.devices], found.speeds) == (["CUDA0"], ())
    badge = place.fitting.badge(SUMMARY)
    assert badge.plan.n_gpu_layers > 0
    assert badge.tokens_per_s == 0, "nobody knows how fast the card is"
    place.recorder.wait_for(MachineMeasured)


def test_a_computer_that_cannot_be_measured_says_so(make: Callable[..., Place]) -> None:
    place = make(starter=None, command=fake_command())
    with pytest.raises(InglenookError):
        place.fitting.prepare(now=True).result(GUARD_S)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"key": 5}', b"\xff" * 50])
def test_a_bad_file_is_as_good_as_none(tmp_path: Path, body: bytes) -> None:
    (tmp_path / machines.FILE).write_bytes(body)
    assert machines.load(tmp_path) is None


def test_what_was_measured_elsewhere_does_not_count(tmp_path: Path) -> None:
    speed = DeviceSpeed(name="CPU", bandwidth_bytes_per_s=1e10, compute_flops=1e11)
    known = Measured(key=machines.key(), build="b", devices=(), speeds=(speed,), measured_ms=5)
    machines.save(tmp_path, known)
    assert machines.load(tmp_path) == known
    assert machines.machine_of(known).bandwidth_bytes_per_s == 1e10
    machines.save(tmp_path, Measured(key="another", build="b", devices=(), speeds=(speed,), measured_ms=5))
    assert machines.load(tmp_path) is None


def test_what_was_measured_in_another_way_does_not_count(tmp_path: Path) -> None:
    found = machines.key()
    plain = found.partition(", ")[2]
    assert plain.startswith("llama-cpp-python ")
    for key, counts in ((plain, False), (f"method 1, {plain}", False), (found, True)):
        kept = {
            "key": key, "build": "b", "devices": [], "measured_ms": 5, "n_threads": 8,
            "speeds": [{"name": "CUDA0", "bandwidth_bytes_per_s": 3e10, "compute_flops": 1e12}],
        }  # fmt: skip
        (tmp_path / machines.FILE).write_text(json.dumps(kept))
        assert (machines.load(tmp_path) is not None) == counts


def test_a_list_of_models_is_judged_quickly(make: Callable[..., Place]) -> None:
    import time

    place = make(command=fake_command())
    here = place.fitting.machine()
    begin = time.perf_counter()
    for number in range(1000):
        summary = ModelSummary(repo=f"a/{number}B", params=(number + 1) * 10**9, architecture="gemma3")
        place.fitting.badge(summary, here)
    assert time.perf_counter() - begin < 10
    known = place.fitting.quick(SUMMARY, place.variant, None, here)
    assert known.plan.weights_bytes == place.variant.size_bytes
    assert not known.plan.exact
