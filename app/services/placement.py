"""How a model is loaded on this computer: as it was set by hand, as it worked where the full plan did not, else as is
best.

What was set by hand is kept in the store for this computer, what was learned by failing also for the settings of then.
engine/placing is imported when it is first needed: the window starts without it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence

import msgspec

from app.base.clock import now_ms
from app.base.errors import InglenookError
from app.engine.hardware import Device, Machine, MemoryPlan
from app.engine.values import EngineInfo, LoadedModel, LoadOptions, LoadPlan, ModelFile, Preference
from app.services.cells import Cells
from app.services.ground import Ground
from app.services.growing import shape_of_file
from app.settings.file import SettingsFile
from app.store.kept import KeptPlan

log = logging.getLogger(__name__)

_OF_ALL = ("n_seq_max", "use_mmap", "use_mlock", "rpc")
"""Options that a plan set by hand takes from the settings."""

_OF_THIS_RUN = {
    "engine.n_ctx": ("n_ctx",),
    "engine.n_threads": ("n_threads",),
    "engine.n_gpu_layers": ("n_gpu_layers", "devices", "layers_on"),
    "cache.type_k": ("type_k",),
    "cache.type_v": ("type_v",),
    "cache.cells": ("n_cells",),
}
"""What is asked for on the command line goes before what was set by hand."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a load; what it leaves open is chosen. `by_person`: set by hand for this model."""

    options: LoadOptions
    preference: Preference
    by_person: bool = False


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What a load begins with. `stepped_down`: a step of an earlier load that worked, where the full plan did not."""

    options: LoadOptions
    stepped_down: str = ""


class Placement:
    """Thread-safe. `taken`: what other models take that are loaded at the same time."""

    def __init__(
        self, settings: SettingsFile, ground: Ground, cells: Cells, machine: Callable[[], Machine],
        devices_seen: Callable[[Sequence[Device]], None], taken: Callable[[], Sequence[MemoryPlan]] = tuple,
    ) -> None:  # fmt: skip
        """`machine` tells the memory of this moment; `devices_seen` hears what an engine says of its devices."""
        self._settings = settings
        self._ground = ground
        self._cells = cells
        self._machine = machine
        self._devices_seen = devices_seen
        self._taken = taken
        self._lock = threading.Lock()
        self._kept: dict[str, KeptPlan | None] = {}

    # --- this computer ----------------------------------------------------------------------------------------------

    def seen(self, info: EngineInfo) -> None:
        """What an engine reports of its devices at this moment; the memory of the model that it holds counts as
        free."""
        taken = {share.name: share.total_bytes for share in info.model.shares} if info.model is not None else {}
        self._devices_seen([_with_free(device, taken.get(device.name, 0)) for device in info.devices])

    def machine(self, loaded: LoadedModel | None = None) -> Machine:
        """This computer at this moment, as if the model that is `loaded` were not."""
        machine = self._machine()
        return freed(machine, loaded) if loaded is not None else machine

    @property
    def workers(self) -> tuple[str, ...]:
        """The further computers that are to take part."""
        return self._settings.current.engine.workers

    # --- before a load ----------------------------------------------------------------------------------------------

    def wanted(self, model_id: str) -> Wanted:
        """What is asked of the next load of a model: as set by hand for it, else as the settings have it."""
        kept = self._known(model_id)
        if kept is not None and kept.by_person and kept.machine == _name(self.machine()):
            return self.by_hand(kept.options)
        return self._by_settings()

    def _by_settings(self) -> Wanted:
        settings = self._settings.current
        return Wanted(options=settings.load_options(), preference=Preference(settings.engine.preference))

    def by_hand(self, options: LoadOptions) -> Wanted:
        """The same for options that a person set."""
        settings = self._settings.current
        general = settings.load_options()
        names = [*_OF_ALL, *(field for name in self._settings.overridden for field in _OF_THIS_RUN.get(name, ()))]
        return Wanted(
            options=msgspec.structs.replace(options, n_cells=0, **{name: getattr(general, name) for name in names}),
            preference=Preference(settings.engine.preference),
            by_person=True,
        )

    def goal(self, file: ModelFile, wanted: Wanted, machine: Machine) -> Goal:
        """What the next load begins with. Raises EngineError when the file's header cannot be read."""
        kept = self._known(file.id)
        if kept is not None and kept.machine == _name(machine, wanted):
            return Goal(options=kept.options, stepped_down=kept.stepped_down)
        stepped_down = kept.stepped_down if kept is not None and wanted.by_person else ""
        return Goal(options=self._best(file, wanted, machine), stepped_down=stepped_down)

    def _best(self, file: ModelFile, wanted: Wanted, machine: Machine) -> LoadOptions:
        from app.engine import placing

        shape = shape_of_file(file.path, file.mtime_ns)
        options = self._cells.chosen(file, wanted.options)
        return placing.best(shape, options, machine, wanted.preference, self._taken())

    def plan(self, file: ModelFile, wanted: Wanted, machine: Machine, options: LoadOptions | None = None) -> LoadPlan:
        """How it would be loaded, or would be with these `options`. Raises EngineError."""
        from app.engine import placing

        shape = shape_of_file(file.path, file.mtime_ns)
        suggested = self._best(file, self._by_settings(), machine)
        if options is not None:
            asked = self._cells.chosen(file, self.by_hand(options).options)  # as a load would go about it
            found = placing.plan(shape, asked, machine, wanted.preference)
            return msgspec.structs.replace(found, suggested=suggested, by_person=True)
        goal = self.goal(file, wanted, machine)
        found = placing.plan(shape, placing.opened(goal.options), machine, wanted.preference, kept=goal.options)
        return msgspec.structs.replace(
            found, suggested=suggested, stepped_down=goal.stepped_down, by_person=wanted.by_person
        )

    # --- after a load -----------------------------------------------------------------------------------------------

    def keep(self, file: ModelFile, wanted: Wanted, options: LoadOptions, stepped_down: str, machine: Machine) -> None:
        """These options worked. Kept is what was set by hand or learned by failing; what is best otherwise is found
        again at once, for the memory of that moment; so is whether the file is mapped."""
        if not wanted.by_person and not stepped_down:
            return
        kept = self._known(file.id)
        plan = KeptPlan(
            model_id=file.id,
            machine=_name(machine) if wanted.by_person else _name(machine, wanted),
            options=msgspec.structs.replace(options, use_mmap=wanted.options.use_mmap),
            stepped_down=stepped_down,
            by_person=wanted.by_person,
            made_ms=now_ms(),
        )
        if kept is None or msgspec.structs.replace(plan, made_ms=kept.made_ms) != kept:
            self._write(file.id, plan)

    def stepped_down(self, model_id: str) -> str:
        """The sentence of the step that is kept for this model; '' for none."""
        kept = self._known(model_id)
        return kept.stepped_down if kept is not None else ""

    def forget(self, model_id: str) -> None:
        """Whatever was kept for this model is forgotten."""
        if self._known(model_id) is not None:
            self._write(model_id, None)

    def _known(self, model_id: str) -> KeptPlan | None:
        store = self._ground.open_store
        with self._lock:
            if model_id in self._kept or store is None:
                return self._kept.get(model_id)
        try:
            found = store.plans.get(model_id)
        except InglenookError as error:
            log.info("a load plan could not be read: %s", error.code)
            return None
        with self._lock:
            return self._kept.setdefault(model_id, found)

    def _write(self, model_id: str, plan: KeptPlan | None) -> None:
        with self._lock:
            self._kept[model_id] = plan
        store = self._ground.open_store
        if store is None:
            return
        done = store.plans.keep(plan) if plan is not None else store.plans.forget(model_id)
        done.add_done_callback(
            lambda future: None if future.exception() is None else log.info("a load plan was not stored")
        )


def freed(machine: Machine, loaded: LoadedModel) -> Machine:
    """The machine once this model is gone from main memory (devices count as without it already).
    Weights that are mapped from a file count as free already."""
    back = sum(
        share.kv_bytes + share.compute_bytes + (0 if loaded.mapped else share.weights_bytes)
        for share in loaded.shares
        if share.kind == "cpu"
    )
    free = min(machine.memory_free_bytes + back, machine.memory_total_bytes)
    return msgspec.structs.replace(machine, memory_free_bytes=free)


def _with_free(device: Device, more: int) -> Device:
    free = min(device.memory_free_bytes + more, device.memory_total_bytes)
    return msgspec.structs.replace(device, memory_free_bytes=free)


def taken_by(model: LoadedModel) -> MemoryPlan:
    """What a loaded model takes, for the plan of another one."""
    return MemoryPlan(n_ctx=model.n_ctx, n_gpu_layers=model.n_gpu_layers, exact=True, shares=model.shares)


def _name(machine: Machine, wanted: Wanted | None = None) -> str:
    """For what a kept plan holds: memory and devices of this computer, and the settings where they led to it."""
    parts = [f"{machine.memory_total_bytes}", *(f"{d.name} {d.memory_total_bytes}" for d in machine.devices)]
    if wanted is not None:
        parts.append(hashlib.sha256(msgspec.json.encode(wanted)).hexdigest()[:16])
    return ", ".join(parts)
