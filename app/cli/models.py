"""`inglenook models`: which model files there are."""

from __future__ import annotations

import click
import msgspec

from app.base.sizes import size_words
from app.cli.front import Front, write_json, write_text


@click.group()
def models() -> None:
    """The models on this computer."""


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_obj
def list_models(front: Front, as_json: bool) -> int:
    """List the models: your own first, then the one that came with Inglenook."""
    with front.application(need_store=False) as application:
        found = application.library.list()
        folder = application.library.folder
    if as_json:
        write_json([msgspec.to_builtins(model) for model in found])
        return 0
    if not found:
        write_text(f"There is no model yet. Put a GGUF file into {folder}.")
    for model in found:
        facts = [model.quantization, size_words(model.size_bytes)]
        if model.n_params:
            facts.append(f"{model.n_params / 1e9:.1f} B" if model.n_params >= 1e9 else f"{model.n_params / 1e6:.0f} M")
        if model.is_starter:
            facts.append("comes with Inglenook")
        write_text(f"{model.name}  ({', '.join(fact for fact in facts if fact)})")
        write_text(f"    {model.path}")
        if model.problem:
            write_text(f"    {model.problem}")
    return 0
