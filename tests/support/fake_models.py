"""Models on this computer, made of values: the library, adapters, and an engine that loads nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from app.base.errors import InglenookError
from app.engine.values import AdapterFile, LoadedModel, ModelFile, Origin
from app.services.cells import CacheCosts
from app.services.changes import EngineChanged, EngineState, Publisher
from app.services.errors import NotRemovable
from app.services.reading import ModelDetails
from app.services.removing import Removal
from app.services.shelves import Place
from app.services.verifying import Finding, Verdict
from app.settings.file import SettingsFile
from app.settings.schema import Models


def starter(**changes: Any) -> ModelFile:
    """The starter model as the library lists it."""
    model = ModelFile(
        id="starter",
        path="/resources/models/SmolLM2-135M-Instruct.Q4_1.gguf",
        name="SmolLM2-135M-Instruct",
        architecture="llama",
        quantization="Q4_1",
        size_bytes=98_000_000,
        n_params=134_515_008,
        n_ctx_train=8192,
        fingerprint="f0",
        is_starter=True,
        license="Apache-2.0",
    )
    return msgspec.structs.replace(model, **changes)


def loaded(model: ModelFile, n_ctx: int = 8192, *, can_think: bool = False) -> LoadedModel:
    """What the engine reports once `model` is loaded."""
    return LoadedModel(
        path=model.path,
        name=model.name,
        architecture=model.architecture,
        description="",
        size_bytes=model.size_bytes,
        n_params=model.n_params,
        n_ctx=n_ctx,
        n_ctx_train=model.n_ctx_train,
        n_vocab=49152,
        n_layer=30,
        n_gpu_layers=0,
        n_threads=2,
        tokenizer="t0",
        has_template=True,
        can_think=can_think,
        load_s=0.2,
    )


class FakeLibrary:
    """A list of models."""

    def __init__(self, models: list[ModelFile]) -> None:
        self.models = models
        self.added: list[Path] = []
        self.deleted: list[str] = []
        self.finding = Finding.SAME
        self.folder = Path("/home/me/.local/share/inglenook/models")
        self.refuse: InglenookError | None = None
        self.settings: SettingsFile | None = None
        self.refreshed = threading.Event()
        self.refreshed.set()

    def list(self) -> list[ModelFile]:
        return list(self.models)

    def refresh(self) -> None:
        self.refreshed.set()

    def add_file(self, path: Path) -> ModelFile:
        model = self._added(path)
        if self.settings is not None and str(path) not in self.settings.current.models.files:
            self.settings.change("models.files", (*self.settings.current.models.files, str(path)))
        return model

    def _added(self, path: Path) -> ModelFile:
        if self.refuse is not None:
            raise self.refuse
        self.added.append(path)
        model = starter(id=path.stem, name=path.stem, is_starter=False, path=str(path), origin=Origin.FILE)
        self.models = [model, *self.models]
        return model

    def places(self) -> list[Place]:  # type: ignore[valid-type]
        """What the options name, with the models below; other programs' as their models tell."""
        models = self.settings.current.models if self.settings is not None else Models()
        found = [(Origin.FOLDER, path) for path in models.folders] + [(Origin.FILE, path) for path in models.files]
        for origin in (Origin.LM_STUDIO, Origin.OLLAMA, Origin.HUGGING_FACE):
            if getattr(models, origin.value) and any(model.origin is origin for model in self.models):
                found.append((origin, f"/home/me/.{origin.value.replace('_', '')}/models"))
        places = []
        for origin, path in found:
            own = [model for model in self.models if model.origin is origin and model.path.startswith(path)]
            away = bool(own) and all(model.away for model in own)
            places.append(Place(path, origin, away, len(own), sum(model.size_bytes for model in own)))
        return places

    def take_off(self, path: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        assert self.settings is not None
        models = self.settings.current.models
        self.settings.change("models.folders", tuple(one for one in models.folders if one != path))
        self.settings.change("models.files", tuple(one for one in models.files if one != path))

    def add_folder(self, path: Path) -> list[ModelFile]:  # type: ignore[valid-type]
        if self.refuse is None and self.settings is not None:
            self.settings.change("models.folders", (*self.settings.current.models.folders, str(path)))
        return [self._added(path / "one.gguf"), self._added(path / "two.gguf")]

    def details(self, model_id: str) -> ModelDetails:
        if self.refuse is not None:
            raise self.refuse
        return ModelDetails(
            architecture="llama", name="", basename="", author="", license="", license_link="", base_model="acme/Base",
            quantized_by="", quantization="Q4_1", size_label="", context_length=8192, layers=30, embedding_length=576,
            heads=9, kv_heads=3, experts=0, experts_used=0, vocabulary=49152, tokenizer="gpt2", template=True,
            tensors=272, types={}, gguf_version=3,
        )  # fmt: skip

    def whereabouts(self, model_id: str) -> Path:
        return Path(self._model(model_id).path)

    def verify(self, model_id: str, progress: Callable[[int, int], None], ended: threading.Event) -> Verdict:
        model = self._model(model_id)
        progress(model.size_bytes // 2, model.size_bytes)
        progress(model.size_bytes, model.size_bytes)
        return Verdict(
            model_id=model_id,
            name=model.name,
            path=model.path,
            finding=self.finding,
            sha256=(),
            known=(),
            sentence=f"{model.name}: {self.finding.value}.",
        )

    def removal(self, model_id: str) -> Removal:
        model = self._model(model_id)
        if model.origin in (Origin.OLLAMA, Origin.LM_STUDIO):
            raise NotRemovable(f"{model.name} belongs to another program. Remove it there.")
        return Removal(
            model_id=model_id,
            name=model.name,
            files=() if model.away else (model.path,),
            frees_bytes=0 if model.away else model.size_bytes,
            only_forgets=model.away,
        )

    def delete(self, model_id: str) -> Removal:
        removal = self.removal(model_id)
        self.deleted.append(model_id)
        self.models = [model for model in self.models if model.id != model_id]
        return removal

    def _model(self, model_id: str) -> ModelFile:
        return next(model for model in self.models if model.id == model_id)


class FakeAdapters:
    """Adapters that lie among the models, and others by their paths."""

    def __init__(self) -> None:
        self.files: list[AdapterFile] = []
        self.others: list[AdapterFile] = []
        self.looked_at: list[tuple[list[str], str]] = []

    def found(self) -> list[AdapterFile]:
        return [*self.files]

    def look(self, paths: Sequence[str], model_id: str = "") -> Future[list[AdapterFile]]:
        self.looked_at.append(([*paths], model_id))
        known = {file.path: file for file in (*self.files, *self.others)}
        future: Future[list[AdapterFile]] = Future()
        future.set_result([known[path] for path in paths])
        return future


@dataclass
class FakeLoading:
    """Loads nothing; `become` publishes a state."""

    publisher: Publisher
    state: EngineChanged = field(default_factory=lambda: EngineChanged(state=EngineState.OFF))
    loads: list[str] = field(default_factory=list)
    cancelled: int = 0
    unloaded: int = 0
    warmed: int = 0
    outdated: bool = False

    def become(self, state: EngineState, model: ModelFile | None = None, **more: Any) -> None:
        """Publishes that the engine is in this state."""
        self.state = EngineChanged(
            state=state,
            model_id=model.id if model else "",
            model_name=model.name if model else "",
            model=loaded(model) if model and state is EngineState.READY else None,
            **more,
        )
        self.publisher.publish(self.state)

    def load(self, model_id: str) -> None:
        self.loads.append(model_id)

    def cancel(self) -> None:
        self.cancelled += 1

    def unload(self) -> None:
        self.unloaded += 1

    def warm(self) -> None:
        self.warmed += 1

    def context_limit(self) -> int:
        return self.state.model.n_ctx if self.state.model else 0

    def cache_costs(self) -> tuple[str, CacheCosts] | None:
        costs = CacheCosts(n_ctx=8_192, window_bytes=188_743_680, n_cells=16_384, size_bytes=377_487_360)
        return "SmolLM2-135M-Instruct", costs


class FakeSnapshots:
    """Some bytes on a disk that is none."""

    def __init__(self) -> None:
        self.taken = 1_240_000_000
        self.budget_bytes = 16_000_000_000

    def size_bytes(self) -> int:
        return self.taken

    def remove_all(self) -> None:
        self.taken = 0
