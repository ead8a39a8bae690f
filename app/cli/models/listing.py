"""`inglenook models list`: which models there are, and where."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from app.base.sizes import size_words
from app.cli.front import Front, write_json, write_text
from app.cli.models.words import ORIGINS, count_words
from app.engine.values import AdapterFile, ModelFile


@click.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option("--adapters", is_flag=True, help="List the LoRA adapters that lie among the models instead.")
@click.pass_obj
def list_models(front: Front, as_json: bool, adapters: bool) -> int:
    """List the models: your own and other programs', then the one that came with Inglenook."""
    with front.application(need_store=False) as application:
        found = application.library.list()
        folder = application.library.folder
        if adapters:
            return _list_adapters(application.library.adapters(), folder, as_json)
    if as_json:
        fields = [name for name in ModelFile.__struct_fields__ if name != "adapter"]
        write_json([{name: msgspec.to_builtins(getattr(model, name)) for name in fields} for model in found])
        return 0
    if not found:
        write_text(f"There is no model yet. Put a GGUF file into {folder}.")
    for model in found:
        write_text(f"{_line(model.name)}  ({', '.join(fact for fact in _facts(model) if fact)})")
        write_text(f"    {model.path}")
        for place in model.also_at:
            write_text(f"    also {_line(place.path)}{' (away)' if place.away else ''}")
        if model.problem:
            write_text(f"    {model.problem}")
    return 0


def _list_adapters(found: list[AdapterFile], folder: Path, as_json: bool) -> int:
    if as_json:
        write_json([msgspec.to_builtins(adapter) for adapter in found])
        return 0
    if not found:
        write_text(f"There is no adapter yet. Put a LoRA adapter in the GGUF format into {folder}.")
    for adapter in found:
        base = f"made for {adapter.base}" if adapter.base else ""
        kind = f"for {adapter.architecture} models" if adapter.architecture else ""
        facts = [size_words(adapter.size_bytes) if adapter.size_bytes else "", kind, base]
        write_text(f"{_line(adapter.name)}  ({', '.join(fact for fact in facts if fact)})")
        write_text(f"    {adapter.path}")
        if adapter.problem:
            write_text(f"    {adapter.problem}")
    return 0


def _facts(model: ModelFile) -> list[str]:
    return [
        model.quantization,
        size_words(model.size_bytes),
        count_words(model.n_params),
        f"{model.parts} files" if model.parts > 1 else "",
        "sees pictures" if model.projector else "",
        ORIGINS[model.origin],
        "away" if model.away else "",
    ]


def _line(text: str) -> str:
    return " ".join(text.split())
