"""Load plans made by the real formulae for a model that is only a guess, on a computer that is made of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from app.base.errors import InglenookError
from app.engine.fit import best_options, context_length, fit
from app.engine.guess import guess
from app.engine.hardware import Device, Machine
from app.engine.values import LoadOptions, LoadPlan, ModelFile
from app.settings.file import SettingsFile

CARD = Device(
    name="CUDA0", description="GeForce RTX 4060 Laptop", kind="gpu", backend="CUDA",
    memory_free_bytes=7_600_000_000, memory_total_bytes=8_000_000_000,
)  # fmt: skip
OTHER = Device(
    name="RPC0", description="Radeon RX 7600", kind="gpu", backend="RPC", host="192.168.1.20",
    memory_free_bytes=7_100_000_000, memory_total_bytes=8_000_000_000,
)  # fmt: skip


@dataclass
class FakePlans:
    """`loads` holds what was asked: model, options, whether it was insisted on."""

    models: Callable[[], list[ModelFile]]
    settings: SettingsFile
    computer: Machine
    loads: list[tuple[str, LoadOptions | None, bool]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    stepped_down: str = ""
    n_expert_layers: int = 0
    refuse: InglenookError | None = None
    unknown: bool = False
    asked: list[LoadOptions | None] = field(default_factory=list)

    def devices(self) -> Machine:
        return self.computer

    def plan(self, model_id: str, options: LoadOptions | None = None) -> LoadPlan | None:
        if self.refuse is not None:
            raise self.refuse
        if self.unknown:
            return None
        self.asked.append(options)
        model = next(one for one in self.models() if one.id == model_id)
        shape = guess(
            model.n_params, architecture=model.architecture, context_length=model.n_ctx_train,
            weights_bytes=model.size_bytes,
        )  # fmt: skip

        def filled(wanted: LoadOptions) -> LoadOptions:
            wanted = msgspec.structs.replace(wanted, n_ctx=context_length(shape, wanted))
            if wanted.n_gpu_layers < 0 and self.computer.devices:
                wanted = best_options(shape, wanted, self.computer)
            return msgspec.structs.replace(
                wanted,
                n_gpu_layers=max(0, wanted.n_gpu_layers),
                n_threads=wanted.n_threads or self.computer.cores,
            )

        suggested = filled(self.settings.current.load_options())
        chosen = filled(options) if options is not None else suggested
        return LoadPlan(
            options=chosen,
            suggested=suggested,
            fit=fit(shape, chosen, self.computer),
            machine=self.computer,
            n_layer=shape.n_layer,
            n_ctx_train=model.n_ctx_train,
            n_expert_layers=self.n_expert_layers,
            stepped_down=self.stepped_down,
            by_person=options is not None,
        )

    def load(self, model_id: str, options: LoadOptions | None = None, *, insist: bool = False) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.loads.append((model_id, options, insist))

    def forget(self, model_id: str) -> None:
        self.forgotten.append(model_id)
        self.stepped_down = ""
