"""`inglenook models rm`: moves a model to the system's trash."""

from __future__ import annotations

import click
import msgspec

from app.base.sizes import size_words
from app.cli.front import Front, write_json, write_text
from app.cli.models.words import ORIGINS
from app.services.removing import Removal


@click.command(name="rm")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be moved.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def remove(front: Front, name: str, dry_run: bool, as_json: bool) -> int:
    """Move a model to the trash, with all its parts and its projector. What belongs to another program stays."""
    with front.application() as application:
        model = application.library.only(name)
        removal = application.library.removal(model.id) if dry_run else application.library.delete(model.id)
    if as_json:
        write_json(msgspec.to_builtins(removal))
        return 0
    _say(removal, done=not dry_run)
    return 0


def _say(removal: Removal, *, done: bool) -> None:
    if removal.only_forgets:
        verb = "was" if done else "would be"
        write_text(f"{removal.name} {verb} taken out of the list. Its files are away and stay as they are.")
        return
    verb = "is in" if done else "would go to"
    frees = size_words(removal.frees_bytes)
    write_text(f"{removal.name} {verb} the trash. Emptying the trash frees {frees}.")
    for file in removal.files:
        write_text(f"    {file}")
    for place in removal.stays:
        words = ORIGINS[place.origin] or "away"
        write_text(f"    stays: {place.path} ({words})")
