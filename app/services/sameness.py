"""Shows the same content once, however many places it lies in. Pure functions over models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from app.engine.values import ModelFile, ModelPlace


def shown_once(models: Iterable[ModelFile]) -> list[ModelFile]:
    """Models of the same content as one, which lies at the first place that is not away; the others are `also_at`.

    The same content: an equal fingerprint, and no known sha256 that differs. The id is the oldest of their rows', so
    that a conversation finds its model again whichever copy is left. The person's own come first, by name, the starter
    model last.
    """
    groups: dict[str, list[list[ModelFile]]] = defaultdict(list)
    for model in models:
        of_fingerprint = groups[model.fingerprint or f"path {model.path}"]
        same = next((group for group in of_fingerprint if _agree(group, model)), None)
        if same is None:
            of_fingerprint.append([model])
        else:
            same.append(model)
    shown = [_one(group) for of_fingerprint in groups.values() for group in of_fingerprint]
    return sorted(shown, key=lambda model: (model.is_starter, model.name.lower(), model.path))


def _agree(group: list[ModelFile], model: ModelFile) -> bool:
    known = next((one.sha256 for one in group if one.sha256), ())
    return not known or not model.sha256 or known == model.sha256


def _one(group: list[ModelFile]) -> ModelFile:
    if len(group) == 1:
        return group[0]
    chosen = min(group, key=lambda model: (model.away, not model.is_starter))
    known = next((model for model in group if model.repo and model.commit), chosen)
    return msgspec.structs.replace(
        chosen,
        id=min(model.id for model in group),
        sha256=next((model.sha256 for model in group if model.sha256), ()),
        projector=chosen.projector or next((model.projector for model in group if model.projector), ""),
        repo=known.repo,
        commit=known.commit,
        remote_path=known.remote_path,
        also_at=tuple(
            ModelPlace(id=model.id, path=model.path, origin=model.origin, away=model.away)
            for model in group
            if model is not chosen
        ),
    )


def own_ids(model: ModelFile, models: Iterable[ModelFile]) -> set[str]:
    """The ids of all rows that are shown as this model."""
    there = set(paths_of(model))
    return {model.id, *(one.id for one in models if one.path in there)}


def paths_of(model: ModelFile) -> tuple[str, ...]:
    """Every place where this content lies."""
    return (model.path, *(place.path for place in model.also_at))
