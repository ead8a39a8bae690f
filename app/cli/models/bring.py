"""`inglenook models import`: takes a file or a folder into the library."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from app.cli.front import Front, say_error, write_json, write_text
from app.cli.models.words import Bar, Pace, ending_at_a_signal
from app.services.errors import Interrupted
from app.services.shelves import whole


@click.command(name="import")
@click.argument("path")
@click.option("--copy", is_flag=True, help="Copy into your folder of models instead of using it where it lies.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_obj
def bring(front: Front, path: str, copy: bool, as_json: bool) -> int:
    """Use a GGUF file, or all of a folder, where it lies."""
    if not path.strip():
        raise click.UsageError("No file or folder is named.")
    with front.application() as application, ending_at_a_signal() as (ended, signals):
        where: Path = whole(path)
        pace = Pace()
        with Bar(where.name, 1, shown=copy and not as_json) as bar:

            def progress(done: int, size: int) -> None:
                bar.of(size)
                bar.at(done, pace.words(done, size))

            try:
                found = application.library.bring(where, copy=copy, progress=progress, ended=ended)
            except Interrupted as error:
                say_error(error.sentence)
                return 128 + signals[0]
    if as_json:
        write_json([msgspec.to_builtins(model) for model in found])
        return 0
    for model in found:
        write_text(f"{model.name}: {model.path}")
        if model.problem:
            write_text(f"    {model.problem}")
    if not found:
        write_text("There is no GGUF file in it yet. What comes there will be listed.")
    return 0
