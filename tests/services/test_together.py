"""Two models at once, each in an engine process of its own, within one plan."""

from __future__ import annotations

from pathlib import Path

from app.engine.budgets import MARGIN_BYTES
from app.engine.command import worker_command
from app.engine.engine import Engine
from app.engine.hardware import Machine
from app.engine.values import LoadedModel, LoadOptions
from app.services.cells import Cells
from app.services.placement import Placement, taken_by
from tests.support.application import running_real


def test_the_second_model_takes_what_the_first_one_leaves(starter_model: Path) -> None:
    engines = [Engine(worker_command()) for _ in range(2)]
    loaded: list[LoadedModel] = []
    try:
        with running_real(n_threads=1) as (app, _):
            app.settings.override("cache.parallel", 1)
            (file,) = app.library.list()
            options = LoadOptions(n_ctx=8192, n_threads=1, n_gpu_layers=0)
            loaded.append(engines[0].load(Path(file.path), options).result(60))
            first = taken_by(loaded[0])
            assert first.total_bytes > 250 << 20
            # Room for one and a half of it.
            room = first.total_bytes * 3 // 2
            machine = Machine(memory_total_bytes=room + MARGIN_BYTES, memory_free_bytes=room)
            cells = Cells(lambda: machine)
            alone, beside = (
                Placement(app.settings, app.ground, cells, lambda: machine, lambda _: None, lambda taken=taken: taken)
                for taken in ((), (first,))
            )
            wanted = alone.wanted(file.id)
            assert alone.goal(file, wanted, machine).options.n_ctx == 8192
            smaller = beside.goal(file, wanted, machine).options
            assert (smaller.n_ctx, smaller.type_k) != (8192, "f16")
            loaded.append(engines[1].load(Path(file.path), smaller).result(60))
            assert sum(taken_by(model).total_bytes for model in loaded) <= room
            assert engines[0].pid != engines[1].pid
            assert engines[0].describe().result(60).model == loaded[0]
    finally:
        for engine in engines:
            engine.close()
