"""Load plans made by the real formulae for a model that is only a guess, on a computer that is made of values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import msgspec

from app.base.errors import InglenookError
from app.engine import placing
from app.engine.guess import guess
from app.engine.hardware import Device, Machine
from app.engine.values import LoadOptions, LoadPlan, ModelFile, Preference
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
    kept: dict[str, LoadOptions] = field(default_factory=dict)
    stepped_down: str = ""
    n_expert_layers: int = 0
    refuse: InglenookError | None = None
    unknown: bool = False
    refreshed: int = 0
    line: str = ""
    asked: list[LoadOptions | None] = field(default_factory=list)

    def devices(self) -> Machine:
        return self.computer

    def refresh(self) -> Future[str]:
        self.refreshed += 1
        done: Future[str] = Future()
        if self.refuse is not None:
            done.set_exception(self.refuse)
        else:
            done.set_result(self.line)
        return done

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
        if self.n_expert_layers:
            each = tuple(size * 9 // 10 for size in shape.layer_bytes)
            shape = dataclasses.replace(shape, layer_expert_bytes=each, expert_bytes=sum(each), expert_share=0.1)
        settings = self.settings.current
        wanted = options or self.kept.get(model_id) or settings.load_options()
        preference = Preference(settings.engine.preference)
        kept = options is None and model_id in self.kept
        return msgspec.structs.replace(
            placing.plan(shape, wanted, self.computer, preference),
            suggested=placing.best(shape, settings.load_options(), self.computer, preference),
            by_person=kept,
            stepped_down="" if options else self.stepped_down,
        )

    def load(self, model_id: str, options: LoadOptions | None = None, *, insist: bool = False) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.loads.append((model_id, options, insist))

    def forget(self, model_id: str) -> None:
        self.forgotten.append(model_id)
        self.kept.pop(model_id, None)
        self.stepped_down = ""
