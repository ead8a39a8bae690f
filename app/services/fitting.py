"""What a model will be like on this computer: at once for a list, exactly for a model's page, for files here and there.

`badge`, `quick` and `machine` answer at once and ask nobody. `exact` and `exact_local` ask llama.cpp in a process of
its own, which reads headers only: those of files on the Hub come through the gate. One thread does that, one question
after another; its process is kept for some seconds after the last one. The computer is measured once, in the
background, while nothing is being written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path

import msgspec

from app.base.errors import InglenookError
from app.engine.bare import write_bare
from app.engine.budgets import at_rest
from app.engine.fit import beyond, estimate, fit, holds
from app.engine.gguf import check_loadable, open_model, parts_of, read_others
from app.engine.guess import guess
from app.engine.hardware import Device, Fit, Machine, MemoryPlan
from app.engine.placing import best
from app.engine.probe import Probe
from app.engine.shape import ModelShape, shape_of
from app.engine.values import LoadOptions
from app.hub.parts import Promise
from app.hub.remote import fetch_bare
from app.hub.values import ModelSummary, Variant
from app.privacy.gate import Gate
from app.privacy.policy import Purpose
from app.services import device_memory
from app.services import machine as machines
from app.services.changes import MachineMeasured, Publisher
from app.services.errors import ServiceError
from app.services.jobs import Jobs
from app.services.measuring import measure
from app.services.questions import Key, Question, Questions

log = logging.getLogger(__name__)

KEPT = 256
INSTANT_S = 0.5
TRIES = 4


class _Kept(msgspec.Struct, frozen=True):
    """What a question brought to light; the machine may be another moment's when it is asked again."""

    shape: ModelShape
    devices: tuple[Device, ...]
    options: LoadOptions
    plan: MemoryPlan


class Fitting:
    """All methods may be called from any thread."""

    def __init__(
        self,
        command: Sequence[str],
        data: Path,
        gate: Gate,
        endpoint: Callable[[], str],
        token: Callable[[], str],
        starter: Callable[[], Path | None],
        busy: Callable[[], bool],
        publisher: Publisher,
        jobs: Jobs,
        report: device_memory.Report | None = None,
    ) -> None:
        """`data` holds what was measured; `starter` is the small model to measure with; `busy` tells whether a reply
        is being written or a model loaded right now; `report` is believed rather than what devices say of their memory,
        None: what the environment says."""
        self._data = data
        self._gate = gate
        self._endpoint = endpoint
        self._token = token
        self._starter = starter
        self._publisher = publisher
        self._lock = threading.Lock()
        self._questions = Questions(command, gate, jobs, busy)
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._measured: machines.Measured | None = None
        self._report = device_memory.from_environment() if report is None else report
        self._seen: tuple[Device, ...] | None = None
        self._latest: tuple[float, Machine] | None = None
        self._looked = False
        self._measuring: Future[Machine] | None = None

    # --- at once ----------------------------------------------------------------------------------------------------

    def machine(self) -> Machine:
        """This computer at this moment, with the speeds that were measured, if any. Asked for while a slider moves, so
        the same answer is given for an instant."""
        with self._lock:
            if self._latest is not None and time.monotonic() - self._latest[0] < INSTANT_S:
                return self._latest[1]
            if not self._looked:
                self._looked = True
                self._measured = machines.load(self._data)
            found = machines.machine_of(self._measured, self._seen)
            found = msgspec.structs.replace(found, devices=device_memory.believed(found.devices, self._report))
            self._latest = time.monotonic(), found
            return found

    def devices_seen(self, devices: Iterable[Device]) -> None:
        """What an engine process found, its start the moment to look: with the memory that is free while no model of
        ours is loaded there, other computers' devices if they take part."""
        with self._lock:
            self._seen, self._latest = machines.taking_layers(devices), None

    def badge(self, model: ModelSummary, machine: Machine | None = None) -> Fit:
        """A guess for a model of a list, in its usual quantization. Pass `machine` when many are asked for at once."""
        shape = guess(
            model.params, architecture=model.architecture, name=model.name, context_length=model.context_length
        )
        return _judged(shape, LoadOptions(), machine or self.machine())

    def quick(
        self, model: ModelSummary, variant: Variant, options: LoadOptions | None = None, machine: Machine | None = None
    ) -> Fit:
        """A guess for one of its files: the size is known, the cache is guessed."""
        shape = guess(
            model.params or int(variant.size_bytes * 8 / max(variant.bits_per_weight, 1.0)),
            architecture=model.architecture,
            name=model.name,
            context_length=model.context_length,
            weights_bytes=variant.size_bytes,
        )
        return _judged(shape, options or LoadOptions(), machine or self.machine())

    # --- exactly ----------------------------------------------------------------------------------------------------

    def exact(self, repo: str, commit: str, variant: Variant, *, n_ctx: int = 0, kv: str = "f16") -> Future[Fit]:
        """What llama.cpp would take for a variant that is still on the Hub. The future may raise NetworkError,
        HubError or EngineError; `cancel` of it gives up what is being fetched."""
        promises = [
            Promise(
                endpoint=self._endpoint(),
                repo=repo,
                commit=commit,
                path=file.path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
            )
            for file in variant.files
        ]
        name = " ".join(p.sha256 or f"{p.repo} {p.commit} {p.path}" for p in promises)

        def ask(probe: Probe, folder: Path, question: Question) -> Fit:
            with self._gate.action(Purpose.HEADER, f"Look whether {repo} fits") as action:
                question.begin(action)
                found = fetch_bare(self._gate, promises, self._token, folder)
            return self._plan(probe, found.path, found.shape, question.key)

        return self._ask((name, n_ctx, kv), ask)

    def exact_local(self, path: Path, *, n_ctx: int = 0, kv: str = "f16") -> Future[Fit]:
        """The same for a file on this computer, or the first of several. The future may raise EngineError."""

        def ask(probe: Probe, folder: Path, question: Question) -> Fit:
            headers = (check_loadable(path), *read_others(path))
            bare = [folder / ("model.gguf" if len(headers) == 1 else _part(number, len(headers)))
                    for number in range(1, len(headers) + 1)]  # fmt: skip
            for part, header, target in zip(parts_of(path), headers, bare, strict=True):
                with open_model(part) as (read_at, _):
                    write_bare(target, read_at, header)
            return self._plan(probe, bare[0], shape_of(*headers), question.key)

        try:
            status = path.stat()
            name = f"{path} {status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            name = str(path)  # the question itself will tell why
        return self._ask((name, n_ctx, kv), ask)

    def cancel(self, future: Future[Fit]) -> None:
        """Nobody wants this answer any more: its requests end, and it fails with Cancelled if it was begun."""
        self._questions.cancel(future)

    # --- measuring --------------------------------------------------------------------------------------------------

    def prepare(self, *, again: bool = False, now: bool = False) -> Future[Machine]:
        """Measures this computer unless that was done before, once nothing has been written for some seconds, or `now`.
        The future gives the machine; MachineMeasured is published."""
        with self._lock:
            known = self._measuring
            if known is not None and not known.done():
                future = known
            else:
                future = self._measuring = Future()
        if future is not known and self.machine().measured_ms and not again:
            future.set_result(self.machine())
        elif future is not known or now:
            self._questions.when_quiet(lambda started, stop: self._measure(started, stop, future), now=now)
        return future

    def _measure(self, started: Callable[[], Probe], stop: Callable[[], bool], future: Future[Machine]) -> bool:
        """False when it was stopped: it is to be tried again."""
        if future.done():
            return True
        try:
            starter = self._starter()
            if starter is None:
                raise ServiceError("The starter model is missing, so this computer cannot be measured.")
            measured = measure(started, starter, stop)
        except InglenookError as error:
            log.info("this computer could not be measured: %s", error.code)
            if not future.cancelled():
                future.set_exception(error)
            return True
        if measured is None:
            return False
        with self._lock:
            self._measured, self._latest = measured, None
        try:
            machines.save(self._data, measured)
        except OSError as error:
            log.info("what was measured is not kept: %s", error.strerror)
        if not future.cancelled():
            future.set_result(self.machine())
        self._publisher.publish(MachineMeasured())
        return True

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, key: Key, ask: Callable[[Probe, Path, Question], Fit]) -> Future[Fit]:
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            return self._questions.put(key, ask)
        done: Future[Fit] = Future()
        machine = msgspec.structs.replace(self.machine(), devices=kept.devices)
        done.set_result(fit(kept.shape, kept.options, machine, kept.plan))
        return done

    def _plan(self, probe: Probe, path: Path, shape: ModelShape, key: Key) -> Fit:
        devices = device_memory.believed(machines.taking_layers(probe.describe().devices), self._report)
        machine = msgspec.structs.replace(self.machine(), devices=devices)
        missed: tuple[MemoryPlan, ...] = ()
        for _ in range(TRIES):  # a device takes a little more than was computed: the next try knows it
            options = best(shape, _options(key), at_rest(machine), taken=missed)
            plan = probe.plan(path, options)
            if holds(plan, machine) or not plan.n_gpu_layers:
                break
            missed = (beyond(plan, estimate(shape, options, devices)),)
        found = fit(shape, options, machine, plan)
        with self._lock:
            self._kept[key] = _Kept(shape, devices, options, plan)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """Ends the process and every question. Idempotent."""
        self._questions.close()
        with self._lock:
            measuring = self._measuring
        if measuring is not None:
            measuring.cancel()


def _judged(shape: ModelShape, options: LoadOptions, machine: Machine) -> Fit:
    """What it will be like, whatever else is running now."""
    return fit(shape, best(shape, options, at_rest(machine)), machine)


def _options(key: Key) -> LoadOptions:
    _, n_ctx, kv = key
    return LoadOptions(n_ctx=n_ctx, type_k=kv, type_v=kv)


def _part(number: int, count: int) -> str:
    return f"model-{number:05d}-of-{count:05d}.gguf"
