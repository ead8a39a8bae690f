"""Load plans as a person sees and changes them: how a model would be loaded here, and loading it so.

`plan` and `devices` answer at once, from what is known of the computer; `refresh` asks the engine for its devices and
those of further computers at this moment, and `exact` asks it what the plan would take, too.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from pathlib import Path

import msgspec

from app.engine.client import EngineClient
from app.engine.errors import EngineError
from app.engine.hardware import Machine
from app.engine.values import LoadOptions, LoadPlan, ModelFile
from app.services.changes import MachineMeasured, Publisher
from app.services.errors import NoSuchThing
from app.services.growing import shape_of_file
from app.services.jobs import Jobs
from app.services.library import Library
from app.services.loading import Loading
from app.services.placement import Placement
from app.services.workers import Workers
from app.settings.file import SettingsFile

log = logging.getLogger(__name__)


class Plans:
    """All methods may be called from any thread."""

    def __init__(
        self, engine: EngineClient, library: Library, settings: SettingsFile, placement: Placement, loading: Loading,
        workers: Workers, publisher: Publisher, jobs: Jobs,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._library = library
        self._settings = settings
        self._placement = placement
        self._loading = loading
        self._workers = workers
        self._publisher = publisher
        self._jobs = jobs

    def devices(self) -> Machine:
        """This computer at this moment, with the devices as they were last seen."""
        return self._placement.machine()

    def refresh(self) -> Future[str]:
        """Looks at the devices in the background, starting the engine if it must; MachineMeasured is published. The
        future gives a line about a further computer that does not take part, or raises EngineError."""

        def look() -> str:
            reached = self._workers.reach(self._settings.current.engine.workers)
            self._placement.seen(reached.info)
            self._publisher.publish(MachineMeasured())
            return reached.line

        return self._jobs.submit(look)

    def plan(self, model_id: str, options: LoadOptions | None = None) -> LoadPlan:
        """How this model would be loaded, or would be with these options, as if nothing else were loaded; the header of
        its file may be read for it. Raises NoSuchThing and EngineError."""
        file = self._file(model_id)
        ready = self._loading.ready
        machine = self._placement.machine(ready.model if ready is not None else None)
        wanted = self._placement.wanted(model_id)
        return self._placement.plan(file, wanted, machine, options)

    def exact(self, model_id: str) -> tuple[LoadPlan, str]:
        """How this model would be loaded, with the memory that llama.cpp itself says it takes (what was computed, where
        it does not say), and a line about a further computer that does not take part. Waits. Raises NoSuchThing and
        EngineError."""
        from app.engine.fit import fit

        reached = self._workers.reach(self._settings.current.engine.workers)
        self._placement.seen(reached.info)
        plan, file = self.plan(model_id), self._file(model_id)
        options = msgspec.structs.replace(plan.options, rpc=reached.endpoints)
        try:
            memory = self._engine.plan(Path(file.path), options).result()
        except EngineError as error:
            log.info("no exact plan: %s", error.code)
            return plan, reached.line
        shape = shape_of_file(file.path, file.mtime_ns)
        return msgspec.structs.replace(plan, fit=fit(shape, options, plan.machine, memory)), reached.line

    def load(self, model_id: str, options: LoadOptions | None = None, *, insist: bool = False) -> None:
        """Loads it as the person's choice, with these options, which are kept for it once they have worked. `insist`:
        even if that pushes the system into swap. The change comes as EngineChanged. Raises NoSuchThing."""
        self._file(model_id)
        self._loading.load(model_id, options, insist=insist)

    def forget(self, model_id: str) -> None:
        """Forgets what was set by hand or learned by failing, and tries the full plan if the model is loaded."""
        self._placement.forget(model_id)
        ready = self._loading.ready
        if ready is not None and ready.file.id == model_id:
            self._loading.load(model_id, again=True)

    def stepped_down(self, model_id: str) -> str:
        """The step that is kept since the full plan of this model did not work; '' for none."""
        return self._placement.stepped_down(model_id)

    def _file(self, model_id: str) -> ModelFile:
        file = self._library.get(model_id)
        if file is None:
            raise NoSuchThing("This model is no longer there.", detail=model_id)
        return file
