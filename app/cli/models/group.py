"""The group `inglenook models` and its verbs."""

from __future__ import annotations

import click

from app.cli.models.bring import bring
from app.cli.models.fit import fit
from app.cli.models.listing import list_models
from app.cli.models.pull import pull
from app.cli.models.remove import remove
from app.cli.models.search import search
from app.cli.models.show import show
from app.cli.models.verify import verify


@click.group()
def models() -> None:
    """The models on this computer, and finding and getting others."""


for _verb in (search, show, pull, list_models, verify, remove, bring, fit):
    models.add_command(_verb)
