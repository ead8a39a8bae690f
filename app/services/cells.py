"""How many tokens of all conversations together stay in memory, where the settings leave it open.

Room for two whole windows, so that going back and forth between two long conversations costs nothing, if the second one
takes a small part of the memory that is free; else for one. What has to leave is kept on disk. engine/fit is imported
when it is first needed: the window starts without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from app.engine.errors import EngineError
from app.engine.hardware import Machine
from app.engine.values import LoadOptions, ModelFile
from app.services.growing import shape_of_file

log = logging.getLogger(__name__)

WINDOWS = 2
SHARE = 8
"""The further window may take one part in so many of the free memory."""


class CacheCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What the memory of conversations takes with one model: a full window, and all cells together. In tokens and
    bytes."""

    n_ctx: int
    window_bytes: int
    n_cells: int
    size_bytes: int


class Cells:
    """Thread-safe. `machine` tells the memory of this moment."""

    def __init__(self, machine: Callable[[], Machine]) -> None:
        self._machine = machine

    def chosen(self, file: ModelFile, options: LoadOptions) -> LoadOptions:
        """These options with their cells chosen. A file that cannot be read gets one window; loading it says why."""
        from app.engine.budgets import Room
        from app.engine.fit import context_length, estimate, sizes
        from app.engine.placing import best

        if options.n_cells or options.n_seq_max < WINDOWS:
            return options
        try:
            shape = shape_of_file(file.path, file.mtime_ns)
        except EngineError as error:
            log.info("the header of a model could not be read: %s", error.code)
            return options
        machine = self._machine()
        room = Room.of(machine, now=True)
        more = msgspec.structs.replace(options, n_cells=WINDOWS * context_length(shape, options))
        with_more, without = (
            sizes(estimate(shape, wanted, machine.devices))
            for wanted in (best(shape, more, machine), best(shape, options, machine))
        )
        cost = {name: size - without.get(name, 0) for name, size in with_more.items()}
        small = room.holds({name: size * SHARE for name, size in cost.items()})
        return more if small and room.holds(with_more) else options

    def costs(self, file: ModelFile, options: LoadOptions) -> CacheCosts | None:
        """What these options would take with this model, whose header may be read for it; None if that fails."""
        from app.engine.fit import context_length

        try:
            shape = shape_of_file(file.path, file.mtime_ns)
        except EngineError as error:
            log.info("the header of a model could not be read: %s", error.code)
            return None
        options = self.chosen(file, options)
        n_ctx = context_length(shape, options)
        n_cells = max(options.n_cells, n_ctx)
        states = shape.state_bytes
        return CacheCosts(
            n_ctx=n_ctx,
            window_bytes=sum(shape.kv_layer_bytes(n_ctx, options)) + states,
            n_cells=n_cells,
            size_bytes=sum(shape.kv_layer_bytes(n_cells, options)) + states * options.n_seq_max,
        )
