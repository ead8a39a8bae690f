"""Which model a person means by what they call it. No disk is touched here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.engine.values import ModelFile
from app.services.errors import NoSuchThing
from app.services.sameness import paths_of


def called(what: str, models: Sequence[ModelFile]) -> ModelFile | None:
    """The first model whose id, name, repository or file is called so, else the only one with it as a part of its name.
    Raises NoSuchThing where several have it as a part."""
    wanted = what.strip().lower()
    if not wanted:
        return None
    for model in models:
        if wanted in _names(model):
            return model
    found = [model for model in models if _partly(model, wanted)]
    if len(found) > 1:
        names = ", ".join(model.name for model in found[:4])
        raise NoSuchThing(f"More than one model is called like '{what}': {names}. Give more of the name.")
    return found[0] if found else None


def refuse_alike(what: str, model: ModelFile, models: Sequence[ModelFile]) -> None:
    """Raises NoSuchThing, which tells them apart, where `what` is the whole name of this model and of others too."""
    wanted = what.strip().lower()
    if what.strip() in {model.id, *paths_of(model)} or wanted not in _names(model):
        return
    alike = [one for one in models if wanted in _names(one)]
    if len(alike) > 1:
        names = ", ".join(sorted({f"{one.name}:{one.quantization or Path(one.path).name}" for one in alike[:8]}))
        raise NoSuchThing(f"More than one model is called '{what}': {names}. Name one of them, or its file.")


def _names(model: ModelFile) -> set[str]:
    called = [name for name in (model.name, model.repo) if name]
    names = {model.id, *called, *(f"{name}:{model.quantization}" for name in called)}
    names |= {name for path in map(Path, paths_of(model)) for name in (path.name, path.stem, str(path))}
    return {name.lower() for name in names}


def _partly(model: ModelFile, wanted: str) -> bool:
    return bool(wanted) and any(
        wanted in name for name in (model.name.lower(), *(Path(path).stem.lower() for path in paths_of(model)))
    )
