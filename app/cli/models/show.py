"""`inglenook models show`: what a repository on the Hub holds."""

from __future__ import annotations

import click
import msgspec

from app.base.sizes import size_words
from app.cli.front import Front, write_json, write_text
from app.cli.models.search import GATED
from app.cli.models.words import count_words
from app.engine.hardware import Verdict
from app.hub.values import ModelPage, Variant

FITS = {
    Verdict.GPU: "fits on the GPU",
    Verdict.PARTLY: "partly on the GPU",
    Verdict.MEMORY: "fits in memory",
    Verdict.NO: "does not fit",
}


@click.command()
@click.argument("repo")
@click.option("--revision", default="", metavar="NAME", help="A branch, a tag or a commit instead of the newest.")
@click.option("--card", is_flag=True, help="Print the model's card, as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def show(front: Front, repo: str, revision: str, card: bool, as_json: bool) -> int:
    """Show what REPO (owner/name) on Hugging Face holds: its licence and all quantizations with their sizes."""
    with front.application(need_store=False) as application:
        application.network.consent()
        page = application.browsing.look(repo, revision)
        text = application.browsing.read(repo, revision) if card else ""
        usual = application.browsing.pick(page) if page.variants else None
        machine = application.fitting.machine()
        quick = application.fitting.quick
        fits = {variant.name: quick(page.summary, variant, None, machine).verdict for variant in page.variants}
    if as_json:
        facts = msgspec.to_builtins(page)
        facts |= {"usual": usual.name if usual else "", "fits": {name: fit.value for name, fit in fits.items()}}
        write_json(facts | ({"card": text} if card else {}))
        return 0
    _print(page, usual, fits)
    if card:
        write_text(f"\n{text}" if text else "\nThere is no card.")
    return 0


def _print(page: ModelPage, usual: Variant | None, fits: dict[str, Verdict]) -> None:
    about = page.summary
    context = f"{about.context_length:,} tokens of context" if about.context_length else ""
    facts = [count_words(about.params), about.architecture, context, *about.capabilities, GATED.get(about.gated, "")]
    write_text(f"{about.repo}  ({', '.join(fact for fact in facts if fact)})")
    if about.base_model:
        write_text(f"Made from {about.base_model}")
    if page.license_name or page.license_words:
        write_text(f"Licence: {page.license_name or 'unknown'}. {page.license_words} {page.license_link}".rstrip())
    write_text(f"Commit {page.commit}\n")
    width = max((len(variant.name) for variant in page.variants), default=0)
    for variant in page.variants:
        bits = f"{variant.bits_per_weight:4.1f} bits" if variant.bits_per_weight else " " * 9
        parts = f", {len(variant.files)} files" if len(variant.files) > 1 else ""
        mark = "  (the usual choice)" if variant is usual else ""
        size = size_words(variant.size_bytes)
        here = FITS[fits[variant.name]]
        write_text(f"  {variant.name:<{width}}  {size:>7}  {bits}  {here:<17}  {variant.quality}{parts}{mark}".rstrip())
    if not page.variants:
        write_text("  There is no model file here that Inglenook can use.")
    for projector in page.projectors:
        write_text(f"  Comes along, to see pictures: {projector.path} ({size_words(projector.size_bytes)})")
    for left_out in page.left_out:
        write_text(f"  Left out: {left_out.path}. {left_out.reason}")
