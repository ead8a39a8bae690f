"""`inglenook models search`: what the Hub has."""

from __future__ import annotations

import click
import msgspec

from app.cli.front import Front, write_json, write_text
from app.cli.models.words import count_words
from app.cli.numbers import Number, Whole
from app.hub.values import Capability, ModelSummary, SearchQuery, Sort

GATED = {"auto": "its terms must be accepted", "manual": "its makers must be asked"}


@click.command()
@click.argument("text", required=False, default="")
@click.option("--sort", type=click.Choice([one.value for one in Sort]), default="trending", help="In which order.")
@click.option("--family", default="", metavar="NAME", help="Llama, Qwen, Gemma, Phi and so on.")
@click.option("--license", "license_id", default="", metavar="ID", help="For example apache-2.0.")
@click.option("--min-params", type=Number(0), default=0, metavar="BILLIONS", help="At least this large.")
@click.option("--max-params", type=Number(0), default=0, metavar="BILLIONS", help="At most this large.")
@click.option("--can", "abilities", type=click.Choice([one.value for one in Capability]), multiple=True,
              help="Only models with this ability; may be given several times.")  # fmt: skip
@click.option("--limit", type=Whole(1, 1000), default=20, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_obj
def search(
    front: Front, /, text: str, sort: str, family: str, license_id: str, min_params: float, max_params: float,
    abilities: tuple[str, ...], limit: int, as_json: bool,
) -> int:  # fmt: skip
    """Search for models in the GGUF format on Hugging Face. TEXT may be part of a name."""
    query = SearchQuery(
        text=text,
        sort=Sort(sort),
        family=family,
        license=license_id,
        min_params=int(min_params * 1e9),
        max_params=int(max_params * 1e9),
        capabilities=tuple(Capability(one) for one in abilities),
    )
    with front.application(need_store=False) as application:
        if family and family.lower() not in {name.lower() for name in application.browsing.families()}:
            names = ", ".join(application.browsing.families())
            raise click.UsageError(f"There is no family called '{family}'. There are: {names}.")
        application.network.consent()
        found = application.browsing.find(query, limit)
    if as_json:
        write_json([msgspec.to_builtins(model) for model in found])
        return 0
    if not found:
        write_text("Nothing was found.")
    for model in found:
        write_text(f"{model.repo}  ({', '.join(fact for fact in _facts(model) if fact)})")
    return 0


def _facts(model: ModelSummary) -> list[str]:
    return [
        count_words(model.params),
        model.license,
        *model.capabilities,
        f"{model.downloads:,} downloads" if model.downloads else "",
        f"{model.likes:,} likes" if model.likes else "",
        GATED.get(model.gated, ""),
    ]
