"""Which model is meant: the one loaded or being loaded, else the one that would be loaded next. Pure functions."""

from __future__ import annotations

from app.engine.values import ModelFile
from app.services.changes import EngineChanged, EngineState


def model_in_use(state: EngineChanged, models: list[ModelFile], last_model_id: str) -> ModelFile | None:
    """The model the pill and the greeting speak of; None where there is no model that could be used."""
    by_id = {model.id: model for model in models}
    if state.state in (EngineState.READY, EngineState.LOADING, EngineState.STARTING) and state.model_id in by_id:
        return by_id[state.model_id]
    usable = [model for model in models if not model.problem]
    last = by_id.get(last_model_id)
    if last is not None and last in usable:
        return last
    return usable[0] if usable else None
