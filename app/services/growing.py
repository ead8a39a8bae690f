"""Whether a longer window would do: as far as the model was trained and the memory allows, and what it costs.

Reckoned from the model's header at once; nothing is loaded for it. engine/fit is imported when it is first needed: the
window starts without it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.engine.errors import EngineError
from app.engine.gguf import check_loadable, read_others
from app.engine.hardware import Machine
from app.engine.values import LoadOptions, ModelFile

if TYPE_CHECKING:
    from app.engine.shape import ModelShape

log = logging.getLogger(__name__)


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """A longer window and the bytes it takes more than the present one; 0 and 0: there is none."""

    n_ctx: int = 0
    size_bytes: int = 0


class LongerWindows:
    """Thread-safe. `machine` tells the memory of this moment; `with_cells` chooses as loading does how many tokens of
    all conversations together are held."""

    def __init__(
        self, machine: Callable[[], Machine], with_cells: Callable[[ModelFile, LoadOptions], LoadOptions]
    ) -> None:
        self._machine = machine
        self._with_cells = with_cells

    def growth(self, file: ModelFile, options: LoadOptions, n_ctx: int, n_cells: int = 0, needed: int = 0) -> Growth:
        """The next longer window than `n_ctx` (with `n_cells` as loaded), doubled, that holds `needed` tokens and that
        the free memory has room for."""
        from app.engine.budgets import Room

        trained = file.n_ctx_train
        if n_ctx <= 0 or n_ctx >= trained:
            return Growth()
        try:
            shape = shape_of_file(file.path, file.mtime_ns)
        except EngineError as error:
            log.info("the header of a model could not be read: %s", error.code)
            return Growth()
        machine = self._machine()
        room = Room.of(machine, now=True)
        present = _sizes(shape, msgspec.structs.replace(options, n_ctx=n_ctx, n_cells=n_cells), machine)
        wanted = n_ctx
        while wanted < trained:
            wanted = min(wanted * 2, trained)
            longer = self._with_cells(file, msgspec.structs.replace(options, n_ctx=wanted))
            sizes = _sizes(shape, longer, machine)
            more = {name: size - present.get(name, 0) for name, size in sizes.items()}
            if not room.holds(more):
                return Growth()
            if wanted > needed:
                return Growth(n_ctx=wanted, size_bytes=max(sum(more.values()), 0))
        return Growth()


def _sizes(shape: ModelShape, options: LoadOptions, machine: Machine) -> dict[str, int]:
    from app.engine.fit import estimate, sizes
    from app.engine.placing import best

    return sizes(estimate(shape, best(shape, options, machine), machine.devices))


@functools.lru_cache(maxsize=16)
def shape_of_file(path: str, mtime_ns: int) -> ModelShape:
    """The shape by the file's own header; `mtime_ns` tells one file from another at the same path. Raises
    EngineError."""
    from app.engine.shape import shape_of

    first = Path(path)
    return shape_of(check_loadable(first), *read_others(first))
