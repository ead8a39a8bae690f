"""`inglenook worker`: this computer takes part of a model that another one has loaded."""

from __future__ import annotations

import click

from app.cli.front import USAGE, Front, say_error
from app.cli.numbers import Whole
from app.services import lending

OPEN = (
    "{endpoint} can be reached from other computers, and whoever reaches it can use this one and read what passes: "
    "there is no password and no encryption. If that is what you want, repeat it with --i-know-it-is-open; an SSH "
    "tunnel is the safe way, as docs/guide/hardware.md tells."
)
WARNING = (
    "This computer is open to whoever can reach {endpoint}, without a password or encryption. End it with Ctrl+C as "
    "soon as it is not needed."
)


@click.command()
@click.option("--listen", default="127.0.0.1:50052", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--i-know-it-is-open", "open_", is_flag=True, help="Allow an address that others can reach.")
@click.option("--threads", type=Whole(0, 1024), default=0, help="Processor threads; 0 takes the fast cores.")
@click.pass_obj
def worker(front: Front, listen: str, open_: bool, threads: int) -> int:
    """Lend this computer's devices to an Inglenook elsewhere, which names it with --rpc or in its settings.

    Runs until it is interrupted.
    """
    if not lending.is_endpoint(listen):
        raise click.UsageError(f"“{listen}” is not a place to listen: it looks like 127.0.0.1:50052.")
    if not lending.is_here(listen):
        if not open_:
            say_error(OPEN.format(endpoint=listen))
            return USAGE
        say_error(WARNING.format(endpoint=listen))
    return lending.lend(listen, threads, lambda line: click.echo(line))
