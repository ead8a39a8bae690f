"""`inglenook remove-data`: what is kept on this computer, with sizes, and removing it. Uninstallers call it too."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec

from app.base.sizes import size_words
from app.cli.front import FAILED, Front, say_error, write_json, write_text
from app.services.leaving import Possession


@click.command(name="remove-data")
@click.option("--list", "only_list", is_flag=True, help="Only list what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask; models stay unless --models is given.")
@click.option("--models", is_flag=True, help="With --yes: the downloaded models too.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print one JSON array.")
@click.pass_obj
def remove_data(front: Front, only_list: bool, yes: bool, models: bool, as_json: bool) -> int:
    """List everything Inglenook keeps on this computer, with sizes, and remove it for good.

    Models are asked about separately. What other programs keep is never touched.
    """
    if as_json and not only_list:
        raise click.UsageError("--json goes with --list.")
    with front.application(opened=False) as application:
        leaving = application.leaving
        found = leaving.possessions()
        if as_json:
            write_json(msgspec.to_builtins(found))
            return 0
        _tell(found, str(front.places.data))
        if only_list or not found:
            return 0
        leaving.ensure_alone()
        if not yes and not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here; --yes removes without asking.")
        wanted = [one for one in found if one.models] if models or not yes else []
        wanted = [one for one in wanted if yes or _agreed("Remove the models too?", [one])]
        data = [one for one in found if not one.models]
        if data and (yes or _agreed("Remove everything else?", data)):
            wanted += data
        left = leaving.remove(wanted) if wanted else []
    if not wanted:
        write_text("Nothing was removed.")
        return 0
    for file in left:
        say_error(f"The system did not let {file} go.")
    removed = sum(one.size_bytes for one in wanted)
    write_text(f"Removed {size_words(removed)}." if not left else "Not everything could be removed.")
    return FAILED if left else 0


def _tell(found: Sequence[Possession], folder: str) -> None:
    if not found:
        write_text(f"Inglenook keeps nothing in {folder}.")
        return
    write_text(f"Inglenook keeps in {folder}:")
    for one in found:
        files = "1 file" if len(one.files) == 1 else f"{len(one.files)} files"
        write_text(f"  {one.what}: {size_words(one.size_bytes)}, {files}")


def _agreed(question: str, possessions: Sequence[Possession]) -> bool:
    size = size_words(sum(one.size_bytes for one in possessions))
    return click.confirm(f"{question} This frees {size} and cannot be undone.", default=False)
